"""Where a heatmap is hot, against where the anomaly is: interpretability as a measurement."""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from vadlib.errors import ParameterError
from vadlib.evaluation.intervals import Interval


def localisation(heatmaps, masks) -> pd.DataFrame:
    """How well each frame's heatmap points at its anomalous pixels.

    Parameters
    ----------
    heatmaps : float (n, H, W)
        Higher where the detector sees more of an anomaly.
    masks : bool (n, H, W)
        Ground truth, True on anomalous pixels.

    Returns
    -------
    DataFrame (n rows)
        ``pixel_auroc``: chance that an anomalous pixel of the frame is hotter than another of its pixels, 0 to 1, ties
        half; ``pointing``: 1 where the hottest pixel is anomalous, else 0, and between where several share the
        maximum (Zhang et al. 2018, without their tolerance of 15 pixels); ``mask_share``: the anomalous part of the
        frame's pixels, which is what `pointing` comes to by chance. A frame whose mask is empty or full has NaN.

    Raises
    ------
    ParameterError
        If shapes differ or a heatmap is not finite.
    """
    heatmaps, masks = np.asarray(heatmaps), np.asarray(masks, dtype=bool)
    if heatmaps.ndim != 3 or heatmaps.shape != masks.shape:
        raise ParameterError(
            f"heatmaps, masks: expected the same shape (n, H, W), found {heatmaps.shape} and {masks.shape}; resize the "
            "masks to the heatmaps"
        )
    if not np.isfinite(heatmaps).all():
        raise ParameterError("heatmaps: expected finite values, found NaN or infinity; look at the detector's input")
    rows = [_of_frame(heat.ravel(), mask.ravel()) for heat, mask in zip(heatmaps, masks, strict=True)]
    return pd.DataFrame(rows, columns=["pixel_auroc", "pointing", "mask_share"], dtype=np.float64)


def bootstrap_mean(values, *, clusters, n_resamples=1000, level=0.95, seed=0) -> Interval:
    """Mean over frames of `values` (n,) with its percentile bootstrap interval over clusters, such as clips, (n,).

    NaN values are left out. ParameterError where fewer than two clusters have a value.
    """
    values, clusters = np.asarray(values, dtype=np.float64), np.asarray(clusters)
    kept = np.isfinite(values)
    codes, names = pd.factorize(clusters[kept], sort=True)
    if len(names) < 2:
        raise ParameterError(f"clusters: {len(names)} of them have values; an interval needs at least two clips")
    sums, counts = np.bincount(codes, weights=values[kept]), np.bincount(codes)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=n_resamples)  # (b, C)
    means = (weights @ sums) / (weights @ counts)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values[kept].mean()), float(low), float(high), level)


def _of_frame(heat: np.ndarray, mask: np.ndarray) -> tuple[float, float, float]:
    n_anomalous, n_other = int(mask.sum()), int((~mask).sum())
    if not n_anomalous or not n_other:
        return np.nan, np.nan, np.nan
    wins = rankdata(heat)[mask].sum() - n_anomalous * (n_anomalous + 1) / 2
    return wins / (n_anomalous * n_other), mask[heat == heat.max()].mean(), n_anomalous / mask.size

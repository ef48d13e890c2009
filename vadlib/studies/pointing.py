"""Whether a heatmap points at what is anomalous, over frames whose ground truth has a mask."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from vadlib.data import FrameReader, VideoDataset
from vadlib.data.reading.views import mask_in_view
from vadlib.detectors import Detector
from vadlib.evaluation import Interval, bootstrap_mean, localisation


def localise(
    detector: Detector,
    dataset: VideoDataset,
    scores: pd.DataFrame,
    open_reader: Callable[[pd.DataFrame], FrameReader],
    *,
    n: int,
    seed: int = 0,
) -> dict[str, Interval] | None:
    """How often a detector's heatmap points at the anomaly, over anomalous frames drawn at random.

    Parameters
    ----------
    detector : Detector
        Fitted.
    dataset : VideoDataset
    scores : DataFrame
        ``clip``, ``frame``, ``label`` of the test frames.
    open_reader : callable
        Gives a reader of some of them.
    n : int
        How many to draw, at most.
    seed : int
        Of the draw and of the bootstrap over clips.

    Returns
    -------
    dict of str to Interval, or None
        ``pixel_auroc``, ``pointing`` and ``mask_share`` (see `localisation`), means over frames with intervals over
        clips; None where fewer than two clips have a mask.
    """
    anomalous = scores[scores["label"] == 1]
    drawn = anomalous.sample(min(n, len(anomalous)), random_state=np.random.default_rng(seed))
    drawn = drawn.sort_values(["clip", "frame"], ignore_index=True)
    masks = [dataset.pixel_mask(row.clip, row.frame) for row in drawn.itertuples()]
    has_mask = np.array([mask is not None and bool(mask.any()) for mask in masks], dtype=bool)
    drawn = drawn[has_mask].reset_index(drop=True)
    if drawn["clip"].nunique() < 2:
        return None
    masks = [mask for mask, has in zip(masks, has_mask, strict=True) if has]
    reader, rows = open_reader(drawn), []
    for batch in reader:
        truth = np.stack(
            [mask_in_view(masks[row], reader.size, reader.view) for row in batch.rows.tolist()]
        )  # (B, H, W)
        found = localisation(detector.heatmap(batch.images, scenes=batch.scenes), truth)
        rows.append(found.assign(clip=drawn["clip"].to_numpy()[batch.rows]))
    table = pd.concat(rows, ignore_index=True).dropna()
    if table["clip"].nunique() < 2:
        return None
    return {
        name: bootstrap_mean(table[name], clusters=table["clip"], seed=seed)
        for name in ("pixel_auroc", "pointing", "mask_share")
    }

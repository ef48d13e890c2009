"""Scores of several methods on the same frames: each judged, all compared, and by scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from vadlib.errors import ParameterError
from vadlib.evaluation import (
    RocBand,
    auroc_by_unit,
    bootstrap_auroc,
    bootstrap_roc_band,
    compare_all,
    delong_auroc,
    roc_curve,
    summarize,
)

RESAMPLES_A_PAIR = 20  # fewer cannot reach a verdict over many pairs
N_CURVE_POINTS = 101


def judge_scores(scored: pd.DataFrame, columns: Sequence[str], *, n_resamples: int = 1000, seed: int = 0) -> dict:
    """Figures of merit of each score, with intervals over clips, over frames, and by scene.

    Parameters
    ----------
    scored : DataFrame
        ``clip``, ``scene``, ``label`` and the scores.
    columns : sequence of str
    n_resamples, seed : int
        Of the bootstrap over clips.

    Returns
    -------
    dict
        By score: ``micro_auroc_interval`` and what `summarize` says; ``frames``, DeLong's interval; ``scenes``, by
        scene ``estimate``, ``n_clips``, and ``low`` and ``high``, None where there are fewer than six clips.
    """
    resampling = {"n_resamples": n_resamples, "seed": seed}
    found = {}
    for name in columns:
        interval = bootstrap_auroc(scored["label"], scored[name], clusters=scored["clip"], **resampling)
        summary = summarize(scored, name)
        found[name] = {"micro_auroc_interval": interval} | summary
        found[name]["frames"] = delong_auroc(scored["label"], scored[name])
        found[name]["scenes"] = {
            scene: _scene_interval(scored[scored["scene"] == scene], name, resampling) for scene in summary["per_scene"]
        }
    return found


def _scene_interval(inside: pd.DataFrame, name: str, resampling: Mapping) -> dict:
    interval = auroc_by_unit(inside["label"], inside[name], clips=inside["clip"], **resampling)
    over_clips, estimate = interval["clips"], interval["frames"].estimate
    bounds = {key: getattr(over_clips, key) if over_clips else None for key in ("low", "high")}
    return {"estimate": estimate, "n_clips": int(inside["clip"].nunique())} | bounds


def compare_scores(scored: pd.DataFrame, columns: Sequence[str], *, n_resamples: int = 1000, seed: int = 0) -> list:
    """`compare_all` of the columns on the same clips, a mapping a pair; with as many resamples as the pairs need."""
    n_pairs = len(columns) * (len(columns) - 1) // 2
    n_resamples = max(n_resamples, RESAMPLES_A_PAIR * n_pairs)
    found = compare_all(
        scored["label"], scored[list(columns)], clusters=scored["clip"], n_resamples=n_resamples, seed=seed
    )
    return found.to_dict("records")


def moving_mean(scores, clips, n_frames: int) -> np.ndarray:
    """Mean of an odd number of frames, centred on each, and of fewer at a clip's ends, float64 (n,).

    `scores` and `clips` (n,) have every frame of each clip, in order.
    """
    if n_frames < 1 or n_frames % 2 == 0:
        raise ParameterError(f"n_frames: an odd number of at least 1 is expected, not {n_frames!r}.")
    by_clip = pd.Series(np.asarray(scores, np.float64)).groupby(np.asarray(clips))
    return by_clip.transform(lambda clip: clip.rolling(n_frames, center=True, min_periods=1).mean()).to_numpy()


def small_curve(labels, scores, *, clips=None, n_resamples: int = 1000, seed: int = 0) -> dict[str, list[float]]:
    """A ROC curve of `N_CURVE_POINTS`: ``fpr``, ``tpr``, and over clips the band's ``low`` and ``high``.

    Without `clips` there is no band: frames are not independent, and what they would be resampled by is not known.
    """
    if clips is None:
        grid = np.linspace(0, 1, N_CURVE_POINTS)
        fpr, tpr, _ = roc_curve(labels, scores)
        return {"fpr": grid.tolist(), "tpr": np.interp(grid, fpr, tpr).tolist()}
    band = bootstrap_roc_band(
        labels, scores, clusters=clips, n_resamples=n_resamples, seed=seed, n_points=N_CURVE_POINTS
    )
    return {name: getattr(band, name).tolist() for name in ("fpr", "tpr", "low", "high")}


def curve_band(curve: Mapping[str, Sequence[float]]) -> RocBand:
    """For `vadlib.figures.roc`: what `small_curve` gave, without a band where it has none."""
    tpr = np.array(curve["tpr"])
    return RocBand(np.array(curve["fpr"]), tpr, *(np.array(curve.get(name, tpr)) for name in ("low", "high")))

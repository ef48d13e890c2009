"""Scores and heatmaps of a batch, and the one scale in which the overlays of all videos are drawn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vadlib.apps.overlay import Scale
from vadlib.apps.saved_run import SavedRun, Threshold
from vadlib.data import FrameReader, VideoDataset
from vadlib.data.reading.frames import Batch
from vadlib.detectors import Detector
from vadlib.errors import ParameterError, UnreadableError

N_SAMPLED = 32  # frames that set the scale where the run cannot
HEAT_QUANTILE = 0.99  # of normal frames' maxima: the brightest colour


class Options(NamedTuple):
    """How to read and what to show.

    Attributes
    ----------
    score : str
        The column that is drawn.
    threshold : Threshold or None
    scene : str or None
        The camera, for a detector with a reference for each.
    batch_size : int
    skip_unreadable : bool
    progress : bool
    """

    score: str
    threshold: Threshold | None
    scene: str | None
    batch_size: int
    skip_unreadable: bool
    progress: bool


def scores_and_heatmaps(
    detector: Detector, batch: Batch, *, scene: str | None = None, heatmaps: bool = True
) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """Every score and, where wanted and had, the heatmaps of a batch; from one pass where the detector allows.

    Parameters
    ----------
    detector : Detector
    batch : Batch
        Frames of the size of the fit.
    scene : str, optional
        The camera, for a detector with a reference for each.
    heatmaps : bool

    Returns
    -------
    scores : dict of str to float32 (B,)
    heatmaps : float32 (B, H, W) or None
    """
    batch = batch._replace(scenes=None if scene is None else [scene] * len(batch.images))
    if heatmaps:
        scores, maps = detector.scores_and_heatmap(batch)
    else:
        scores, maps = detector.score_batch(batch.images, scenes=batch.scenes), None
    return {name: values.float().cpu().numpy() for name, values in scores.items()}, maps


def find_scale(run: SavedRun, dataset: VideoDataset, options: Options) -> tuple[Scale, str]:
    """One scale for all videos: from the run's own frames where it kept their scores, else from some of these.

    Parameters
    ----------
    run : SavedRun
    dataset : VideoDataset
        The videos to draw.
    options : Options

    Returns
    -------
    scale : Scale
    source : str
        For people: what its ends are.

    Raises
    ------
    ParameterError
        A score that the detector does not have.
    UnreadableError
        None of the frames that should set the scale can be read.
    """
    normal = run.normal_scores(options.score)
    bar = heat = None
    bar_source, heat_source = "lowest to highest test frame of the run", "none"
    if len(normal):
        everything = run.scores[options.score].to_numpy()
        bar = (float(np.nanmin(everything)), float(np.nanmax(everything)))
    shows_heat = run.detector.heat_label is not None
    means, maxima = run.normal_scores("mean"), run.normal_scores("max")
    if shows_heat and len(means) and len(maxima):  # its scores are read off the heatmap
        heat = (float(np.median(means)), float(np.quantile(maxima, HEAT_QUANTILE)))
        heat_source = f"median of the means to {HEAT_QUANTILE} quantile of the maxima of the run's normal test frames"
    if bar is None or (shows_heat and heat is None):
        sampled_bar, sampled_heat = _sampled_scale(run, dataset, options)
        if bar is None:
            bar, bar_source = sampled_bar, f"around the scores of up to {N_SAMPLED} frames of these videos"
        if shows_heat and heat is None:
            heat, heat_source = sampled_heat, f"median to maximum of up to {N_SAMPLED} frames of these videos"
    threshold = None if options.threshold is None else options.threshold.value
    return Scale(bar, heat, threshold), f"bar: {bar_source}; heat: {heat_source}"


def _sampled_scale(
    run: SavedRun, dataset: VideoDataset, options: Options
) -> tuple[tuple[float, float], tuple[float, float] | None]:
    """Ends of the bar and of the heat from frames spread evenly over all videos."""
    table = dataset.frame_table()
    rows = np.unique(np.linspace(0, len(table) - 1, min(N_SAMPLED, len(table))).round().astype(int))
    reader = FrameReader(
        dataset,
        table.iloc[rows].reset_index(drop=True),
        run.size,
        options.batch_size,
        progress=options.progress,
        skip_unreadable=options.skip_unreadable,
        description="finding the scale",
    )
    kept = [scores_and_heatmaps(run.detector, batch, scene=options.scene) for batch in reader]
    if not kept:
        raise UnreadableError("None of the frames that were to set the scale could be read; nothing is written.")
    if options.score not in kept[0][0]:
        raise ParameterError(f"score: one of {', '.join(kept[0][0])} is expected, not {options.score!r}.")
    scores = np.concatenate([scores[options.score] for scores, _ in kept])
    margin = 0.25 * (scores.max() - scores.min())
    bar = float(scores.min() - margin), float(scores.max() + margin)
    if kept[0][1] is None:
        return bar, None
    heat = np.concatenate([heatmaps.ravel() for _, heatmaps in kept])
    return bar, (float(np.median(heat)), float(heat.max()))

"""The limitations that the paper names, measured on the scores of any detectors: motion, light, scenes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vadlib.data import FrameReader
from vadlib.evaluation import auroc_by_group, event_of_frames, rank_correlation_within, share_explained, summarize

UNNAMED = "unnamed"  # anomalous frames of which the data set does not say how they are seen


def auroc_by_visibility(
    scores: pd.DataFrame, detectors: Sequence[str], events: pd.DataFrame, *, n_resamples: int = 1000, seed: int = 0
) -> dict[str, pd.DataFrame]:
    """AUROC of each detector for anomalies of appearance and for those of motion alone, each against all normal frames.

    Parameters
    ----------
    scores : DataFrame
        ``clip``, ``frame``, ``label`` and a column a detector.
    detectors : sequence of str
    events : DataFrame
        `VideoDataset.events`; its optional column ``seen_in`` says ``appearance`` or ``motion``.
    n_resamples, seed : int
        Of the bootstrap over clips.

    Returns
    -------
    dict of str to DataFrame
        By detector, from `auroc_by_group`.
    """
    groups = event_of_frames(scores, events, column="seen_in")
    groups[(groups == "") & (scores["label"] == 1)] = UNNAMED
    return {name: auroc_by_group(scores, name, groups, n_resamples=n_resamples, seed=seed) for name in detectors}


def brightness_of_frames(reader: FrameReader) -> np.ndarray:
    """Mean of all pixels and channels of each frame of a reader, float64 in 0..255; NaN for those that it skips."""
    found = np.full(len(reader.table), np.nan)
    for batch in reader:
        found[batch.rows] = batch.images.float().mean(dim=(1, 2, 3)).numpy()
    return found


def influences(normal: pd.DataFrame, detectors: Sequence[str]) -> pd.DataFrame:
    """What a score of normal frames depends on and should not: brightness, scene, clip.

    Parameters
    ----------
    normal : DataFrame
        Normal frames: ``brightness``, ``scene``, ``clip`` and a column a detector.
    detectors : sequence of str

    Returns
    -------
    DataFrame
        A row a detector.
    """
    rows = {
        name: {
            "rank correlation with brightness, within scenes": rank_correlation_within(
                normal[name], normal["brightness"], normal["scene"]
            ),
            "share of variance between scenes": share_explained(normal[name], normal["scene"]),
            "share of variance between clips": share_explained(normal[name], normal["clip"]),
        }
        for name in detectors
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def auroc_pooled_and_by_scene(scores: pd.DataFrame, detectors: Sequence[str]) -> pd.DataFrame:
    """AUROC of all frames pooled beside the scenes' own; a row a detector, NaN where no scene has both classes."""
    rows = {}
    for name in detectors:
        found = summarize(scores, name)
        scenes = pd.Series(found["per_scene"], dtype=float)
        rows[name] = {
            "all frames pooled": found["micro_auroc"],
            "mean of the scenes": scenes.mean(),
            "lowest scene": scenes.min(),
            "highest scene": scenes.max(),
        }
    return pd.DataFrame.from_dict(rows, orient="index")

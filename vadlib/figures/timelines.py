"""A video's scores over time."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from vadlib.figures.style import ANOMALOUS, NORMAL
from vadlib.frame_times import seconds


def timeline(
    scores: np.ndarray,
    fps: float,
    *,
    title: str,
    ylabel: str,
    threshold: float | None = None,
    note: str = "",
) -> Figure:
    """Scores against seconds, with the stretches above the threshold shaded.

    Parameters
    ----------
    scores : float (n_frames,)
        In playing order; NaN, which leaves a gap, where a frame was not scored.
    fps : float
        Frames per second, or an `UnevenRate`; each frame lasts from its own second to the next one's.
    title, ylabel : str
    threshold : float, optional
    note : str
        How the threshold was chosen, or why there is none; it stands in the picture.
    """
    figure, axis = plt.subplots(figsize=(9, 2.9), layout="constrained")
    edges_s = seconds(fps, np.arange(len(scores) + 1))
    shown_at = edges_s[:-1]
    known = np.isfinite(scores)
    # A line alone would not show a frame between two gaps, nor a video of one frame.
    lonely = known & ~np.append(False, known[:-1]) & ~np.append(known[1:], False)
    axis.plot(shown_at, scores, color=NORMAL, linewidth=1.2)
    axis.plot(shown_at[lonely], scores[lonely], "o", color=NORMAL, markersize=4)
    handles = []
    if threshold is not None:
        above = known & (np.nan_to_num(scores) > threshold)
        edges = np.flatnonzero(np.diff(above, prepend=False, append=False))
        for start, end in list(pairwise(edges))[::2]:
            axis.axvspan(edges_s[start], edges_s[end], color=ANOMALOUS, alpha=0.2, linewidth=0)
        handles = [
            axis.axhline(threshold, color=ANOMALOUS, linestyle="--", linewidth=1, label=f"threshold {threshold:.4g}"),
            plt.Rectangle((0, 0), 1, 1, color=ANOMALOUS, alpha=0.2, linewidth=0, label="above it"),
        ]
    axis.set(xlabel="seconds", ylabel=ylabel, xlim=(0, edges_s[-1]))
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_title(title, loc="left", fontweight="bold", parse_math=False)  # names of files may hold dollar signs
    if handles:
        axis.legend(handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, fontsize=8.5, frameon=False)
    if note:
        figure.supxlabel(note, x=0.01, ha="left", fontsize=8, color="0.35")
    return figure

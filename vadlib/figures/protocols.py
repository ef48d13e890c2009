"""Which frames of a clip a detector was fitted on, and which it is tested on, under each protocol."""

from collections.abc import Mapping
from itertools import pairwise

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vadlib.figures.style import ANOMALOUS, CLASS_COLOURS, CLASS_NAMES

TESTED = "0.25"  # grey: what is tested has no class that the detector knows


def protocol_timelines(
    lanes: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]],
    labels: np.ndarray,
    fps: float,
    *,
    title: str,
    notes: Mapping[str, str] | None = None,
) -> Figure:
    """One line a protocol along a clip: fitted frames as ticks above it, tested frames as ticks below it.

    Parameters
    ----------
    lanes : mapping of str to (fit, test)
        By protocol, the clip's rows of both: ``frame``, and for `fit` ``label``, which gives the colour.
    labels : int (n_frames,)
        Of the clip; its anomalous stretches are shaded.
    fps : float
        Frames a second.
    title : str
    notes : mapping of str to str, optional
        What to write at the right-hand edge, by protocol.
    """
    figure, axis = plt.subplots(figsize=(8.5, 0.62 * len(lanes) + 1.4))
    labels = np.asarray(labels)
    edges = np.flatnonzero(np.diff(labels == 1, prepend=False, append=False))
    for start, end in list(pairwise(edges))[::2]:
        axis.axvspan(start / fps, end / fps, color=ANOMALOUS, alpha=0.13, linewidth=0)
    for row, (name, (fit, test)) in enumerate(lanes.items()):
        axis.plot([0, len(labels) / fps], [row, row], color="0.6", linewidth=0.8, zorder=1)
        colours = [CLASS_COLOURS[int(label)] for label in fit["label"]]
        axis.vlines(fit["frame"] / fps, row - 0.36, row, colors=colours, linewidth=1.3)
        axis.vlines(test["frame"] / fps, row, row + 0.2, colors=TESTED, linewidth=0.7)
        note = (notes or {}).get(name, "")
        axis.text(1.01, row, note, transform=axis.get_yaxis_transform(), va="center", fontsize=8, color="0.35")
    axis.set_yticks(range(len(lanes)), lanes)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.set(xlabel="seconds", xlim=(0, len(labels) / fps), ylim=(len(lanes) - 0.5, -0.6))
    axis.set_title(title, loc="left", pad=26)
    marks = [mpl.lines.Line2D([], [], color=CLASS_COLOURS[c], label=f"fitted, {CLASS_NAMES[c]}") for c in (0, 1)]
    marks.append(mpl.lines.Line2D([], [], color=TESTED, linewidth=0.9, label="tested"))
    marks.append(mpl.patches.Patch(color=ANOMALOUS, alpha=0.13, linewidth=0, label="anomalous stretch"))
    axis.legend(handles=marks, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, fontsize=8.5, borderaxespad=0.2)
    return figure

"""A clip over time: its scores, alarms and truth, and which of its frames a detector was fitted and tested on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vadlib.figures.style import ANOMALOUS, CHANCE, CLASS_COLOURS, CLASS_NAMES, NORMAL
from vadlib.frame_times import seconds
from vadlib.spans import runs_of_ones

TESTED = "0.25"  # grey: what is tested has no class that the detector knows
LINEAR_UP_TO = 4.0  # standard deviations; above, the axis is logarithmic where scores go beyond the next number
MAX_LINEAR = 12.0
TICKS = (-10, -4, -2, 0, 2, 4, 10, 20, 50, 100, 200, 500, 1000, 10000)


@dataclass(frozen=True)
class ClipTimeline:
    """One clip's scores over time."""

    title: str
    seconds: np.ndarray  # float (n,), of the frames scored
    scores: Mapping[str, np.ndarray]  # by detector, float (n,); NaN leaves a gap
    alarms: Mapping[str, Sequence[tuple[float, float]]]  # by detector, (start, end) in seconds
    truth: Sequence[tuple[float, float]] | None  # anomalous stretches, (start, end); None where nobody knows
    length_s: float


def timeline(
    scores: np.ndarray,
    fps: float,
    *,
    title: str,
    ylabel: str,
    threshold: float | None = None,
    note: str = "",
) -> Figure:
    """Scores (n_frames,) against seconds, with the stretches above the threshold shaded.

    Scores are in playing order; NaN, which leaves a gap, where a frame was not scored. `fps` may be an `UnevenRate`:
    each frame lasts from its own second to the next one's. `note` stands in the picture: how the threshold was chosen,
    or why there is none.
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
        _shade(axis, edges_s[runs_of_ones(above)])
        handles = [
            axis.axhline(threshold, color=ANOMALOUS, linestyle="--", linewidth=1, label=f"threshold {threshold:.4g}"),
            _shaded_patch("above it"),
        ]
    axis.set(xlabel="seconds", ylabel=ylabel, xlim=(0, edges_s[-1]))
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_title(title, loc="left", fontweight="bold", parse_math=False)  # names of files may hold dollar signs
    if handles:
        axis.legend(handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, fontsize=8.5, frameon=False)
    if note:
        figure.supxlabel(note, x=0.01, ha="left", fontsize=8, color="0.35")
    return figure


def clip_timelines(
    clips: Sequence[ClipTimeline], colours: Mapping[str, str], *, ylabel: str, n_columns: int = 2
) -> Figure:
    """Scores of all detectors over each clip, the truth shaded, each detector's alarms as bars below.

    `colours` are by detector, and `ylabel` is the scores' unit.
    """
    n_columns = min(n_columns, len(clips))
    n_rows = -(-len(clips) // n_columns)
    figure = plt.figure(figsize=(10, 1.9 * n_rows + 1.0), layout="constrained")
    outer = figure.add_gridspec(n_rows, n_columns)
    values = np.concatenate([np.ravel(line) for clip in clips for line in clip.scores.values()])
    low, high = np.nanmin(values), np.nanmax(values)
    for cell, clip in zip(outer, clips, strict=False):
        upper, lower = cell.subgridspec(2, 1, height_ratios=[4, 1], hspace=0.05).subplots(sharex=True)
        _shade(upper, clip.truth)
        _shade(lower, clip.truth)
        upper.axhline(0, color=CHANCE, linewidth=0.6)
        for row, (name, line) in enumerate(clip.scores.items()):
            marker = {"marker": "o", "markersize": 3} if np.isfinite(line).sum() < 2 else {}
            upper.plot(clip.seconds, line, color=colours[name], linewidth=1.0, **marker)
            spans = [(start, end - start) for start, end in clip.alarms.get(name, ())]
            lower.broken_barh(spans, (-row - 0.4, 0.8), facecolors=colours[name])
        if high > MAX_LINEAR:  # one peak must not flatten the rest
            upper.set_yscale("symlog", linthresh=LINEAR_UP_TO)
            upper.yaxis.set_major_locator(mpl.ticker.FixedLocator(TICKS))
            upper.yaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
            upper.yaxis.set_minor_locator(mpl.ticker.NullLocator())
        upper.set(ylim=(low - 0.5, high * 1.1 if high > 0 else high + 0.5), xlim=(0, clip.length_s))
        upper.set_title(clip.title, loc="left", fontsize=9, parse_math=False)
        upper.tick_params(labelbottom=False, labelsize=8)
        lower.set(ylim=(-len(clip.scores) + 0.4, 0.6), yticks=[])
        lower.spines["left"].set_visible(False)
        lower.tick_params(labelsize=8)
        lower.set_xlabel("seconds", fontsize=8)
    handles = [plt.Line2D([], [], color=colours[name], label=name) for name in clips[0].scores]
    if any(clip.truth is not None for clip in clips):
        handles.append(_shaded_patch("truth: anomalous"))
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles), fontsize=8.5)
    figure.supylabel(ylabel, fontsize=9)
    return figure


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
        Of the figure.
    notes : mapping of str to str, optional
        What to write at the right-hand edge, by protocol.
    """
    figure, axis = plt.subplots(figsize=(8.5, 0.62 * len(lanes) + 1.4))
    labels = np.asarray(labels)
    _shade(axis, runs_of_ones(labels) / fps, alpha=0.13)
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


def _shade(axis: plt.Axes, spans: Sequence[tuple[float, float]] | None, alpha: float = 0.2) -> None:
    for start, end in () if spans is None else spans:
        axis.axvspan(start, end, color=ANOMALOUS, alpha=alpha, linewidth=0)


def _shaded_patch(label: str) -> plt.Rectangle:
    return plt.Rectangle((0, 0), 1, 1, color=ANOMALOUS, alpha=0.2, linewidth=0, label=label)

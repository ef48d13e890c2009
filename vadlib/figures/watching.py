"""What happened in front of a camera: scores over time, what alarms cost, and the frames behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vadlib.figures.style import ANOMALOUS, CHANCE, HEAT, NORMAL

LINEAR_UP_TO = 4.0  # standard deviations; above, the axis is logarithmic where scores go beyond the next number
MAX_LINEAR = 12.0
MAX_WIDTH_PX = 300  # of a frame in a gallery: an SVG holds every pixel of it
TICKS = (-10, -4, -2, 0, 2, 4, 10, 20, 50, 100, 200, 500, 1000, 10000)


@dataclass(frozen=True)
class ClipTimeline:
    """One clip's scores over time.

    Attributes
    ----------
    title : str
    seconds : float (n,)
        Of the frames scored.
    scores : mapping of str to float (n,)
        By detector; NaN leaves a gap.
    alarms : mapping of str to sequence of (start, end)
        Seconds, by detector.
    truth : sequence of (start, end) or None
        Anomalous stretches in seconds; None where nobody knows.
    length_s : float
        The clip's.
    """

    title: str
    seconds: np.ndarray
    scores: Mapping[str, np.ndarray]
    alarms: Mapping[str, Sequence[tuple[float, float]]]
    truth: Sequence[tuple[float, float]] | None
    length_s: float


@dataclass(frozen=True)
class GalleryRow:
    """One frame of a gallery, and the normal frames that are most like it.

    Attributes
    ----------
    title : str
    frame : uint8 (H, W, 3)
        RGB.
    heatmap : float32 (h, w)
    neighbours : sequence of (uint8 (H, W, 3), str)
        Normal frames and where they are from, the most similar first.
    mask : bool (H, W) or None
        Ground truth.
    colour : str
        Of the title.
    """

    title: str
    frame: np.ndarray
    heatmap: np.ndarray
    neighbours: Sequence[tuple[np.ndarray, str]]
    mask: np.ndarray | None = None
    colour: str = field(default="black")


def clip_timelines(
    clips: Sequence[ClipTimeline], colours: Mapping[str, str], *, ylabel: str, n_columns: int = 2
) -> Figure:
    """Scores of all detectors over each clip, the truth shaded, each detector's alarms as bars below.

    Parameters
    ----------
    clips : sequence of ClipTimeline
    colours : mapping of str to str
        By detector.
    ylabel : str
        The scores' unit.
    n_columns : int
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
        handles.append(plt.Rectangle((0, 0), 1, 1, color=ANOMALOUS, alpha=0.2, linewidth=0, label="truth: anomalous"))
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles), fontsize=8.5)
    figure.supylabel(ylabel, fontsize=9)
    return figure


def cost_curves(
    curves: Mapping[str, pd.DataFrame],
    marks: Mapping[str, tuple[float, float]],
    colours: Mapping[str, str],
    *,
    x: str,
    y: str,
    xlabel: str,
    ylabel: str,
    diagonal: bool = False,
) -> Figure:
    """What each threshold costs against what it brings, as steps, with the chosen thresholds marked.

    Parameters
    ----------
    curves : mapping of str to DataFrame
        By detector; columns `x` and `y`, from the strictest threshold on.
    marks : mapping of str to (float, float)
        The chosen threshold's place, by detector.
    colours : mapping of str to str
    x, y : str
    xlabel, ylabel : str
    diagonal : bool
        Draw the line on which both are equal.
    """
    figure, axis = plt.subplots(figsize=(6.4, 4.2))
    if diagonal:
        axis.axline((0, 0), slope=1, color=CHANCE, linewidth=0.8, linestyle=":")
    for name, curve in curves.items():
        axis.plot(curve[x], curve[y], drawstyle="steps-post", color=colours[name], label=name, linewidth=1.4)
        axis.plot(*marks[name], "o", color=colours[name], markeredgecolor="white", markersize=8, zorder=3)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.set_xlim(0, 1.05 * max(curve[x].max() for curve in curves.values()) or 1)
    axis.set_ylim(0, (1.05 * max(curve[y].max() for curve in curves.values()) or 1) if diagonal else 1.03)
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=9)
    return figure


def gallery(rows: Sequence[GalleryRow], *, label: str) -> Figure:
    """Frames with their heatmap, and beside them the normal frames that are most like them.

    Parameters
    ----------
    rows : sequence of GalleryRow
    label : str
        The heatmaps' name and unit; one scale for all.
    """
    n_columns = 2 + max(len(row.neighbours) for row in rows)
    height, width = rows[0].frame.shape[:2]
    side = 10 / n_columns
    figure, axes = plt.subplots(
        len(rows), n_columns, figsize=(10, len(rows) * (side * height / width + 0.32) + 0.3), squeeze=False
    )
    low, high = min(float(row.heatmap.min()) for row in rows), max(float(row.heatmap.max()) for row in rows)
    for line, row in zip(axes, rows, strict=True):
        for axis in line:
            axis.axis("off")
        frame = _small(row.frame)
        line[0].imshow(frame)
        line[0].set_title(row.title, loc="left", fontsize=8.5, color=row.colour, parse_math=False)
        line[1].imshow(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cmap="gray", vmin=0, vmax=255)
        extent = (-0.5, frame.shape[1] - 0.5, frame.shape[0] - 0.5, -0.5)
        alpha = 0.25 + 0.6 * (row.heatmap - low) / max(high - low, 1e-12)
        line[1].imshow(row.heatmap, cmap=HEAT, vmin=low, vmax=high, alpha=alpha, extent=extent)
        if row.mask is not None and row.mask.any():
            mask = cv2.resize(row.mask.astype(np.float32), frame.shape[1::-1], interpolation=cv2.INTER_AREA)
            for axis in line[:2]:
                axis.contour(mask, levels=[0.5], colors=[ANOMALOUS], linewidths=1.2)
        for axis, (image, title) in zip(line[2:], row.neighbours, strict=False):
            axis.imshow(_small(image))
            axis.set_title(title, loc="left", fontsize=7.5, color=NORMAL, fontweight="normal", parse_math=False)
    scale = mpl.cm.ScalarMappable(mpl.colors.Normalize(low, high), HEAT)
    bar = figure.colorbar(scale, ax=list(axes.flat), orientation="horizontal", shrink=0.4, aspect=40, pad=0.01)
    bar.set_label(label, fontsize=8.5)
    bar.ax.tick_params(labelsize=8)
    return figure


def _shade(axis: plt.Axes, truth: Sequence[tuple[float, float]] | None) -> None:
    for start, end in truth or ():
        axis.axvspan(start, end, color=ANOMALOUS, alpha=0.2, linewidth=0)


def _small(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    if width <= MAX_WIDTH_PX:
        return image
    return cv2.resize(image, (MAX_WIDTH_PX, max(1, round(height * MAX_WIDTH_PX / width))), interpolation=cv2.INTER_AREA)

"""Every plot of the report: arrays and tables in, a matplotlib Figure out. Nothing is read, computed or written here.

Colours mean one thing everywhere. They are Okabe and Ito's, which survive colour blindness.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import cv2
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

NORMAL, ANOMALOUS, BLIND, CHANCE = "#0072B2", "#D55E00", "#999999", "#666666"
DETECTOR_COLOURS = {
    "PaDiM": "#009E73",
    "Grad-CAM + SSIM": "#E69F00",
    "SPADE": "#56B4E9",
    "CLIP prototypes": "#CC79A7",
}
CLASS_NAMES = {0: "normal", 1: "anomalous"}
CLASS_COLOURS = {0: NORMAL, 1: ANOMALOUS}
HEAT = "inferno"


def use_house_style() -> None:
    """Set fonts, sizes and an opaque white ground, and show figures in notebooks as SVG."""
    sns.set_theme(style="ticks", context="notebook")
    mpl.rcParams.update(
        {
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "savefig.bbox": "tight",
            "figure.constrained_layout.use": True,
            "figure.dpi": 110,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": "medium",
            "axes.titleweight": "bold",
            "legend.frameon": False,
            "font.size": 10.5,
        }
    )
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # outside a notebook there is nothing to set
        return
    set_matplotlib_formats("svg")


def contact_sheet(
    images: Sequence[np.ndarray],
    titles: Sequence[str],
    *,
    masks: Sequence[np.ndarray | None] | None = None,
    n_columns: int = 3,
) -> Figure:
    """Frames side by side, each with its title and, where there is one, the outline of its ground-truth mask.

    Parameters
    ----------
    images : sequence of uint8 (H, W, 3)
        RGB frames.
    titles : sequence of str
    masks : sequence of bool (H, W) or None
        True where the frame is anomalous.
    n_columns : int
    """
    figure, axes = _image_grid(len(images), n_columns, images[0].shape)
    for axis, image, title, mask in zip(axes, images, titles, masks or [None] * len(images), strict=False):
        axis.imshow(image)
        axis.set_title(title, loc="left", fontsize=9)
        _outline(axis, mask)
    return figure


def heatmap_sheet(
    images: Sequence[np.ndarray],
    heatmaps: Sequence[np.ndarray],
    titles: Sequence[str],
    *,
    masks: Sequence[np.ndarray | None] | None = None,
    label: str,
    n_columns: int = 3,
) -> Figure:
    """Heatmaps over greyed frames, one scale for all, with the ground truth's outline.

    Parameters
    ----------
    images : sequence of uint8 (H, W, 3)
        RGB frames.
    heatmaps : sequence of float32 (h, w)
        Any size; stretched over the frame.
    titles : sequence of str
    masks : sequence of bool (H, W) or None
    label : str
        The scores' name and unit, at the colour bar.
    n_columns : int
    """
    figure, axes = _image_grid(len(images), n_columns, images[0].shape)
    low, high = min(h.min() for h in heatmaps), max(h.max() for h in heatmaps)
    for axis, image, heat, title, mask in zip(
        axes, images, heatmaps, titles, masks or [None] * len(images), strict=False
    ):
        axis.imshow(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cmap="gray", vmin=0, vmax=255)
        extent = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
        # Low values let the frame through, high ones cover it; the colours are those of the bar.
        alpha = 0.25 + 0.6 * (heat - low) / max(high - low, 1e-12)
        axis.imshow(heat, cmap=HEAT, vmin=low, vmax=high, alpha=alpha, extent=extent)
        axis.set_title(title, loc="left", fontsize=9)
        _outline(axis, mask)
    scale = mpl.cm.ScalarMappable(mpl.colors.Normalize(low, high), HEAT)
    figure.colorbar(scale, ax=list(axes), shrink=0.7, pad=0.015, label=label)
    return figure


def label_calendar(table: pd.DataFrame) -> Figure:
    """One row a test clip: where its frames are normal and where anomalous.

    Parameters
    ----------
    table : DataFrame
        ``clip``, ``frame``, ``label``, of the test clips.
    """
    clips = list(dict.fromkeys(table["clip"]))
    figure, axis = plt.subplots(figsize=(8, max(1.8, min(0.16 * len(clips), 9) + 0.9)))
    for row, clip in enumerate(clips):
        labels = table.loc[table["clip"] == clip].sort_values("frame")["label"].to_numpy()
        edges = np.flatnonzero(np.diff(labels, prepend=-1, append=-1))
        for start, end in pairwise(edges):
            axis.barh(row, end - start, left=start, height=0.8, color=CLASS_COLOURS[int(labels[start])])
    step = max(1, len(clips) // 24)
    axis.set_yticks(range(0, len(clips), step), clips[::step], fontsize=7)
    axis.set(xlabel="frame of the clip", ylim=(len(clips) - 0.4, -0.6))
    axis.legend(
        handles=[mpl.patches.Patch(color=CLASS_COLOURS[c], label=CLASS_NAMES[c]) for c in (0, 1)],
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=2,
    )
    return figure


def class_balance(counts: pd.DataFrame) -> Figure:
    """Normal and anomalous frames of each group, as bars with their counts.

    Parameters
    ----------
    counts : DataFrame
        Index: the groups; columns ``normal`` and ``anomalous``, numbers of frames.
    """
    figure, axis = plt.subplots(figsize=(7, 0.55 * len(counts) + 1.1))
    height, largest = 0.38, counts.to_numpy().max()
    for offset, (name, colour) in zip(
        (-height / 2, height / 2), (("normal", NORMAL), ("anomalous", ANOMALOUS)), strict=True
    ):
        rows = np.arange(len(counts)) + offset
        axis.barh(rows, counts[name], height=height, color=colour, label=name)
        for row, value in zip(rows, counts[name], strict=True):
            axis.text(value + largest * 0.01, row, f"{value:,}", va="center", fontsize=8)
    axis.set_yticks(range(len(counts)), counts.index)
    axis.set(xlabel="frames", xlim=(0, largest * 1.12), ylim=(len(counts) - 0.5, -0.5))
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure


def roc(curves: Mapping[str, tuple], *, operating_rate: float | None = 0.95) -> Figure:
    """ROC curves with their bands, chance as a diagonal.

    Parameters
    ----------
    curves : mapping of str to (RocBand, Interval, colour)
        By the name to write at the curve.
    operating_rate : float or None
        A true-positive rate to mark with a thin line.
    """
    figure, axis = plt.subplots(figsize=(5.2, 4.9))
    for name, (band, interval, colour) in curves.items():
        axis.fill_between(band.fpr, band.low, band.high, color=colour, alpha=0.2, linewidth=0)
        axis.plot(band.fpr, band.tpr, color=colour, label=f"{name}: {interval:.3f}")
    axis.plot([0, 1], [0, 1], color=CHANCE, linestyle="--", linewidth=1, label="chance: 0.500")
    if operating_rate:
        axis.axhline(operating_rate, color="0.85", linewidth=1, zorder=0)
    axis.set(xlabel="false-positive rate", ylabel="true-positive rate", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axis.legend(loc="lower right", title="AUROC [95 % interval]", alignment="left")
    return figure


def densities(labels: np.ndarray, scores: np.ndarray, *, xlabel: str) -> Figure:
    """Kernel density estimates of the scores of normal and of anomalous frames, each of area 1.

    Parameters
    ----------
    labels, scores : (n,)
    xlabel : str
        The score's name and unit.
    """
    figure, axis = plt.subplots(figsize=(6.2, 3.3))
    for label, colour in CLASS_COLOURS.items():
        values = scores[labels == label]
        name = f"{CLASS_NAMES[label]} ({len(values):,} frames)"
        sns.kdeplot(x=values, ax=axis, color=colour, fill=True, alpha=0.3, linewidth=1.6, label=name)
    axis.set(xlabel=xlabel, ylabel="density")
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure


def interval_rows(rows: pd.DataFrame, *, xlabel: str = "AUROC") -> Figure:
    """One dot with its interval a row, beside the line of chance.

    Parameters
    ----------
    rows : DataFrame
        Index: what to write at the row. Columns ``estimate``, ``low``, ``high`` (NaN: a dot without an interval),
        ``colour`` and ``note``, a text for the right-hand edge.
    xlabel : str
    """
    figure, axis = plt.subplots(figsize=(7, 0.36 * len(rows) + 1.0))
    for row, entry in enumerate(rows.itertuples()):
        axis.plot([entry.low, entry.high], [row, row], color=entry.colour, linewidth=2.2, solid_capstyle="round")
        axis.plot(entry.estimate, row, "o", color=entry.colour, markersize=7)
        axis.text(1.01, row, entry.note, transform=axis.get_yaxis_transform(), va="center", fontsize=8, color="0.35")
    axis.axvline(0.5, color=CHANCE, linestyle="--", linewidth=1)
    axis.set_yticks(range(len(rows)), rows.index)
    limits = _auroc_limits(rows[["low", "estimate"]].min(axis=1), rows[["high", "estimate"]].max(axis=1))
    axis.set(xlabel=xlabel, xlim=limits, ylim=(len(rows) - 0.5, -0.5))
    return figure


def forest(rows: pd.DataFrame) -> Figure:
    """The paper's AUROCs as hollow marks, ours as dots with intervals, chance as a line.

    Parameters
    ----------
    rows : DataFrame
        Index: the detectors. Columns ``paper``, ``estimate``, ``low``, ``high`` (the last three NaN where this build
        did not measure it).
    """
    figure, axis = plt.subplots(figsize=(7, 0.62 * len(rows) + 1.1))
    for row, (name, entry) in enumerate(rows.iterrows()):
        colour = DETECTOR_COLOURS[name]
        axis.plot(entry["paper"], row - 0.14, "D", markerfacecolor="white", markeredgecolor=colour, markersize=8)
        axis.annotate(f"paper {entry['paper']:.3f}", (entry["paper"], row - 0.14), (9, 0), **_AT_MARK)
        if np.isfinite(entry["estimate"]):
            axis.plot([entry["low"], entry["high"]], [row + 0.18] * 2, color=colour, linewidth=2.4)
            axis.plot(entry["estimate"], row + 0.18, "o", color=colour, markersize=8)
            axis.annotate(f"here {entry['estimate']:.3f}", (entry["high"], row + 0.18), (9, 0), **_AT_MARK)
    axis.axvline(0.5, color=CHANCE, linestyle="--", linewidth=1)
    axis.text(0.5, -0.62, " chance", color=CHANCE, fontsize=8, va="bottom")
    axis.set_yticks(range(len(rows)), rows.index)
    lows, highs = rows["low"].fillna(rows["paper"]), rows["high"].fillna(rows["paper"])
    low, high = _auroc_limits(np.minimum(lows, rows["paper"]), np.maximum(highs, rows["paper"]))
    axis.set(xlabel="AUROC, all frames pooled", xlim=(low, min(high + 0.08, 1.08)), ylim=(len(rows) - 0.5, -0.65))
    return figure


_AT_MARK = {"textcoords": "offset points", "va": "center", "fontsize": 8.5, "color": "0.25"}


def _auroc_limits(lows: pd.Series, highs: pd.Series) -> tuple[float, float]:
    """Axis limits that hold every interval and always 0.5."""
    low = min(0.45, float(np.floor(20 * np.nanmin(lows)) / 20))
    return low, max(0.7, min(1.0, float(np.ceil(20 * np.nanmax(highs)) / 20)))


def _image_grid(n_images: int, n_columns: int, shape: tuple[int, ...]) -> tuple[Figure, np.ndarray]:
    n_columns = min(n_columns, n_images)
    n_rows = -(-n_images // n_columns)
    width = 9.0 / n_columns
    figure, axes = plt.subplots(
        n_rows, n_columns, figsize=(9, n_rows * (width * shape[0] / shape[1] + 0.3)), squeeze=False
    )
    for axis in axes.flat:
        axis.axis("off")
    return figure, axes.flatten()


def _outline(axis: plt.Axes, mask: np.ndarray | None) -> None:
    if mask is not None and mask.any():
        axis.contour(mask.astype(float), levels=[0.5], colors=["white"], linewidths=1.8)
        axis.contour(mask.astype(float), levels=[0.5], colors=[ANOMALOUS], linewidths=1.0)

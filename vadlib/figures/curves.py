"""ROC curves and densities of scores."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from vadlib.figures.style import CHANCE, CLASS_COLOURS, CLASS_NAMES


def roc(curves: Mapping[str, tuple], *, operating_rate: float | None = 0.95) -> Figure:
    """ROC curves on one axis, with their bands and chance as a diagonal.

    Parameters
    ----------
    curves : mapping of str to (RocBand, Interval, colour)
        By the name to write in the legend.
    operating_rate : float or None
        A true-positive rate to mark with a thin line.
    """
    figure, axis = plt.subplots(figsize=(5.2, 4.9))
    _draw_roc(axis, curves, operating_rate)
    return figure


def roc_panels(curves: Mapping[str, tuple], *, operating_rate: float | None = 0.95) -> Figure:
    """All ROC curves on one axis, then each alone; parameters as in `roc`."""
    n_columns = 2 if len(curves) < 5 else 3
    panels = [("all", curves), *((name, {name: curve}) for name, curve in curves.items())]
    n_rows = -(-len(panels) // n_columns)
    figure, axes = plt.subplots(n_rows, n_columns, figsize=(4.4 * n_columns, 4.3 * n_rows), squeeze=False)
    for axis, (title, shown) in zip(axes.flat, panels, strict=False):
        _draw_roc(axis, shown, operating_rate)
        axis.set_title(title, loc="left")
    for axis in axes.flat[len(panels) :]:
        axis.axis("off")
    return figure


def densities(labels: np.ndarray, scores: np.ndarray, *, xlabel: str) -> Figure:
    """Kernel density estimates of the scores of normal and of anomalous frames, each of area 1.

    `labels` and `scores` are (n,); `xlabel` is the score's name and unit.
    """
    figure, axis = plt.subplots(figsize=(6.2, 3.3))
    _draw_densities(axis, labels, scores)
    axis.set(xlabel=xlabel)
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure


def density_panels(panels: Mapping[str, tuple], *, n_columns: int = 2) -> Figure:
    """Densities as in `densities`, a panel for each score: (labels (n,), scores (n,), xlabel) by the panel's title."""
    n_columns = min(n_columns, len(panels))
    n_rows = -(-len(panels) // n_columns)
    figure, axes = plt.subplots(n_rows, n_columns, figsize=(4.6 * n_columns, 2.7 * n_rows + 0.3), squeeze=False)
    for axis, (title, (labels, scores, xlabel)) in zip(axes.flat, panels.items(), strict=False):
        _draw_densities(axis, np.asarray(labels), np.asarray(scores))
        axis.set_title(title, loc="left")
        axis.set(xlabel=xlabel)
    for axis in axes.flat[len(panels) :]:
        axis.axis("off")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def score_by_factor(panels: Mapping[str, tuple]) -> Figure:
    """Box plots of standardised scores by group, a panel for each detector.

    `panels` maps titles to (scores (n,), groups (n,), colour).
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(2.1 * len(panels) + 0.6, 3.2), sharey=True, squeeze=False)
    for axis, (title, (scores, groups, colour)) in zip(axes[0], panels.items(), strict=True):
        values, groups = np.asarray(scores, dtype=np.float64), np.asarray(groups)
        values = (values - values.mean()) / max(values.std(), 1e-12)
        names = sorted(set(groups))
        boxes = axis.boxplot(
            [values[groups == name] for name in names], whis=(5, 95), showfliers=False, patch_artist=True, widths=0.6
        )
        for box in boxes["boxes"]:
            box.set(facecolor=colour, alpha=0.35, edgecolor=colour)
        for line in boxes["medians"]:
            line.set(color=colour)
        axis.axhline(0, color=CHANCE, linestyle="--", linewidth=1, zorder=0)
        axis.set_xticks(range(1, len(names) + 1), names, fontsize=7, rotation=90 if len(names) > 6 else 0)
        axis.set_title(title, loc="left", fontsize=9)
        axis.set(xlabel="scene")
    axes[0, 0].set(ylabel="score, standard deviations")
    return figure


def _draw_roc(axis: plt.Axes, curves: Mapping[str, tuple], operating_rate: float | None) -> None:
    for name, (band, interval, colour) in curves.items():
        axis.fill_between(band.fpr, band.low, band.high, color=colour, alpha=0.2, linewidth=0)
        axis.plot(band.fpr, band.tpr, color=colour, label=f"{name}: {interval:.3f}")
    axis.plot([0, 1], [0, 1], color=CHANCE, linestyle="--", linewidth=1, label="chance: 0.500")
    if operating_rate:
        axis.axhline(operating_rate, color="0.85", linewidth=1, zorder=0)
    axis.set(xlabel="false-positive rate", ylabel="true-positive rate", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axis.legend(loc="lower right", title="AUROC [95 % interval]", alignment="left", fontsize=8.5, title_fontsize=8.5)


def _draw_densities(axis: plt.Axes, labels: np.ndarray, scores: np.ndarray) -> None:
    for label, colour in CLASS_COLOURS.items():
        values = scores[labels == label]
        name = f"{CLASS_NAMES[label]} ({len(values):,} frames)"
        if np.ptp(values) > 0:
            sns.kdeplot(x=values, ax=axis, color=colour, fill=True, alpha=0.3, linewidth=1.6, label=name)
        else:  # one value has no density: a line where it is
            axis.axvline(values[0], color=colour, linewidth=1.6, label=name)
    axis.set(ylabel="density")

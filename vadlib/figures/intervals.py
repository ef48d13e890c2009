"""Estimates with their intervals, a row each."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vadlib.figures.style import BLIND, CHANCE

_AT_MARK = {"textcoords": "offset points", "va": "center", "fontsize": 8.5, "color": "0.25"}


def interval_rows(
    rows: pd.DataFrame, *, xlabel: str = "AUROC", references: Mapping[str, tuple[float, str]] | None = None
) -> Figure:
    """One dot with its interval a row, beside the line of chance.

    Parameters
    ----------
    rows : DataFrame
        Index: what to write at the row. Columns ``estimate``, ``low``, ``high`` (NaN: a dot without an interval),
        ``colour`` and ``note``, a text for the right-hand edge.
    xlabel : str
    references : mapping of str to (float, colour), optional
        Values to hold the rows against: a line each over all of them, with its name above.
    """
    references = dict(sorted((references or {}).items(), key=lambda reference: reference[1][0]))
    figure, axis = plt.subplots(figsize=(7, 0.36 * len(rows) + 0.16 * len(references) + 1.0))
    for level, (name, (value, colour)) in enumerate(references.items()):
        axis.axvline(value, color=colour, linewidth=1.2, zorder=0)
        # each name a level higher than the one before, so that values near each other stay legible
        above = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "ha": "center", "fontsize": 8}
        axis.annotate(name, (value, 1), (0, 3 + 11 * level), color=colour, **above)
    for row, entry in enumerate(rows.itertuples()):
        axis.plot([entry.low, entry.high], [row, row], color=entry.colour, linewidth=2.2, solid_capstyle="round")
        axis.plot(entry.estimate, row, "o", color=entry.colour, markersize=7)
        axis.text(1.01, row, entry.note, transform=axis.get_yaxis_transform(), va="center", fontsize=8, color="0.35")
    axis.axvline(0.5, color=CHANCE, linestyle="--", linewidth=1)
    axis.set_yticks(range(len(rows)), rows.index)
    values = pd.Series([value for value, _ in references.values()], dtype=float)
    limits = _auroc_limits(
        pd.concat([rows[["low", "estimate"]].min(axis=1), values]),
        pd.concat([rows[["high", "estimate"]].max(axis=1), values]),
    )
    axis.set(xlabel=xlabel, xlim=limits, ylim=(len(rows) - 0.5, -0.5))
    return figure


def forest(rows: pd.DataFrame) -> Figure:
    """The paper's AUROCs as hollow marks, ours as dots with intervals, chance as a line.

    Parameters
    ----------
    rows : DataFrame
        Index: what to write at the row. Columns ``colour``; ``paper`` (NaN where the paper has none); ``estimate``,
        ``low``, ``high`` (NaN where this build did not measure it); where there is a column ``blind``, the AUROCs (a
        sequence) of scores that look at no picture, drawn as grey ticks.
    """
    figure, axis = plt.subplots(figsize=(7, 0.55 * len(rows) + 1.1))
    for row, entry in enumerate(rows.itertuples()):
        if np.isfinite(entry.paper):
            axis.plot(entry.paper, row - 0.14, "D", markerfacecolor="white", markeredgecolor=entry.colour, markersize=8)
            axis.annotate(f"paper {entry.paper:.3f}", (entry.paper, row - 0.14), (9, 0), **_AT_MARK)
        blind = np.asarray(getattr(entry, "blind", ()), dtype=float)
        axis.plot(blind, np.full(len(blind), row + 0.18), "|", color=BLIND, markersize=15, markeredgewidth=1.6)
        if np.isfinite(entry.estimate):
            axis.plot([entry.low, entry.high], [row + 0.18] * 2, color=entry.colour, linewidth=2.4)
            axis.plot(entry.estimate, row + 0.18, "o", color=entry.colour, markersize=8)
            axis.annotate(f"here {entry.estimate:.3f}", (entry.high, row + 0.18), (9, 0), **_AT_MARK)
    axis.axvline(0.5, color=CHANCE, linestyle="--", linewidth=1)
    axis.text(0.5, -0.62, " chance", color=CHANCE, fontsize=8, va="bottom")
    axis.set_yticks(range(len(rows)), rows.index)
    marks = rows[["paper", "estimate", "low", "high"]]
    blind = pd.Series(
        np.concatenate([np.asarray(v, float) for v in rows["blind"]]) if "blind" in rows else [], dtype=float
    )
    low, high = _auroc_limits(pd.concat([marks.min(axis=1), blind]), pd.concat([marks.max(axis=1), blind]))
    axis.set(xlabel="AUROC, all frames pooled", xlim=(low, min(high + 0.08, 1.08)), ylim=(len(rows) - 0.5, -0.65))
    return figure


def _auroc_limits(lows: pd.Series, highs: pd.Series) -> tuple[float, float]:
    """Axis limits that hold every interval and always 0.5."""
    low = min(0.45, float(np.floor(20 * np.nanmin(lows)) / 20))
    return low, max(0.7, min(1.0, float(np.ceil(20 * np.nanmax(highs)) / 20)))

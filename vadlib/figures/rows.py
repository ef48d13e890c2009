"""Estimates with their intervals, a row each: alone, under headings, beside the paper's, and how far choices spread."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vadlib.figures.style import BLIND, CHANCE

HEADING_ROWS = 1.6  # rows that a heading takes
CHOICE_ROWS = 0.35  # rows between two choices
LABELS_AT = -0.27  # of the axis's width: where choices end, left of their settings

_AT_MARK = {"textcoords": "offset points", "va": "center", "fontsize": 8.5, "color": "0.25"}


def interval_rows(
    rows: pd.DataFrame, *, xlabel: str = "AUROC", references: Mapping[str, tuple[float, str]] | None = None
) -> Figure:
    """One dot with its interval a row, beside the line of chance.

    Parameters
    ----------
    rows : DataFrame
        In the order drawn: ``estimate``, ``low``, ``high`` (NaN: a dot without an interval), ``colour`` and ``note``, a
        text for the right-hand edge. Index: what to write at the row. With a column ``group`` rows stand under these
        headings, and ``label`` is what to write.
    xlabel : str
    references : mapping of str to (float, colour), optional
        Values to hold the rows against: a line each over all of them, with its name above.
    """
    references = dict(sorted((references or {}).items(), key=lambda reference: reference[1][0]))
    if "group" in rows:
        at, headings, end = _layout(rows)
        figure, axis = plt.subplots(figsize=(7.4, 0.33 * end + 0.8))
        names, ends = rows["label"], (end - 0.3, -0.5)
    else:
        at, headings, names, ends = range(len(rows)), [], rows.index, (len(rows) - 0.5, -0.5)
        figure, axis = plt.subplots(figsize=(7, 0.36 * len(rows) + 0.16 * len(references) + 1.0))
    for level, (name, (value, colour)) in enumerate(references.items()):
        axis.axvline(value, color=colour, linewidth=1.2, zorder=0)
        # each name a level higher than the one before, so that values near each other stay legible
        above = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "ha": "center", "fontsize": 8}
        axis.annotate(name, (value, 1), (0, 3 + 11 * level), color=colour, **above)
    for y, row in zip(at, rows.itertuples(), strict=True):
        axis.plot([row.low, row.high], [y, y], color=row.colour, linewidth=2.2, solid_capstyle="round")
        axis.plot(row.estimate, y, "o", color=row.colour, markersize=7)
        _write(axis, 1.01, y, row.note)
    for y, heading, _ in headings:
        background = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        _write(axis, 0.015, y, heading, fontsize=None, color=None, fontweight="bold", bbox=background)
    axis.axvline(0.5, color=CHANCE, linestyle="--", linewidth=1)
    axis.set_yticks(at, names)
    axis.set(xlabel=xlabel, ylim=ends)
    if "group" not in rows:
        marks = [rows[["low", "estimate", "high"]].to_numpy(float).ravel(), [value for value, _ in references.values()]]
        axis.set_xlim(_auroc_limits(np.concatenate(marks)))
    return figure


def effect_rows(rows: pd.DataFrame, *, xlabel: str = "AUROC gained over the default") -> Figure:
    """One dot with its interval a setting, beside the line of no difference, under headings.

    A dot is filled where its interval leaves out zero, and hollow where it does not.

    Parameters
    ----------
    rows : DataFrame
        As in `interval_rows`, with ``group``, and ``choice``, which is written once, before its settings.
    xlabel : str
    """
    at, headings, end = _layout(rows)
    figure, axis = plt.subplots(figsize=(7.6, 0.21 * end + 0.8))
    previous = None
    for y, row in zip(at, rows.itertuples(), strict=True):
        face = row.colour if row.low > 0 or row.high < 0 else "white"
        dot = {"markersize": 5.5, "markeredgecolor": row.colour, "markeredgewidth": 1.4, "markerfacecolor": face}
        axis.plot([row.low, row.high], [y, y], color=row.colour, linewidth=1.8, solid_capstyle="round")
        axis.plot(row.estimate, y, "o", **dot)
        _write(axis, 1.01, y, row.note)
        if (row.group, row.choice) != previous:
            _write(axis, LABELS_AT, y, row.choice, ha="right", fontsize=8.5, color=None)
        previous = (row.group, row.choice)
    for y, heading, colour in headings:
        _write(axis, LABELS_AT, y, heading, ha="right", fontsize=10, fontweight="bold", color=colour)
    _write(axis, 1.01, headings[0][0], "AUROC")
    axis.axvline(0, color=CHANCE, linestyle="--", linewidth=1)
    axis.set_yticks(at, rows["label"], fontsize=8.5)
    axis.tick_params(axis="y", length=0)
    axis.set(xlabel=xlabel, ylim=(end - 0.3, -0.5))
    axis.grid(axis="x", color="0.92")
    axis.set_axisbelow(True)
    return figure


def span_rows(rows: pd.DataFrame) -> Figure:
    """A line from the lowest to the highest AUROC of each choice, with all its settings on it.

    Parameters
    ----------
    rows : DataFrame
        In the order drawn. Index: what to write at the row. ``values``: AUROC of each setting, an array; ``base``: that
        of the default, a filled dot; ``colour``; ``note``, a text for the right-hand edge.
    """
    figure, axis = plt.subplots(figsize=(7.2, 0.27 * len(rows) + 0.9))
    for y, row in enumerate(rows.itertuples()):
        values = np.asarray(row.values)
        axis.plot([values.min(), values.max()], [y, y], color=row.colour, linewidth=2.2, alpha=0.45)
        axis.plot(values, [y] * len(values), "|", color=row.colour, markersize=9, markeredgewidth=1.6)
        axis.plot(row.base, y, "o", color=row.colour, markersize=6)
        _write(axis, 1.01, y, row.note)
    axis.axvline(0.5, color=CHANCE, linestyle="--", linewidth=1)
    axis.set_yticks(range(len(rows)), rows.index, fontsize=9)
    axis.set(xlabel="AUROC (dot: the default)", ylim=(len(rows) - 0.4, -0.6))
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
    marks = [rows[["paper", "estimate", "low", "high"]].to_numpy(float).ravel()]
    for y, row in enumerate(rows.itertuples()):
        if np.isfinite(row.paper):
            axis.plot(row.paper, y - 0.14, "D", markerfacecolor="white", markeredgecolor=row.colour, markersize=8)
            axis.annotate(f"paper {row.paper:.3f}", (row.paper, y - 0.14), (9, 0), **_AT_MARK)
        blind = np.asarray(getattr(row, "blind", ()), dtype=float)
        axis.plot(blind, np.full(len(blind), y + 0.18), "|", color=BLIND, markersize=15, markeredgewidth=1.6)
        marks.append(blind)
        if np.isfinite(row.estimate):
            axis.plot([row.low, row.high], [y + 0.18] * 2, color=row.colour, linewidth=2.4)
            axis.plot(row.estimate, y + 0.18, "o", color=row.colour, markersize=8)
            axis.annotate(f"here {row.estimate:.3f}", (row.high, y + 0.18), (9, 0), **_AT_MARK)
    axis.axvline(0.5, color=CHANCE, linestyle="--", linewidth=1)
    axis.text(0.5, -0.62, " chance", color=CHANCE, fontsize=8, va="bottom")
    axis.set_yticks(range(len(rows)), rows.index)
    low, high = _auroc_limits(np.concatenate(marks))
    axis.set(xlabel="AUROC, all frames pooled", xlim=(low, min(high + 0.08, 1.08)), ylim=(len(rows) - 0.5, -0.65))
    return figure


def _write(axis: plt.Axes, x: float, y: float, text: str, **style) -> None:
    """A text at a row, `x` in widths of the axis; a style of None is the default's."""
    style = {"fontsize": 8, "color": "0.35"} | style
    style = {name: value for name, value in style.items() if value is not None}
    axis.text(x, y, text, transform=axis.get_yaxis_transform(), va="center", **style)


def _auroc_limits(marks: np.ndarray) -> tuple[float, float]:
    """Axis limits that hold every mark and always 0.5."""
    low = min(0.45, float(np.floor(20 * np.nanmin(marks)) / 20))
    return low, max(0.7, min(1.0, float(np.ceil(20 * np.nanmax(marks)) / 20)))


def _layout(rows: pd.DataFrame) -> tuple[list[float], list[tuple[float, str, str]], float]:
    """Where each row is drawn, the headings (where, text, colour of its first row), and where the axis ends."""
    choices = rows["choice"] if "choice" in rows else rows["group"]
    at: list[float] = []
    headings: list[tuple[float, str, str]] = []
    y = 0.0
    for i, (group, choice, colour) in enumerate(zip(rows["group"], choices, rows["colour"], strict=True)):
        if i == 0 or group != rows["group"].iloc[i - 1]:
            headings.append((y + 0.2, group, colour))
            y += HEADING_ROWS
        elif choice != choices.iloc[i - 1]:
            y += CHOICE_ROWS
        at.append(y)
        y += 1
    return at, headings, y

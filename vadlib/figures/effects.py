"""What a change of one setting does: differences with their intervals, and how far the settings of a choice spread."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vadlib.figures.style import CHANCE

ROW_INCHES = 0.21
HEADING_ROWS = 1.6  # rows that a detector's name takes
CHOICE_ROWS = 0.35  # rows between two choices


def effect_rows(rows: pd.DataFrame, *, xlabel: str = "AUROC gained over the default") -> Figure:
    """One dot with its interval a setting, beside the line of no difference, under headings.

    A dot is filled where its interval leaves out zero, and hollow where it does not.

    Parameters
    ----------
    rows : DataFrame
        In the order drawn: ``group`` (the heading), ``choice`` (written once, before its settings), ``label``,
        ``estimate``, ``low``, ``high``, ``colour``, ``note`` (a text for the right-hand edge).
    xlabel : str
    """
    at, headings, y = _layout(rows)
    figure, axis = plt.subplots(figsize=(7.6, ROW_INCHES * y + 0.8))
    previous = None
    for row_at, row in zip(at, rows.itertuples(), strict=True):
        leaves_out_zero = row.low > 0 or row.high < 0
        axis.plot([row.low, row.high], [row_at] * 2, color=row.colour, linewidth=1.8, solid_capstyle="round")
        axis.plot(
            row.estimate, row_at, "o", markersize=5.5, markeredgecolor=row.colour, markeredgewidth=1.4,
            markerfacecolor=row.colour if leaves_out_zero else "white",
        )  # fmt: skip
        axis.text(1.01, row_at, row.note, transform=axis.get_yaxis_transform(), va="center", fontsize=8, color="0.35")
        if (row.group, row.choice) != previous:
            axis.text(
                -0.27, row_at, row.choice, transform=axis.get_yaxis_transform(), va="center", ha="right", fontsize=8.5
            )
        previous = (row.group, row.choice)
    for heading_at, text, colour in headings:
        axis.text(
            -0.27, heading_at, text, transform=axis.get_yaxis_transform(), va="center", ha="right", fontsize=10,
            fontweight="bold", color=colour,
        )  # fmt: skip
    axis.text(
        1.01, headings[0][0], "AUROC", transform=axis.get_yaxis_transform(), va="center", fontsize=8, color="0.35"
    )
    axis.axvline(0, color=CHANCE, linestyle="--", linewidth=1)
    axis.set_yticks(at, rows["label"], fontsize=8.5)
    axis.tick_params(axis="y", length=0)
    axis.set(xlabel=xlabel, ylim=(y - 0.3, -0.5))
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
    for at, row in enumerate(rows.itertuples()):
        values = np.asarray(row.values)
        axis.plot([values.min(), values.max()], [at] * 2, color=row.colour, linewidth=2.2, alpha=0.45)
        axis.plot(values, [at] * len(values), "|", color=row.colour, markersize=9, markeredgewidth=1.6)
        axis.plot(row.base, at, "o", color=row.colour, markersize=6)
        axis.text(1.01, at, row.note, transform=axis.get_yaxis_transform(), va="center", fontsize=8, color="0.35")
    axis.axvline(0.5, color=CHANCE, linestyle="--", linewidth=1)
    axis.set_yticks(range(len(rows)), rows.index, fontsize=9)
    axis.set(xlabel="AUROC (dot: the default)", ylim=(len(rows) - 0.4, -0.6))
    return figure


def grouped_interval_rows(rows: pd.DataFrame, *, xlabel: str = "AUROC") -> Figure:
    """One dot with its interval a row, beside the line of chance, under headings.

    Parameters
    ----------
    rows : DataFrame
        In the order drawn: ``group`` (the heading), ``label``, ``estimate``, ``low``, ``high``, ``colour``, ``note`` (a
        text for the right-hand edge).
    xlabel : str
    """
    at, headings, y = _layout(rows)
    figure, axis = plt.subplots(figsize=(7.4, 0.33 * y + 0.8))
    for row_at, row in zip(at, rows.itertuples(), strict=True):
        axis.plot([row.low, row.high], [row_at] * 2, color=row.colour, linewidth=2.2, solid_capstyle="round")
        axis.plot(row.estimate, row_at, "o", color=row.colour, markersize=7)
        axis.text(1.01, row_at, row.note, transform=axis.get_yaxis_transform(), va="center", fontsize=8, color="0.35")
    for heading_at, text, _ in headings:
        axis.text(
            0.015, heading_at, text, transform=axis.get_yaxis_transform(), va="center", fontweight="bold",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )  # fmt: skip
    axis.axvline(0.5, color=CHANCE, linestyle="--", linewidth=1)
    axis.set_yticks(at, rows["label"])
    axis.set(xlabel=xlabel, ylim=(y - 0.3, -0.5))
    return figure


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

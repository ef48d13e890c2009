"""What each threshold costs against what it brings."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from vadlib.figures.style import CHANCE


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
        The chosen threshold's place, by detector, as `colours` are.
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

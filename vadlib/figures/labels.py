"""Where the anomalies are: labels of clips, counts of classes."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vadlib.figures.style import ANOMALOUS, CLASS_COLOURS, CLASS_NAMES, NORMAL
from vadlib.spans import runs_of_equal


def label_calendar(table: pd.DataFrame) -> Figure:
    """One row a test clip, from ``clip``, ``frame`` and ``label``: where its frames are normal and where anomalous."""
    clips = list(dict.fromkeys(table["clip"]))
    figure, axis = plt.subplots(figsize=(8, max(1.8, min(0.16 * len(clips), 9) + 0.9)))
    for row, clip in enumerate(clips):
        labels = table.loc[table["clip"] == clip].sort_values("frame")["label"].to_numpy()
        for start, end in runs_of_equal(labels):
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
    """Normal and anomalous frames of each group, the index of ``normal`` and ``anomalous``, as bars with counts."""
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

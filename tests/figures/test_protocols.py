import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from vadlib.figures import ANOMALOUS, NORMAL, protocol_timelines


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def ticks(axis):
    """(seconds, row, above the line or below it, colour) of each tick."""
    found = []
    for lines in (child for child in axis.collections if isinstance(child, LineCollection)):
        colours = [to_hex(colour).upper() for colour in lines.get_colors()]
        colours = colours * len(lines.get_segments()) if len(colours) == 1 else colours
        for (start, end), colour in zip(lines.get_segments(), colours, strict=False):
            low, high = sorted((start[1], end[1]))
            row = round((low + high) / 2)
            found.append((float(start[0]), row, "above" if low < row else "below", colour))  # rows count downwards
    return found


def test_every_fitted_and_tested_frame_is_a_tick_at_its_time():
    fit = pd.DataFrame({"frame": [0, 10], "label": [0, 1]})
    test = pd.DataFrame({"frame": [5, 15], "label": [0, 1]})
    labels = np.array([0] * 10 + [1] * 6 + [0] * 4)
    lanes = {"same-clips": (fit, test), "disjoint-clips": (fit.iloc[:0], test)}
    axis = protocol_timelines(lanes, labels, 10.0, title="clip 1", notes={"same-clips": "2 fitted"}).axes[0]
    drawn = ticks(axis)
    assert [tick for tick in drawn if tick[2] == "above"] == [(0.0, 0, "above", NORMAL), (1.0, 0, "above", ANOMALOUS)]
    assert sorted((seconds, row) for seconds, row, side, _ in drawn if side == "below") == [
        (0.5, 0),
        (0.5, 1),
        (1.5, 0),
        (1.5, 1),
    ]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["same-clips", "disjoint-clips"]
    assert "2 fitted" in [text.get_text() for text in axis.texts]
    spans = [patch for patch in axis.patches if isinstance(patch, Rectangle)]
    assert [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in spans] == [(1.0, 1.6)]
    assert axis.get_xlim() == (0.0, 2.0)
    assert axis.get_title(loc="left") == "clip 1"

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from vadlib.figures import ANOMALOUS, NORMAL, ClipTimeline, clip_timelines, protocol_timelines, timeline

COLOURS = {"A": "#009E73", "B": "#E69F00"}


def shaded(axis):
    """(start, end) of each shaded stretch, in seconds."""
    spans = [patch for patch in axis.patches if isinstance(patch, Rectangle)]
    return [(round(patch.get_x(), 6), round(patch.get_x() + patch.get_width(), 6)) for patch in spans]


def test_shades_exactly_the_frames_above():
    scores = np.array([5.0, 1, 3, 4, 2, 1, 9])
    axis = timeline(scores, 2.0, title="x", ylabel="score", threshold=2.0).axes[0]
    assert shaded(axis) == [(0.0, 0.5), (1.0, 2.0), (3.0, 3.5)]  # equal to the threshold is not above it
    np.testing.assert_array_equal(axis.lines[0].get_xdata(), np.arange(7) / 2)
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), scores)
    assert axis.get_xlim() == (0.0, 3.5)


def test_frames_not_scored_are_gaps_and_lonely_ones_are_seen():
    scores = np.array([np.nan, 3, np.nan, 1, 1, np.nan])
    axis = timeline(scores, 1.0, title="x", ylabel="score", threshold=2.0).axes[0]
    assert shaded(axis) == [(1.0, 2.0)]
    assert np.isnan(axis.lines[0].get_ydata()).tolist() == [True, False, True, False, False, True]
    assert axis.lines[1].get_xdata().tolist() == [1.0]


def test_one_frame_without_a_threshold():
    figure = timeline(np.array([0.7]), 25.0, title="x", ylabel="score", note="No threshold: because.")
    axis = figure.axes[0]
    assert shaded(axis) == []
    assert axis.get_legend() is None
    assert axis.lines[1].get_ydata().tolist() == [0.7]
    assert figure.get_supxlabel() == "No threshold: because."


def test_negative_scores_are_compared_as_they_are():
    axis = timeline(np.array([-3.0, -1, np.nan]), 1.0, title="x", ylabel="score", threshold=-2.0).axes[0]
    assert shaded(axis) == [(1.0, 2.0)]


@pytest.mark.parametrize("name", ["$x_{$", "a$b", r"$\frac$", "a\nb", "<&>"])
def test_names_of_files_are_no_formulas(name, tmp_path):
    figure = timeline(np.arange(4.0), 25, title=name, ylabel="score")
    figure.savefig(tmp_path / "timeline.svg")
    plt.close(figure)


def clip(title, truth, alarms):
    seconds = np.arange(5) / 2
    return ClipTimeline(title, seconds, {"A": np.arange(5.0), "B": -np.arange(5.0)}, alarms, truth, 2.5)


def bars(axis):
    """(start, end, row) of each alarm drawn."""
    found = []
    for collection in axis.collections:
        if isinstance(collection, PolyCollection):
            for path in collection.get_paths():
                (x0, y0), (x1, y1) = path.get_extents().get_points()
                found.append((round(x0, 6), round(x1, 6), round((y0 + y1) / 2)))
    return found


def test_each_clip_has_its_lines_its_truth_and_its_alarms():
    clips = [
        clip("one", [(0.5, 1.0)], {"A": [(0.0, 0.5), (1.5, 2.0)], "B": []}),
        clip("two", None, {"A": [], "B": [(1.0, 2.5)]}),
        clip("three", [], {}),
    ]
    figure = clip_timelines(clips, COLOURS, ylabel="standard deviations")
    upper, lower = figure.axes[0::2], figure.axes[1::2]
    assert [axis.get_title(loc="left") for axis in upper] == ["one", "two", "three"]
    assert [shaded(axis) for axis in upper] == [[(0.5, 1.0)], [], []]
    assert [bars(axis) for axis in lower] == [[(0.0, 0.5, 0), (1.5, 2.0, 0)], [(1.0, 2.5, -1)], []]
    lines = {to_hex(line.get_color()).upper(): line.get_ydata().tolist() for line in upper[0].lines[1:]}
    assert lines == {COLOURS["A"]: [0, 1, 2, 3, 4], COLOURS["B"]: [0, -1, -2, -3, -4]}
    assert {axis.get_ylim() for axis in upper} == {upper[0].get_ylim()}  # one scale for all
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["A", "B", "truth: anomalous"]


def test_no_word_of_truth_where_nobody_knows():
    figure = clip_timelines([clip("one", None, {})], COLOURS, ylabel="x")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["A", "B"]


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
    assert shaded(axis) == [(1.0, 1.6)]
    assert axis.get_xlim() == (0.0, 2.0)
    assert axis.get_title(loc="left") == "clip 1"

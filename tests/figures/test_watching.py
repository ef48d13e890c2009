import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex

from vadlib.figures import ANOMALOUS, ClipTimeline, GalleryRow, clip_timelines, cost_curves, gallery

COLOURS = {"A": "#009E73", "B": "#E69F00"}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


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


def shaded(axis):
    return [
        (patch.get_x(), patch.get_x() + patch.get_width())
        for patch in axis.patches
        if to_hex(patch.get_facecolor()).upper() == ANOMALOUS
    ]


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


def test_curves_and_the_thresholds_in_use():
    curves = {"A": pd.DataFrame({"x": [0, 1, 4], "y": [0.0, 0.5, 1.0]})}
    axis = cost_curves(curves, {"A": (1, 0.5)}, COLOURS, x="x", y="y", xlabel="a", ylabel="b").axes[0]
    curve, mark = axis.lines
    assert curve.get_xdata().tolist() == [0, 1, 4]
    assert curve.get_ydata().tolist() == [0.0, 0.5, 1.0]
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (1, 0.5)
    assert axis.get_ylim() == (0, 1.03)
    both = cost_curves(curves, {"A": (1, 0.5)}, COLOURS, x="x", y="y", xlabel="a", ylabel="b", diagonal=True)
    assert len(both.axes[0].lines) == 3


def test_gallery_rows_share_one_scale_and_may_lack_neighbours():
    images = list(np.random.default_rng(0).integers(0, 256, (4, 48, 80, 3), dtype=np.uint8))
    mask = np.zeros((48, 80), bool)
    mask[5:20, 5:20] = True
    rows = [
        GalleryRow("hit: a", images[0], np.full((6, 10), 1.0), [(images[1], "n1"), (images[2], "n2")], mask),
        GalleryRow("miss: b", images[3], np.full((6, 10), 3.0), [(images[1], "n1")]),
    ]
    figure = gallery(rows, label="distance")
    drawn = [axis for axis in figure.axes if axis.images]
    assert [axis.get_title(loc="left") for axis in drawn] == ["hit: a", "", "n1", "n2", "miss: b", "", "n1"]
    np.testing.assert_array_equal(drawn[0].images[0].get_array(), images[0])
    assert {drawn[1].images[1].get_clim(), drawn[5].images[1].get_clim()} == {(1.0, 3.0)}
    assert [bool(axis.collections) for axis in drawn] == [True, True] + [False] * 5


def test_large_frames_are_drawn_small_and_their_masks_with_them():
    image = np.random.default_rng(0).integers(0, 256, (480, 856, 3), dtype=np.uint8)
    mask = np.zeros((480, 856), bool)
    mask[120:360, 214:642] = True
    axis = gallery([GalleryRow("a", image, np.ones((6, 10)), [], mask)], label="x").axes[0]
    assert axis.images[0].get_array().shape == (168, 300, 3)
    (x0, y0), (x1, y1) = axis.collections[0].get_paths()[0].get_extents().get_points()
    np.testing.assert_allclose([x0, y0, x1, y1], [74.5, 41.5, 224.5, 125.5], atol=1)

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import Rectangle

from vadlib.figures import timeline


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


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

import numpy as np

from vadlib import figures
from vadlib.detectors import catalogue
from vadlib.evaluation import Interval, RocBand


def test_roc_writes_the_interval_and_draws_the_curve_given():
    grid = np.linspace(0, 1, 11)
    band = RocBand(grid, grid**0.5, grid**0.7, grid**0.3)
    axis = figures.roc({"PaDiM": (band, Interval(0.7, 0.6, 0.8), "#009E73")}).axes[0]
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), band.tpr)
    assert "PaDiM: 0.700 [0.600, 0.800]" in [text.get_text() for text in axis.get_legend().get_texts()]


def test_roc_panels_show_all_together_and_each_alone():
    grid = np.linspace(0, 1, 11)
    curve = (RocBand(grid, grid, grid, grid), Interval(0.5, 0.4, 0.6), "#009E73")
    axes = [axis for axis in figures.roc_panels({"a": curve, "b": curve, "c": curve}).axes if axis.lines]
    assert [axis.get_title(loc="left") for axis in axes] == ["all", "a", "b", "c"]
    assert [len(axis.get_legend().get_texts()) - 1 for axis in axes] == [3, 1, 1, 1]


def test_density_panels_draw_a_constant_score_as_a_line():
    labels = np.repeat([0, 1], 50)
    figure = figures.density_panels({"a": (labels, np.arange(100.0), "s"), "b": (labels, labels * 1.0, "s")})
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["a", "b"]
    assert [line.get_xdata()[0] for line in figure.axes[1].lines] == [0, 1]


def test_densities_have_area_one_each():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 200)
    figure = figures.densities(labels, rng.normal(size=400) + labels, xlabel="score")
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend == ["normal (200 frames)", "anomalous (200 frames)"]


def test_palette_has_one_colour_a_meaning():
    used = [figures.NORMAL, figures.ANOMALOUS, figures.BLIND, *catalogue.colours().values()]
    assert len(set(used)) == len(used)

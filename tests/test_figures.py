import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from vadlib import figures
from vadlib.evaluation import Interval, RocBand


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def frames(n, size=(48, 80)):
    return list(np.random.default_rng(0).integers(0, 256, (n, *size, 3), dtype=np.uint8))


def shown_axes(figure):
    return [axis for axis in figure.axes if axis.images]


def test_contact_sheet_shows_every_frame_and_outlines_its_mask():
    mask = np.zeros((48, 80), dtype=bool)
    mask[10:20, 10:20] = True
    figure = figures.contact_sheet(frames(5), list("abcde"), masks=[mask, None, mask, None, None], n_columns=2)
    axes = shown_axes(figure)
    assert [axis.get_title(loc="left") for axis in axes] == list("abcde")
    assert [bool(axis.collections) for axis in axes] == [True, False, True, False, False]


def test_heatmaps_share_one_scale_that_holds_all_values():
    heat = [np.full((6, 10), 1.0), np.linspace(0, 9, 60).reshape(6, 10)]
    figure = figures.heatmap_sheet(frames(2), heat, ["a", "b"], label="distance")
    limits = {axis.images[1].get_clim() for axis in shown_axes(figure)[:2]}
    assert limits == {(0.0, 9.0)}
    assert any(axis.get_ylabel() == "distance" for axis in figure.axes)


def test_calendar_draws_each_stretch_in_its_colour():
    labels = [0, 0, 1, 1, 1, 0]
    table = pd.DataFrame({"clip": ["c"] * 6, "frame": range(6), "label": np.array(labels, dtype=np.int8)})
    bars = figures.label_calendar(table).axes[0].patches
    drawn = [(bar.get_x(), bar.get_width(), to_hex(bar.get_facecolor()).upper()) for bar in bars]
    assert drawn == [(0, 2, figures.NORMAL), (2, 3, figures.ANOMALOUS), (5, 1, figures.NORMAL)]


def test_roc_writes_the_interval_and_draws_the_curve_given():
    grid = np.linspace(0, 1, 11)
    band = RocBand(grid, grid**0.5, grid**0.7, grid**0.3)
    axis = figures.roc({"PaDiM": (band, Interval(0.7, 0.6, 0.8), "#009E73")}).axes[0]
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), band.tpr)
    assert "PaDiM: 0.700 [0.600, 0.800]" in [text.get_text() for text in axis.get_legend().get_texts()]


def test_interval_rows_and_forest_show_chance_and_every_interval():
    rows = pd.DataFrame(
        {"estimate": [0.8, 0.4], "low": [0.7, 0.2], "high": [0.9, 0.6], "colour": "#000000", "note": ["x", "y"]},
        index=["car", "running"],
    )
    axis = figures.interval_rows(rows).axes[0]
    assert axis.get_xlim()[0] <= 0.2
    assert axis.get_xlim()[1] >= 0.9
    assert [label.get_text() for label in axis.get_yticklabels()] == ["car", "running"]
    detectors = pd.DataFrame(
        {"paper": [0.603, 0.797], "estimate": [0.55, np.nan], "low": [0.3, np.nan], "high": [0.7, np.nan]}
        | {"colour": "#000000"},
        index=["PaDiM", "Prototypes"],
    )
    texts = [text.get_text() for text in figures.forest(detectors).axes[0].texts]
    assert "here 0.550" in texts
    assert sum(text.startswith("here") for text in texts) == 1
    assert sum(text.startswith("paper") for text in texts) == 2


def test_forest_draws_what_no_picture_gives_as_grey_ticks():
    rows = pd.DataFrame(
        {
            "paper": [np.nan, 0.6],
            "estimate": 0.7,
            "low": 0.65,
            "high": 0.75,
            "colour": "#000000",
            "blind": [[0.31, 0.9], []],
        },
        index=["a", "b"],
    )
    axis = figures.forest(rows).axes[0]
    ticks = [line for line in axis.lines if line.get_marker() == "|"]
    assert [list(line.get_xdata()) for line in ticks] == [[0.31, 0.9], []]
    assert to_hex(ticks[0].get_color()).upper() == figures.BLIND
    assert axis.get_xlim()[0] <= 0.31
    assert axis.get_xlim()[1] >= 0.9


def test_interval_rows_draw_each_reference_with_its_name_on_a_level_of_its_own():
    rows = pd.DataFrame(
        {"estimate": [0.7], "low": [0.6], "high": [0.75], "colour": "#000000", "note": "x"}, index=["blind"]
    )
    references = {"paper, b: 0.97": (0.97, "#009E73"), "paper, a: 0.31": (0.31, "#E69F00")}
    axis = figures.interval_rows(rows, references=references).axes[0]
    drawn = {line.get_xdata()[0]: to_hex(line.get_color()).upper() for line in axis.lines if len(line.get_xdata()) == 2}
    assert {0.31: "#E69F00", 0.97: "#009E73"}.items() <= drawn.items()
    assert axis.get_xlim()[0] <= 0.31
    assert axis.get_xlim()[1] >= 0.97
    names = {text.get_text(): text.xyann[1] for text in axis.texts if text.get_text().startswith("paper")}
    assert set(names) == set(references)
    assert names["paper, b: 0.97"] - names["paper, a: 0.31"] >= 10  # points


def test_effect_rows_fill_the_dots_whose_interval_leaves_out_zero():
    rows = pd.DataFrame(
        {
            "group": ["PaDiM", "PaDiM", "Prototypes"],
            "choice": ["epsilon", "epsilon", "k"],
            "label": ["0.1", "1", "5"],
            "estimate": [0.1, 0.02, -0.2],
            "low": [0.05, -0.1, -0.3],
            "high": [0.2, 0.1, -0.1],
            "colour": ["#000000", "#000000", "#FF0000"],
            "note": ["0.7", "0.6", "0.4"],
        }
    )
    axis = figures.effect_rows(rows).axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["0.1", "1", "5"]
    dots = [line for line in axis.lines if line.get_marker() == "o"]
    assert [line.get_markerfacecolor() for line in dots] == ["#000000", "white", "#FF0000"]
    assert [line.get_xdata()[0] for line in dots] == [0.1, 0.02, -0.2]
    texts = [text.get_text() for text in axis.texts]
    assert all(texts.count(once) == 1 for once in ("PaDiM", "Prototypes", "epsilon", "k"))
    grouped = figures.grouped_interval_rows(rows.drop(columns="choice")).axes[0]
    assert [text.get_text() for text in grouped.texts] == ["0.7", "0.6", "0.4", "PaDiM", "Prototypes"]
    assert grouped.get_xlim()[1] >= 0.5  # chance is on it


def test_span_rows_reach_from_the_lowest_to_the_highest():
    rows = pd.DataFrame(
        {"values": [np.array([0.6, 0.4, 0.7])], "base": [0.6], "colour": ["#000000"], "note": ["0.300"]}, index=["k"]
    )
    axis = figures.span_rows(rows).axes[0]
    assert axis.lines[0].get_xdata().tolist() == [0.4, 0.7]
    assert axis.lines[1].get_xdata().tolist() == [0.6, 0.4, 0.7]
    assert list(axis.lines[2].get_xdata()) == [0.6]


def test_roc_panels_show_all_together_and_each_alone():
    grid = np.linspace(0, 1, 11)
    curve = (RocBand(grid, grid, grid, grid), Interval(0.5, 0.4, 0.6), "#009E73")
    axes = [axis for axis in figures.roc_panels({"a": curve, "b": curve, "c": curve}).axes if axis.lines]
    assert [axis.get_title(loc="left") for axis in axes] == ["all", "a", "b", "c"]
    assert [len(axis.get_legend().get_texts()) - 1 for axis in axes] == [3, 1, 1, 1]


def test_map_grid_gives_each_row_its_scale():
    maps = {"map": [np.zeros((4, 4)), np.ones((4, 4))], "similarity": [np.ones((4, 4)), np.zeros((4, 4))]}
    limits = {"map": (0, 1), "similarity": (-1, 1)}
    figure = figures.map_grid(
        maps, ["layer2", "layer3"], limits=limits, labels={n: n for n in limits}, backgrounds={"map": frames(1)[0]}
    )
    axes = shown_axes(figure)
    assert [axis.images[-1].get_clim() for axis in axes[:4]] == [(0, 1)] * 2 + [(-1, 1)] * 2
    assert [len(axis.images) for axis in axes[:4]] == [2, 2, 1, 1]


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


def test_class_balance_writes_the_counts():
    counts = pd.DataFrame({"normal": [1200, 30], "anomalous": [4, 500]}, index=["scene 01", "scene 02"])
    texts = {text.get_text() for text in figures.class_balance(counts).axes[0].texts}
    assert texts == {"1,200", "30", "4", "500"}


def test_palette_has_one_colour_a_meaning():
    used = [figures.NORMAL, figures.ANOMALOUS, figures.BLIND, *figures.DETECTOR_COLOURS.values()]
    assert len(set(used)) == len(used)

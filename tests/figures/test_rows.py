import numpy as np
import pandas as pd
from matplotlib.colors import to_hex

from vadlib import figures


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
    grouped = figures.interval_rows(rows.drop(columns="choice")).axes[0]
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

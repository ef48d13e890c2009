"""Names in any script on a figure: no warning, and every name is there."""

import warnings

import matplotlib.pyplot as plt
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager

from vadlib.figures import fonts, make_readable

NAMES = [
    "日本の監視カメラ 3",
    "🎥👩‍👩‍👧 gate ❤️",
    "مدخل",
    "שער",
    "प्रवेश द्वार",
    "ประตู",
    "ქუჩა 대문",
    "$犬$ and $x",
    "a\tb\x07c",
    "caf\udce9",
    "\u200egate\u2066",
]


@pytest.fixture(autouse=True)
def own_state(monkeypatch):
    """Fonts that a test makes are not known to the next."""
    monkeypatch.setattr(font_manager.fontManager, "ttflist", list(font_manager.fontManager.ttflist))
    for found in (fonts._font_with, fonts._installed):
        found.cache_clear()
    yield
    plt.close("all")
    for found in (fonts._font_with, fonts._installed):
        found.cache_clear()


@pytest.fixture
def cat_font(tmp_path, monkeypatch):
    """The machine's only font: it has the letter 猫, as a square."""
    pen = TTGlyphPen(None)
    for line, point in ((pen.moveTo, (0, 0)), (pen.lineTo, (0, 800)), (pen.lineTo, (800, 800)), (pen.lineTo, (800, 0))):
        line(point)
    pen.closePath()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "cat"])
    builder.setupCharacterMap({ord("猫"): "cat"})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "cat": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (900, 0), "cat": (900, 0)})
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": "Only Cats", "styleName": "Regular", "psName": "OnlyCats"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "cats.ttf")
    (tmp_path / "damaged.ttf").write_bytes(b"no font")
    paths = [str(tmp_path / name) for name in ("damaged.ttf", "cats.ttf")]
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: paths)


def named(names, ticks=("x",)):
    """A figure with names wherever the report's figures have some, drawn with warnings as errors."""
    figure, every = plt.subplots(len(names), squeeze=False)
    for axes, name in zip(every.flat, names, strict=True):
        axes.set_title(name, loc="left")
    every[0, 0].set_yticks(range(len(ticks)), ticks)
    make_readable(figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig("figure.svg")
    labels = [label.get_text() for label in every[0, 0].get_yticklabels()]
    return [axes.get_title(loc="left") for axes in every.flat], labels, every


@pytest.mark.parametrize("installed", ["here", "none"])
def test_names_in_any_script_are_drawn_without_a_warning_and_stay_apart(installed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if installed == "none":
        monkeypatch.setattr(font_manager, "findSystemFonts", list)
    titles, labels, _ = named(NAMES, NAMES)
    assert len(set(titles)) == len(NAMES)
    assert titles == labels
    assert titles[0].endswith(" 3")
    assert titles[-3:-1] == ["a b c", r"caf\udce9"]


def test_a_letter_that_no_font_has_is_its_code_point(tmp_path, monkeypatch, cat_font):
    monkeypatch.chdir(tmp_path)
    titles, labels, axes = named(["犬と猫", "straße, Ørsted, ул."], ["犬", "2"])
    assert titles == [r"\u72ac\u3068猫", "straße, Ørsted, ул."]
    assert labels == [r"\u72ac", "2"]
    assert "Only Cats" in axes[0, 0].title.get_fontfamily() + axes[0, 0]._left_title.get_fontfamily()
    assert "Only Cats" not in axes[1, 0]._left_title.get_fontfamily()


def test_a_font_of_the_machine_draws_what_the_figure_s_own_lacks(tmp_path, monkeypatch, cat_font):
    monkeypatch.chdir(tmp_path)
    named(["猫"])
    own = (tmp_path / "figure.svg").read_text()
    named(["x"])
    assert "OnlyCats" in own
    assert "OnlyCats" not in (tmp_path / "figure.svg").read_text()


def test_a_figure_of_plain_names_stays_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: pytest.fail("no other font is needed"))
    figure, axes = plt.subplots()
    axes.set_title("gate $3, Ø")
    axes.plot([-1, 1], [-1e-7, 1e7])
    figure.canvas.draw()
    before = [label.get_text() for label in axes.get_yticklabels()]
    make_readable(figure)
    assert axes.get_title() == "gate $3, Ø"
    assert [label.get_text() for label in axes.get_yticklabels()] == before
    assert type(axes.yaxis.get_major_formatter()).__name__ == "ScalarFormatter"

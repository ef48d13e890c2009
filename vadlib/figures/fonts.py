"""Names in any script on a figure: letters that the figure's font lacks are taken from others that the machine has."""

import unicodedata
from contextlib import suppress
from functools import cache

from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

BOXES = "Last Resort"  # a font that has a box for every letter there is
SPACES = {code: " " for code in (*range(32), 127) if chr(code) != "\n"}


def make_readable(figure: Figure) -> None:
    """Have every letter of a figure's texts, labels of ticks included, drawn by a font that has it.

    A letter that no font of this machine has is written as its code point, ``\\u732b``, so that two names stay two.
    """
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            said = [label.get_text() for label in axis.get_ticklabels()]
            shown = [_drawable(text, _base(label)) for text, label in zip(said, axis.get_ticklabels(), strict=True)]
            if said != shown:
                axis.set_ticks(axis.get_ticklocs(), shown, parse_math=False)
    for text in figure.findobj(Text):
        base = _base(text)
        shown = _drawable(text.get_text(), base)
        if shown != text.get_text():
            text.set(text=shown, parse_math=False)  # in which a code point would be a command
        others = {_font_with(char) for char in _lacking(text.get_text(), base)}
        if others:
            text.set_fontfamily([*text.get_fontfamily(), *sorted(others)])


def _base(text: Text) -> str:
    """The file of the font that a text is set in."""
    return font_manager.findfont(text.get_fontproperties())


def _lacking(text: str, base: str) -> list[str]:
    return [char for char in dict.fromkeys(text) if not (char.isascii() or _open(base).get_char_index(ord(char)))]


def _drawable(text: str, base: str) -> str:
    """`text`, its letters that no font has as code points, without what only joins or directs letters."""
    stands_for = dict(SPACES)
    for char in _lacking(text, base):
        if unicodedata.category(char) == "Cf" or unicodedata.name(char, "").startswith("VARIATION SELECTOR"):
            stands_for[ord(char)] = ""
        elif _font_with(char) is None:
            stands_for[ord(char)] = char.encode("ascii", "backslashreplace").decode()
    return text.translate(stands_for)


@cache
def _open(path: str) -> FT2Font:
    return FT2Font(path)


@cache
def _font_with(char: str) -> str | None:
    """The name of a font that has a letter; its file is made known to matplotlib."""
    for path, font in _installed():
        if font.get_char_index(ord(char)):
            font_manager.fontManager.addfont(path)
            return font.family_name
    return None


@cache
def _installed() -> list[tuple[str, FT2Font]]:
    """Fonts that are there now: matplotlib's own list is as old as its cache."""
    found = []
    for path in sorted(font_manager.findSystemFonts()):
        with suppress(Exception):  # not a font, or of a kind that FreeType does not read
            font = FT2Font(path)
            if font.scalable and BOXES not in font.family_name:
                found.append((path, font))
    return found

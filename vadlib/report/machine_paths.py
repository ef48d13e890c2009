"""Paths of the machine that made a result, and what stands for them where others read it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

PLACEHOLDER = "path/to"
# An absolute path, or one that starts at the home folder; not a closing tag, a URL or a fraction.
MACHINE_PATH = re.compile(r"(?<![\w./<~])~?/[\w@+-][\w.@+-]*(?:/[\w.@+-]+)*/?")
NOTHING = "(?!)"  # matches nowhere
EMBEDDED = re.compile(r"base64,[A-Za-z0-9+/=\s]+")  # a picture inside an SVG


def without_machine_paths(value):
    """A copy of plain JSON data in which `path/to/NAME` stands for each path of this machine, also in keys."""
    return _rewritten(value, _without_paths)


def _without_paths(text: str) -> str:
    if text.startswith("/") and "\n" not in text and Path(text).exists():  # spaces in it and all
        return placeholder(text)
    return MACHINE_PATH.sub(lambda found: placeholder(found[0]), text)


def _rewritten(value, change: Callable[[str], str]):
    """A copy of plain JSON data with all of its texts changed, keys, too."""
    if isinstance(value, Mapping):
        return {_rewritten(key, change): _rewritten(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_rewritten(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def machine_paths(text: str) -> list[str]:
    """Paths of some machine that stand in a text file, pictures embedded in an SVG aside."""
    return sorted(set(MACHINE_PATH.findall(EMBEDDED.sub("", text))))


def hide_paths(paths: Iterable[str]) -> Callable:
    """Make a function of plain JSON data that puts `path/to/NAME` for absolute paths, and for what they lead to.

    It gives a copy. Paths below a given one keep what follows it. They may have spaces and quotes in them, and are also
    found as Python source and HTML write them.
    """
    stands_for = {}
    for path in {path.rstrip("/") for path in paths if path.startswith("/") and path.strip("/")}:
        for written in (path, str(Path(path).resolve())):
            as_source = written.encode("unicode_escape").decode().replace('"', '\\"')
            for text in (written, as_source, repr(written)[1:-1], html.escape(written)):
                stands_for[text] = placeholder(path)
    longest_first = "|".join(map(re.escape, sorted(stands_for, key=len, reverse=True)))
    # Not in the middle of another path or name, such as /data in /more/data or /data2.
    pattern = re.compile(rf"(?<![\w.~-])(?<![\w.~-]/)(?:{longest_first or NOTHING})(?![\w@+-]|\.\w)")
    return partial(_rewritten, change=lambda text: pattern.sub(lambda found: stands_for[found[0]], text))


def placeholder(path: str) -> str:
    """What stands for a path: `path/to/NAME`; the name of published weights stays as it is."""
    if not (path.startswith(("/", "~")) or path.count("/") or Path(path).exists()):
        return path  # the name of published weights
    return f"{PLACEHOLDER}/{Path(path).name}"

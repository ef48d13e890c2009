"""Where the clips of a data set lie, in the several ways in which its copies are laid out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from vadlib.data.reading import videos
from vadlib.data.reading.decoding import VIDEO_SUFFIXES
from vadlib.errors import LayoutError


def find_sources(home: Path, places: Mapping[str, str]) -> dict[str, Path]:
    """Where each clip of a split is, by its name: its folder of frames, else its video file.

    `places` are folders below home that may hold clips, and regular expressions of the clips' names there, without
    endings. A clip that lies in several counts where it is found first.
    """
    folders: dict[str, Path] = {}
    films: dict[str, Path] = {}
    for place, pattern in places.items():
        here: dict[str, Path] = {}
        for path in sorted((home / place).glob("*")):
            if not videos.visible(path):
                continue
            if path.is_dir():
                if re.fullmatch(pattern, path.name, re.DOTALL):
                    folders.setdefault(path.name, path)
            elif path.suffix.lower() in VIDEO_SUFFIXES and re.fullmatch(pattern, path.stem, re.DOTALL):
                if path.stem in here:
                    raise LayoutError(f"{path} and {here[path.stem].name} are both clip {path.stem}. Keep one of them.")
                here[path.stem] = path
        films = here | films
    return films | folders


def first_existing(home: Path, places: Iterable[str]) -> Path | None:
    """Find the first of some files or folders that is there."""
    return next((home / place for place in places if (home / place).exists()), None)


def relative_name(path: Path, home: Path) -> str:
    """A path as a reader of results should see it: below the data set's folder or beside it, not on this machine."""
    path, home = (Path(os.path.abspath(each)) for each in (path, home))
    base = next((base for base in (home, home.parent) if path.is_relative_to(base)), path.parent)
    return path.relative_to(base).as_posix()

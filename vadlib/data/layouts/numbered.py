"""Folders of pictures: which of their files are frames, and in which order they are played.

Frames are called by a counter (001.jpg, frame12.png), or by when they were taken (20240102100007-02.jpg,
2024-01-02_10-00-07.jpg, 10-00-07-3.jpg). Where neither says the order for certain there is an error: in a wrong order
frames would get each other's labels.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence
from pathlib import Path

from vadlib.data.reading.capture_times import Moment, find_moments
from vadlib.data.reading.files import visible
from vadlib.errors import LayoutError, UnreadableError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")
COPY = re.compile(r"(?<=.)(\s*\(\d+\)|[\s_-]*\(?(copy|copie|copia|kopie|コピー|副本)\)?([\s_-]*\(?\d+\)?)?)$", re.I)
RENAME = "rename them so that one number counts all frames (001.jpg, 002.jpg ...)"
EVEN = 1.5  # times a median step, at most, that a step of evenly spaced pictures takes


def list_numbered(folder: Path) -> list[Path]:
    """List a folder's pictures in playing order (`2.jpg` before `10.jpg`).

    The order is that of the dates and times in their names, where all have one; else that of their counter: the
    only number that differs, or the last.
    """
    names = _list_pictures(folder)
    stems = [os.path.splitext(name)[0] for name in names]
    for name, stem in zip(names, stems, strict=True):
        if not re.search(r"\d", stem):
            raise LayoutError(
                f"{folder / name}: frames are named by their number (001.jpg, frame12.png), this one has none."
            )
    moments = find_moments(stems)
    ordered = _by_counter(folder, names, stems) if moments is None else _by_moment(folder, names, moments)
    return [folder / name for name in ordered]


def count_numbered(folder: Path) -> int:
    """How many pictures a folder of frames has; raises as `list_numbered`, and where there are none."""
    n_frames = len(list_numbered(folder))
    if n_frames == 0:
        raise LayoutError(f"{folder} has no frames ({', '.join(IMAGE_SUFFIXES)}). Copy it again.")
    return n_frames


def seconds_between(paths: Sequence[Path]) -> float | None:
    """Time from one picture to the next, by the times in their names; None where those have none, or it varies."""
    moments = find_moments([path.stem for path in paths])
    if moments is None or len(paths) < 3 or any(moment.seconds is None for moment in moments):
        return None
    seconds = [moment.seconds for moment in moments]
    steps = sorted(after - before for before, after in itertools.pairwise(seconds))
    median = steps[len(steps) // 2]
    even = median > 0 and steps[-1] <= EVEN * median + 1 and steps[0] >= median / EVEN - 1  # names may count seconds
    return (seconds[-1] - seconds[0]) / (len(seconds) - 1) if even else None


def _list_pictures(folder: Path) -> list[str]:
    """Names of pictures, sorted; without links to others of them, such as lastsnap.jpg of Motion."""
    try:
        with os.scandir(folder) as entries:
            pictures = [entry for entry in entries if Path(entry.name).suffix.lower() in IMAGE_SUFFIXES]
            is_link = {entry.name: entry.is_symlink() for entry in pictures if visible(entry.name)}
    except OSError as error:
        raise UnreadableError(f"{folder} cannot be listed: {error.strerror}.") from error
    return sorted(name for name, link in is_link.items() if not (link and _target(folder, name) in is_link))


def _target(folder: Path, name: str) -> str | None:
    """What a link in a folder stands for, where that lies in the folder, too."""
    place, target = os.path.split(os.readlink(folder / name))
    return target if place in ("", ".", str(folder)) else None


def _by_moment(folder: Path, names: list[str], moments: list[Moment]) -> list[str]:
    by_moment: dict[tuple, str] = {}
    for name, moment in zip(names, moments, strict=True):
        other = by_moment.setdefault(moment.key, name)
        if other is not name:
            raise LayoutError(_two_of_one(folder, other, name, "taken at one and the same time, by their names"))
    return [by_moment[key] for key in sorted(by_moment)]


def _by_counter(folder: Path, names: list[str], stems: list[str]) -> list[str]:
    originals = [COPY.sub("", stem) for stem in stems]
    if set(originals) & set(stems):  # where none is an original, all of them are called so
        stems = [o if re.search(r"\d", o) else stem for o, stem in zip(originals, stems, strict=True)]
    numbers = [[int(digits) for digits in re.findall(r"\d+", stem)] for stem in stems]
    alike = len({len(own) for own in numbers}) == 1
    varying = [position for position, column in enumerate(zip(*numbers, strict=False)) if len(set(column)) > 1]
    position = varying[0] if alike and len(varying) == 1 else -1
    numbered: dict[int, str] = {}
    for name, own in zip(names, numbers, strict=True):
        other = numbered.setdefault(own[position], name)
        if other is not name:
            raise LayoutError(_two_of_one(folder, other, name, f"both frame {own[position]}"))
    counted = sorted(numbered)
    n_missing = counted[-1] - counted[0] + 1 - len(counted) if counted else 0
    if n_missing:
        before = next(number for number, after in itertools.pairwise(counted) if after != number + 1)
        raise LayoutError(
            f"{folder}: frames {counted[0]} to {counted[-1]} with {n_missing} missing, first {before + 1}. "
            "Labels count frames by position, so every frame is needed: copy the folder again; if these are all that "
            f"there are, {RENAME}."
        )
    return [numbered[number] for number in counted]


def _two_of_one(folder: Path, first: str, second: str, how: str) -> str:
    start = f"{folder}: {first} and {second} are {how}"
    first, second = folder / first, folder / second
    try:
        same = first.stat().st_size == second.stat().st_size and first.read_bytes() == second.read_bytes()
    except OSError:
        same = False
    if same:
        return f"{start}, and the same picture, byte for byte. Remove one of them."
    return f"{start}, but different pictures. Keep both: {RENAME}, or move each series into a folder of its own."

"""Which camera a clip of one's own shows, by the folders it lies in; recorders file by date and hour as well."""

from __future__ import annotations

import calendar
import re
import unicodedata
from collections.abc import Sequence

UNKNOWN_SCENE = "unknown"

_DAY, _MONTH, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:19|20)\d\d"
_SEP = r"[-_., ]"
_CLOCK = r"(?:[T_ -]*\d{1,2}(?:[-_.:h ]?\d{2}){0,2}(?:[.,]\d+)?(?:Z|h|[ap]m)?)?"
_DATE = re.compile(  # 2024, 2024-01, 20240102, 2024.1.2_10-00-07, 02-01-2024, 2024年1月2日, 2024-W05
    rf"{_YEAR}(?:{_SEP}?{_MONTH}(?:{_SEP}?{_DAY})?)?{_CLOCK}"
    rf"|{_DAY}{_SEP}{_DAY}{_SEP}{_YEAR}{_CLOCK}"
    rf"|{_YEAR}{_SEP}?W\d\d"
    rf"|{_YEAR}\s*[年년]\s*(?:{_MONTH}\s*[月월]\s*)?(?:{_DAY}\s*[日일]\s*)?",
    re.IGNORECASE,
)
_WITH_UNIT = re.compile(  # 06h, 10:30, 6時
    r"\d{1,2}(?:h|hrs?|uhr|am|pm|[時时点시月월日일])(?:\d{1,2}[分분m]?)?|\d{1,2}:\d{2}(?::\d{2})?", re.IGNORECASE
)
_NUMBERS = re.compile(r"\d{1,2}(?:[-_.:]\d{1,2}){0,3}|[0-2]\d[0-5]\d(?:[0-5]\d)?")  # 06, 06-00, 0600, 060000
_NAMES = {name.casefold() for name in (*calendar.day_name, *calendar.month_name) if name}


def name_key(name: str) -> str:
    """By which two names of a camera are the same: whatever their case, and however accents are composed."""
    return unicodedata.normalize("NFC", name).casefold()


def without_times(folders: Sequence[str]) -> list[str]:
    """Those of some nested folders that are not called after a date or a time of day.

    A number of one or two digits is a time only right after a date or another time: alone it may be a camera's.
    """
    return _divide(folders)[0]


def hours_alone(folders: Sequence[Sequence[str]]) -> list[str]:
    """Folders called by a number alone that are taken for hours, where there are no folders of cameras at all.

    Numbers of cameras in a day's folder look just like that.
    """
    divided = [_divide(each) for each in folders]
    return [] if any(kept for kept, _ in divided) else sorted({number for _, numbers in divided for number in numbers})


def _divide(folders: Sequence[str]) -> tuple[list[str], list[str]]:
    """Those that are not called after a time, and those that are taken for hours as they follow one."""
    places, numbers, after_time, due = [], [], False, 0
    for folder in folders:
        certain = _DATE.fullmatch(folder) or _WITH_UNIT.fullmatch(folder) or folder.casefold() in _NAMES
        follows = not certain and after_time and _NUMBERS.fullmatch(folder)
        after_time = bool(certain or follows)
        if certain:
            due = 2 if re.fullmatch(_YEAR, folder) else 0  # a month and a day follow
        elif follows and due:
            due -= 1
        elif follows:
            numbers.append(folder)
        else:
            places.append(folder)
    return places, numbers


def assign_cameras(normal: Sequence[Sequence[str]], scored: Sequence[Sequence[str]]) -> tuple[list[str], list[str]]:
    """Say which camera each clip shows.

    Cameras are the folders at one depth under ``normal/``, dates and times not counted: the first depth at which
    a folder is called like one that the clips to score lie in, else the first. Where all folders there are called
    by numbers, a deeper one is taken instead if all clips to score have a folder of its names and not all have one
    of the numbers. Of each clip come the folders that it lies in, outermost first, without ``normal`` itself. A clip
    to score in no camera's folder belongs to the scene called as its first folder, as nothing normal is known of it;
    clips without folders, and all where the normal footage has none, are `UNKNOWN_SCENE`.
    """
    normal, scored = ([without_times(folders) for folders in paths] for paths in (normal, scored))
    depth = _depth_of_cameras(normal, scored)
    cameras: dict[str, str] = {}
    for folders in sorted(folders for folders in normal if len(folders) > depth):
        cameras.setdefault(name_key(folders[depth]), folders[depth])

    def camera(folders: list[str]) -> str:
        if not folders or not cameras:
            return UNKNOWN_SCENE
        return next((cameras[name_key(name)] for name in folders if name_key(name) in cameras), folders[0])

    of_normal = [cameras[name_key(folders[depth])] if len(folders) > depth else UNKNOWN_SCENE for folders in normal]
    return of_normal, [camera(folders) for folders in scored]


def _depth_of_cameras(normal: list[list[str]], scored: list[list[str]]) -> int:
    tested = [{name_key(name) for name in folders} for folders in scored]
    shared = []  # depths of which clips to score have names: which, whether all have, whether the names are numbers
    for depth in range(max(map(len, normal), default=0)):
        names = {name_key(folders[depth]) for folders in normal if len(folders) > depth}
        n_shared = sum(bool(names & folders) for folders in tested)
        if n_shared:
            shared.append((depth, n_shared == len(scored), all(name.isdigit() for name in names)))
    if not shared:
        return 0
    first, of_all, numbered = shared[0]
    if numbered and not of_all:
        return next((depth for depth, of_all, numbered in shared if of_all and not numbered), first)
    return first

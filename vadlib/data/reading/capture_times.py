"""When a picture was taken, by its name: `01-20240102100007-02`, `2024-01-02_10-00-07`, `gate-1704189607.25`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

_DATE = r"(?<!\d)((?:19|20)\d\d)(?:[-_.:]|年)?(0[1-9]|1[0-2])(?:[-_.:]|月)?(0[1-9]|[12]\d|3[01])日?"
_HOUR, _SIXTY = r"([01]\d|2[0-3])", r"([0-5]\d)"
_DATED = re.compile(  # then 10-00-07 or 10:00; or 100007; or, in one number with the date, 1000; or nothing
    rf"{_DATE}(?:[T_ .-]*{_HOUR}[-_.:h時]{_SIXTY}(?:[-_.:m分]{_SIXTY})?(?!\d)"
    rf"|[T_ .-]*{_HOUR}{_SIXTY}{_SIXTY}(?=(?:\d{{3}})?(?!\d))|{_HOUR}{_SIXTY}(?!\d)|(?!\d))"
)
_EPOCH = re.compile(r"(?<!\d)(1\d{9})(?:(\d{3})(?!\d)|\.(\d{1,9}))?(?!\d)")
_CLOCK = re.compile(rf"(?<!\d){_HOUR}[-_.:h]{_SIXTY}[-_.:m]{_SIXTY}(?!\d)")
_DAY_FIRST = re.compile(r"(?<!\d)\d{1,2}[-_.]\d{1,2}[-_.](?:19|20)\d\d(?!\d)")
_TWELVE_HOURS = re.compile(r"\d[\s_.-]*[ap]m(?![a-z])", re.IGNORECASE)


class Moment(NamedTuple):
    """When a picture was taken: what orders it among others, and seconds, where the name has more than an order."""

    key: tuple[int, ...]
    seconds: float | None


def find_moments(stems: Sequence[str]) -> list[Moment] | None:
    """Read the time out of each name; None where not all have one, or its order is not certain.

    Not certain are days before years that differ (02-01-2024: January or February?), and hours up to twelve.
    """
    stems = list(stems)
    if any(_TWELVE_HOURS.search(stem) for stem in stems):
        return None
    days = [_DAY_FIRST.search(stem) for stem in stems]
    if any(days):
        if not all(days) or len({day[0] for day in days}) > 1:
            return None
        stems = [stem.replace(day[0], "_", 1) for stem, day in zip(stems, days, strict=True)]
    readings = (_dated(stems), [_epoch(stem) for stem in stems], [_clock(stem) for stem in stems])
    return next((moments for moments in readings if moments and all(moments)), None)


def _dated(stems: list[str]) -> list[Moment] | None:
    matches = [_DATED.search(stem) for stem in stems]
    if not all(matches):
        return None
    times = [[part for part in match.groups()[3:] if part is not None] for match in matches]
    counter = all(match[7] is not None and part[:2] == ["00", "00"] for match, part in zip(matches, times, strict=True))
    if len({len(part) for part in times}) > 1 or counter:  # what looks like a time of day is a number
        times = [[] for _ in matches]
    if not any(times) and len({match.groups()[:3] for match in matches}) == 1:
        return None  # one date, and a counter
    return [_dated_moment(stem, match, part) for stem, match, part in zip(stems, matches, times, strict=True)]


def _dated_moment(stem: str, match: re.Match, time: list[str]) -> Moment | None:
    parts = [int(digits) for digits in (*match.groups()[:3], *time)]
    try:
        seconds = datetime(*parts, tzinfo=UTC).timestamp()
    except ValueError:  # the 31st of February
        return None
    end = match.end() if time else match.end(3)
    fraction, after = _fraction(stem[end:], dotted="." in match[0] or len(time) < 3)
    key = (*parts, fraction, *_numbers(stem[: match.start()]), *_numbers(after))
    return Moment(key, seconds + fraction / 1e9 if time else None)


def _epoch(stem: str) -> Moment | None:
    match = _EPOCH.search(stem)
    if not match:
        return None
    fraction = int((match[2] or match[3] or "0").ljust(9, "0"))
    key = (int(match[1]), fraction, *_numbers(stem[: match.start()]), *_numbers(stem[match.end() :]))
    return Moment(key, int(match[1]) + fraction / 1e9)


def _clock(stem: str) -> Moment | None:
    match = _CLOCK.search(stem)
    if not match or re.search(r"\d", stem[: match.start()]):  # a number before it may be what counts
        return None
    hour, minute, second = (int(digits) for digits in match.groups())
    fraction, after = _fraction(stem[match.end() :], dotted="." in match[0])
    seconds = 3600 * hour + 60 * minute + second + fraction / 1e9
    return Moment((hour, minute, second, fraction, *_numbers(after)), seconds)


def _fraction(after: str, *, dotted: bool) -> tuple[int, str]:
    """Nanoseconds that follow a second, and the rest of the name."""
    match = re.match(r"[.,](\d{1,9})(?!\d)", after)
    if not match or dotted:
        return 0, after
    return int(match[1].ljust(9, "0")), after[match.end() :]


def _numbers(text: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", text)]

"""Alarms: what a series of frame scores says happened, and when; and how the alarms stand to the true events.

A score rises and falls from frame to frame, and a person wants one alarm for one occurrence. The steps, in order:

1. unbroken runs of frames that score at least ``low``;
2. runs with at most ``max_gap`` frames between them are merged;
3. what is shorter than ``min_length`` frames is dropped;
4. what is longer than ``max_length`` frames is cut into pieces of that length: an alarm that goes on is raised again;
5. a piece is an alarm if its highest score is at least ``high``.

The two thresholds are a hysteresis: ``high`` decides whether, ``low`` how long. Steps 1 to 4 do not
depend on ``high``, so the number of alarms falls as it rises; thresholds for alarms an hour rely on it. Step 4 matters
for the count: without it an alarm that never ends is a single one, overlaps every event, and looks perfect.

Vocabulary: frames are numbered within their clip, ``first`` and ``last`` are inclusive. Where only some frames are
scored, each stands for the frames from its own to the one before the next; the column ``last`` says how far.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vadlib.errors import ParameterError
from vadlib.frame_times import TICKS, UnevenRate, seconds, ticks
from vadlib.spans import runs_of_equal

ROUNDING = 1e-9  # of seconds times frames a second: 0.2 s at 25 frames a second is 5 frames


@dataclass(frozen=True)
class AlarmRule:
    """What makes an alarm of a run of high scores, besides the thresholds."""

    min_seconds: float = 0.4  #: Shorter runs are dropped.
    max_gap_seconds: float = 1.0  #: Runs this close are one.
    max_seconds: float = 10.0  #: An alarm that lasts longer is raised again.

    def __post_init__(self):
        """Check the durations."""
        for name in ("min_seconds", "max_gap_seconds", "max_seconds"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ParameterError(f"{name}: expected seconds, 0 or more, found {value!r}")
        if self.max_seconds <= 0 or self.max_seconds < self.min_seconds:
            raise ParameterError(
                f"max_seconds: expected above 0 and at least min_seconds ({self.min_seconds}), found {self.max_seconds}"
            )

    def in_frames(self, fps: float) -> dict[str, int]:
        """The rule as arguments of `find_events`, at so many frames a second."""
        if not (math.isfinite(fps) and fps > 0):
            raise ParameterError(f"fps: expected frames a second, above 0, found {fps!r}")
        shortest = max(1, math.ceil(self.min_seconds * fps - ROUNDING))
        return {
            "min_length": shortest,
            "max_gap": math.floor(self.max_gap_seconds * fps + ROUNDING),
            "max_length": max(shortest, math.floor(self.max_seconds * fps + ROUNDING)),
        }


def find_events(
    scores: np.ndarray,
    high: float,
    *,
    low: float | None = None,
    min_length: int = 1,
    max_gap: int = 0,
    max_length: int | None = None,
    first: np.ndarray | None = None,
    last: np.ndarray | None = None,
) -> pd.DataFrame:
    """Events in one clip's scores, by the five steps that the module describes.

    Parameters
    ----------
    scores : float (n,)
        In playing order. NaN, a frame without a score, is below every threshold.
    high, low : float
        An event's highest score is at least ``high``; it lasts as long as scores are at least ``low``, by default the
        same.
    min_length, max_gap, max_length : int
        Of the module's steps, in frames; by default there is no longest.
    first, last : int (n,), optional
        Frames that each score stands for; its own position by default.

    Returns
    -------
    DataFrame
        ``first``, ``last`` (frames, inclusive), ``peak_frame`` (``first`` of the highest score, the earliest of
        several) and ``peak`` (that score); in playing order.

    Raises
    ------
    ParameterError
        Arrays of other shapes, frames out of order, thresholds that are NaN or the wrong way round, lengths out of
        range.
    """
    scores, first, last = _checked_series(scores, first, last)
    low = high if low is None else low
    if math.isnan(high) or math.isnan(low) or low > high:
        raise ParameterError(f"low, high: expected low <= high, found low={low!r} and high={high!r}")
    for name, value, least in (("min_length", min_length, 1), ("max_gap", max_gap, 0)):
        if value != int(value) or value < least:
            raise ParameterError(f"{name}: expected a whole number of frames, at least {least}, found {value!r}")
    if max_length is not None and (max_length != int(max_length) or max_length < min_length):
        raise ParameterError(f"max_length: expected at least min_length ({min_length}) frames, found {max_length!r}")
    kept = np.flatnonzero(scores >= low)  # NaN compares as False
    if not len(kept):
        none = np.empty(0, np.int64)
        return pd.DataFrame({"first": none, "last": none, "peak_frame": none, "peak": none.astype(float)})
    begins = np.append(True, first[kept[1:]] - last[kept[:-1]] - 1 > max_gap)  # (k,)
    run = np.cumsum(begins) - 1
    starts = first[kept[begins]]  # (runs,)
    ends = last[kept[np.append(begins[1:], True)]]
    long_enough = ends - starts + 1 >= min_length
    # A long run is cut: the piece of a score is where its own first frame falls.
    piece = (first[kept] - starts[run]) // max_length if max_length is not None else np.zeros(len(kept), np.int64)
    group = np.flatnonzero(np.append(True, begins[1:] | (np.diff(piece) != 0)))  # (pieces,) first members
    stops = np.append(group[1:], len(kept))
    at_peak = [kept[a + scores[kept[a:b]].argmax()] for a, b in zip(group, stops, strict=True)]  # the earliest
    peaks = scores[at_peak]
    table = pd.DataFrame(
        {"first": first[kept[group]], "last": last[kept[stops - 1]], "peak_frame": first[at_peak], "peak": peaks}
    )
    return table[long_enough[run[group]] & (peaks >= high)].reset_index(drop=True)


def list_alarms(
    table: pd.DataFrame,
    score: str,
    high: float,
    *,
    low: float | None = None,
    fps: Mapping[str, float],
    rule: AlarmRule | None = None,
) -> pd.DataFrame:
    """Alarms of a score in all clips of a table.

    Parameters
    ----------
    table : DataFrame
        ``clip``, ``frame``, the score's column and, where not every frame is scored, ``last``: the last frame that
        the row stands for.
    score : str
        The column.
    high, low : float
        As in `find_events`.
    fps : mapping of str to float
        Frames per second, by clip; an `UnevenRate` where they come unevenly, then durations are by the frames' times.

    Returns
    -------
    DataFrame
        ``clip``, ``first``, ``last``, ``peak_frame``, ``peak``, ``start_s``, ``end_s`` (seconds from the clip's
        start); in (clip, frame) order.
    """
    _check_table(table, score, fps)
    rule = rule or AlarmRule()
    ordered = table.sort_values(["clip", "frame"])
    scores, first = ordered[score].to_numpy(), ordered["frame"].to_numpy()
    last = ordered["last"].to_numpy() if "last" in ordered else first
    clips = ordered["clip"].to_numpy(dtype=object)
    found, names = [], []
    for start, end in runs_of_equal(clips):
        clip, own = clips[start], (scores[start:end], first[start:end], last[start:end])
        try:
            if found and not (own[0] >= high).any():  # most clips of a long recording: no table of nothing
                _checked_series(*own)
                continue
            events = _find_in_clip(*own, high, low, fps[clip], rule)
        except ParameterError as error:
            raise ParameterError(f"clip {clip}: {error}") from None
        found.append(events)
        names += [clip] * len(events)
    alarms = pd.concat(found, ignore_index=True)
    alarms.insert(0, "clip", pd.Series(names, dtype=table["clip"].dtype))
    times = [seconds(fps[row.clip], (row.first, row.last + 1)) for row in alarms.itertuples()]
    starts_ends = np.array(times, float).reshape(-1, 2)
    return alarms.assign(start_s=starts_ends[:, 0], end_s=starts_ends[:, 1])


def _find_in_clip(scores, first, last, high, low, rate: float, rule: AlarmRule) -> pd.DataFrame:
    """`find_events` by a rule in seconds: at an even rate frames are counted, else the ticks of their times."""
    if not isinstance(rate, UnevenRate):
        return find_events(scores, high, low=low, first=first, last=last, **rule.in_frames(rate))
    begins = ticks(rate, np.arange(len(rate.times)))  # of every frame, and the end
    spans = {"first": begins[first], "last": begins[np.asarray(last) + 1] - 1}
    events = find_events(scores, high, low=low, **spans, **rule.in_frames(TICKS))
    for name in ("first", "last", "peak_frame"):
        events[name] = np.searchsorted(begins, events[name], side="right") - 1
    return events


def footage_hours(table: pd.DataFrame, fps: Mapping[str, float]) -> float:
    """Hours that the rows of a table stand for: ``clip``, ``frame`` and, where not every frame is scored, ``last``."""
    last = table["last"] if "last" in table else table["frame"]
    durations = (last - table["frame"] + 1) / table["clip"].map(fps).astype(float)
    for clip in [name for name in table["clip"].unique() if isinstance(fps[name], UnevenRate)]:
        rows = table["clip"] == clip
        durations[rows] = seconds(fps[clip], last[rows] + 1) - seconds(fps[clip], table.loc[rows, "frame"])
    return float(durations.sum() / 3600)


def match_alarms(alarms: pd.DataFrame, events: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Which alarms overlap a true event, and which events an alarm overlaps, if only by a frame.

    Both tables have ``clip``, ``first``, ``last``. Returned are bool (alarms,), True where the alarm is no false one,
    and bool (events,), True where the event is found.
    """
    pairs = _overlaps(alarms, events)
    return np.isin(np.arange(len(alarms)), pairs["row_a"]), np.isin(np.arange(len(events)), pairs["row_b"])


def found_against_alarms(
    table: pd.DataFrame,
    score: str,
    events: pd.DataFrame,
    *,
    low: float,
    fps: Mapping[str, float],
    rule: AlarmRule | None = None,
) -> pd.DataFrame:
    """What each choice of the high threshold costs in alarms, and finds in events.

    Parameters
    ----------
    table, score, fps, rule
        As in `list_alarms`.
    events : DataFrame
        The true ones: ``clip``, ``first``, ``last``; at least one.
    low : float
        The same all along the curve, which ends where the high threshold meets it.

    Returns
    -------
    DataFrame
        One row a distinct threshold, falling, and before them one, infinite, of no alarm: ``threshold``,
        ``alarms_an_hour``, ``false_alarms_an_hour`` (both of all the footage), ``share_found`` (of the events).
    """
    if not len(events):
        raise ParameterError("events: none given, so no share of them can be found; pass at least one")
    alarms = list_alarms(table, score, low, low=low, fps=fps, rule=rule)
    true, _ = match_alarms(alarms, events)
    pairs = _overlaps(alarms, events)
    found_at = pairs.groupby("row_b")["peak"].max().to_numpy() if len(pairs) else np.empty(0)  # (found events,)
    thresholds = np.append(np.inf, np.unique(alarms["peak"])[::-1])
    hours = footage_hours(table, fps)
    return pd.DataFrame({
        "threshold": thresholds,
        "alarms_an_hour": _count_at_least(alarms["peak"].to_numpy(), thresholds) / hours,
        "false_alarms_an_hour": _count_at_least(alarms["peak"].to_numpy()[~true], thresholds) / hours,
        "share_found": _count_at_least(found_at, thresholds) / len(events),
    })  # fmt: skip


def _checked_series(scores, first, last) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # float64: float32 scores compared with a Python float would round the threshold to float32 first
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1:
        raise ParameterError(f"scores: expected one dimension, found shape {scores.shape}")
    first = np.arange(len(scores)) if first is None else np.asarray(first, np.int64)
    last = first if last is None else np.asarray(last, np.int64)
    if not scores.shape == first.shape == last.shape:
        raise ParameterError(f"first, last: expected shape {scores.shape}, found {first.shape} and {last.shape}")
    if (last < first).any() or (first[1:] <= last[:-1]).any():
        raise ParameterError("first, last: expected frames in playing order, each in the span of one score only")
    return scores, first, last


def _check_table(table: pd.DataFrame, score: str, fps: Mapping[str, float]) -> None:
    missing = [name for name in ("clip", "frame", score) if name not in table]
    if missing or not len(table):
        what = f"no column {missing[0]!r}" if missing else "no rows"
        raise ParameterError(f"table: {what}; expected clip, frame and {score}, one row a scored frame")
    unknown = sorted(set(table["clip"]) - set(fps))
    if unknown:
        raise ParameterError(f"fps: no rate for clip {unknown[0]}; give frames a second for each clip")
    wrong = [rate for rate in map(fps.get, set(table["clip"])) if not (math.isfinite(rate) and rate > 0)]
    if wrong:
        raise ParameterError(f"fps: expected frames a second, above 0, found {wrong[0]!r}")


def _overlaps(alarms: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Each pair of an alarm and an event that share a frame: their positions, ``row_a`` and ``row_b``."""
    left = alarms.filter(["clip", "first", "last", "peak"]).assign(row_a=np.arange(len(alarms)))
    right = events[["clip", "first", "last"]].assign(row_b=np.arange(len(events)))
    pairs = left.merge(right, on="clip", suffixes=("_a", "_b"))
    return pairs[(pairs["first_a"] <= pairs["last_b"]) & (pairs["first_b"] <= pairs["last_a"])]


def _count_at_least(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How many of the values are at least each threshold, int64 (t,)."""
    return len(values) - np.searchsorted(np.sort(values), thresholds, side="left")

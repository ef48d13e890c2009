"""Promised and realised rates of false alarms: thresholds chosen from normal footage, and checked on other footage."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import chi2

from vadlib.errors import ParameterError
from vadlib.evaluation.alarms import AlarmRule, footage_hours, list_alarms
from vadlib.evaluation.intervals import Interval
from vadlib.evaluation.thresholds import (
    LOW_RATE,
    UNITS,
    Threshold,
    alarm_threshold,
    check_choice,
    frame_threshold,
    low_threshold,
)


def choose_threshold(
    table: pd.DataFrame,
    score: str,
    rate: float,
    *,
    unit: str,
    method: str,
    fps: Mapping[str, float],
    rule: AlarmRule | None = None,
    low_rate: float = LOW_RATE,
) -> Threshold:
    """A threshold for a score, from a table of normal frames.

    Parameters
    ----------
    table : DataFrame
        ``clip``, ``frame``, ``last`` and the score's column (see `list_alarms`); normal frames only.
    score : str
        The column.
    rate : float
        Share of frames, or alarms an hour, by ``unit``.
    unit, method : str
        One of `UNITS`, one of `METHODS`.
    fps, rule
        As in `list_alarms`.
    low_rate : float
        Share of frames at or above the low threshold.
    """
    check_choice("unit", unit, UNITS)
    if unit == "frames":
        return frame_threshold(table[score].to_numpy(), rate, method=method, low_rate=low_rate)
    low = low_threshold(table[score].to_numpy(), rate=low_rate)
    candidates = list_alarms(table, score, low, low=low, fps=fps, rule=rule)
    return alarm_threshold(candidates["peak"].to_numpy(), footage_hours(table, fps), rate, low=low, method=method)


def realised_rate(
    table: pd.DataFrame,
    score: str,
    threshold: Threshold,
    *,
    fps: Mapping[str, float],
    rule: AlarmRule | None = None,
) -> tuple[float, float]:
    """How often a threshold is reached in normal footage, in the unit of its promise: the rate is ``count / exposure``.

    The footage is other than what the threshold was chosen from; parameters as in `choose_threshold`. `count` is of
    frames or of alarms, and `exposure` is of how many frames, or in how many hours.
    """
    if threshold.unit == "frames":
        return float((table[score].to_numpy(np.float64) >= threshold.high).sum()), float(len(table))
    alarms = list_alarms(table, score, threshold.high, low=threshold.low, fps=fps, rule=rule)
    return float(len(alarms)), footage_hours(table, fps)


def cross_checked_rate(
    table: pd.DataFrame, score: str, blocks: np.ndarray, rate: float, *, fps: Mapping[str, float], **options
) -> tuple[float, float]:
    """The rate that the same choice would have had on footage it had not seen: block by block, chosen on the others.

    Parameters
    ----------
    table, score, rate, fps, **options
        As in `choose_threshold`.
    blocks : (n,)
        The block of each row, such as its clip; at least two.

    Returns
    -------
    count, exposure : float
        Over all blocks, as in `realised_rate`.

    Raises
    ------
    ParameterError
        Fewer than two blocks, or as `choose_threshold` where what is left is too little.
    """
    blocks = np.asarray(blocks)
    names = pd.unique(blocks)
    if len(names) < 2:
        raise ParameterError(f"blocks: expected two or more, to choose on some and check on one, found {len(names)}")
    count = exposure = 0.0
    for name in names:
        threshold = choose_threshold(table[blocks != name], score, rate, fps=fps, **options)
        here = realised_rate(table[blocks == name], score, threshold, fps=fps, rule=options.get("rule"))
        count, exposure = count + here[0], exposure + here[1]
    return count, exposure


def poisson_interval(count: float, exposure: float, *, level: float = 0.95) -> Interval:
    """A rate of rare, independent occurrences, such as alarms, with its exact interval (Garwood 1936).

    `count` were seen in an `exposure` of so many hours, above 0.
    """
    if not (count >= 0 and exposure > 0 and 0 < level < 1):
        raise ParameterError(
            f"count, exposure, level: expected 0 or more, above 0, between 0 and 1; found {count}, {exposure}, {level}"
        )
    tail = (1 - level) / 2
    low = chi2.ppf(tail, 2 * count) / 2 if count else 0.0
    high = chi2.ppf(1 - tail, 2 * count + 2) / 2
    return Interval(count / exposure, float(low) / exposure, float(high) / exposure, level)

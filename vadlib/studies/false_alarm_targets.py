"""Promises about false alarms: made from held-out normal footage, as far as its length allows, and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vadlib.data.footage import blocks_of
from vadlib.errors import ParameterError
from vadlib.evaluation import (
    AlarmRule,
    Interval,
    Threshold,
    bootstrap_mean,
    choose_threshold,
    cross_checked_rate,
    poisson_interval,
    realised_rate,
)
from vadlib.evaluation.thresholds import METHODS, UNITS, check_choice

TOO_SHORT = "footage too short"


@dataclass(frozen=True)
class FalseAlarmTarget:
    """A rate of false alarms to keep, and the method that turns it into a threshold.

    Attributes
    ----------
    rate : float
        Share of normal frames, or alarms an hour of normal footage.
    unit, method : str
        As in `vadlib.evaluation.choose_threshold`.

    Raises
    ------
    ParameterError
        A unit, method or rate out of range.
    """

    rate: float
    unit: str = "frames"
    method: str = "quantile"

    def __post_init__(self):
        """Check them."""
        check_choice("unit", self.unit, UNITS)
        check_choice("method", self.method, METHODS)
        if not 0 < self.rate < (1 if self.unit == "frames" else np.inf):
            expected = "a share between 0 and 1" if self.unit == "frames" else "alarms an hour, above 0"
            raise ParameterError(f"rate: expected {expected}, found {self.rate!r}")

    def __str__(self) -> str:
        """Such as "2 % of normal frames (quantile)"."""
        return f"{self.amount()} ({self.method})"

    def amount(self) -> str:
        """The rate with its unit."""
        return (
            f"{self.rate:.2g} alarms an hour" if self.unit != "frames" else f"{100 * self.rate:.2g} % of normal frames"
        )


def promises_to_try(asked: FalseAlarmTarget, n_frames: int) -> list[FalseAlarmTarget]:
    """The promise asked for, and what to fall back to where the held-out footage is too short for it.

    Parameters
    ----------
    asked : FalseAlarmTarget
    n_frames : int
        Held-out normal frames.

    Returns
    -------
    list of FalseAlarmTarget
        Alarms an hour by a quantile, then by the tail, then the smallest share of frames that a quantile can promise.
    """
    smallest = 1 / (n_frames + 1)
    share = asked.rate if asked.unit == "frames" else smallest
    tail = [FalseAlarmTarget(asked.rate, asked.unit, "extreme-value")] if asked.unit != "frames" else []
    return list(dict.fromkeys([asked, *tail, FalseAlarmTarget(max(share, smallest))]))


def thresholds_for_target(
    normal: pd.DataFrame,
    names: Sequence[str],
    asked: FalseAlarmTarget,
    *,
    fps: Mapping[str, float],
    rule: AlarmRule,
    low_share: float,
) -> tuple[dict[str, Threshold], FalseAlarmTarget, str]:
    """Thresholds of all detectors for one promise: the one asked for, or the nearest that this footage can keep.

    Parameters
    ----------
    normal : DataFrame
        Held-out normal frames, sampled: ``clip``, ``frame``, ``last`` and a column for each name.
    names : sequence of str
    asked : FalseAlarmTarget
    fps, rule
        As in `choose_threshold`.
    low_share : float
        Share of normal frames at or above the low threshold.

    Returns
    -------
    thresholds : dict of str to Threshold
    promise : FalseAlarmTarget
        The one kept; the same for all detectors.
    note : str
        A sentence that says what was promised, and if it is not what was asked for, why.

    Raises
    ------
    ParameterError
        If the parameters are wrong, or there is so little normal footage that no promise can be made.
    """
    reason = ""
    for promise in promises_to_try(asked, len(normal)) if len(normal) > 1 else []:
        try:
            thresholds = {
                name: choose_threshold(
                    normal, name, promise.rate, unit=promise.unit, method=promise.method, fps=fps, rule=rule,
                    low_rate=max(low_share, promise.rate if promise.unit == "frames" else 0),
                )
                for name in names
            }  # fmt: skip
        except ParameterError as error:
            reason = reason or str(error)
            continue
        if promise == asked:
            return thresholds, promise, f"Promised: {promise.amount()}, by the {promise.method} method."
        return thresholds, promise, (
            f"Asked for: {asked.amount()}, which the normal footage held out cannot answer ({reason}). "
            f"Promised instead: {promise.amount()}, by the {promise.method} method."
        )  # fmt: skip
    raise ParameterError(
        f"normal footage: {len(normal)} frames held out are too few for any threshold; give more. {reason}"
    )


def check_targets(
    normal: pd.DataFrame,
    watched: pd.DataFrame | None,
    names: Sequence[str],
    promises: Sequence[FalseAlarmTarget],
    *,
    fps: Mapping[str, float],
    rule: AlarmRule,
    low_share: float,
    seed: int = 0,
) -> tuple[pd.DataFrame, str]:
    """What each promise came to, as text: on held-out footage that the threshold was not chosen on, and when watching.

    Parameters
    ----------
    normal : DataFrame
        As in `thresholds_for_target`.
    watched : DataFrame or None
        The normal frames of the footage watched, likewise; None where no label says which they are.
    names, fps, rule, low_share
        As in `thresholds_for_target`.
    promises : sequence of FalseAlarmTarget
    seed : int
        Of intervals over clips.

    Returns
    -------
    table : DataFrame
        Index: promise, measured on; one column a detector. Promises that no detector's footage is long enough to check
        have no row.
    note : str
        Those, in a sentence; or that there are none.
    """
    rows, unchecked = {}, []
    for promise in promises:
        options = {"unit": promise.unit, "method": promise.method, "fps": fps, "rule": rule}
        options["low_rate"] = max(low_share, promise.rate if promise.unit == "frames" else 0)
        for name in names:
            held = _or_reason(lambda p=promise, n=name, o=options: _checked_on_held(normal, n, p, o))
            rows.setdefault((str(promise), "held-out footage, cross-checked"), {})[name] = held
            if watched is not None:
                found = _or_reason(lambda p=promise, n=name, o=options: _met(normal, watched, n, p, o, seed))
                rows.setdefault((str(promise), "normal frames watched"), {})[name] = found
    for key in [key for key, cells in rows.items() if set(cells.values()) == {TOO_SHORT}]:
        del rows[key]
        unchecked.append(f"{key[0]} on the {key[1]}")
    note = (
        f"The footage is too short to check {'; '.join(unchecked)}." if unchecked else "Every promise could be checked."
    )
    index = pd.MultiIndex.from_tuples(rows, names=["promised", "measured on"])
    return pd.DataFrame(list(rows.values()), index=index, columns=list(names)), note


def _or_reason(compute) -> str:
    """The text that `compute` gives, or that there is too little footage for it."""
    try:
        return compute()
    except ParameterError:
        return TOO_SHORT


def _checked_on_held(normal: pd.DataFrame, name: str, promise: FalseAlarmTarget, options: dict) -> str:
    count, exposure = cross_checked_rate(normal, name, blocks_of(normal), promise.rate, **options)
    return _rate_text(promise.unit, count, exposure, None)


def _met(
    normal: pd.DataFrame, watched: pd.DataFrame, name: str, promise: FalseAlarmTarget, options: dict, seed: int
) -> str:
    threshold = choose_threshold(normal, name, promise.rate, **options)
    count, exposure = realised_rate(watched, name, threshold, fps=options["fps"], rule=options["rule"])
    interval = None
    if promise.unit == "frames" and watched["clip"].nunique() > 1:
        reached = watched[name].to_numpy(np.float64) >= threshold.high
        interval = bootstrap_mean(reached, clusters=watched["clip"], seed=seed)
    return _rate_text(promise.unit, count, exposure, interval)


def _rate_text(unit: str, count: float, exposure: float, interval: Interval | None) -> str:
    if unit == "frames":
        bounds = "" if interval is None else f" [{100 * interval.low:.2g}, {100 * interval.high:.2g}]"
        return f"{100 * count / exposure:.2g}{bounds} %"
    interval = poisson_interval(count, exposure)
    return f"{interval:{'.0f' if interval.high >= 10 else '.1f'}} an hour"

"""Targets of false alarms: promised from held-out normal footage, as far as its length allows, and checked."""

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

HELD_OUT, WATCHED = "held-out footage, cross-checked", "normal frames watched"  # what targets are measured on
TOO_SHORT = "footage too short"


@dataclass(frozen=True)
class FalseAlarmTarget:
    """A rate of false alarms to keep, and the method that turns it into a threshold."""

    rate: float  # share of normal frames, or alarms an hour of normal footage
    unit: str = "frames"  # as in `vadlib.evaluation.choose_threshold`, and so is the method
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

    def options(self, low_share: float) -> dict:
        """Options of `choose_threshold`: a target that more frames may reach has a lower low threshold."""
        low_rate = max(low_share, self.rate if self.unit == "frames" else 0)
        return {"unit": self.unit, "method": self.method, "low_rate": low_rate}


def targets_to_try(asked: FalseAlarmTarget, n_frames: int) -> list[FalseAlarmTarget]:
    """The target asked for, and what to fall back to where so few held-out normal frames are too short for it.

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
    """Thresholds of all detectors for one target: the one asked for, or the nearest that this footage can keep.

    `normal` is held-out normal frames, sampled: ``clip``, ``frame``, ``last`` and a column for each name; `low_share`
    that of them at or above the low threshold. Gives the thresholds, the target kept (one for all detectors), and a
    sentence that says what was promised, and if it is not what was asked for, why. So little footage that no target can
    be promised is a ParameterError.
    """
    reason = ""
    for target in targets_to_try(asked, len(normal)) if len(normal) > 1 else []:
        options = target.options(low_share) | {"fps": fps, "rule": rule}
        try:
            thresholds = {name: choose_threshold(normal, name, target.rate, **options) for name in names}
        except ParameterError as error:
            reason = reason or str(error)
            continue
        promised = f"{target.amount()}, by the {target.method} method."
        if target == asked:
            return thresholds, target, f"Promised: {promised}"
        asked_for = f"Asked for: {asked.amount()}, which the normal footage held out cannot answer ({reason})."
        return thresholds, target, f"{asked_for} Promised instead: {promised}"
    raise ParameterError(
        f"normal footage: {len(normal)} frames held out are too few for any threshold; give more. {reason}"
    )


def check_targets(
    normal: pd.DataFrame,
    watched: pd.DataFrame | None,
    names: Sequence[str],
    targets: Sequence[FalseAlarmTarget],
    *,
    fps: Mapping[str, float],
    rule: AlarmRule,
    low_share: float,
    seed: int = 0,
) -> tuple[pd.DataFrame, str]:
    """What each target came to, as text: on held-out footage that the threshold was not chosen on, and when watching.

    `watched` is the normal frames of the footage watched; None where no label says which they are. Gives a table,
    indexed by target and what it was measured on, a column a detector, and a sentence on the targets that no detector's
    footage is long enough to check, which have no row.
    """

    def held_out(name: str, target: FalseAlarmTarget, options: dict) -> str:
        return _rate_text(target.unit, *cross_checked_rate(normal, name, blocks_of(normal), target.rate, **options))

    def when_watching(name: str, target: FalseAlarmTarget, options: dict) -> str:
        threshold = choose_threshold(normal, name, target.rate, **options)
        interval = None
        if target.unit == "frames" and watched["clip"].nunique() > 1:
            reached = watched[name].to_numpy(np.float64) >= threshold.high
            interval = bootstrap_mean(reached, clusters=watched["clip"], seed=seed)
        return _rate_text(target.unit, *realised_rate(watched, name, threshold, fps=fps, rule=rule), interval)

    measures = {HELD_OUT: held_out} | ({WATCHED: when_watching} if watched is not None else {})
    rows, unchecked = {}, []
    for target in targets:
        options = target.options(low_share) | {"fps": fps, "rule": rule}
        for where, measure in measures.items():
            cells = {}
            for name in names:
                try:
                    cells[name] = measure(name, target, options)
                except ParameterError:
                    cells[name] = TOO_SHORT
            if set(cells.values()) == {TOO_SHORT}:
                unchecked.append(f"{target} on the {where}")
            else:
                rows[str(target), where] = cells
    note = (
        f"The footage is too short to check {'; '.join(unchecked)}." if unchecked else "Every promise could be checked."
    )
    index = pd.MultiIndex.from_tuples(rows, names=["promised", "measured on"])
    return pd.DataFrame(list(rows.values()), index=index, columns=list(names)), note


def _rate_text(unit: str, count: float, exposure: float, interval: Interval | None = None) -> str:
    if unit == "frames":
        bounds = "" if interval is None else f" [{100 * interval.low:.2g}, {100 * interval.high:.2g}]"
        return f"{100 * count / exposure:.2g}{bounds} %"
    interval = poisson_interval(count, exposure)
    return f"{interval:{'.0f' if interval.high >= 10 else '.1f'}} an hour"

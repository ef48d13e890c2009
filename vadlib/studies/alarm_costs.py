"""What alarms cost at every threshold: events found against false alarms, or alarms against those in normal footage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from vadlib.evaluation import AlarmRule, footage_hours, found_against_alarms, list_alarms
from vadlib.studies.footage_alarms import FootageAlarms


def alarm_rates_compared(
    normal: pd.DataFrame,
    watched: pd.DataFrame,
    name: str,
    low: float,
    *,
    fps: Mapping[str, float],
    rule: AlarmRule,
) -> pd.DataFrame:
    """Alarms an hour of each high threshold, falling from infinity: in held-out normal footage, and in that watched.

    What can be said without labels: where the second is no higher than the first, nothing unusual was seen.
    """
    tables = {"normal_an_hour": normal, "watched_an_hour": watched}
    peaks = {key: list_alarms(t, name, low, low=low, fps=fps, rule=rule)["peak"] for key, t in tables.items()}
    thresholds = np.append(np.inf, np.unique(np.concatenate(list(peaks.values())))[::-1])
    rates = {
        key: (peaks[key].to_numpy() >= thresholds[:, None]).sum(axis=1) / footage_hours(t, fps)
        for key, t in tables.items()
    }
    return pd.DataFrame({"threshold": thresholds, **rates})


class Costs(NamedTuple):
    """What alarms cost: arguments of `vadlib.figures.cost_curves`."""

    curves: dict[str, pd.DataFrame]
    in_use: dict[str, tuple[float, float]]
    axes: dict[str, str | bool]


def costs_of_alarms(found: FootageAlarms) -> Costs:
    """Events found against false alarms an hour; without events, alarms an hour against those in normal footage."""
    has_events = found.events is not None and len(found.events) > 0
    options = {"fps": found.fps, "rule": found.rule}
    if has_events:
        axes = {"x": "false_alarms_an_hour", "y": "share_found"}
        axes |= {"xlabel": "false alarms an hour", "ylabel": "share of the events found"}
        curves = {
            name: found_against_alarms(found.known, name, found.events, low=threshold.low, **options)
            for name, threshold in found.thresholds.items()
        }
    else:
        axes = {"x": "normal_an_hour", "y": "watched_an_hour"}
        axes |= {
            "xlabel": "alarms an hour in held-out normal footage",
            "ylabel": "alarms an hour in the footage watched",
        }
        curves = {
            name: alarm_rates_compared(found.normal, found.scores, name, threshold.low, **options)
            for name, threshold in found.thresholds.items()
        }
    in_use = {}
    for name, curve in curves.items():
        reached = curve.loc[curve["threshold"] >= found.thresholds[name].high].iloc[-1]
        in_use[name] = (float(reached[axes["x"]]), float(reached[axes["y"]]))
    return Costs(curves, in_use, {**axes, "diagonal": not has_events})

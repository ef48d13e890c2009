"""What a page says of alarms, in tables and sentences that follow from them alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from vadlib.errors import ParameterError
from vadlib.evaluation import (
    AlarmRule,
    Threshold,
    auroc,
    bootstrap_auroc,
    footage_hours,
    found_against_alarms,
    list_alarms,
    match_alarms,
    poisson_interval,
)


def alarm_rates_compared(
    normal: pd.DataFrame,
    watched: pd.DataFrame,
    name: str,
    low: float,
    *,
    fps: Mapping[str, float],
    rule: AlarmRule,
) -> pd.DataFrame:
    """Alarms an hour of each high threshold, in held-out normal footage and in the footage watched.

    What can be said without labels: where the second is no higher than the first, nothing unusual was seen.

    Parameters
    ----------
    normal, watched : DataFrame
        As in `list_alarms`.
    name : str
        The detector's column.
    low : float
        The low threshold.
    fps, rule
        As in `list_alarms`.

    Returns
    -------
    DataFrame
        ``threshold``, falling from infinity; ``normal_an_hour``, ``watched_an_hour``.
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
    axes: dict[str, str]


def costs_of_alarms(
    normal: pd.DataFrame,
    scores: pd.DataFrame,
    known: pd.DataFrame,
    events: pd.DataFrame | None,
    thresholds: Mapping[str, Threshold],
    *,
    fps: Mapping[str, float],
    rule: AlarmRule,
) -> Costs:
    """Events found against false alarms an hour; without events, alarms an hour against those in normal footage.

    Parameters
    ----------
    normal, scores, known : DataFrame
        Sampled frames with all detectors' scores: held out, watched, and those of the watched whose label is known.
    events : DataFrame or None
        The true ones, or none where the labels name none; None without labels.
    thresholds : mapping of str to Threshold
        In use, by detector.
    fps, rule
        As in `list_alarms`.
    """
    if events is not None and len(events):
        axes = {"x": "false_alarms_an_hour", "y": "share_found"}
        axes |= {"xlabel": "false alarms an hour", "ylabel": "share of the events found"}
        curves = {
            name: found_against_alarms(known, name, events, low=found.low, fps=fps, rule=rule)
            for name, found in thresholds.items()
        }
    else:
        axes = {"x": "normal_an_hour", "y": "watched_an_hour"}
        axes |= {
            "xlabel": "alarms an hour in held-out normal footage",
            "ylabel": "alarms an hour in the footage watched",
        }
        curves = {
            name: alarm_rates_compared(normal, scores, name, found.low, fps=fps, rule=rule)
            for name, found in thresholds.items()
        }
    in_use = {}
    for name, curve in curves.items():
        reached = curve.loc[curve["threshold"] >= thresholds[name].high].iloc[-1]
        in_use[name] = (float(reached[axes["x"]]), float(reached[axes["y"]]))
    return Costs(curves, in_use, axes)


def table_of_alarms(
    scores: pd.DataFrame,
    alarms: Mapping[str, pd.DataFrame],
    *,
    events: pd.DataFrame | None,
    fps: Mapping[str, float],
    n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """One row a detector, as text: its alarms, and, with labels, its AUROC, the events found and the false alarms.

    Parameters
    ----------
    scores : DataFrame
        ``clip``, ``frame``, ``last``, ``label`` and a column for each detector: the footage watched.
    alarms : mapping of str to DataFrame
        By detector.
    events : DataFrame or None
        The true ones; None where nothing is labelled. Then only clips with labels count.
    fps : mapping of str to float
    n_resamples, seed : int
        Of the bootstrap over clips.
    """
    hours, rows = footage_hours(scores, fps), {}
    if events is not None:
        scores = scores[scores["label"] >= 0]
        hours_known = footage_hours(scores, fps)
    for name, found in alarms.items():
        under_alarm = ((found["end_s"] - found["start_s"]).sum()) / (3600 * hours)
        rows[name] = {
            "alarms": len(found),
            "an hour": f"{len(found) / hours:.0f}",
            "time under alarm": f"{under_alarm:.1%}",
        }
        if events is None:
            continue
        true, caught = match_alarms(found[found["clip"].isin(scores["clip"])], events)
        rows[name] |= {
            "events found": f"{caught.sum()} of {len(events)}" if len(events) else "no event",
            "false alarms an hour [95 %]": f"{poisson_interval(float((~true).sum()), hours_known):.0f}",
            "AUROC [95 %]": auroc_text(scores, name, n_resamples=n_resamples, seed=seed),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def auroc_text(scores: pd.DataFrame, name: str, *, n_resamples: int = 1000, seed: int = 0) -> str:
    """AUROC with its interval over clips, or why there is none.

    Parameters
    ----------
    scores : DataFrame
        ``clip``, ``label`` (0 or 1) and the detector's column.
    name : str
    n_resamples, seed : int
    """
    if scores["label"].nunique() < 2:
        return "one class only"
    value = auroc(scores["label"], scores[name])
    if scores.groupby("label")["clip"].nunique().min() < 2:  # resamples would all draw one and the same clip of it
        return f"{value:.3f} (too few clips for an interval)"
    try:
        interval = bootstrap_auroc(
            scores["label"], scores[name], clusters=scores["clip"], n_resamples=n_resamples, seed=seed
        )
    except ParameterError:  # hardly a resample with both classes
        return f"{value:.3f} (too few clips for an interval)"
    return f"{interval:.3f}"


def hours_and_minutes(table: pd.DataFrame, fps: Mapping[str, float]) -> str:
    """How long the footage of a sampled table is, in words that suit its length."""
    hours = footage_hours(table, fps)
    if hours >= 2:
        return f"{hours:.1f} hours"
    return f"{hours * 60:.1f} minutes" if hours * 3600 >= 120 else f"{hours * 3600:.0f} seconds"


def rate_sentence(
    normal: pd.DataFrame, scores: pd.DataFrame, rate: float, asked: float, fps: Mapping[str, float]
) -> str:
    """How many frames a second were scored, and whether that is what was asked for.

    Parameters
    ----------
    normal, scores : DataFrame
        Sampled frames, held out and watched.
    rate, asked : float
        Frames a second.
    fps : mapping of str to float
    """
    n_frames = len(normal) + len(scores)
    sentence = (
        f"Of that, and of the {hours_and_minutes(scores, fps)} watched, {rate:.2g} frames a second are scored, "
        f"{n_frames:,} in all"
    )
    if rate == asked:
        return f"{sentence}."
    return (
        f"{sentence}: fewer than the {asked:g} asked for, to bound the time this takes. What lasts less than "
        f"{1 / rate:.2g} s may lie between two of them; a higher max_frames_watch in the profile looks closer."
    )

"""What it would be to work with a detector: how precise it is where anomalies are rare, and how often it calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from vadlib.evaluation import alarms_at_recall, average_precision, average_precision_at

CONTROLS = ("an alarm that is always on", "random scores")


def control_scores(n: int, seed: int) -> dict[str, np.ndarray]:
    """By control, scores float32 (n,) that know nothing: all the same, and drawn at random."""
    drawn = np.random.default_rng(seed).random(n, dtype=np.float32)
    return dict(zip(CONTROLS, (np.zeros(n, np.float32), drawn), strict=True))


def operating_costs(
    scores: pd.DataFrame,
    detectors: Iterable[str],
    table: pd.DataFrame,
    fps: Mapping[str, float],
    *,
    prevalence: float,
    recall: float,
    gap_s: float,
) -> dict[str, dict[str, float]]:
    """What each detector costs who answers its alarms, at the threshold that finds a share of the anomalous frames.

    Parameters
    ----------
    scores : DataFrame
        ``clip``, ``frame``, ``label`` and a column for each detector.
    detectors : iterable of str
    table : DataFrame
        `dataset.frame_table()`: hours are those of the whole clips tested.
    fps : mapping of str to float
        By clip.
    prevalence : float
        Share of anomalous frames that a real camera might have, in (0, 1).
    recall : float
        Share of anomalous frames to be found.
    gap_s : float
        Alarming frames less than this apart are one alarm.

    Returns
    -------
    dict of str to dict of str to float
        By detector: ``share`` of anomalous frames here; average precision ``here`` and at the ``rare`` prevalence;
        ``false_alarms_per_hour`` and ``false_alarm_minutes_per_hour`` of normal video; ``false_positive_rate``; the
        ``recall`` reached.
    """
    rates, tested = table["clip"].map(fps), table["clip"].isin(scores["clip"])
    hours = float((1 / rates[tested]).sum() / 3600)
    normal_hours = float((1 / rates[tested & (table["label"] == 0)]).sum() / 3600)
    labels, costs = scores["label"], {}
    for name in detectors:
        alarms = alarms_at_recall(
            labels,
            scores[name],
            scores["clip"],
            fps=float(np.median(list(fps.values()))),
            recall=recall,
            gap_s=gap_s,
            frames=scores["frame"],
            hours=hours,
            normal_hours=normal_hours,
        )
        costs[name] = {
            "share": float(np.mean(labels)),
            "here": average_precision(labels, scores[name]),
            "rare": average_precision_at(labels, scores[name], prevalence),
            "false_alarms_per_hour": alarms.false_alarms_per_hour,
            "false_alarm_minutes_per_hour": alarms.false_alarm_minutes_per_hour,
            "false_positive_rate": alarms.false_positive_rate,
            "recall": alarms.recall,
        }
    return costs

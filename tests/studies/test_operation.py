"""What a detector costs who answers its alarms, against the same worked out from the parts."""

import numpy as np
import pandas as pd
import pytest

from vadlib.evaluation import average_precision, average_precision_at
from vadlib.studies.operation import CONTROLS, control_scores, operating_costs

ASKED = {"prevalence": 0.01, "recall": 0.5, "gap_s": 0.5}


@pytest.fixture
def table():
    """Two clips of a minute at 2 frames a second, the last quarter of each anomalous, and a third that is not tested."""
    clips = [
        pd.DataFrame({"clip": name, "frame": np.arange(120), "label": (np.arange(120) >= 90).astype(int)})
        for name in ("a", "b", "c")
    ]
    return pd.concat(clips, ignore_index=True)


def test_costs_are_of_the_clips_tested(table):
    tested = table[table["clip"] != "c"]
    scores = tested.assign(right=tested["label"] * 1.0, noisy=tested["label"] + 2.0 * (tested["frame"] == 10))
    costs = operating_costs(scores, ["right", "noisy"], table, dict.fromkeys("abc", 2.0), **ASKED)
    assert list(costs) == ["right", "noisy"]
    assert costs["right"]["share"] == 0.25
    assert costs["right"]["here"] == costs["right"]["rare"] == 1
    assert costs["right"]["false_alarms_per_hour"] == 0
    assert costs["right"]["recall"] >= 0.5
    noisy = costs["noisy"]
    assert noisy["here"] == average_precision(scores["label"], scores["noisy"])
    assert noisy["rare"] == average_precision_at(scores["label"], scores["noisy"], 0.01) < noisy["here"]
    assert noisy["false_positive_rate"] == pytest.approx(1 / 90)
    assert noisy["false_alarm_minutes_per_hour"] == pytest.approx(60 / 90)
    assert noisy["false_alarms_per_hour"] == pytest.approx(2 / (90 / 3600))  # one a clip, in 90 s of normal video


def test_an_alarm_that_never_ends_is_the_worst_and_random_scores_no_better_than_their_recall(table):
    """One alarm a clip, with anomalous frames in it, would be no false alarm at all if only alarms were counted."""
    scores = table.assign(right=table["label"] * 1.0, **control_scores(len(table), 0))
    costs = operating_costs(scores, ["right", *CONTROLS], table, dict.fromkeys("abc", 2.0), **ASKED)
    always, random = (costs[name] for name in CONTROLS)
    minutes = [found["false_alarm_minutes_per_hour"] for found in costs.values()]
    assert always["false_alarm_minutes_per_hour"] == max(minutes) == 60
    assert random["false_alarm_minutes_per_hour"] == pytest.approx(60 * ASKED["recall"], abs=8)
    # each clip's 45 s and 15 s, an alarm every 10 s: four that end before the anomaly begins
    assert always["false_alarms_per_hour"] == pytest.approx(3 * 4 / (3 * 45 / 3600))

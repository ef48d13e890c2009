"""Sentences on certainty, operation and the same labels follow from numbers alone."""

import pandas as pd
import pytest

from vadlib.evaluation import Interval
from vadlib.report.words.studies import (
    intervals_sentence,
    operation_sentence,
    pairs_sentence,
    prototypes_sentence,
    ranking_sentence,
)
from vadlib.studies.supervision import NOBODY, SAME_FOR_ALL


@pytest.fixture
def comparisons():
    rows = [("low", "high", -0.2, "high"), ("low", "middle", -0.1, ""), ("high", "middle", 0.15, "high")]
    return pd.DataFrame(rows, columns=["a", "b", "estimate", "better"])


def test_how_often_intervals_hold_the_truth():
    simulated = pd.DataFrame(
        {
            "method": ["studentized", "percentile", "delong"] * 2,
            "coverage": [0.95, 0.9, 0.5, 0.96, 0.92, 0.6],
            "standard_error": [0.01, 0.02, 0.03] * 2,
        }
    )
    sentence = intervals_sentence(simulated, "these")
    assert "shaped like these: over the designs below the interval in use holds it in 95.0% to 96.0%" in sentence
    assert "percentile interval in 90.0% to 92.0%, and DeLong's in 50.0% to 60.0%" in sentence
    assert sentence.endswith("up to 3.0%).")


def test_the_shortest_time_under_false_alarm_is_named():
    costs = {name: {"false_alarm_minutes_per_hour": n} for name, n in (("a", 30.2), ("b", 12.4), ("c", 12.3))}
    assert operation_sentence(costs).endswith("is that of b and c: 12 minutes per hour of normal video.")
    assert operation_sentence({"a": costs["a"]}).endswith("is that of a: 30 minutes per hour of normal video.")


def test_rankings_count_what_is_told_apart(comparisons):
    merit = {name: Interval(value, value, value) for name, value in (("low", 0.5), ("high", 0.7), ("middle", 0.6))}
    assert pairs_sentence(comparisons) == "of the 3 pairs of detectors, 2 can be told apart on these clips"
    assert ranking_sentence(merit, comparisons) == (
        "high 0.700, middle 0.600, low 0.500 (2 of 3 pairs told apart after Holm's correction)"
    )
    both = {NOBODY: merit, SAME_FOR_ALL: merit}, {NOBODY: comparisons, SAME_FOR_ALL: comparisons}
    assert prototypes_sentence({NOBODY: "high", SAME_FOR_ALL: "low"}, *both) == (
        "Without labels for anyone the highest AUROC is the prototypes'; the prototypes are above low and middle. "
        "With the same labels for all the highest AUROC is that of high; the prototypes are below high, not told apart "
        "from middle."
    )

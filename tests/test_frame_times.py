import pickle

import numpy as np
import pandas as pd
import pytest

from vadlib.data.footage import sample_by_time
from vadlib.errors import ParameterError
from vadlib.evaluation.alarms import AlarmRule, footage_hours, list_alarms
from vadlib.frame_times import UnevenRate, seconds

# Ten frames of a fifth of a second, then ten of a thirtieth.
TIMES = np.append(np.arange(10) / 5, 2 + np.arange(11) / 30)
UNEVEN = UnevenRate(TIMES)


def test_an_even_rate_counts():
    assert seconds(25.0, [0, 5, 50]).tolist() == [0, 0.2, 2]
    assert float(seconds(25.0, 10)) == 0.4


def test_an_uneven_rate_knows_each_time():
    assert pytest.approx(20 / TIMES[-1]) == UNEVEN
    np.testing.assert_allclose(seconds(UNEVEN, np.arange(21)), TIMES)
    np.testing.assert_allclose(UnevenRate(TIMES + 7).times, TIMES)


def test_it_survives_a_copy():
    copied = pickle.loads(pickle.dumps(UNEVEN))
    assert copied == UNEVEN
    np.testing.assert_array_equal(copied.times, UNEVEN.times)


@pytest.mark.parametrize("times", [[0, 1], [0, 1, 1], [0, 2, 1], [0, np.nan, 2], [[0, 1, 2]]])
def test_times_have_to_rise(times):
    with pytest.raises(ParameterError, match="times: expected rising seconds"):
        UnevenRate(times)


def test_hours_are_those_of_the_clock():
    table = pd.DataFrame(
        {"clip": ["a"] * 4 + ["b"] * 2, "frame": [0, 5, 10, 15, 0, 25], "last": [4, 9, 14, 19, 24, 49]}
    )
    assert footage_hours(table, {"a": UNEVEN, "b": 25.0}) * 3600 == pytest.approx(TIMES[-1] + 2)


def test_alarms_last_as_long_as_their_frames():
    """Three frames of a fifth of a second are an alarm of 0.6 s; three of a thirtieth are too short for one."""
    scores = np.zeros(20)
    scores[[2, 3, 4, 13, 14, 15]] = 1
    table = pd.DataFrame({"clip": "a", "frame": np.arange(20), "score": scores})
    rule = AlarmRule(min_seconds=0.4, max_gap_seconds=0.1, max_seconds=10)
    alarms = list_alarms(table, "score", 0.5, fps={"a": UNEVEN}, rule=rule)
    assert alarms[["first", "last", "peak_frame"]].to_numpy().tolist() == [[2, 4, 2]]
    assert alarms[["start_s", "end_s"]].to_numpy() == pytest.approx(np.array([[0.4, 1.0]]))


def test_gaps_are_measured_by_the_clock():
    scores = np.zeros(20)
    scores[[2, 4, 12, 14]] = 1  # 0.2 s between the first two, 0.03 s between the others
    table = pd.DataFrame({"clip": "a", "frame": np.arange(20), "score": scores})
    rule = AlarmRule(min_seconds=0, max_gap_seconds=0.1, max_seconds=10)
    alarms = list_alarms(table, "score", 0.5, fps={"a": UNEVEN}, rule=rule)
    assert alarms[["first", "last"]].to_numpy().tolist() == [[2, 2], [4, 4], [12, 14]]


def test_a_rate_that_is_uneven_only_by_name_gives_the_same_alarms():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"clip": "a", "frame": np.arange(0, 300, 3), "score": rng.random(100)})
    table["last"] = table["frame"] + 2
    rule = AlarmRule(min_seconds=0.36, max_gap_seconds=0.12, max_seconds=2)
    even, uneven = (
        list_alarms(table, "score", 0.8, low=0.6, fps={"a": rate}, rule=rule)
        for rate in (25.0, UnevenRate(np.arange(301) / 25))
    )
    assert len(even) > 3
    pd.testing.assert_frame_equal(even, uneven, check_exact=False)


def test_frames_are_sampled_by_the_clock():
    table = pd.DataFrame({"clip": "a", "frame": np.arange(20)})
    sampled, rate = sample_by_time(table, {"a": UNEVEN}, rate=5)
    assert rate == 5
    assert sampled["frame"].tolist() == [*range(10), 10, 16]  # from 2.0 s on thirtieths: one each fifth of a second
    assert sampled["last"].tolist() == [*range(10), 15, 19]
    some, rate = sample_by_time(table, {"a": UNEVEN}, rate=5, max_frames=4)
    assert len(some) <= 4
    assert rate < 5
    assert some["last"].tolist() == [*(some["frame"].iloc[1:] - 1), 19], "every frame stands for something"

"""Alarms against a frame-by-frame reference, hand-made series, and the properties that thresholds rely on."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadlib.errors import ParameterError
from vadlib.evaluation import (
    AlarmRule,
    find_events,
    footage_hours,
    found_against_alarms,
    list_alarms,
    match_alarms,
)


def reference_events(scores, high, low, min_length, max_gap, max_length):
    """The module's five steps, one frame at a time."""
    runs, current, gap = [], [], 0
    for frame, score in enumerate(scores):
        if score >= low:
            if current and gap > max_gap:
                runs.append((current[0], current[-1]))
                current = []
            current.append(frame)
            gap = 0
        else:
            gap += 1
    if current:
        runs.append((current[0], current[-1]))
    events = []
    for first, last in runs:
        if last - first + 1 < min_length:
            continue
        for start in range(first, last + 1, max_length):
            inside = [f for f in range(start, min(start + max_length, last + 1)) if scores[f] >= low]
            if inside and max(scores[f] for f in inside) >= high:
                peak = max(inside, key=lambda f: (scores[f], -f))
                events.append((inside[0], inside[-1], peak, scores[peak]))
    return events


SERIES = st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, np.nan]), max_size=40)


@given(SERIES, st.sampled_from([1.0, 2.0]), st.integers(0, 2), st.integers(1, 5), st.integers(0, 3), st.integers(0, 20))
def test_events_are_those_of_the_reference(scores, low, above, min_length, max_gap, more):
    max_length = min_length + more
    found = find_events(
        scores, low + above, low=low, min_length=min_length, max_gap=max_gap, max_length=max_length
    )  # fmt: skip
    expected = reference_events(scores, low + above, low, min_length, max_gap, max_length)
    assert list(found.itertuples(index=False, name=None)) == expected


@given(SERIES, st.integers(1, 4), st.integers(0, 3), st.integers(4, 9))
def test_a_higher_threshold_takes_alarms_away_and_changes_none(scores, min_length, max_gap, max_length):
    lengths = {"min_length": min_length, "max_gap": max_gap, "max_length": max_length}
    everything = find_events(scores, 1.0, low=1.0, **lengths)
    for high in (1.0, 2.0, 3.0):
        some = find_events(scores, high, low=1.0, **lengths)
        pd.testing.assert_frame_equal(some, everything[everything["peak"] >= high].reset_index(drop=True))


def test_each_step_on_its_own():
    scores = [0, 1, 3, 1, 0, 0, 1, 1, 0, 3, 3, 3, 3, 3]

    def spans(**options):
        return find_events(scores, 3, **options)[["first", "last"]].to_numpy().tolist()

    assert spans() == [[2, 2], [9, 13]]
    assert spans(low=1) == [[1, 3], [9, 13]]  # the run 6..7 never reaches 3
    assert spans(low=1, max_gap=1) == [[1, 3], [6, 13]]  # it does once it is one with the next
    assert spans(low=1, min_length=4) == [[9, 13]]
    assert spans(max_length=2) == [[2, 2], [9, 10], [11, 12], [13, 13]]
    peaks = find_events(scores, 3, low=1)
    assert peaks["peak_frame"].tolist() == [2, 9]
    assert peaks["peak"].tolist() == [3.0, 3.0]


def test_scored_frames_stand_for_those_up_to_the_next():
    first, last = np.array([0, 5, 10, 20]), np.array([4, 9, 14, 24])  # 15..19 could not be read
    spans = {"first": first, "last": last}
    found = find_events([0, 1, 1, 1], 1, **spans)
    assert found[["first", "last"]].to_numpy().tolist() == [[5, 14], [20, 24]]
    assert find_events([0, 1, 1, 1], 1, max_gap=5, **spans)[["first", "last"]].to_numpy().tolist() == [[5, 24]]
    assert find_events([0, 1, 1, 1], 1, min_length=6, **spans)[["first", "last"]].to_numpy().tolist() == [[5, 14]]


def test_float32_scores_are_compared_as_they_are():
    """A Python float beside float32 would be rounded first, and a tie would count as above."""
    scores = np.array([0.1], np.float32)
    assert find_events(scores, np.nextafter(float(scores[0]), 1)).empty


def test_nothing_above_and_nothing_at_all():
    for scores in ([], [0.0, np.nan]):
        found = find_events(scores, 1.0)
        assert found.empty
        assert list(found.columns) == ["first", "last", "peak_frame", "peak"]


def test_a_rule_in_frames():
    assert AlarmRule(0.2, 1.0, 10.0).in_frames(25.0) == {"min_length": 5, "max_gap": 25, "max_length": 250}
    assert AlarmRule(0.0, 0.0, 0.01).in_frames(25.0) == {"min_length": 1, "max_gap": 0, "max_length": 1}
    assert AlarmRule(0.21, 0.21, 0.21).in_frames(10.0) == {"min_length": 3, "max_gap": 2, "max_length": 3}


@pytest.fixture
def footage():
    """Two clips, every fifth frame scored; b is filmed at half the rate."""
    table = pd.DataFrame({
        "clip": ["a"] * 6 + ["b"] * 6,
        "frame": [0, 5, 10, 15, 20, 25] * 2,
        "score": [0, 2, 3, 0, 0, 2, 4, 0, 0, 0, 0, 2],
    })  # fmt: skip
    table["last"] = table["frame"] + 4
    events = pd.DataFrame({"clip": ["a", "a", "b"], "first": [14, 20, 10], "last": [16, 24, 12], "event": "x"})
    return table, events, {"a": 25.0, "b": 12.5}


def test_alarms_of_several_clips_in_their_own_seconds(footage):
    table, _, fps = footage
    alarms = list_alarms(table.sample(frac=1, random_state=0), "score", 2, fps=fps, rule=AlarmRule(0.4, 0.3, 10))
    assert alarms["clip"].tolist() == ["a", "b", "b"]  # 25..29 of a lasts 0.2 s only, and is too far to merge
    assert alarms[["first", "last", "peak_frame"]].to_numpy().tolist() == [[5, 14, 10], [0, 4, 0], [25, 29, 25]]
    assert alarms["start_s"].tolist() == pytest.approx([0.2, 0.0, 2.0])
    assert alarms["end_s"].tolist() == pytest.approx([0.6, 0.4, 2.4])
    assert footage_hours(table, fps) == pytest.approx((30 / 25 + 30 / 12.5) / 3600)
    assert footage_hours(table.drop(columns="last"), fps) == pytest.approx((6 / 25 + 6 / 12.5) / 3600)


def test_alarms_meet_events_if_only_by_a_frame(footage):
    table, events, fps = footage
    alarms = list_alarms(table, "score", 2, fps=fps, rule=AlarmRule(0, 0, 10))
    true, found = match_alarms(alarms, events)
    assert alarms["first"].tolist() == [5, 25, 0, 25]
    assert true.tolist() == [True, False, False, False]  # 5..14 meets 14..16; 25..29 just misses 20..24
    assert found.tolist() == [True, False, False]
    nothing = match_alarms(alarms.iloc[:0], events)
    assert [part.tolist() for part in nothing] == [[], [False] * 3]
    assert match_alarms(alarms, events.iloc[:0])[0].tolist() == [False] * 4


def test_the_curve_is_what_each_threshold_gives(footage):
    """Against listing and matching alarms anew at every threshold, on many random series."""
    _, events, fps = footage
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"clip": np.repeat(["a", "b"], 60), "frame": np.tile(np.arange(60), 2)})
    table["score"] = rng.integers(0, 12, 120)
    rule = AlarmRule(0, 0.1, 0.4)
    curve = found_against_alarms(table, "score", events, low=3, fps=fps, rule=rule)
    assert curve["threshold"].iloc[0] == np.inf
    assert curve.iloc[0, 1:].tolist() == [0, 0, 0]
    assert len(curve) > 5
    hours = footage_hours(table, fps)
    for row in curve.itertuples():
        alarms = list_alarms(table, "score", row.threshold, low=3, fps=fps, rule=rule)
        true, found = match_alarms(alarms, events)
        assert row.alarms_an_hour == pytest.approx(len(alarms) / hours)
        assert row.false_alarms_an_hour == pytest.approx((~true).sum() / hours)
        assert row.share_found == pytest.approx(found.mean())


def test_an_alarm_that_never_ends_does_not_look_perfect():
    table = pd.DataFrame({"clip": "a", "frame": range(250), "score": 1.0})
    events = pd.DataFrame({"clip": ["a"], "first": [0], "last": [9]})
    curve = found_against_alarms(table, "score", events, low=1.0, fps={"a": 25.0}, rule=AlarmRule(0, 0, 1))
    assert curve["share_found"].iloc[-1] == 1
    assert curve["false_alarms_an_hour"].iloc[-1] == pytest.approx(9 * 360)  # ten alarms in ten seconds, one true


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"low": 4}, "low <= high, found low=4 and high=3"),
        ({"high": np.nan}, "low <= high, found low=nan"),
        ({"min_length": 0}, "min_length: expected a whole number of frames, at least 1, found 0"),
        ({"max_gap": 0.5}, "max_gap: expected a whole number"),
        ({"min_length": 3, "max_length": 2}, r"max_length: expected at least min_length \(3\) frames, found 2"),
        ({"scores": np.zeros((2, 2))}, r"one dimension, found shape \(2, 2\)"),
        ({"first": [0, 1, 2]}, r"expected shape \(2,\)"),
        ({"first": [3, 1]}, "playing order"),
        ({"first": [0, 5], "last": [5, 9]}, "span of one score only"),
    ],
)
def test_bad_input_of_find_events(change, message):
    with pytest.raises(ParameterError, match=message):
        find_events(**{"scores": [1.0, 2.0], "high": 3, **change})


def test_bad_input_of_tables_and_rules(footage):
    table, events, fps = footage
    for change, message in (
        ({"table": table.drop(columns="frame")}, "no column 'frame'"),
        ({"table": table.iloc[:0]}, "no rows"),
        ({"score": "other"}, "no column 'other'"),
        ({"fps": {"a": 25.0}}, "no rate for clip b"),
        ({"fps": {"a": 25.0, "b": 0.0}}, "clip b|fps: expected frames a second"),
        ({"table": pd.concat([table, table])}, "clip a: first, last: .* playing order"),
    ):
        with pytest.raises(ParameterError, match=message):
            list_alarms(**{"table": table, "score": "score", "high": 1, "fps": fps, **change})
    with pytest.raises(ParameterError, match="events: none given"):
        found_against_alarms(table, "score", events.iloc[:0], low=1, fps=fps)
    for change, message in (
        ({"min_seconds": -1.0}, "min_seconds: expected seconds, 0 or more, found -1.0"),
        ({"max_gap_seconds": np.inf}, "max_gap_seconds"),
        ({"max_seconds": 0.0}, "max_seconds: expected above 0"),
        ({"min_seconds": 2.0, "max_seconds": 1.0}, r"at least min_seconds \(2.0\), found 1.0"),
    ):
        with pytest.raises(ParameterError, match=message):
            AlarmRule(**change)

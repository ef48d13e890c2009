"""Promises that footage can keep, those that it cannot and what is promised instead, and how they are checked."""

import numpy as np
import pandas as pd
import pytest

from vadlib.errors import ParameterError
from vadlib.evaluation import AlarmRule, choose_threshold, cross_checked_rate, realised_rate
from vadlib.report.footage_page import target_sentence
from vadlib.studies.false_alarm_targets import (
    FalseAlarmTarget,
    check_targets,
    targets_to_try,
    thresholds_for_target,
)

FPS = {f"c{i}": 10.0 for i in range(6)}
NAMES = ("PaDiM", "SPADE")
DECIDING = {"fps": FPS, "rule": AlarmRule(0.0, 0.5, 5.0), "low_share": 0.1}


def footage(n_frames, seed=0, n_clips=6):
    rng = np.random.default_rng(seed)
    clips = list(FPS)[:n_clips]
    table = pd.DataFrame({"clip": np.repeat(clips, n_frames), "frame": np.tile(np.arange(n_frames), n_clips)})
    table["last"] = table["frame"]
    return table.assign(PaDiM=rng.normal(size=len(table)), SPADE=rng.gamma(2, size=len(table)))


def test_a_promise_that_can_be_kept_is_kept():
    table, asked = footage(100), FalseAlarmTarget(0.02)
    thresholds, promise, note = thresholds_for_target(table, NAMES, asked, **DECIDING)
    assert promise == asked
    assert note == "Promised: 2 % of normal frames, by the quantile method."
    expected = choose_threshold(table, "PaDiM", 0.02, unit="frames", method="quantile", fps=FPS, rule=DECIDING["rule"])
    assert thresholds["PaDiM"] == expected
    assert set(thresholds) == set(NAMES)


def test_too_little_footage_for_a_share_promises_the_smallest_that_it_can():
    thresholds, promise, note = thresholds_for_target(
        footage(10, n_clips=2), NAMES, FalseAlarmTarget(0.001), **DECIDING
    )
    assert promise == FalseAlarmTarget(1 / 21)
    assert (
        "Asked for: 0.1 % of normal frames, which the normal footage held out cannot answer (rate: a share of" in note
    )
    assert note.endswith("Promised instead: 4.8 % of normal frames, by the quantile method.")
    assert (footage(10, n_clips=2)["SPADE"] >= thresholds["SPADE"].high).sum() == 0  # just above the highest


def test_alarms_an_hour_go_over_to_the_tail_and_then_to_frames():
    asked = FalseAlarmTarget(2.0, "alarms an hour")
    assert [(p.unit, p.method) for p in targets_to_try(asked, 99)] == [
        ("alarms an hour", "quantile"), ("alarms an hour", "extreme-value"), ("frames", "quantile"),
    ]  # fmt: skip
    _, promise, note = thresholds_for_target(
        footage(1000), NAMES, asked, **DECIDING
    )  # ten minutes: half an hour is needed
    assert promise == FalseAlarmTarget(2.0, "alarms an hour", "extreme-value")
    assert "which must last 0.5 hours" in note
    _, promise, _ = thresholds_for_target(footage(5), NAMES, asked, **DECIDING)
    assert promise == FalseAlarmTarget(1 / 31)


def test_no_frame_at_all_is_an_error():
    with pytest.raises(ParameterError, match="normal footage: 0 frames held out are too few for any threshold"):
        thresholds_for_target(footage(0), NAMES, FalseAlarmTarget(0.5), **DECIDING)


def test_checks_are_those_of_the_evaluation():
    held, watched = footage(200, 1), footage(200, 2)
    table, note = check_targets(
        held, watched, NAMES, [FalseAlarmTarget(0.05), FalseAlarmTarget(60.0, "alarms an hour")], **DECIDING
    )
    assert table.index.tolist() == [
        ("5 % of normal frames (quantile)", "held-out footage, cross-checked"),
        ("5 % of normal frames (quantile)", "normal frames watched"),
        ("60 alarms an hour (quantile)", "held-out footage, cross-checked"),
        ("60 alarms an hour (quantile)", "normal frames watched"),
    ]
    options = {"unit": "frames", "method": "quantile", "fps": FPS, "rule": DECIDING["rule"]}
    count, n = cross_checked_rate(held, "SPADE", held["clip"].to_numpy(), 0.05, **options)
    assert table["SPADE"].iloc[0] == f"{100 * count / n:.2g} %"
    met, n = realised_rate(watched, "SPADE", choose_threshold(held, "SPADE", 0.05, **options), fps=FPS)
    assert table["SPADE"].iloc[1].startswith(f"{100 * met / n:.2g} [")
    assert table["SPADE"].iloc[2].endswith(" an hour")
    assert note == "Every promise could be checked."


def test_the_sentence_prefers_labels_and_does_not_guess():
    held, watched, promise = footage(200, 1), footage(200, 2), FalseAlarmTarget(0.05)
    both, _ = check_targets(held, watched, NAMES, [promise], **DECIDING)
    assert target_sentence(both, promise) == (
        f"On the normal frames watched, the promise of 5 % of normal frames came to: PaDiM {both['PaDiM'].iloc[1]}; "
        f"SPADE {both['SPADE'].iloc[1]}."
    )
    one, _ = check_targets(held, None, NAMES, [promise], **DECIDING)
    assert target_sentence(one, promise).startswith(
        "On held-out footage that the threshold was not chosen on, the promise"
    )
    none, _ = check_targets(footage(5), None, NAMES, [FalseAlarmTarget(0.01)], **DECIDING)
    assert target_sentence(none, FalseAlarmTarget(0.01)).endswith("this footage is too short to say.")


def test_what_cannot_be_checked_is_said_in_a_sentence():
    table, note = check_targets(
        footage(12), footage(9), NAMES, [FalseAlarmTarget(0.015), FalseAlarmTarget(0.05)], **DECIDING
    )
    assert table.index.tolist() == [
        ("1.5 % of normal frames (quantile)", "normal frames watched"),  # 72 frames held out, 60 without a block
        ("5 % of normal frames (quantile)", "held-out footage, cross-checked"),
        ("5 % of normal frames (quantile)", "normal frames watched"),
    ]
    assert note == (
        "The footage is too short to check 1.5 % of normal frames (quantile) on the held-out footage, cross-checked."
    )
    table, note = check_targets(footage(5), None, NAMES, [FalseAlarmTarget(0.01)], **DECIDING)
    assert table.empty
    assert list(table.columns) == list(NAMES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2.0,), "rate: expected a share between 0 and 1, found 2.0"),
        ((0, "alarms an hour"), "rate: expected alarms an hour, above 0, found 0"),
        ((0.1, "minutes"), "unit: expected one of"),
        ((0.1, "frames", "guess"), "method: expected one of"),
    ],
)
def test_bad_promises(arguments, message):
    with pytest.raises(ParameterError, match=message):
        FalseAlarmTarget(*arguments)

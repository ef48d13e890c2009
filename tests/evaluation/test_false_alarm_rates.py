"""Promised against realised rates, on tables whose rates are known."""

import numpy as np
import pandas as pd
import pytest

from vadlib.errors import ParameterError
from vadlib.evaluation import (
    AlarmRule,
    choose_threshold,
    cross_checked_rate,
    footage_hours,
    frame_threshold,
    list_alarms,
    poisson_interval,
    realised_rate,
)

FPS = {f"c{i}": 10.0 for i in range(8)}
RULE = AlarmRule(0.0, 0.5, 5.0)


def normal_footage(seed, n_frames=3000, smooth=1):
    """Eight clips of Gaussian scores, each averaged over `smooth` frames: neighbours are alike."""
    rng = np.random.default_rng(seed)
    kernel = np.ones(smooth) / np.sqrt(smooth)
    scores = [np.convolve(rng.normal(size=n_frames + smooth - 1), kernel, "valid") for _ in FPS]
    return pd.DataFrame({
        "clip": np.repeat(list(FPS), n_frames),
        "frame": np.tile(np.arange(n_frames), len(FPS)),
        "score": np.concatenate(scores),
    })  # fmt: skip


@pytest.mark.parametrize("method", ["quantile", "extreme-value"])
@pytest.mark.parametrize(("unit", "rate"), [("frames", 0.01), ("alarms an hour", 60.0)])
def test_new_footage_keeps_the_promise_though_neighbours_are_alike(method, unit, rate):
    threshold = choose_threshold(
        normal_footage(0, smooth=20), "score", rate, unit=unit, method=method, fps=FPS, rule=RULE
    )
    count, exposure = realised_rate(normal_footage(1, smooth=20), "score", threshold, fps=FPS, rule=RULE)
    assert count > 15
    assert count / exposure == pytest.approx(rate, rel=0.5)
    assert (threshold.unit, threshold.promised, threshold.method) == (unit, rate, method)


def test_choosing_is_what_its_parts_do():
    table = normal_footage(2, 400)
    frames = choose_threshold(table, "score", 0.02, unit="frames", method="quantile", fps=FPS)
    assert frames == frame_threshold(table["score"].to_numpy(), 0.02)
    alarms = choose_threshold(table, "score", 90, unit="alarms an hour", method="quantile", fps=FPS, rule=RULE)
    assert alarms.low == frames.low
    chosen_from = list_alarms(table, "score", alarms.low, low=alarms.low, fps=FPS, rule=RULE)
    assert alarms.n == len(chosen_from)
    listed = list_alarms(table, "score", alarms.high, low=alarms.low, fps=FPS, rule=RULE)
    assert len(listed) == int(90 * footage_hours(table, FPS)) - 1  # just above the k-th highest


def test_cross_checking_measures_each_block_with_the_others_threshold():
    table = normal_footage(3, 200)
    blocks = table["clip"].to_numpy()
    count, exposure = cross_checked_rate(table, "score", blocks, 0.05, unit="frames", method="quantile", fps=FPS)
    expected = sum(
        (table["score"][blocks == clip] >= frame_threshold(table["score"][blocks != clip].to_numpy(), 0.05).high).sum()
        for clip in FPS
    )
    assert (count, exposure) == (expected, len(table))
    unlike = table.assign(score=table["score"] + 10 * (table["clip"] == "c0"))
    count, _ = cross_checked_rate(unlike, "score", blocks, 0.05, unit="frames", method="quantile", fps=FPS)
    assert count / exposure > 0.1  # one clip unlike the others breaks the promise, and it is seen to
    with pytest.raises(ParameterError, match="blocks: expected two or more, .* found 1"):
        cross_checked_rate(table, "score", np.zeros(len(table)), 0.05, unit="frames", method="quantile", fps=FPS)


def test_poisson_interval_against_its_definition():
    """The bounds are the rates under which so many, or so few, occurrences have a chance of 2.5 %."""
    from scipy.stats import poisson

    interval = poisson_interval(4, 2.0)
    assert interval.estimate == 2.0
    assert poisson.sf(3, interval.low * 2.0) == pytest.approx(0.025)
    assert poisson.cdf(4, interval.high * 2.0) == pytest.approx(0.025)
    assert poisson_interval(0, 2.0).low == 0
    assert poisson_interval(0, 1.0).high == pytest.approx(-np.log(0.025))
    for bad in ((-1, 1.0), (1, 0.0)):
        with pytest.raises(ParameterError, match="count, exposure, level"):
            poisson_interval(*bad)


def test_a_unit_that_is_none():
    with pytest.raises(ParameterError, match="unit: expected one of frames, alarms an hour, found 'minutes'"):
        choose_threshold(normal_footage(4, 50), "score", 0.1, unit="minutes", method="quantile", fps=FPS)

"""Thresholds from normal scores: counted exactly, recovered from known tails, and kept on average over many draws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import genpareto

from vadlib.errors import ParameterError
from vadlib.evaluation import alarm_threshold, frame_threshold, low_threshold


def reference_quantile(scores, rate):
    """The lowest threshold at which at most k - 1 of the scores are reached, k = floor(rate (n + 1)), by trying."""
    k = math.floor(rate * (len(scores) + 1) + 1e-9)
    kth = sorted(scores, reverse=True)[k - 1]
    return kth


@given(
    st.lists(st.floats(-1e3, 1e3, width=32), min_size=20, max_size=60),
    st.sampled_from([0.05, 0.1, 0.25, 0.5]),
)
def test_quantile_lies_just_above_the_kth_highest(scores, rate):
    scores = np.array(scores, np.float32)
    threshold = frame_threshold(scores, rate, low_rate=0.5)
    kth = reference_quantile(scores, rate)
    assert threshold.high > kth
    assert not ((scores > kth) & (scores < threshold.high)).any()  # nothing lies between
    assert (scores >= np.float32(threshold.high)).sum() == (scores > kth).sum()
    assert np.float32(threshold.high) == threshold.high
    assert threshold.low <= threshold.high


def test_ties_do_not_break_the_promise():
    scores = np.repeat([1.0, 2.0], [50, 50])
    assert (scores >= frame_threshold(scores, 0.1).high).sum() == 0
    assert (scores >= frame_threshold(scores, 0.6, low_rate=0.9).high).sum() == 50


def test_the_expected_rate_is_the_promised_one():
    """Over many draws of 99 scores, new scores reach the threshold at the promised rate, not above it by selection."""
    rng = np.random.default_rng(0)
    rates = [1 - frame_threshold(rng.random(99), 0.05).high for _ in range(3000)]  # uniform: the rate is exact
    assert np.mean(rates) == pytest.approx(0.05, abs=3 * np.std(rates) / np.sqrt(3000))


def test_low_threshold_is_the_score_that_a_share_reaches():
    assert low_threshold(np.arange(99.0), rate=0.1) == pytest.approx(89, abs=1e-4)  # the tenth highest


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.3])
def test_extreme_value_fit_recovers_a_known_tail(shape):
    """Beyond what was seen: a share of 1 in 100,000 from 20,000 scores whose tail is Pareto by construction."""
    rng = np.random.default_rng(1)
    tail = rng.random(20000) < 0.1
    scores = np.where(tail, 5 + genpareto.rvs(shape, scale=2, size=20000, random_state=rng), rng.uniform(0, 5, 20000))
    threshold = frame_threshold(scores, 1e-4, method="extreme-value")
    assert threshold.shape == pytest.approx(shape, abs=0.08)
    assert threshold.scale == pytest.approx(2, rel=0.1)
    achieved = 0.1 * genpareto.sf(threshold.high - 5, shape, scale=2)
    assert achieved == pytest.approx(1e-4, rel=0.6)
    assert threshold.low == pytest.approx(5, abs=0.2)


def test_extreme_value_fit_does_not_depend_on_the_unit():
    scores = np.random.default_rng(2).gamma(2, size=2000)
    plain, scaled = (frame_threshold(scores * unit, 1e-3, method="extreme-value") for unit in (1.0, 1e-6))
    assert scaled.high == pytest.approx(plain.high * 1e-6, rel=1e-3)
    assert scaled.shape == pytest.approx(plain.shape, abs=1e-3)


def test_a_bounded_tail_keeps_a_shape_that_can_be_estimated():
    """Scores piled up at their highest value: the likelihood has no maximum below shape -1, and is kept off there."""
    scores = np.append(np.linspace(0, 1, 900), 1 + np.linspace(0, 1, 100) ** 0.2)
    threshold = frame_threshold(scores, 0.001, method="extreme-value")
    assert threshold.shape == -0.5
    assert math.isfinite(threshold.high)
    assert threshold.high >= 1.9


def test_alarms_an_hour_by_counting():
    peaks = np.array([5.0, 9, 7, 6, 8])
    threshold = alarm_threshold(peaks, 2.0, 1.5, low=4)  # three in two hours: just above the third highest
    assert threshold.high > 7
    assert (peaks >= threshold.high).sum() == 2
    assert (threshold.low, threshold.n, threshold.unit) == (4, 5, "alarms an hour")
    assert alarm_threshold(peaks, 2.0, 3, low=4).high == 4  # six promised, five candidates
    assert alarm_threshold(np.empty(0), 2.0, 1, low=4).high == 4
    with pytest.raises(ParameterError, match="takes 20 different values"):  # no alarm in a minute proves little
        alarm_threshold(np.empty(0), 1 / 60, 1, low=4, method="extreme-value")


def test_alarms_an_hour_are_kept_on_average():
    """Poisson alarms with uniform peaks, 3 hours seen: the expected number above the threshold is what was promised."""
    rng = np.random.default_rng(3)
    rates = []
    for _ in range(2000):
        peaks = rng.random(rng.poisson(3 * 20))
        rates.append(20 * (1 - alarm_threshold(peaks, 3.0, 2, low=0.0).high))
    assert np.mean(rates) == pytest.approx(2, abs=3 * np.std(rates) / np.sqrt(2000))


def test_rarer_than_the_footage_by_the_tail():
    """60 hours' peaks are exponential, 10 an hour: one alarm in 100 hours lies at log(1000)."""
    peaks = np.random.default_rng(4).exponential(size=600)
    threshold = alarm_threshold(peaks, 60.0, 0.01, low=0.0, method="extreme-value")
    assert threshold.high == pytest.approx(np.log(1000), rel=0.25)
    with pytest.raises(ParameterError, match=r"0.01 alarms an hour cannot be read from 60 hours .* last 100 hours"):
        alarm_threshold(peaks, 60.0, 0.01, low=0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": np.arange(50.0), "rate": 0.01}, "share of 0.01 cannot be read from 50 normal frames, .* least 99"),
        ({"scores": []}, "expected scores of normal frames"),
        ({"scores": [1, np.nan] * 50}, "finite numbers, found 50 that are not"),
        ({"rate": 0}, "rate: expected a share of frames between 0 and 1, found 0"),
        ({"rate": 0.2}, r"low_rate: expected at least rate \(0.2\), found 0.1"),
        ({"method": "guess"}, "method: expected one of quantile, extreme-value, found 'guess'"),
        ({"method": "extreme-value"}, "takes 20 different values above the low threshold, found 9"),
        ({"method": "extreme-value", "scores": np.repeat([0.0, 1.0], [990, 40])}, "found 1; hold out more"),
    ],
)
def test_bad_input_of_frame_thresholds(change, message):
    with pytest.raises(ParameterError, match=message):
        frame_threshold(**{"scores": np.arange(99.0), "rate": 0.05, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate": 0}, "rate: expected a number above 0"),
        ({"hours": 0}, "hours: expected a number above 0"),
        ({"peaks": [1.0, 0.5]}, r"finite scores of at least low \(1\)"),
        ({"method": "guess"}, "method: expected one of"),
        ({"method": "extreme-value", "rate": 0.1}, "takes 20 different values"),
    ],
)
def test_bad_input_of_alarm_thresholds(change, message):
    with pytest.raises(ParameterError, match=message):
        alarm_threshold(**{"peaks": [1.0, 2.0, 3.0], "hours": 1.0, "rate": 1.0, "low": 1, **change})

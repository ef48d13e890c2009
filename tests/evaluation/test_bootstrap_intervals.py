import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from vadlib.evaluation import bootstrap_auroc, bootstrap_difference
from vadlib.evaluation.bootstrap import Resampled, resample
from vadlib.evaluation.bootstrap_intervals import METHODS, bounds, p_value

N = 199  # resamples: (N + 1) * 0.025 is a whole number, so ranks need no rounding


def resampled(labels, columns, clips, n_resamples=N, seed=0):
    contrast = [[1]] if len(columns) == 1 else [[1, -1]]
    return resample(labels, columns, contrast, clusters=clips, n_resamples=n_resamples, seed=seed)[0]


def slow_studentized(found, level):
    """One resample at a time, by the definition: quantiles of (value - estimate) / error on the arcsine scale."""

    def error_on_scale(auroc, error):  # d arcsin(sqrt(x)) / dx = 1 / (2 sqrt(x (1 - x)))
        return error / (2 * np.sqrt(auroc * (1 - auroc)))

    centre, error = np.arcsin(np.sqrt(found.estimate)), error_on_scale(found.estimate, found.error)
    off = []
    for value, own in zip(found.values, found.errors, strict=True):
        own = max(error_on_scale(value, own), error / (2 * np.sqrt(found.n_scarcer)))
        off.append((np.arcsin(np.sqrt(value)) - centre) / own)
    rank = round((len(off) + 1) * (1 - level) / 2)
    off = sorted(off)
    ends = centre - error * off[-rank], centre - error * off[rank - 1]
    return tuple(np.sin(min(max(end, 0), np.pi / 2)) ** 2 for end in ends)


def test_studentized_equals_its_definition(make_clips):
    labels, scores, clips = make_clips(0)
    found = resampled(labels, [scores], clips)
    assert bounds(found, level=0.9, method="studentized") == pytest.approx(slow_studentized(found, 0.9), abs=1e-12)


def test_studentized_difference_equals_its_definition(make_clips):
    """One resample at a time: how far off it is in its own errors, either way; a tenth of them are farther."""
    labels, a, clips = make_clips(0)
    found = resampled(labels, [a, a + np.random.default_rng(0).normal(size=len(a))], clips)
    least = found.error / (2 * np.sqrt(found.n_scarcer))
    off = sorted(
        abs(value - found.estimate) / max(own, least) for value, own in zip(found.values, found.errors, strict=True)
    )
    reach = off[-round((N + 1) * 0.1)] * found.error
    low, high = bounds(found, level=0.9, method="studentized", difference=True)
    assert (low, high) == pytest.approx((found.estimate - reach, found.estimate + reach), abs=1e-12)


def test_bca_equals_scipy_for_a_mean():
    """Frames of one class each, one score a clip: a plain mean, for which scipy has the same method."""
    data = np.random.default_rng(3).exponential(size=25)
    reference = scipy.stats.bootstrap(
        (data,), np.mean, n_resamples=4000, method="BCa", rng=np.random.default_rng(0), confidence_level=0.9
    )
    without = np.array([np.delete(data, i).mean() for i in range(25)])
    found = Resampled(data.mean(), 1.0, without, 25, reference.bootstrap_distribution, np.ones(4000))
    low, high = bounds(found, level=0.9, method="bca")
    assert (low, high) == pytest.approx((reference.confidence_interval.low, reference.confidence_interval.high))


def test_expanded_of_a_normal_spread_is_students_t():
    """On resamples that lie as a normal distribution does, with the bootstrap's own sqrt((n - 1) / n) too little."""
    size, values = 12, scipy.stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000) * np.sqrt(11 / 12)
    found = Resampled(0.0, 1.0, np.zeros(size), size, values, np.ones(100_000))
    low, high = bounds(found, level=0.95, method="expanded", difference=True)
    assert high == pytest.approx(scipy.stats.t.ppf(0.975, 11), abs=0.01)
    assert low == pytest.approx(-high, abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(2, 7), st.sampled_from([0.0, 1.0, 5.0, 30.0]))
def test_inside_the_scale_and_around_the_estimate(method, seed, n_clips, shift):
    """Few clips, some of one class only, up to a perfect score: never an error, never out of range."""
    rng = np.random.default_rng(seed)
    clips = np.repeat(np.arange(n_clips), rng.integers(1, 12, n_clips))
    clips = np.append(clips, [0, n_clips - 1])
    labels = rng.integers(0, 2, len(clips))
    labels[-2:] = [0, 1]
    a, b = (np.round(rng.normal(size=len(clips)) + shift * labels, 1) for _ in range(2))
    options = {"clusters": clips, "n_resamples": 50, "method": method}
    interval = bootstrap_auroc(labels, a, **options)
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1
    interval = bootstrap_difference(labels, a, b, **options)
    assert -1 <= interval.low <= interval.estimate <= interval.high <= 1


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from([0.5, 0.8, 0.95]))
def test_p_value_and_interval_say_the_same(make_clips, seed, level):
    labels, a, clips = make_clips(seed, n_clips=6, n_frames=6)
    rng = np.random.default_rng(seed)
    b = a + rng.choice([0.3, 1, 3]) * rng.normal(size=len(a))
    found = resampled(labels, [a, b], clips)
    low, high = bounds(found, level=level, method="studentized", difference=True)
    p = p_value(found)
    assert 1 / (N + 1) <= p <= 1
    assert (low > 0 or high < 0) == (p <= 1 - level + 1e-12)


def test_p_value_counts_resamples_as_far_off(make_clips):
    labels, a, clips = make_clips(5)
    b = a + np.random.default_rng(5).normal(size=len(a))
    found = resampled(labels, [a, b], clips)
    least = found.error / (2 * np.sqrt(found.n_scarcer))
    beyond = 0
    for value, error in zip(found.values, found.errors, strict=True):
        beyond += abs(value - found.estimate) / max(error, least) >= abs(found.estimate) / found.error
    assert p_value(found) == pytest.approx((beyond + 1) / (N + 1))


def test_without_spread():
    labels, clips = np.tile([0, 1], 12), np.repeat(np.arange(6), 4)
    perfect = bootstrap_auroc(labels, labels, clusters=clips)  # 6 clips, each without a mistake
    assert (perfect.low, perfect.high) == (pytest.approx(0.05 ** (1 / 6)), 1)
    wrong = bootstrap_auroc(labels, -labels, clusters=clips)
    assert (wrong.low, wrong.high) == (0, pytest.approx(1 - 0.05 ** (1 / 6)))
    same = resampled(labels, [labels, labels * 2 + 1], clips)
    assert p_value(same) == 1
    apart = resampled(labels, [labels, np.zeros(len(labels))], clips)  # perfect against constant, in every clip
    assert p_value(apart) == 1 / (N + 1)


def test_fewer_than_six_clips_bound_nothing(make_clips):
    for n_clips in (5, 6):
        labels, a, clips = make_clips(1, n_clips=n_clips, n_frames=6)
        b = np.random.default_rng(1).normal(size=len(a))
        one, two = bootstrap_auroc(labels, a, clusters=clips), bootstrap_difference(labels, a, b, clusters=clips)
        is_bound = n_clips == 6
        assert ((one.low, one.high) != (0, 1)) == ((two.low, two.high) != (-1, 1)) == is_bound
        assert ("no interval: too few clips" in f"{one}") == ("no interval" in f"{two:+.2f}") == (not is_bound)
        assert (p_value(resampled(labels, [a, b], clips)) < 1) == is_bound

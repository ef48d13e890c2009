import numpy as np
import pandas as pd
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from vadlib.errors import ParameterError
from vadlib.evaluation import (
    auroc,
    average_precision,
    equal_error_rate,
    equal_normal_overlap,
    fpr_at_tpr,
    overlap_coefficient,
    roc_curve,
    summarize,
)


def pair_counting_auroc(labels, scores):
    """Slow and obviously right: every anomalous frame against every normal one."""
    pairs = [
        (a, n) for a, p in zip(scores, labels, strict=True) if p for n, q in zip(scores, labels, strict=True) if not q
    ]
    return sum(1.0 if a > n else 0.5 if a == n else 0.0 for a, n in pairs) / len(pairs)


def operating_points(labels, scores):
    """(FPR, TPR) for every threshold, one at a time."""
    labels, scores = np.asarray(labels, bool), np.asarray(scores)
    return [
        ((scores[~labels] >= t).mean(), (scores[labels] >= t).mean())
        for t in [np.inf, *sorted(set(scores.tolist()))[::-1]]
    ]


@st.composite
def labelled(draw):
    n = draw(st.integers(2, 25))
    labels = draw(st.lists(st.sampled_from([0, 1]), min_size=n, max_size=n).filter(lambda x: 0 < sum(x) < len(x)))
    return labels, draw(st.lists(st.integers(-4, 4), min_size=n, max_size=n))  # few values: many ties


@given(labelled())
def test_auroc_counts_pairs(data):
    assert auroc(*data) == pytest.approx(pair_counting_auroc(*data), abs=1e-12)


@given(labelled())
def test_auroc_ignores_monotone_maps_and_turns_round(data):
    labels, scores = data
    assert auroc(labels, np.exp(scores)) == auroc(labels, scores)
    assert auroc(labels, np.negative(scores)) == pytest.approx(1 - auroc(labels, scores), abs=1e-12)


@given(labelled())
def test_roc_curve_is_every_threshold_and_its_area_is_auroc(data):
    fpr, tpr, thresholds = roc_curve(*data)
    np.testing.assert_allclose(np.stack([fpr, tpr], axis=1), operating_points(*data), atol=1e-12)
    assert np.trapezoid(tpr, fpr) == pytest.approx(auroc(*data), abs=1e-12)
    assert thresholds[0] == np.inf
    assert (np.diff(thresholds) < 0).all()


@given(labelled())
def test_average_precision_is_scikit_learns(data):
    assert average_precision(*data) == pytest.approx(sklearn.metrics.average_precision_score(*data), abs=1e-12)


@given(labelled(), st.sampled_from([0.1, 0.5, 0.8, 0.95, 1.0]))
def test_fpr_at_tpr_is_the_first_threshold_that_finds_enough(data, tpr):
    expected = min(f for f, t in operating_points(*data) if t >= tpr - 1e-9)
    assert fpr_at_tpr(*data, tpr=tpr) == pytest.approx(expected, abs=1e-12)


@given(labelled())
def test_equal_error_rate_lies_on_the_curve(data):
    rate = equal_error_rate(*data)
    fpr, tpr = np.array(operating_points(*data)).T
    # on the line FPR + TPR = 1 the curve, parametrised by FPR + its own index, has one crossing
    fine = np.linspace(0, len(fpr) - 1, 2000 * (len(fpr) - 1) + 1)
    f, t = np.interp(fine, np.arange(len(fpr)), fpr), np.interp(fine, np.arange(len(tpr)), tpr)
    assert rate == pytest.approx(f[np.argmin(np.abs(f + t - 1))], abs=2e-3)


@pytest.mark.parametrize(
    ("labels", "scores", "expected"),
    [
        ([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], 0.75),  # scikit-learn's own example
        ([0, 1], [1.0, 1.0], 0.5),
        ([False, True], [0.0, 1.0], 1.0),
        ([1, 0], [0.0, 1.0], 0.0),
    ],
)
def test_auroc_exact(labels, scores, expected):
    assert auroc(labels, scores) == expected


def test_exact_rates():
    labels, scores = [0] * 10 + [1] * 10, [*range(10), *range(5, 15)]
    assert fpr_at_tpr(labels, scores, tpr=0.95) == 0.5  # all ten are needed: threshold 5
    assert fpr_at_tpr(labels, scores, tpr=0.9) == 0.4
    # steps (0, .5) -> five of FPR .1, TPR .1: at threshold 7 FPR = .3, FNR = .2; at 8 FPR = .2, FNR = .3; between
    assert equal_error_rate(labels, scores) == pytest.approx(0.25)
    assert equal_error_rate([0, 1], [0, 1]) == 0
    assert equal_error_rate([0, 1], [1, 1]) == 0.5


def test_float32_ties_stay_ties():
    assert auroc([0, 1], np.array([0.1, 0.1], dtype=np.float32)) == 0.5


def test_overlap_coefficient():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 5_000)
    apart = np.concatenate([rng.uniform(0, 1, 5_000), rng.uniform(3, 4, 5_000)])
    normal = rng.normal(size=10_000) + 1.0 * labels
    assert overlap_coefficient(labels, apart) < 0.001
    # two Gaussians one standard deviation apart: 2 Phi(-1/2) = 0.6171
    assert overlap_coefficient(labels, normal) == pytest.approx(0.6171, abs=0.03)
    assert overlap_coefficient(labels, 7 * normal - 3) == pytest.approx(overlap_coefficient(labels, normal), rel=1e-6)


@pytest.mark.parametrize("n_frames", [60, 600, 4000])
def test_overlap_of_one_distribution_with_itself_is_near_one_however_many_frames(n_frames):
    rng = np.random.default_rng(1)
    assert (
        overlap_coefficient(np.tile([0, 1], n_frames), rng.normal(size=2 * n_frames))
        > {60: 0.8, 600: 0.92, 4000: 0.96}[n_frames]
    )


def test_overlap_of_scores_without_spread_is_an_error():
    with pytest.raises(ParameterError, match="all 2 normal frames score 5.0; a density needs two values"):
        overlap_coefficient([0, 0, 1, 1], [5, 5, 1, 2])


def small_table():
    return pd.DataFrame(
        {
            "clip": ["a", "a", "a", "b", "b", "c", "c"],
            "scene": ["01", "01", "01", "01", "01", "02", "02"],
            "label": np.array([0, 1, 1, 0, 0, 1, 0], dtype=np.int8),
            "max": np.array([0, 1, -1, 5, 0, 3, 3], dtype=np.float32),
        }
    )


def test_summarize_by_hand():
    summary = summarize(small_table(), "max")
    assert summary["macro_auroc"] == (0.5 + 0.5) / 2  # a: one of two pairs; c: a tie; b: one class
    assert summary["n_macro_clips"] == 2
    # scene 01: 1 beats 0 and 0, loses to 5; -1 loses three times
    assert summary["per_scene"] == {"01": pytest.approx(2 / 6), "02": 0.5}
    assert summary["micro_auroc"] == pytest.approx(pair_counting_auroc([0, 1, 1, 0, 0, 1, 0], [0, 1, -1, 5, 0, 3, 3]))
    assert (summary["n_frames"], summary["n_anomalous"], summary["n_clips"]) == (7, 3, 3)


def test_summarize_gives_plain_numbers_and_does_not_depend_on_order():
    summary = summarize(small_table(), "max")
    assert {type(value) for value in summary.values()} == {float, int, dict}
    shuffled = summarize(small_table().sample(frac=1, random_state=0), "max")
    assert shuffled.pop("per_scene") == pytest.approx(summary.pop("per_scene"))
    assert shuffled == pytest.approx(summary)


def test_summarize_without_a_mixed_clip_has_no_macro():
    table = small_table().iloc[[3, 4, 1]].assign(clip=["x", "x", "y"])
    assert summarize(table, "max")["macro_auroc"] is None
    assert summarize(table.drop(columns="scene"), "max")["per_scene"] == {}


EVERY = [auroc, roc_curve, average_precision, equal_error_rate, fpr_at_tpr, overlap_coefficient]


@pytest.mark.parametrize("metric", EVERY)
@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 0], [1, 2], "one class only: all 2 frames are normal"),
        ([1, 1], [1, 2], "one class only: all 2 frames are anomalous"),
        ([0, 1], [1, np.nan], "1 of 2 are not, the first at row 1"),
        ([0, 1], [np.inf, 0], "must be finite"),
        ([0, 1], [1, 2, 3], "of one length.*got 2 and 3"),
        ([], [], "empty"),
        ([0, 2], [1, 2], r"labels must be 0 .* found \[.*2"),
        ([0, np.nan], [1, 2], "labels must be 0"),
        ([[0, 1]], [[1, 2]], "one-dimensional"),
        ([0, 1], ["low", "high"], "scores must be numbers"),
    ],
)
def test_undefined_cases_raise(metric, labels, scores, message):
    with pytest.raises(ParameterError, match=message):
        metric(labels, scores)


def test_bad_parameters():
    for tpr in (0, 1.1, float("nan")):
        with pytest.raises(ParameterError, match="tpr must lie in"):
            fpr_at_tpr([0, 1], [0, 1], tpr=tpr)
    with pytest.raises(ParameterError, match=r"no column \['mean'\]"):
        summarize(small_table(), "mean")
    with pytest.raises(ParameterError, match="max must be finite"):
        summarize(small_table().assign(max=np.nan), "max")


@settings(max_examples=20)
@given(st.integers(2, 40), st.integers(2, 40), st.floats(0, 5), st.integers(0, 999))
def test_overlap_lies_between_0_and_1(n_normal, n_anomalous, shift, seed):
    labels = np.repeat([0, 1], [n_normal, n_anomalous])
    scores = np.random.default_rng(seed).normal(size=len(labels)) + shift * labels
    assert 0 <= overlap_coefficient(labels, scores) <= 1


def test_two_equal_normal_curves_of_an_auroc_share_what_integration_finds():
    for auroc_, shared in ((0.797, 0.5568), (0.603, 0.8535), (0.5, 1.0), (0.203, 0.5568)):
        distance = np.sqrt(2) * scipy.stats.norm.ppf(auroc_)
        grid = np.linspace(-10, 10, 100_001)
        smaller = np.minimum(scipy.stats.norm.pdf(grid), scipy.stats.norm.pdf(grid, distance))
        assert equal_normal_overlap(auroc_) == pytest.approx(np.trapezoid(smaller, grid), abs=1e-6)
        assert equal_normal_overlap(auroc_) == pytest.approx(shared, abs=1e-4)
    with pytest.raises(ParameterError, match="auroc must lie in"):
        equal_normal_overlap(1.0)

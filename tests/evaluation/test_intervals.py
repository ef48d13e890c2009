import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from vadlib.errors import ParameterError
from vadlib.evaluation import (
    Interval,
    auroc,
    auroc_by_unit,
    bootstrap_auroc,
    bootstrap_difference,
    bootstrap_roc_band,
    delong_auroc,
    roc_curve,
)
from vadlib.evaluation import bootstrap as resampling

R = 60


def drawn_clips(clips, seed, n_resamples=R):
    """The resamples as the docstring promises them: which rows of the table each is made of."""
    names = sorted(set(clips))
    draws = np.random.default_rng(seed).integers(0, len(names), size=(n_resamples, len(names)))
    for draw in draws:
        yield np.concatenate([np.flatnonzero(clips == names[c]) for c in draw])


def explicit_auroc(labels, scores, clips, seed, n_resamples=R):
    return [sklearn.metrics.roc_auc_score(labels[rows], scores[rows]) for rows in drawn_clips(clips, seed, n_resamples)]


def test_interval_is_the_percentiles_of_explicit_resamples(make_clips):
    labels, scores, clips = make_clips(2)
    interval = bootstrap_auroc(labels, scores, clusters=clips, n_resamples=R, level=0.9, seed=3, method="percentile")
    low, high = np.quantile(explicit_auroc(labels, scores, clips, 3), [0.05, 0.95])
    assert interval.estimate == auroc(labels, scores)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-12)
    assert interval.level == 0.9


def test_difference_is_paired(make_clips):
    labels, a, clips = make_clips(3)
    b = np.round(a + np.random.default_rng(1).normal(size=len(a)), 1)
    interval = bootstrap_difference(labels, a, b, clusters=clips, n_resamples=R, seed=4, method="percentile")
    explicit = np.subtract(explicit_auroc(labels, a, clips, 4), explicit_auroc(labels, b, clips, 4))
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(explicit, [0.025, 0.975])), abs=1e-12)
    same = bootstrap_difference(labels, a, a, clusters=clips, n_resamples=R)
    assert (same.estimate, same.low, same.high) == (0, 0, 0)


def test_band_equals_interpolated_curves_of_explicit_resamples(make_clips):
    labels, scores, clips = make_clips(4)
    band = bootstrap_roc_band(labels, scores, clusters=clips, n_resamples=R, seed=2, n_points=11)

    def interpolated(rows):
        fpr, tpr, _ = roc_curve(labels[rows], scores[rows])
        return np.interp(band.fpr, fpr, tpr)

    curves = [interpolated(rows) for rows in drawn_clips(clips, 2)]
    np.testing.assert_allclose(band.low, np.quantile(curves, 0.025, axis=0), atol=1e-12)
    np.testing.assert_allclose(band.high, np.quantile(curves, 0.975, axis=0), atol=1e-12)
    np.testing.assert_allclose(band.tpr, interpolated(slice(None)), atol=1e-12)


@settings(max_examples=15)
@given(st.integers(0, 1000))
def test_bootstrap_ignores_monotone_maps_row_order_and_clip_names(make_clips, seed):
    labels, scores, clips = make_clips(seed)
    first = bootstrap_auroc(labels, scores, clusters=clips, n_resamples=R, seed=1)
    order = np.random.default_rng(seed).permutation(len(labels))
    again = bootstrap_auroc(
        labels[order], np.exp(scores)[order], clusters=np.char.add("x", clips[order]), n_resamples=R, seed=1
    )
    assert (again.low, again.high) == pytest.approx((first.low, first.high), abs=1e-12)


def test_clusters_widen_the_interval_when_frames_of_a_clip_are_alike():
    rng = np.random.default_rng(0)
    clips = np.repeat(np.arange(40), 50)
    labels, scores = np.repeat(rng.random(40) < 0.5, 50), np.repeat(rng.normal(size=40), 50)
    by_clip = bootstrap_auroc(labels, scores, clusters=clips, seed=0)
    by_frame = bootstrap_auroc(labels, scores, seed=0)
    assert by_clip.high - by_clip.low > 4 * (by_frame.high - by_frame.low)


def test_same_seed_same_interval(make_clips):
    labels, scores, clips = make_clips(5)
    kwargs = {"clusters": clips, "n_resamples": R}
    assert bootstrap_auroc(labels, scores, seed=1, **kwargs) == bootstrap_auroc(labels, scores, seed=1, **kwargs)
    assert bootstrap_auroc(labels, scores, seed=1, **kwargs) != bootstrap_auroc(labels, scores, seed=2, **kwargs)


def delong_by_pairs(labels, scores):
    """Variance from the matrix of pairs, as in the paper of 1988."""
    x, y = scores[labels == 1], scores[labels == 0]
    psi = (x[:, None] > y) + 0.5 * (x[:, None] == y)
    return psi.mean(), psi.mean(axis=1).var(ddof=1) / len(x) + psi.mean(axis=0).var(ddof=1) / len(y)


@pytest.mark.parametrize("ties", [True, False])
def test_delong_equals_the_pair_matrix(make_clips, ties):
    labels, scores, _ = make_clips(6, ties=ties)
    estimate, variance = delong_by_pairs(labels, scores)
    interval = delong_auroc(labels, scores, level=0.95)
    assert interval.estimate == pytest.approx(estimate, abs=1e-12)
    assert interval.high - interval.low == pytest.approx(2 * 1.959963985 * np.sqrt(variance), abs=1e-9)


def test_delong_agrees_with_the_bootstrap_over_frames():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 800)
    scores = rng.normal(size=800) + labels
    by_frame, delong = bootstrap_auroc(labels, scores), delong_auroc(labels, scores)
    assert (by_frame.low, by_frame.high) == pytest.approx((delong.low, delong.high), abs=0.006)


def test_interval_format():
    interval = Interval(0.60312, 0.5512, 0.6488)
    assert f"{interval}" == str(interval) == "0.603 [0.551, 0.649]"
    assert f"{interval:.2f}" == "0.60 [0.55, 0.65]"


LABELS, SCORES, CLIPS = np.array([0, 1, 0, 1]), np.array([1.0, 2, 3, 4]), np.array(["a", "a", "b", "b"])


@pytest.mark.parametrize("function", [bootstrap_auroc, bootstrap_roc_band])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clusters": CLIPS[:2]}, r"clusters must name one cluster a frame, \(4,\); got \(2,\)"),
        ({"clusters": np.array(["a"] * 4)}, "at least two clips"),
        ({"clusters": np.array(["a", "b", None, "b"], dtype=object)}, "1 frames have none"),
        ({"level": 1.0}, "level must lie between 0 and 1"),
        ({"level": 95}, "level must lie between 0 and 1"),
        ({"n_resamples": 0}, "n_resamples must be at least 1"),
    ],
)
def test_bad_options(function, changes, message):
    with pytest.raises(ParameterError, match=message):
        function(LABELS, SCORES, **{"clusters": CLIPS, **changes})


def test_bad_data_and_hopeless_resamples(monkeypatch):
    with pytest.raises(ParameterError, match="must be finite"):
        bootstrap_difference(LABELS, SCORES, SCORES * np.nan, clusters=CLIPS)
    with pytest.raises(ParameterError, match="two frames of each class; got 1 anomalous"):
        delong_auroc([0, 1, 0], [1, 2, 3])
    monkeypatch.setattr(resampling, "MAX_REDRAWS", 3)
    labels = np.arange(100_000) == 0
    with pytest.raises(ParameterError, match="1 clusters have anomalous frames"):
        bootstrap_auroc(labels, np.zeros(100_000), clusters=np.where(labels, "a", "b"), n_resamples=10_000)


def test_unknown_method():
    with pytest.raises(ParameterError, match="method must be one of studentized, percentile, expanded, bca; got 'bac'"):
        bootstrap_auroc(LABELS, SCORES, clusters=CLIPS, method="bac")


def test_three_units_of_one_number(make_clips):
    labels, scores, clips = make_clips(8, n_clips=24)
    scenes = np.array([f"s{int(clip) % 8}" for clip in clips])
    found = auroc_by_unit(labels, scores, clips=clips, scenes=scenes, n_resamples=R, seed=1)
    assert found["frames"] == delong_auroc(labels, scores)
    assert found["clips"] == bootstrap_auroc(labels, scores, clusters=clips, n_resamples=R, seed=1)
    assert found["scenes"] == bootstrap_auroc(labels, scores, clusters=scenes, n_resamples=R, seed=1)
    assert found["clips"].high - found["clips"].low > 2 * (found["frames"].high - found["frames"].low)
    assert "scenes" not in auroc_by_unit(labels, scores, clips=clips, n_resamples=R)


def test_too_few_scenes_have_no_interval(make_clips):
    labels, scores, clips = make_clips(9)
    scenes = np.array([int(clip) % 5 for clip in clips])
    found = auroc_by_unit(labels, scores, clips=clips, scenes=scenes, n_resamples=R)
    assert found["scenes"] is None
    assert found["clips"] is not None
    assert auroc_by_unit(labels, scores, clips=clips, scenes=scenes, n_resamples=R, min_units=5)["scenes"] is not None
    one = auroc_by_unit(clips == "00", scores, clips=clips, n_resamples=R)  # all anomalous frames from one clip
    assert one["clips"] is None
    with pytest.raises(ParameterError, match="clip '00' has 2"):
        auroc_by_unit(labels, scores, clips=clips, scenes=np.arange(len(clips)) % 2)
    with pytest.raises(ParameterError, match="clips must name one a frame"):
        auroc_by_unit(labels, scores, clips=clips[:3])

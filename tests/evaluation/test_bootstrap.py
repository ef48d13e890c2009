import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from vadlib.evaluation import auroc
from vadlib.evaluation import bootstrap as resampling
from vadlib.evaluation.bootstrap import resample

R = 40


def drawn_rows(clips, seed, n_resamples=R):
    """The resamples as the docstring promises them: which rows of the table each is made of, and each row's copy."""
    names = sorted(set(clips))
    draws = np.random.default_rng(seed).integers(0, len(names), size=(n_resamples, len(names)))
    for draw in draws:
        rows = [np.flatnonzero(clips == names[c]) for c in draw]
        yield np.concatenate(rows), np.repeat(np.arange(len(draw)), [len(r) for r in rows])


def obuchowski_error(labels, scores, clips):
    """Standard error of clustered AUROC from the matrix of pairs, written as in Obuchowski (1997)."""
    x, y = scores[labels == 1], scores[labels == 0]
    psi = (x[:, None] > y) + 0.5 * (x[:, None] == y)
    theta, names = psi.mean(), np.unique(clips)
    v10, v01 = psi.mean(axis=1) - theta, psi.mean(axis=0) - theta
    of_x, of_y = clips[labels == 1], clips[labels == 0]
    sums = [v10[of_x == c].sum() / len(x) + v01[of_y == c].sum() / len(y) for c in names]
    return np.sqrt(len(names) / (len(names) - 1) * np.sum(np.square(sums)))


def jackknife_error(statistic, clips):
    names = np.unique(clips)
    without = np.array([statistic(clips != name) for name in names])
    return np.sqrt((len(names) - 1) / len(names) * np.sum((without - without.mean()) ** 2)), without


BOTH_WAYS = pytest.mark.parametrize("max_pair_clusters", [512, 1], ids=["pair matrix", "ranks"])


@BOTH_WAYS
@pytest.mark.parametrize("ties", [True, False])
def test_every_resample_equals_the_concatenated_clips(make_clips, monkeypatch, max_pair_clusters, ties):
    monkeypatch.setattr(resampling, "MAX_PAIR_CLUSTERS", max_pair_clusters)
    monkeypatch.setattr(resampling, "ROWS_AT_ONCE", 7)
    labels, scores, clips = make_clips(1, ties=ties)
    (found,) = resample(labels, [scores], [[1]], clusters=clips, n_resamples=R, seed=7)
    assert found.estimate == auroc(labels, scores)
    for i, (rows, copies) in enumerate(drawn_rows(clips, 7)):
        assert found.values[i] == pytest.approx(sklearn.metrics.roc_auc_score(labels[rows], scores[rows]), abs=1e-12)
        assert found.errors[i] == pytest.approx(obuchowski_error(labels[rows], scores[rows], copies), abs=1e-12)


@BOTH_WAYS
def test_error_of_the_estimate_is_the_jackknife(make_clips, monkeypatch, max_pair_clusters):
    monkeypatch.setattr(resampling, "MAX_PAIR_CLUSTERS", max_pair_clusters)
    labels, a, clips = make_clips(2)
    b = np.round(a + np.random.default_rng(0).normal(size=len(a)), 1)
    own, difference = resample(labels, [a, b], [[1, 0], [1, -1]], clusters=clips, n_resamples=R, seed=0)
    error, without = jackknife_error(lambda kept: auroc(labels[kept], a[kept]), clips)
    np.testing.assert_allclose(own.without, without, atol=1e-12)
    assert own.error == pytest.approx(error, abs=1e-12)
    error, without = jackknife_error(lambda kept: auroc(labels[kept], a[kept]) - auroc(labels[kept], b[kept]), clips)
    np.testing.assert_allclose(difference.without, without, atol=1e-12)
    assert difference.error == pytest.approx(error, abs=1e-12)
    for i, (rows, _) in enumerate(drawn_rows(clips, 0)):
        values = [auroc(labels[rows], scores[rows]) for scores in (a, b)]
        assert difference.values[i] == pytest.approx(values[0] - values[1], abs=1e-12)


@BOTH_WAYS
def test_a_class_in_one_cluster_has_the_error_by_influences(monkeypatch, max_pair_clusters):
    monkeypatch.setattr(resampling, "MAX_PAIR_CLUSTERS", max_pair_clusters)
    clips = np.repeat(["a", "b", "c", "d"], 5)
    labels, scores = (clips == "a").astype(int), np.random.default_rng(0).normal(size=20)
    (found,) = resample(labels, [scores], [[1]], clusters=clips, n_resamples=R, seed=0)
    assert found.n_scarcer == 1
    assert np.isnan(found.without[0])
    assert np.isfinite(found.without[1:]).all()
    assert found.error == pytest.approx(obuchowski_error(labels, scores, clips), abs=1e-12)


def test_frames_alone_equal_explicit_resampling_across_blocks(monkeypatch):
    monkeypatch.setattr(resampling, "BLOCK_BYTES", 16 * 50 * 7)  # seven resamples a block
    rng = np.random.default_rng(0)
    labels, scores = np.repeat([0, 1], 25), rng.integers(0, 9, 50)
    (found,) = resample(labels, [scores], [[1]], clusters=None, n_resamples=R, seed=5)
    rows = np.random.default_rng(5).integers(0, 50, size=(R, 50))
    np.testing.assert_allclose(found.values, [auroc(labels[r], scores[r]) for r in rows], atol=1e-12)


def test_resamples_with_one_class_are_drawn_again():
    labels, scores, clips = np.array([0, 0, 1]), np.array([0.0, 2.0, 1.0]), np.array(["a", "b", "c"])
    (found,) = resample(labels, [scores], [[1]], clusters=clips, n_resamples=200, seed=0)
    assert len(found.values) == 200
    assert np.isfinite(found.values).all()
    stream = np.random.default_rng(0).integers(0, 3, size=(200, 3))
    kept = [rows for rows in stream if 0 < labels[rows].sum() < 3]
    np.testing.assert_allclose(found.values[: len(kept)], [auroc(labels[rows], scores[rows]) for rows in kept])


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_pair_matrix_and_ranks_agree(make_clips, seed):
    labels, scores, clips = make_clips(seed, n_clips=5, n_frames=8)
    codes = np.unique(clips, return_inverse=True)[1]
    weights = np.random.default_rng(seed).integers(0, 4, size=(3, 5)).astype(float)
    matrix, ranks = (
        kind(labels.astype(bool), scores, codes, 5) for kind in (resampling.PairMatrix, resampling.PairRanks)
    )
    np.testing.assert_allclose(np.array(matrix(weights)), np.array(ranks(weights)), atol=1e-9)
    np.testing.assert_allclose(matrix.inside, ranks.inside, atol=1e-9)

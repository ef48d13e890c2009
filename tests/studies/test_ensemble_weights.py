from itertools import product

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from vadlib.errors import ParameterError
from vadlib.studies.ensemble_weights import _aurocs, _grid, best_weights, weights_from_other_clips


def labelled_scores(n=80, k=4, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat([0, 1], n // 2))
    return labels, (rng.normal(size=(n, k)) + labels[:, None] * [0.2, 0.9, 0.5, 0.7][:k]).astype(np.float32)


def test_the_best_of_all_1295_combinations_one_after_the_other():
    labels, scores = labelled_scores()
    best, highest = None, 0
    for weights in product((0, 0.2, 0.4, 0.6, 0.8, 1), repeat=4):
        if any(weights):
            weights = np.array(weights) / sum(weights)
            found = roc_auc_score(labels, scores.astype(np.float64) @ weights)
            if found > highest:
                best, highest = weights, found
    found = best_weights(labels, scores)
    assert roc_auc_score(labels, scores.astype(np.float64) @ found) == pytest.approx(highest, abs=1e-12)
    np.testing.assert_allclose(found, best, atol=1e-12)
    assert found.sum() == pytest.approx(1)


def test_aurocs_with_ties_are_scikit_learns():
    labels, scores = labelled_scores()
    scores = np.round(scores)
    expected = [roc_auc_score(labels, column) for column in scores.T]
    np.testing.assert_allclose(_aurocs(labels, scores.T), expected)


def test_a_grid_has_no_combination_twice():
    assert len(_grid(1)) == 1
    grid = _grid(4)
    assert len(np.unique(grid.round(9), axis=0)) == len(grid) < 1296
    np.testing.assert_allclose(grid.sum(axis=1), 1)


def test_a_score_that_tells_all_takes_all():
    labels, scores = labelled_scores()
    scores[:, 2] = labels * 100
    assert roc_auc_score(labels, scores @ best_weights(labels, scores)) == 1
    noise = np.random.default_rng(0).normal(size=(len(labels), 3))
    assert best_weights(labels, np.column_stack([noise, labels * 1e-3]))[3] == 1


def test_weights_of_a_frame_do_not_know_its_clip():
    labels, scores = labelled_scores()
    clips = np.repeat(np.arange(8), 10)
    weights = weights_from_other_clips(labels, scores, clips, n_folds=4, seed=1)
    assert weights.shape == scores.shape
    changed = scores.copy()
    changed[clips == 3] = np.random.default_rng(5).normal(size=(10, 4)) * 50
    again = weights_from_other_clips(labels, changed, clips, n_folds=4, seed=1)
    np.testing.assert_array_equal(again[clips == 3], weights[clips == 3])
    for clip in range(8):
        assert len(np.unique(weights[clips == clip], axis=0)) == 1
    one_out = weights_from_other_clips(labels, scores, clips, n_folds=8)
    np.testing.assert_array_equal(one_out[clips == 3][0], best_weights(labels[clips != 3], scores[clips != 3]))


def test_what_cannot_be_is_refused():
    labels, scores = labelled_scores()
    with pytest.raises(ParameterError, match=r"scores: expected \(frames, scores\), found \(80,\)"):
        best_weights(labels, scores[:, 0])
    with pytest.raises(ParameterError):
        best_weights(labels, np.where(scores > 2, np.nan, scores))
    with pytest.raises(ParameterError, match="n_folds: expected 2 to 8, the clips there are, found 9"):
        weights_from_other_clips(labels, scores, np.repeat(np.arange(8), 10), n_folds=9)
    with pytest.raises(ParameterError, match="those outside fold . of 2 have one class alone"):
        weights_from_other_clips(labels, scores, labels, n_folds=2)

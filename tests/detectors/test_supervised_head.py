"""The supervised head against Newton's method written out, and its features against loops over cells."""

import numpy as np
import pytest
import torch

from vadlib.detectors.heatmaps import frame_scores
from vadlib.detectors.supervised_head import SupervisedHead, pooled_heatmaps
from vadlib.errors import NotFittedError, ParameterError
from vadlib.evaluation import auroc


def reference_log_odds(x, labels, new, c, n_steps=50):
    """Ridge logistic regression with balanced classes by Newton's method; the intercept is not penalised."""
    mean, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(spread > 0, spread, 1)
    z = np.column_stack([np.ones(len(x)), (x - mean) / spread])
    weights = len(labels) / (2 * np.bincount(labels)[labels])
    penalty = np.eye(z.shape[1]) / c
    penalty[0, 0] = 0
    beta = np.zeros(z.shape[1])
    for _ in range(n_steps):
        p = 1 / (1 + np.exp(-z @ beta))
        gradient = z.T @ (weights * (p - labels)) + penalty @ beta
        hessian = (z * (weights * p * (1 - p))[:, None]).T @ z + penalty
        beta -= np.linalg.solve(hessian, gradient)
    return np.column_stack([np.ones(len(new)), (new - mean) / spread]) @ beta


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [40, 20])
    x = rng.normal(size=(60, 5)) + labels[:, None] * [1, 0.5, 0, 0, 0]
    x[:, 4] = 3.0  # without spread
    return (x * [1, 100, 0.01, 1, 1]).astype(np.float32), labels


@pytest.mark.parametrize("c", [0.01, 0.1, 10])
def test_scores_are_the_log_odds_of_the_definition(drawn, c):
    x, labels = drawn
    new = x[::3] + 0.1
    found = SupervisedHead(c).fit_embeddings(x, labels).score_embeddings(new)["head"]
    expected = reference_log_odds(x.astype(np.float64), labels, new.astype(np.float64), c)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_scale_and_shift_of_a_feature_change_nothing(drawn):
    x, labels = drawn
    one = SupervisedHead().fit_embeddings(x, labels).score_embeddings(x)["head"]
    other = SupervisedHead().fit_embeddings(x * 7 - 3, labels).score_embeddings(x * 7 - 3)["head"]
    np.testing.assert_allclose(one, other, atol=2e-5)
    again = SupervisedHead().fit_embeddings(x, labels).score_embeddings(x)["head"]
    np.testing.assert_array_equal(one, again)


def test_labels_turn_a_score_that_points_the_wrong_way():
    """What the head is for: maps that are darker where something is wrong."""
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], 30)
    heatmaps = rng.uniform(0, 0.2, (60, 16, 16)).astype(np.float32) + 1
    heatmaps[labels == 1, :8, :8] -= 0.5
    features = pooled_heatmaps(heatmaps)
    assert auroc(labels, features[:, 1]) < 0.1  # the mean
    head = SupervisedHead().fit_embeddings(features[::2], labels[::2])
    assert auroc(labels[1::2], head.score_embeddings(features[1::2])["head"]) == 1


def test_features_are_those_of_loops_over_cells():
    maps = np.random.default_rng(2).normal(size=(3, 12, 8)).astype(np.float32)
    found = pooled_heatmaps(maps, grid=4)
    assert found.shape == (3, 35)
    assert found.dtype == np.float32
    for i, name in enumerate(("max", "mean", "top1%")):
        np.testing.assert_array_equal(found[:, i], frame_scores(torch.from_numpy(maps))[name])
    cells = [(row, column) for row in range(4) for column in range(4)]
    for j, (row, column) in enumerate(cells):
        cell = maps[:, 3 * row : 3 * row + 3, 2 * column : 2 * column + 2]
        np.testing.assert_allclose(found[:, 3 + j], cell.mean(axis=(1, 2)), atol=1e-6)
        np.testing.assert_array_equal(found[:, 19 + j], cell.max(axis=(1, 2)))
    assert pooled_heatmaps(maps, grid=5).shape == (3, 53)  # cells that share pixels


def test_no_frames_give_no_scores(drawn):
    head = SupervisedHead().fit_embeddings(*drawn)
    assert head.score_embeddings(np.empty((0, 5), np.float32))["head"].shape == (0,)


def test_bad_input(drawn):
    x, labels = drawn
    for c in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ParameterError, match="inverse_regularisation: expected a number above 0"):
            SupervisedHead(c)
    with pytest.raises(NotFittedError, match="call fit_embeddings"):
        SupervisedHead().score_embeddings(x)
    with pytest.raises(ParameterError, match=r"found only label \[0\] among 60 frames"):
        SupervisedHead().fit_embeddings(x, np.zeros(60, int))
    with pytest.raises(ParameterError, match="labels: expected 60"):
        SupervisedHead().fit_embeddings(x, labels[:-1])
    with pytest.raises(ParameterError, match="each 0 or 1"):
        SupervisedHead().fit_embeddings(x, labels * 2)
    broken = x.copy()
    broken[7, 1] = np.nan
    with pytest.raises(ParameterError, match=r"row 7 \(and 0 more\) is not finite"):
        SupervisedHead().fit_embeddings(broken, labels)
    with pytest.raises(ParameterError, match=r"expected \(n, 5\), found shape \(60, 4\)"):
        SupervisedHead().fit_embeddings(x, labels).score_embeddings(x[:, :4])
    with pytest.raises(ParameterError, match=r"expected \(frames, height, width\), found shape \(4, 4\)"):
        pooled_heatmaps(np.zeros((4, 4)))
    for grid in (0, 5, 1.5):
        with pytest.raises(ParameterError, match="grid: expected 1 to 4 cells"):
            pooled_heatmaps(np.zeros((2, 4, 6)), grid)

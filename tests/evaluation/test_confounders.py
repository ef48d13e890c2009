"""Shares and correlations against what they must be on made-up frames."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from vadlib.errors import ParameterError
from vadlib.evaluation import rank_correlation_within, share_explained


def test_share_explained_is_the_ratio_of_variances():
    rng = np.random.default_rng(0)
    values, groups = rng.normal(size=90), np.repeat(["a", "b", "c"], 30)
    values[groups == "b"] += 2
    within = np.mean([values[groups == g].var() for g in "abc"])  # equal group sizes
    assert share_explained(values, groups) == pytest.approx(1 - within / values.var())
    assert share_explained([1, 1, 5, 5], ["a", "a", "b", "b"]) == 1
    assert share_explained([2, 2, 2], ["a", "b", "b"]) == 0
    with pytest.raises(ParameterError, match="at least one"):
        share_explained([], [])


def test_correlation_within_groups_ignores_their_means():
    rng = np.random.default_rng(1)
    factor, groups = rng.normal(size=60), np.repeat([0, 1, 2], 20)
    offsets = np.array([50.0, -50.0, 0.0])[groups]
    assert rank_correlation_within(3 * factor + offsets, factor, groups) == pytest.approx(1)
    assert abs(spearmanr(3 * factor + offsets, factor).statistic) < 0.6  # which pooling would have given
    assert rank_correlation_within(offsets, factor, groups) == 0
    with pytest.raises(ParameterError, match="at least three"):
        rank_correlation_within([1, 2], [1, 2], [0, 0])

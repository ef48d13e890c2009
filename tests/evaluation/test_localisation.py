"""Localisation against pair counting and hand-made frames."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadlib.errors import ParameterError
from vadlib.evaluation import bootstrap_mean, localisation


def pairs_won(heat, mask):
    """The definition, pixel by pixel."""
    wins = [float(a > b) + 0.5 * float(a == b) for a in heat[mask] for b in heat[~mask]]
    return sum(wins) / len(wins)


@given(st.integers(0, 2**32 - 1))
def test_pixel_auroc_is_pair_counting_with_ties(seed):
    rng = np.random.default_rng(seed)
    heat, mask = rng.integers(0, 4, (3, 5, 4)).astype(float), rng.random((3, 5, 4)) < 0.4
    mask[:, 0, 0], mask[:, 0, 1] = True, False
    found = localisation(heat, mask)
    np.testing.assert_allclose(found["pixel_auroc"], [pairs_won(h, m) for h, m in zip(heat, mask, strict=True)])
    np.testing.assert_allclose(found["mask_share"], mask.mean(axis=(1, 2)))


def test_pointing_looks_at_the_hottest_pixel_alone():
    mask = np.zeros((3, 4, 4), bool)
    mask[:, 1, 1] = True
    heat = np.zeros((3, 4, 4))
    heat[0, 1, 1] = heat[1, 2, 2] = 1.0  # a hit, a miss, and a flat map: chance
    np.testing.assert_allclose(localisation(heat, mask)["pointing"], [1, 0, 1 / 16])


def test_a_frame_without_both_kinds_of_pixels_has_no_value():
    masks = np.stack([np.zeros((2, 2), bool), np.ones((2, 2), bool)])
    assert localisation(np.zeros((2, 2, 2)), masks).isna().all(axis=None)


def test_bad_input():
    with pytest.raises(ParameterError, match=r"same shape .* found \(1, 2, 2\) and \(1, 4, 4\)"):
        localisation(np.zeros((1, 2, 2)), np.zeros((1, 4, 4), bool))
    with pytest.raises(ParameterError, match="NaN or infinity"):
        localisation(np.full((1, 2, 2), np.nan), np.eye(2, dtype=bool)[None])
    with pytest.raises(ParameterError, match="1 of them"):
        bootstrap_mean([0.2, 0.3, np.nan], clusters=["a", "a", "b"])


def test_mean_interval_resamples_clusters():
    rng = np.random.default_rng(0)
    of_cluster = rng.normal(size=40)
    clusters = np.repeat(np.arange(40), 25)
    interval = bootstrap_mean(of_cluster[clusters], clusters=clusters, seed=1)
    assert interval.estimate == pytest.approx(of_cluster.mean())
    # the standard error of 40 independent clusters, not of 1,000 frames
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * of_cluster.std() / np.sqrt(40), rel=0.12)
    shifted = bootstrap_mean(np.append(of_cluster[clusters], np.nan), clusters=np.append(clusters, 99), seed=1)
    assert shifted == interval

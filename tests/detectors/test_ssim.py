"""SSIM against scikit-image."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from vadlib.detectors.ssim import SsimReference, _blur, ssim, ssim_map
from vadlib.errors import ParameterError


def reference(a, b, data_range=1.0):
    return structural_similarity(
        a.astype(np.float64), b.astype(np.float64), gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        data_range=data_range, full=True,
    )  # fmt: skip


def maps(seed, n, size):
    """Smooth and rough maps, sparse ones, constants and zeros."""
    rng = np.random.default_rng(seed)
    made = rng.random((n, *size))
    made[1::4] = np.linspace(0, 1, size[1]) ** 2
    made[2::4] *= made[2::4] > 0.95
    made[3::4] = rng.choice([0.0, 0.5, 1.0])
    return made.astype(np.float32)


@pytest.mark.parametrize("size", [(14, 14), (11, 23), (56, 56), (64, 40), (70, 66), (224, 224)])
def test_equals_scikit_image_on_random_and_degenerate_maps(size):
    a, b = maps(0, 8, size), np.concatenate([maps(1, 8, size)[::-1][:6], np.zeros((2, *size), np.float32)])
    expected = [reference(x, y) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(ssim(torch.from_numpy(a), torch.from_numpy(b)), [e[0] for e in expected], atol=1e-5)
    np.testing.assert_allclose(ssim_map(torch.from_numpy(a), torch.from_numpy(b)), [e[1] for e in expected], atol=1e-4)


@pytest.mark.parametrize("size", [(20, 20), (60, 50)])
def test_degenerate_pairs(size):
    """Where float32 variances, computed carelessly, are all rounding."""
    noise = maps(0, 1, size)[0]
    step = np.zeros(size, np.float32)
    step[:8] = 1
    for a, b in (
        (0 * noise, 0 * noise),
        (0 * noise, noise),
        (0 * noise + 1, 0 * noise),
        (0 * noise + 1, 0 * noise + np.float32(0.999)),
        (0 * noise + np.float32(0.7), np.float32(0.7) + np.float32(1e-3) * noise),
        (step, step * np.float32(0.999)),
    ):
        mean, local = reference(a, b)
        np.testing.assert_allclose(ssim(a[None], b[None]), mean, atol=2e-6)
        np.testing.assert_allclose(ssim_map(a[None], b[None])[0], local, atol=1e-5)


@pytest.mark.parametrize("size", [(20, 20), (60, 50)])
def test_a_reference_serves_any_number_of_maps(size):
    many, one = maps(3, 5, size), maps(4, 1, size)[0]
    reference_map = SsimReference(one)
    expected = ssim(many, np.broadcast_to(one, many.shape).copy())
    np.testing.assert_array_equal(reference_map.similarity(many), expected)
    np.testing.assert_array_equal(reference_map.similarity(torch.from_numpy(many[:2])), expected[:2])
    np.testing.assert_array_equal(SsimReference(many).similarity(many[::-1].copy()), ssim(many[::-1].copy(), many))


def test_both_ways_to_blur_agree():
    x = maps(0, 3, (45, 33))
    np.testing.assert_allclose(np.stack([_blur(one) for one in x]), _blur(torch.from_numpy(x)), atol=1e-6)


@pytest.mark.parametrize("size", [(20, 20), (80, 80)])
def test_one_map_is_compared_with_every_other(size):
    many = torch.from_numpy(maps(3, 5, size))
    np.testing.assert_array_equal(ssim(many, many[2]), ssim(many, many[2].expand(5, *size)))
    np.testing.assert_allclose(ssim(many[2], many), ssim(many, many[2]), atol=1e-7)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(12, 15), (66, 66)]))
def test_a_map_is_like_itself_and_the_measure_is_symmetric(seed, size):
    a, b = (torch.from_numpy(maps(s, 4, size)) for s in (seed, seed + 1))
    np.testing.assert_allclose(ssim(a, a), 1, atol=1e-6)
    np.testing.assert_allclose(ssim(a, b), ssim(b, a), atol=1e-6)
    assert (ssim(a, b) <= 1 + 1e-6).all()


def test_data_range_scales_the_constants():
    a, b = maps(5, 4, (30, 30)), maps(6, 4, (30, 30))
    found = ssim(torch.from_numpy(255 * a), torch.from_numpy(255 * b), data_range=255)
    np.testing.assert_allclose(
        found, [reference(255 * x, 255 * y, 255)[0] for x, y in zip(a, b, strict=True)], atol=1e-5
    )


def test_bad_input():
    good = torch.zeros(2, 20, 20)
    for a, b, message in (
        (good, torch.zeros(2, 20, 21), "of one size"),
        (good, torch.zeros(3, 20, 20), "as many maps"),
        (good[0], good[0], "of one size"),
        (good[None], good, "of one size"),
        (torch.zeros(1, 10, 20), torch.zeros(1, 10, 20), "at least 11 pixels"),
    ):
        with pytest.raises(ParameterError, match=message):
            ssim(a, b)
    for data_range in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ParameterError, match="data_range: expected a number above 0"):
            ssim(good, good, data_range=data_range)
    for size in (20, 60):
        broken = torch.zeros(2, size, size)
        broken[1, 3, 4] = float("nan")
        with pytest.raises(ParameterError, match="expected finite values"):
            ssim(broken, torch.zeros(2, size, size))

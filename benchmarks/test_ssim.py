"""SSIM beside scikit-image's, one thread: `make bench`. The figures are ratios of processor time in one run."""

import time

import cv2
import numpy as np
import pytest
import torch

from vadlib.detectors.ssim import SsimReference

skimage_metrics = pytest.importorskip("skimage.metrics", reason="needs scikit-image: pip install -e '.[test]'")
N_MAPS = 32


@pytest.fixture
def one_thread():
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def seconds(function, repeats):
    function()
    taken = []
    for _ in range(repeats):
        start = time.thread_time()
        function()
        taken.append(time.thread_time() - start)
    return min(taken)


@pytest.mark.parametrize("size", [14, 56, 224])
def test_ssim_beside_scikit_image(one_thread, size):
    """As the detector uses it: a batch of maps against one reference."""
    rng = np.random.default_rng(0)
    maps, reference = rng.random((N_MAPS, size, size), np.float32), rng.random((size, size), np.float32)
    ours = SsimReference(reference)

    def theirs():
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
        return [skimage_metrics.structural_similarity(one, reference, **options) for one in maps]

    np.testing.assert_allclose(ours.similarity(maps), theirs(), atol=1e-5)
    mine, other = seconds(lambda: ours.similarity(maps), 10) / N_MAPS, seconds(theirs, 3) / N_MAPS
    print(
        f"\nSSIM at {size}x{size}: {1e6 * mine:.0f} us against {1e6 * other:.0f} us, {other / mine:.1f} times as fast"
    )
    assert mine < other / 3

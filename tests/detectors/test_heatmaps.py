import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter

from vadlib.detectors.heatmaps import frame_scores, smoothed_resize


@pytest.mark.parametrize(("grid", "size"), [((14, 14), (56, 56)), ((56, 56), (224, 224)), ((15, 20), (61, 77))])
def test_equals_interpolate_then_scipy_blur(grid, size):
    maps = torch.rand(3, *grid, generator=torch.Generator().manual_seed(0))
    resized = F.interpolate(maps[:, None].double(), size=size, mode="bilinear", align_corners=False)[:, 0]
    expected = gaussian_filter(resized.numpy(), sigma=(0, 4, 4), mode="reflect")
    np.testing.assert_allclose(smoothed_resize(maps, size, sigma=4), expected, atol=2e-6)


def test_no_blur_is_plain_bilinear():
    maps = torch.rand(1, 4, 6)
    expected = F.interpolate(maps[:, None], size=(16, 24), mode="bilinear", align_corners=False)[:, 0]
    torch.testing.assert_close(smoothed_resize(maps, (16, 24), sigma=0), expected)


def test_a_constant_map_stays_constant():
    assert smoothed_resize(torch.full((1, 7, 7), 3.0), (28, 28), sigma=4).sub(3).abs().max() < 1e-5


def test_frame_scores_by_hand():
    heatmaps = torch.arange(400.0).reshape(1, 20, 20)
    scores = frame_scores(heatmaps)
    assert scores["max"].item() == 399
    assert scores["mean"].item() == 199.5
    assert scores["top1%"].item() == (399 + 398 + 397 + 396) / 4

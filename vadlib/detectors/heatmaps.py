"""From a grid of distances to a heatmap of the frame's size, and from a heatmap to a frame's score."""

from __future__ import annotations

from functools import lru_cache

import torch
from scipy.ndimage import gaussian_filter1d


def smoothed_resize(maps: torch.Tensor, size: tuple[int, int], *, sigma: float) -> torch.Tensor:
    """Maps float32 (B, h, w), bilinear to ``size``, then blurred by ``sigma`` pixels as `scipy.ndimage` does.

    Both steps are linear and separable, so together they are one matrix for rows and one for columns.
    """
    rows = _resize_and_blur_matrix(maps.shape[1], size[0], sigma, maps.device)
    columns = _resize_and_blur_matrix(maps.shape[2], size[1], sigma, maps.device)
    return rows @ maps @ columns.T


def frame_scores(heatmaps: torch.Tensor) -> dict[str, torch.Tensor]:
    """Maximum, mean, and mean of the largest 1 % (``top1%``) of each heatmap (B, H, W), float32 (B,) each."""
    pixels = heatmaps.flatten(1)  # (B, H * W)
    n_top = max(round(pixels.shape[1] / 100), 1)
    return {
        "max": pixels.amax(dim=1),
        "mean": pixels.mean(dim=1),
        "top1%": pixels.topk(n_top, dim=1).values.mean(dim=1),
    }


@lru_cache(maxsize=32)
def _resize_and_blur_matrix(cells: int, pixels: int, sigma: float, device: torch.device) -> torch.Tensor:
    """The (pixels, cells) matrix of bilinear resizing (pixel centres, edges repeated) followed by the blur."""
    identity = torch.eye(cells, dtype=torch.float64)[:, None]  # (cells, 1, cells)
    resize = torch.nn.functional.interpolate(identity, size=pixels, mode="linear", align_corners=False)
    matrix = resize[:, 0].T  # (pixels, cells)
    if sigma > 0:
        matrix = torch.from_numpy(gaussian_filter1d(matrix.numpy(), sigma, axis=0, mode="reflect"))
    return matrix.float().contiguous().to(device)

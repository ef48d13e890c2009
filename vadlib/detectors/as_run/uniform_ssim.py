"""Structural similarity as scikit-image computes it by default: a square window of equal weights (Wang et al. 2004).

Window: 7x7 pixels; sample covariance (n - 1); K1 = 0.01, K2 = 0.03. Values are those of scikit-image's
`structural_similarity(a, b, data_range=1.0, full=True)` in float64, to rounding.
"""

from __future__ import annotations

import torch

from vadlib.errors import ParameterError

WINDOW = 7  # pixels a side
C1, C2 = 0.01**2, 0.03**2  # of values in [0, 1]


def uniform_ssim_map(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Local similarity of maps float (B, H, W) in [0, 1] to others, or to one (H, W); edges reflected; float64."""
    if a.shape[-2:] != b.shape[-2:] or min(a.shape[-2:]) < WINDOW:
        raise ParameterError(
            f"ssim: expected maps of one size, at least {WINDOW} pixels a side, the window, found "
            f"{tuple(a.shape[-2:])} and {tuple(b.shape[-2:])}"
        )
    a, b = a.double(), b.double().expand_as(a)
    # About the maps' common mean: squares of what is left do not cancel.
    centre = b.mean(dim=(-2, -1), keepdim=True)
    x, y = a - centre, b - centre
    ux, uy, uxx, uyy, uxy = (_window_mean(m) for m in (x, y, x * x, y * y, x * y))
    sample = WINDOW**2 / (WINDOW**2 - 1)
    vx, vy, vxy = (sample * (u - v) for u, v in ((uxx, ux * ux), (uyy, uy * uy), (uxy, ux * uy)))
    ux, uy = ux + centre, uy + centre
    return (2 * ux * uy + C1) * (2 * vxy + C2) / ((ux * ux + uy * uy + C1) * (vx + vy + C2))  # Eq. 13


def uniform_ssim(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Mean similarity, float64 (B,), without the pixels at the edges whose window is cut; as `uniform_ssim_map`."""
    margin = WINDOW // 2
    return uniform_ssim_map(a, b)[:, margin:-margin, margin:-margin].mean(dim=(1, 2))


def _window_mean(maps: torch.Tensor) -> torch.Tensor:
    """Means over the window around each pixel, (B, H, W); pixels beyond an edge mirror those at it, as in SciPy."""
    margin = WINDOW // 2
    for dim in (1, 2):
        n = maps.shape[dim]
        index = torch.arange(-margin, n + margin, device=maps.device)
        index = torch.where(index < 0, -1 - index, torch.where(index >= n, 2 * n - 1 - index, index))
        maps = maps.index_select(dim, index).unfold(dim, WINDOW, 1).mean(dim=-1)
    return maps

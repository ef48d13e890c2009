"""One Gaussian per image position, fitted in a stream (Defard et al. 2021, section III-B)."""

from __future__ import annotations

import torch

from vadlib.detectors.pyramid import CHUNK_FRAMES, PyramidGaussianField
from vadlib.errors import ParameterError

__all__ = ["CHUNK_FRAMES", "GaussianField", "PyramidGaussianField"]


class GaussianField(PyramidGaussianField):
    """A Gaussian for each of ``n_positions`` positions over ``n_components`` features of its own.

    The dense case: nothing is shared, and `update` and `mahalanobis` take float32 (B, P, D).

    Parameters
    ----------
    n_positions, n_components : int
        P and D.
    device : torch.device or str
        Where the sums live.
    """

    def __init__(self, n_positions: int, n_components: int, device: torch.device | str = "cpu"):
        super().__init__([(1, n_positions)], [n_components], device)

    def _arrange(self, x: torch.Tensor) -> torch.Tensor:
        expected = (self.n_positions, self.n_components[0])
        if x.ndim != 3 or tuple(x.shape[1:]) != expected:
            raise ParameterError(f"x: expected shape (frames, {expected[0]}, {expected[1]}), found {tuple(x.shape)}")
        return x.float().transpose(0, 1).clone()  # (P, B, D)

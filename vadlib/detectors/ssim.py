"""Structural similarity of maps, in batches (Wang et al. 2004).

Window: Gaussian, sigma 1.5, 11 pixels wide; population covariance; K1 = 0.01, K2 = 0.03. Values are those of
scikit-image's `structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)` in float64: means
to 2e-6, local values to 1e-4 (scikit-image's own in float32 are no nearer).

Small maps, and all maps on a GPU, are blurred by a banded matrix along each axis, a whole batch at a time; larger ones
on a CPU by OpenCV, map by map, so that they stay in the cache. The benchmark has both beside scikit-image.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from vadlib.errors import ParameterError

WINDOW = 11  # pixels
SIGMA = 1.5  # pixels
K1, K2 = 0.01, 0.03
LARGE = 40  # pixels a side; beyond it a matrix product costs more than an 11-pixel filter

Maps = torch.Tensor | np.ndarray


def ssim(a: Maps, b: Maps, data_range: float = 1.0) -> torch.Tensor:
    """Mean structural similarity of pairs of maps.

    Parameters
    ----------
    a, b : float (B, H, W), or one of them (H, W)
        Maps, as tensors or arrays; a single one is compared with every map of the other (see `SsimReference`, too).
    data_range : float
        Difference between the largest and the smallest value that maps can have.

    Returns
    -------
    float32 (B,)
        At most 1, which is reached by equal maps. The mean leaves out the 5 pixels at each edge whose window is cut.

    Raises
    ------
    ParameterError
        If the shapes do not fit, a map is smaller than the window, or a value is not finite.
    """
    return _inner_mean(ssim_map(a, b, data_range))


def ssim_map(a: Maps, b: Maps, data_range: float = 1.0) -> torch.Tensor:
    """Local structural similarity (Wang et al. 2004, Eq. 13), edges reflected; parameters and errors as `ssim`."""
    a, b = torch.as_tensor(a), torch.as_tensor(b)
    if a.ndim == 2:
        a, b = b, a  # the measure is symmetric
    return SsimReference(b, data_range).similarity_map(a)


class SsimReference:
    """Maps (B, H, W), or one for all, to compare others with, their windows' moments computed once."""

    def __init__(self, maps: Maps, data_range: float = 1.0):
        if not 0 < data_range < float("inf"):
            raise ParameterError(f"data_range: expected a number above 0, found {data_range}")
        maps = torch.as_tensor(maps).to(torch.float32)
        if maps.ndim not in (2, 3):
            raise ParameterError(f"ssim: expected maps (B, H, W) of one size, found {tuple(maps.shape)}")
        if min(maps.shape[-2:]) < WINDOW:
            raise ParameterError(
                f"ssim: expected maps of at least {WINDOW} pixels a side, the window, found {tuple(maps.shape[-2:])}"
            )
        self.shape, self.device = tuple(maps.shape), maps.device
        c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
        self._one_by_one = maps.device.type == "cpu" and max(maps.shape[-2:]) > LARGE
        parts = maps.reshape(-1, *maps.shape[-2:]).numpy() if self._one_by_one else [maps]
        moments = [_moments(part) for part in parts]
        self._moments = [m._replace(squared=m.squared + c1, v=m.v + c2) for m in moments]

    def similarity(self, maps: Maps) -> torch.Tensor:
        """Mean similarity of maps (B, H, W), float32 (B,); see `ssim`."""
        return _inner_mean(self.similarity_map(maps))

    def similarity_map(self, maps: Maps) -> torch.Tensor:
        """Local similarity of maps (B, H, W), float32 (B, H, W); see `ssim_map`."""
        maps = torch.as_tensor(maps).to(self.device, torch.float32)
        if maps.ndim != 3 or maps.shape[1:] != self.shape[-2:]:
            raise ParameterError(
                f"ssim: expected maps (B, H, W) of one size, found {tuple(maps.shape)} and {self.shape}"
            )
        if len(self.shape) == 3 and len(maps) != self.shape[0]:
            raise ParameterError(f"ssim: expected as many maps on both sides, found {len(maps)} and {self.shape[0]}")
        if self._one_by_one:
            references = self._moments * len(maps) if len(self.shape) == 2 else self._moments
            similarity = np.empty(maps.shape, np.float32)
            for one, reference, out in zip(maps.numpy(), references, similarity, strict=True):
                out[:] = self._compare(_moments(one), reference)
            similarity = torch.from_numpy(similarity)
        else:
            similarity = self._compare(_moments(maps), self._moments[0])
        if not torch.isfinite(similarity.sum()):
            raise ParameterError("ssim: expected finite values, found NaN or infinity in the maps")
        return similarity

    @staticmethod
    def _compare(x: _Moments, y: _Moments) -> Maps:
        """Wang et al. 2004, Eq. 13, in terms of d = x - y, which does not cancel where the maps are alike."""
        # 2 ux uy = ux^2 + uy^2 - ud^2, and the same for the variances; so each of the two factors is one minus a
        # quotient, (1 - ud^2 / (ux^2 + uy^2 + C1)) (1 - vd / (vx + vy + C2)). The constants are in y's moments.
        d, ud = x.centred - y.centred, x.u - y.u
        d *= d
        vd = _blur(d)
        vd -= ud * ud
        ud += x.mean - y.mean
        ud *= ud
        ud /= x.squared + y.squared
        vd /= x.v + y.v
        ud -= 1
        vd -= 1
        ud *= vd
        return ud


class _Moments(NamedTuple):
    """Of one map (H, W) as an array, or of a batch as a tensor."""

    # The map's own mean is taken out before squaring, so that variances are not small differences of large numbers.

    mean: Maps  # (..., 1, 1), the whole map's
    centred: Maps  # map less mean
    u: Maps  # mean in the window, less the map's
    squared: Maps  # square of the mean in the window
    v: Maps  # variance in the window


def _moments(maps: Maps) -> _Moments:
    mean = maps.mean((-2, -1))[..., None, None]
    centred = maps - mean
    u = _blur(centred)
    v = _blur(centred * centred)
    v -= u * u
    return _Moments(mean, centred, u, (u + mean) ** 2, v)


def _blur(maps: Maps) -> Maps:
    if isinstance(maps, np.ndarray):
        return cv2.sepFilter2D(maps, cv2.CV_32F, _kernel(), _kernel(), borderType=cv2.BORDER_REFLECT)
    rows, columns = (_blur_matrix(n, maps.device) for n in maps.shape[-2:])
    return rows @ maps @ columns.T


@lru_cache(maxsize=32)
def _blur_matrix(n: int, device: torch.device) -> torch.Tensor:
    """Gaussian blur of n pixels as a banded matrix (n, n), edges reflected as `scipy.ndimage` does."""
    blurred = gaussian_filter1d(np.eye(n), SIGMA, axis=0, radius=WINDOW // 2, mode="reflect")
    return torch.from_numpy(blurred).float().to(device)


@lru_cache(maxsize=1)
def _kernel() -> np.ndarray:
    """The window's weights along one axis, float32 (WINDOW,)."""
    impulse = np.zeros(2 * WINDOW - 1)
    impulse[WINDOW - 1] = 1
    blurred = gaussian_filter1d(impulse, SIGMA, radius=WINDOW // 2)
    return blurred[WINDOW // 2 : WINDOW // 2 + WINDOW].astype(np.float32)


def _inner_mean(maps: torch.Tensor) -> torch.Tensor:
    margin = WINDOW // 2
    return maps[:, margin:-margin, margin:-margin].mean(dim=(1, 2))

"""A fixed pinhole camera over flat ground.

World: metres, x to the right, y away from the camera, z up, the camera above the origin. Image: pixels, u to the right,
v down. Depth is the distance along the optical axis, which is what perspective divides by.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Camera:
    """Pinhole camera at (0, 0, height), looking along +y, turned by `yaw` and tilted down by `pitch`.

    Parameters
    ----------
    height : float
        Metres above the ground.
    pitch, yaw : float
        Radians; pitch is positive downwards, yaw positive to the right.
    focal : float
        Focal length in image widths: 0.9 sees 58 degrees.
    size : (int, int)
        Height and width of the image in pixels.
    """

    height: float
    pitch: float
    yaw: float
    focal: float
    size: tuple[int, int]

    @cached_property
    def axes(self) -> np.ndarray:
        """float64 (3, 3): rows are the camera's right, down and forward in the world."""
        cp, sp, cy, sy = np.cos(self.pitch), np.sin(self.pitch), np.cos(self.yaw), np.sin(self.yaw)
        return np.array([[cy, -sy, 0.0], [-sy * sp, -cy * sp, -cp], [sy * cp, cy * cp, -sp]])

    @cached_property
    def focal_px(self) -> float:
        """Focal length in pixels."""
        return self.focal * self.size[1]

    @cached_property
    def _matrix(self) -> np.ndarray:
        height, width = self.size
        intrinsic = np.array([[self.focal_px, 0, width / 2], [0, self.focal_px, height / 2], [0, 0, 1.0]])
        return (intrinsic @ self.axes).T  # (3, 3), for row vectors

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Image positions float64 (..., 2) and depths (...) of world points (..., 3).

        Depths under 0.3 m (beside or behind the camera) are set to 0.3 m, which throws the point far out of the image.
        """
        x = (points - (0.0, 0.0, self.height)) @ self._matrix
        depth = np.maximum(x[..., 2], 0.3)
        return x[..., :2] / depth[..., None], depth

    def depth_of(self, x: float, y: float) -> float:
        """Depth of a point at (x, y) on the ground."""
        forward = self.axes[2]
        return float(x * forward[0] + y * forward[1] - self.height * forward[2])

    def rays(self, oversampling: int = 1) -> np.ndarray:
        """float32 (H * k, W * k, 3): direction through every pixel, scaled so that its length counts depth."""
        height, width = self.size
        v = (np.arange(height * oversampling) + 0.5) / oversampling - height / 2
        u = (np.arange(width * oversampling) + 0.5) / oversampling - width / 2
        right, down, forward = self.axes / np.array([[self.focal_px], [self.focal_px], [1.0]])
        return (u[None, :, None] * right + v[:, None, None] * down + forward).astype(np.float32)

    def ground(self, u: float, v: float) -> tuple[float, float]:
        """World (x, y) on the ground under image position (u, v); v must be under the horizon."""
        height, width = self.size
        ray = np.array([(u - width / 2) / self.focal_px, (v - height / 2) / self.focal_px, 1.0]) @ self.axes
        scale = self.height / max(-ray[2], 1e-3)
        return float(ray[0] * scale), float(ray[1] * scale)

    def sees(self, x, y, margin: float = 0.0):
        """Whether a person at (x, y), numbers or arrays, shows their body in the image less `margin` of its sides."""
        x, y = np.asarray(x, float), np.asarray(y, float)
        uv, depth = self.project(np.stack([x, y, np.full(x.shape, 0.9)], axis=-1))
        height, width = self.size
        u, v = uv[..., 0], uv[..., 1]
        across = (margin * width <= u) & (u <= (1 - margin) * width)
        return (depth > 0.5) & across & (v >= 0) & (v <= height * (1 - margin))

"""Moving things as simple solids: what people and vehicles are made of, and how they become polygons.

A `Figure` holds capsules (two spheres and what lies between them), hulls (the convex hull of several spheres) and plates
(flat polygons), in world metres. `outlines` projects them; drawing them from far to near gives the picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import cos, sin

import cv2
import numpy as np

from vadlib.synth.camera import Camera

SHIFT = 4  # fractional bits of polygon corners: 1/16 pixel
_ARC = np.linspace(np.pi / 2, 3 * np.pi / 2, 5)
_ANGLES = np.concatenate([_ARC, _ARC + np.pi])  # five corners around each end of a capsule
_END = np.repeat([0, 1], 5)
_CIRCLE = np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], axis=1)


@dataclass
class Figure:
    """Solids of one actor, in world metres; colours are BGR in 0..255.

    `depth_bias` moves a part towards the camera (negative) in the order of drawing without moving it in the picture.
    """

    capsules: list[tuple] = field(default_factory=list)  # (end, end, radius, radius, colour, depth_bias)
    hulls: list[tuple] = field(default_factory=list)  # (centres (n, 3), radii (n,), colour, depth_bias)
    plates: list[tuple] = field(default_factory=list)  # (corners (n, 3), colour, depth_bias, shading 0..1)

    def capsule(self, a, b, ra, rb, colour, bias=0.0) -> None:
        """Add a rounded limb from `a` (radius `ra`) to `b` (radius `rb`)."""
        self.capsules.append((a, b, ra, rb, colour, bias))

    def hull(self, centres, radii, colour, bias=0.0) -> None:
        """Add the convex hull of spheres."""
        self.hulls.append((centres, radii, colour, bias))

    def plate(self, corners, colour, bias=0.0, shade=1.0) -> None:
        """Add a flat polygon; `shade` scales its colour for the way it faces."""
        self.plates.append((corners, colour, bias, shade))

    def turned(self, angle: float) -> Figure:
        """The same figure, turned about the z axis through its origin."""
        c, s = cos(angle), sin(angle)
        turn = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
        return Figure(
            [(p[0] @ turn, p[1] @ turn, *p[2:]) for p in self.capsules],
            [(np.asarray(p[0]) @ turn, *p[1:]) for p in self.hulls],
            [(np.asarray(p[0]) @ turn, *p[1:]) for p in self.plates],
        )

    def place(self, x: float = 0.0, y: float = 0.0, heading: float = 0.0) -> Solids:
        """The figure turned so that its local +x points along `heading` (radians from world +x) and moved to (x, y)."""
        points = [end for part in self.capsules for end in part[:2]]
        radii = [radius for part in self.capsules for radius in part[2:4]]
        for centres, hull_radii, *_ in self.hulls:
            points.extend(centres)
            radii.extend(hull_radii)
        for corners, *_ in self.plates:
            points.extend(corners)
            radii.extend([0.0] * len(corners))
        c, s = cos(heading), sin(heading)
        turn = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
        solids = [(2, part[4], part[5], None) for part in self.capsules]
        solids += [(len(part[0]), part[2], part[3], None) for part in self.hulls]
        solids += [(len(part[0]), part[1], part[2], part[3]) for part in self.plates]
        placed = np.array(points, float) @ turn + (x, y, 0.0)
        return Solids(placed, np.array(radii, float), len(self.capsules), len(self.hulls), solids)


@dataclass
class Solids:
    """A figure in the world: spheres (n, 3) with radii (n,), first of capsules (two each), then hulls, then plates.

    `parts` has (number of spheres, colour, depth bias, shade of a plate or None) for each solid.
    """

    points: np.ndarray
    radii: np.ndarray
    n_capsules: int
    n_hulls: int
    parts: list[tuple]


def _outlines(uv: np.ndarray, r: np.ndarray, solids: Solids, lit: np.ndarray | None = None):
    """Fixed-point polygons of solids whose spheres project to circles uv (n, 2), r (n,).

    With a direction `lit` in the image, also the polygons of their lit sides: capsules thinner and moved that way, hulls smaller.
    """
    n, m = solids.n_capsules, 2 * solids.n_capsules
    stops = np.cumsum([m, *(part[0] for part in solids.parts[n:])]).tolist()
    last = stops[solids.n_hulls]
    ends, radii = uv[:m].reshape(n, 2, 2), r[:m].reshape(n, 2)
    delta = ends[:, 1] - ends[:, 0]
    turn = np.arctan2(delta[:, 1], delta[:, 0])[:, None] + _ANGLES  # (n, 10)
    round_ = np.stack([np.cos(turn), np.sin(turn)], axis=-1) * radii[:, _END, None]
    centre = ends[:, _END]
    circles = uv[m:last, None] + r[m:last, None, None] * _CIRCLE  # (k, 8, 2)
    parts = [(centre + round_).reshape(-1, 2), circles.reshape(-1, 2), uv[last:]]
    if lit is not None:
        middle = ends.mean(axis=1, keepdims=True)
        moved = middle + (centre - middle) * 0.94 + radii[:, _END, None] * (0.36 * lit)
        parts.append((moved + round_ * 0.62).reshape(-1, 2))
    fixed = np.rint(np.concatenate(parts) * (1 << SHIFT)).astype(np.int32)
    polygons = list(fixed[: 10 * n].reshape(n, 10, 2))
    bright = list(fixed[-10 * n :].reshape(n, 10, 2)) if lit is not None and n else []
    start = 10 * n
    for first, stop in zip(stops[: solids.n_hulls], stops[1 : solids.n_hulls + 1], strict=True):
        hull = cv2.convexHull(fixed[start : start + 8 * (stop - first)].reshape(-1, 1, 2))[:, 0]
        start += 8 * (stop - first)
        polygons.append(hull)
        if lit is not None:
            middle = hull.mean(axis=0)
            step = lit * (0.3 * (1 << SHIFT) * r[first])
            bright.append((middle + (hull - middle) * 0.78 + step).astype(np.int32))
    for first, stop in zip(stops[solids.n_hulls : -1], stops[solids.n_hulls + 1 :], strict=True):
        polygons.append(fixed[start : start + stop - first])
        start += stop - first
    return polygons, bright


def _box(uv: np.ndarray, r: np.ndarray) -> tuple[float, float, float, float]:
    """Least u, least v, greatest u, greatest v of circles."""
    return (*(uv - r[:, None]).min(axis=0).tolist(), *(uv + r[:, None]).max(axis=0).tolist())


def outlines(solids: Solids, camera: Camera, light: tuple[float, float]) -> tuple[list[tuple], tuple]:
    """Polygons of a figure, from far to near.

    Parameters
    ----------
    solids : Solids
    camera : Camera
    light : (float, float)
        Direction in the image from which the light comes; capsules and hulls get a second, brighter polygon on that side,
        unless they are too small for it to show.

    Returns
    -------
    polygons : list of (corners int32 (n, 2) with `SHIFT` fractional bits, colour, brightness)
        Brightness multiplies the colour: below one for the side in shade, one for the lit side.
    box : (float, float, float, float)
        Least u and v, greatest u and v of the figure.
    """
    uv, depth = camera.project(solids.points)
    r = solids.radii * (camera.focal_px / depth)
    counts = np.array([part[0] for part in solids.parts])
    starts = np.cumsum(counts) - counts
    key = np.add.reduceat(depth, starts) / counts + np.array([part[2] for part in solids.parts])
    small = r.max() < 1.6
    shade, lit = _outlines(uv, r, solids, None if small else np.asarray(light))
    drawn = []
    for i in np.argsort(-key, kind="stable").tolist():
        _, colour, _, own = solids.parts[i]
        if own is not None:
            drawn.append((shade[i], colour, own))
        elif small:
            drawn.append((shade[i], colour, 0.9))
        else:
            drawn.append((shade[i], colour, 0.78))
            drawn.append((lit[i], colour, 1.0))
    return drawn, _box(uv, r)


def shadow_outlines(solids: Solids, camera: Camera, sun: np.ndarray) -> tuple[list[np.ndarray], tuple]:
    """Polygons and box (as `outlines` gives them) of the figure's shadow on flat ground, lit from `sun` (3,)."""
    down = solids.points - sun * (solids.points[:, 2:] / sun[2])
    uv, depth = camera.project(down)
    r = solids.radii * (0.75 * camera.focal_px / depth)
    return _outlines(uv, r, solids)[0], _box(uv, r)

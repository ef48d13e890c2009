"""Moving things as simple solids: what people and vehicles are made of, and how they become polygons.

A `Figure` holds capsules (two spheres and what lies between them), hulls (the convex hull of several spheres) and
plates (flat polygons), in metres. `outlines` projects them; drawing them from far to near gives the picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import cos, sin

import cv2
import numpy as np

from synthcampus.camera import Camera

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
    """Figures in the world: spheres (n, 3) with radii (n,), of capsules (two each), then hulls, then plates.

    `parts` has (number of spheres, colour, depth bias, shade of a plate or None) for each solid, in the same order.
    """

    points: np.ndarray
    radii: np.ndarray
    n_capsules: int
    n_hulls: int
    parts: list[tuple]

    @property
    def sections(self) -> tuple[int, int]:
        """Where the spheres of hulls and of plates begin."""
        m = 2 * self.n_capsules
        return m, m + sum(part[0] for part in self.parts[self.n_capsules : self.n_capsules + self.n_hulls])


def _merge(figures: list[Solids]) -> tuple[Solids, list[list[int]], np.ndarray]:
    """All figures as one, the positions of each one's parts in it, and the figure (n,) of each sphere.

    One array for a whole frame: NumPy's cost a call would otherwise be paid for each actor.
    """
    cuts = [figure.sections for figure in figures]
    slices = [
        [(0, m) for m, _ in cuts],
        list(cuts),
        [(k, len(f.points)) for f, (_, k) in zip(figures, cuts, strict=True)],
    ]
    pieces = [(i, start, stop) for section in slices for i, (start, stop) in enumerate(section)]
    parts, owned = [], [[] for _ in figures]
    for section in range(3):
        for i, figure in enumerate(figures):
            n, k = figure.n_capsules, figure.n_capsules + figure.n_hulls
            own = (figure.parts[:n], figure.parts[n:k], figure.parts[k:])[section]
            owned[i].extend(range(len(parts), len(parts) + len(own)))
            parts.extend(own)
    merged = Solids(
        np.concatenate([figures[i].points[start:stop] for i, start, stop in pieces]),
        np.concatenate([figures[i].radii[start:stop] for i, start, stop in pieces]),
        sum(figure.n_capsules for figure in figures),
        sum(figure.n_hulls for figure in figures),
        parts,
    )
    owner = np.repeat([i for i, *_ in pieces], [stop - start for _, start, stop in pieces])
    return merged, owned, owner


def _outlines(uv: np.ndarray, r: np.ndarray, solids: Solids, lit: np.ndarray | None = None):
    """Fixed-point polygons of solids whose spheres project to circles uv (n, 2), r (n,).

    With a direction `lit` in the image, also the polygons of their lit sides: capsules thinner and moved that way,
    hulls smaller.
    """
    n, m = solids.n_capsules, 2 * solids.n_capsules
    stops = np.cumsum([m, *(part[0] for part in solids.parts[n:])]).tolist()
    last = stops[solids.n_hulls]
    first_of_hull = stops[: solids.n_hulls]
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
    for first, stop in zip(first_of_hull, stops[1 : solids.n_hulls + 1], strict=True):
        hull = cv2.convexHull(fixed[start : start + 8 * (stop - first)].reshape(-1, 1, 2))[:, 0]
        start += 8 * (stop - first)
        polygons.append(hull)
        if lit is not None:
            middle = hull.sum(axis=0) / len(hull)
            step = lit * (0.3 * (1 << SHIFT) * r[first])
            bright.append((middle + (hull - middle) * 0.78 + step).astype(np.int32))
    for first, stop in zip(stops[solids.n_hulls : -1], stops[solids.n_hulls + 1 :], strict=True):
        polygons.append(fixed[start : start + stop - first])
        start += stop - first
    return polygons, bright


def _boxes(uv: np.ndarray, r: np.ndarray, owner: np.ndarray) -> list[list[float]]:
    """For each figure: least u, least v, greatest u, greatest v of its circles."""
    order = np.argsort(owner, kind="stable")
    starts = np.flatnonzero(np.diff(owner[order], prepend=-1))
    low = np.minimum.reduceat((uv - r[:, None])[order], starts)
    return np.concatenate([low, np.maximum.reduceat((uv + r[:, None])[order], starts)], axis=1).tolist()


def outlines(
    figures: list[Solids], camera: Camera, light: tuple[float, float]
) -> list[tuple[list[tuple], list[float]]]:
    """Polygons of each figure, from far to near, and its box: least u and v, greatest u and v.

    Polygons are (corners int32 (n, 2) with `SHIFT` fractional bits, colour, brightness); brightness multiplies the
    colour. `light` is where in the image the light comes from: capsules and hulls get a second, brighter polygon on
    that side, unless the figure is too small for it to show.
    """
    if not figures:
        return []
    merged, owned, owner = _merge(figures)
    uv, depth = camera.project(merged.points)
    r = merged.radii * (camera.focal_px / depth)
    counts = np.array([part[0] for part in merged.parts])
    starts = np.cumsum(counts) - counts
    key = np.add.reduceat(depth, starts) / counts + np.array([part[2] for part in merged.parts])
    rank = np.argsort(np.argsort(-key, kind="stable"), kind="stable").tolist()
    shade, lit = _outlines(uv, r, merged, np.asarray(light))
    found = []
    for parts, box in zip(owned, _boxes(uv, r, owner), strict=True):
        small, drawn = box[3] - box[1] < 34, []
        for i in sorted(parts, key=rank.__getitem__):
            _, colour, _, own = merged.parts[i]
            if own is not None or small:
                drawn.append((shade[i], colour, 0.9 if own is None else own))
            else:
                drawn.append((shade[i], colour, 0.78))
                drawn.append((lit[i], colour, 1.0))
        found.append((drawn, box))
    return found


def shadow_outlines(
    figures: list[Solids], camera: Camera, sun: np.ndarray
) -> list[tuple[list[np.ndarray], list[float]]]:
    """Polygons and box (as `outlines` gives them) of each figure's shadow on flat ground, lit from `sun` (3,)."""
    if not figures:
        return []
    merged, owned, owner = _merge(figures)
    down = merged.points - sun * (merged.points[:, 2:] / sun[2])
    uv, depth = camera.project(down)
    r = merged.radii * (0.75 * camera.focal_px / depth)
    polygons, _ = _outlines(uv, r, merged)
    boxes = _boxes(uv, r, owner)
    return [([polygons[i] for i in parts], box) for parts, box in zip(owned, boxes, strict=True)]

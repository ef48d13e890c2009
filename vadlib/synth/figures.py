"""Moving things as simple solids: what people and vehicles are made of, and how they become polygons.

A `Figure` holds capsules (two spheres and what lies between them), hulls (the convex hull of several spheres) and plates
(flat polygons), in world metres. `outlines` projects them; drawing them from far to near gives the picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from vadlib.synth.camera import Camera

SHIFT = 4  # fractional bits of polygon corners: 1/16 pixel
_ARC = np.linspace(np.pi / 2, 3 * np.pi / 2, 5)
_ANGLES = np.concatenate([_ARC, _ARC + np.pi])  # five corners around each end of a capsule
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
        self.hulls.append((np.asarray(centres, float), np.asarray(radii, float), colour, bias))

    def plate(self, corners, colour, bias=0.0, shade=1.0) -> None:
        """Add a flat polygon; `shade` scales its colour for the way it faces."""
        self.plates.append((np.asarray(corners, float), colour, bias, shade))

    def place(self, x: float, y: float, heading: float) -> Figure:
        """Same figure, turned so that its local +x points along `heading` (radians from world +x) and moved to (x, y)."""
        c, s = np.cos(heading), np.sin(heading)
        turn, shift = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1.0]]), np.array([x, y, 0.0])
        out = Figure()
        if self.capsules:
            ends = np.array([(part[0], part[1]) for part in self.capsules], float) @ turn + shift  # (n, 2, 3)
            out.capsules = [
                (e[0], e[1], *part[2:]) for e, part in zip(ends, self.capsules, strict=True)
            ]
        out.hulls = [(h[0] @ turn + shift, *h[1:]) for h in self.hulls]
        out.plates = [(p[0] @ turn + shift, *p[1:]) for p in self.plates]
        return out


def _capsule_outlines(a, b, ra, rb) -> np.ndarray:
    """Corners float64 (n, 10, 2) of capsules with ends a, b (n, 2) and radii ra, rb (n,), all in pixels."""
    delta = b - a
    turn = np.arctan2(delta[:, 1], delta[:, 0])[:, None] + _ANGLES  # (n, 10)
    unit = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    centre = np.concatenate([np.repeat(a[:, None], 5, 1), np.repeat(b[:, None], 5, 1)], axis=1)
    radius = np.concatenate([np.repeat(ra[:, None], 5, 1), np.repeat(rb[:, None], 5, 1)], axis=1)
    return centre + radius[..., None] * unit


def _hull_outline(centres, radii) -> np.ndarray:
    """Corners (m, 2) of the convex hull of circles in the image."""
    points = (centres[:, None] + radii[:, None, None] * _CIRCLE).reshape(-1, 2)
    return cv2.convexHull(points.astype(np.float32))[:, 0]


def outlines(figure: Figure, camera: Camera, light: tuple[float, float] | None) -> list[tuple]:
    """Polygons of a figure, from far to near.

    Parameters
    ----------
    figure : Figure
    camera : Camera
    light : (float, float) or None
        Direction in the image from which the light comes; each solid gets a second, brighter polygon on that side. None:
        no second polygon.

    Returns
    -------
    list of (corners float (n, 2), colour, brightness)
        Brightness multiplies the colour: below one for the side in shade, one for the lit side.
    """
    items = []
    if figure.capsules:
        ends = np.array([(part[0], part[1]) for part in figure.capsules])  # (n, 2, 3)
        radii = np.array([part[2:4] for part in figure.capsules])  # (n, 2)
        uv, depth = camera.project(ends)
        r = radii * camera.focal_px / depth
        key = depth.mean(axis=1) + np.array([part[5] for part in figure.capsules])
        body = _capsule_outlines(uv[:, 0], uv[:, 1], r[:, 0], r[:, 1])
        if light is not None:
            towards = np.asarray(light) * 0.36
            lit = _capsule_outlines(
                uv[:, 0] + r[:, :1] * towards, uv[:, 1] + r[:, 1:] * towards, r[:, 0] * 0.62, r[:, 1] * 0.62
            )
        for i, part in enumerate(figure.capsules):
            items.append((key[i], 2 * i, body[i], part[4], 0.78))
            if light is not None and r[i].max() > 1.2:
                items.append((key[i], 2 * i + 1, lit[i], part[4], 1.0))
    order = 2 * len(figure.capsules)
    for centres, radii, colour, bias in figure.hulls:
        uv, depth = camera.project(centres)
        r = radii * camera.focal_px / depth
        key = depth.mean() + bias
        items.append((key, order, _hull_outline(uv, r), colour, 0.78))
        if light is not None:
            middle = uv.mean(axis=0)
            spread = middle + (uv - middle) * 0.82 + r.mean() * 0.36 * np.asarray(light)
            items.append((key, order + 1, _hull_outline(spread, r * 0.66), colour, 1.0))
        order += 2
    for corners, colour, bias, shade in figure.plates:
        uv, depth = camera.project(corners)
        items.append((depth.mean() + bias, order, uv, colour, shade))
        order += 1
    items.sort(key=lambda item: (-item[0], item[1]))
    return [item[2:] for item in items]


def shadow_outlines(figure: Figure, camera: Camera, sun: np.ndarray) -> list[np.ndarray]:
    """Image polygons of the figure's shadow on flat ground, for light coming from direction `sun` (3,), sun[2] > 0."""

    def flat(points):
        down = points - sun * (points[..., 2:] / sun[2])
        return camera.project(down)

    polygons = []
    if figure.capsules:
        uv, depth = flat(np.array([(part[0], part[1]) for part in figure.capsules]))
        r = np.array([part[2:4] for part in figure.capsules]) * camera.focal_px / depth * 0.75
        polygons.extend(_capsule_outlines(uv[:, 0], uv[:, 1], r[:, 0], r[:, 1]))
    for centres, radii, *_ in figure.hulls:
        uv, depth = flat(centres)
        polygons.append(_hull_outline(uv, radii * camera.focal_px / depth * 0.75))
    for corners, *_ in figure.plates:
        polygons.append(flat(corners)[0])
    return polygons


def to_fixed(corners: np.ndarray, counts: list[int]) -> list[np.ndarray]:
    """Polygons as OpenCV wants them: int32 with `SHIFT` fractional bits, split into `counts` corners each."""
    fixed = np.rint(np.clip(corners, -2000, 4000) * (1 << SHIFT)).astype(np.int32)
    stops = np.cumsum(counts).tolist()
    return [fixed[start:stop] for start, stop in zip([0, *stops], stops, strict=False)]

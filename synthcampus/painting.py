"""Painting solids and trees over a cast picture, with a depth test."""

from __future__ import annotations

import cv2
import numpy as np

from synthcampus.figures import SHIFT, Figure, Solids, outlines
from synthcampus.layout import Layout, Tree

FAR = 65535  # depth, in centimetres, of ground and sky: they never hide anybody


def tree_parts(tree: Tree, n_clumps: int):
    """Trunk and branches as a figure, and leaf clumps float (n, 6): centre, radius, brightness, phase."""
    rng = np.random.default_rng(tree.seed)
    wood = Figure()
    bark = (52, 66, 82)
    top = np.array([tree.x + rng.normal(0, 0.1), tree.y, tree.trunk])
    wood.capsule((tree.x, tree.y, 0.0), top, 0.16, 0.1, bark)
    lobes = [top + (0, 0, tree.crown * 0.75)]
    for k in range(6):
        turn = 2 * np.pi * k / 6 + rng.uniform(0, 0.8)
        lobe = top + np.array([np.cos(turn), np.sin(turn), 0.0]) * tree.crown * rng.uniform(0.4, 0.6)
        lobe = lobe + (0, 0, tree.crown * rng.uniform(0.2, 0.9))
        lobes.append(lobe)
        wood.capsule(top - (0, 0, 0.3), lobe, 0.07, 0.03, bark)
    lobes = np.array(lobes)
    pick = rng.integers(len(lobes), size=n_clumps)
    direction = rng.standard_normal((n_clumps, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    radius = tree.crown * 0.62 * rng.uniform(0.35, 1, n_clumps) ** 0.6
    centre = lobes[pick] + direction * radius[:, None] * (1, 1, 0.85)
    size = rng.uniform(0.6, 1.15, n_clumps) * tree.crown * (1.85 / n_clumps**0.5)
    return wood.place(), np.column_stack([centre, size, rng.uniform(-1, 1, n_clumps), rng.uniform(0, 6.28, n_clumps)])


class Painter:
    """Paints solids over the cast picture, minding depth."""

    def __init__(self, layout: Layout, sunny, cloudy, depth):
        self.layout, self.sunny, self.cloudy, self.depth = layout, sunny, cloudy, depth

    def paint(self, polygons, sunny_colours, cloudy_colours, depth_m: float) -> None:
        """Paint fixed-point polygons that all lie at one depth, smoothly: at twice the size, then averaged."""
        corners = np.concatenate(polygons) / (1 << SHIFT)
        rows, columns = self.depth.shape
        low = np.clip(np.floor(corners.min(axis=0)).astype(int) - 2, 0, (columns, rows))
        high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 2, 0, (columns, rows))
        if (low >= high).any():
            return
        region = slice(low[1], high[1]), slice(low[0], high[0])
        free = self.depth[region] >= depth_m * 100
        offset = (low << SHIFT).astype(np.int32)
        size = (int(high[0] - low[0]), int(high[1] - low[1]))
        for target, colours in ((self.sunny, sunny_colours), (self.cloudy, cloudy_colours)):
            large = cv2.resize(target[region], (size[0] * 2, size[1] * 2), interpolation=cv2.INTER_NEAREST)
            for shape, colour in zip(polygons, colours, strict=True):
                cv2.fillConvexPoly(large, (shape - offset) * 2, colour, cv2.LINE_8, SHIFT)
            small = cv2.resize(large, size, interpolation=cv2.INTER_AREA)
            np.copyto(target[region], small, where=free[..., None])
        mask = np.zeros(free.shape, np.uint8)
        for shape in polygons:
            cv2.fillConvexPoly(mask, shape - offset, 255, cv2.LINE_8, SHIFT)
        self.depth[region][(mask > 0) & free] = np.uint16(min(depth_m * 100, FAR - 1))

    def figure(self, x: float, y: float, figure: Solids, sunlit: float) -> None:
        """Paint a figure that stands at (x, y), `sunlit` 0..1."""
        [(drawn, _)] = outlines([figure], self.layout.camera, (float(self.layout.sun[0]), -0.7))
        warm = np.asarray(self.layout.warmth)
        sunny = [tuple((np.asarray(c) * b * (0.62 + 0.42 * sunlit * warm)).tolist()) for _, c, b in drawn]
        cloudy = [tuple((np.asarray(c) * (0.75 + 0.15 * b) * 0.78).tolist()) for _, c, b in drawn]
        self.paint([p for p, *_ in drawn], sunny, cloudy, self.layout.camera.depth_of(x, y))

    def tree(self, tree: Tree, moment: float) -> None:
        """Paint a tree at `moment` (radians) of its sway."""
        layout, camera = self.layout, self.layout.camera
        wood, clumps = tree_parts(tree, int(np.clip(17 * camera.focal_px / camera.depth_of(tree.x, tree.y), 80, 950)))
        self.figure(tree.x, tree.y, wood, 0.4)
        centre = clumps[:, :3].copy()
        amount = 0.045 * np.clip(centre[:, 2] / 5, 0, 1.5)
        centre[:, 0] += amount * np.sin(moment + clumps[:, 5] * 0.5 + tree.x)
        centre[:, 2] += 0.4 * amount * np.cos(moment + clumps[:, 5])
        middle = np.array([tree.x, tree.y, tree.trunk + tree.crown * 0.6])
        outwards = (centre - middle) / tree.crown
        lit = np.clip(outwards @ layout.sun, -1, 1) * 0.5 + 0.5
        inner = np.clip(np.linalg.norm(outwards, axis=1), 0.3, 1)
        uv, depth = camera.project(centre)
        order = np.argsort(-depth)
        shape = np.random.default_rng(tree.seed + 1).uniform(0.55, 1.25, (len(clumps), 7))
        turn = np.arange(7) * 2 * np.pi / 7 + clumps[:, 5:6]
        leaf = np.stack([np.cos(turn), np.sin(turn) * 0.8], axis=-1) * shape[..., None]
        polygons = uv[:, None] + leaf * (clumps[:, 3] * camera.focal_px / depth)[:, None, None]
        base = np.asarray(tree.colour, float)
        bright = (0.5 + 0.75 * lit) * (0.62 + 0.4 * inner) * (1 + 0.16 * clumps[:, 4])
        sunny = np.clip(
            base * (bright[:, None] * np.asarray(layout.warmth) + (0.0, 0.02, 0.06) * clumps[:, 4:5]), 8, 250
        )
        cloudy = np.clip(base * (0.5 + 0.22 * inner + 0.16 * outwards[:, 2] + 0.08 * clumps[:, 4])[:, None], 8, 250)
        fixed = np.rint(polygons[order] * (1 << SHIFT)).astype(np.int32)
        self.paint(list(fixed), sunny[order].tolist(), cloudy[order].tolist(), camera.depth_of(tree.x, tree.y))

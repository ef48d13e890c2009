"""Tools that templates build places with: routes, layered ground, and things that keep the routes clear."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from synthcampus.camera import Camera
from synthcampus.figures import Figure, Solids
from synthcampus.layout import Box, Tree
from synthcampus.materials import MATERIALS, Facade
from synthcampus.vehicles import PAINTS, bicycle


@dataclass(frozen=True)
class Route:
    """Where people go: a line on the ground, its width, and what may use it.

    `one_way` routes are walked from first point to last only; `drive` ones have room for a vehicle; `weight` is their
    share of the traffic.
    """

    points: np.ndarray  # float64 (n, 2), metres
    width: float
    one_way: bool = False
    drive: bool = False
    weight: float = 1.0

    @property
    def length(self) -> float:
        """Metres from end to end."""
        return float(np.linalg.norm(np.diff(self.points, axis=0), axis=1).sum())

    def at(self, distance: np.ndarray, offset: float | np.ndarray = 0.0) -> np.ndarray:
        """Positions (x, y, heading), float64 (n, 3), at `distance` metres along, `offset` metres to the left."""
        steps = np.linalg.norm(np.diff(self.points, axis=0), axis=1)
        along = np.concatenate([[0.0], np.cumsum(steps)])
        distance = np.asarray(distance, float)
        clipped = np.clip(distance, 0, along[-1])
        x, y = (np.interp(clipped, along, self.points[:, k]) for k in (0, 1))
        part = np.clip(np.searchsorted(along, clipped, side="right") - 1, 0, len(steps) - 1)
        turns = np.unwrap(np.arctan2(*np.diff(self.points, axis=0).T[::-1]))
        middles = (along[1:] + along[:-1]) / 2
        heading = np.interp(clipped, middles, turns) if len(steps) > 1 else turns[part]
        over = distance - clipped  # straight on beyond either end
        nx, ny = -np.sin(heading), np.cos(heading)
        return np.stack([x + over * ny + offset * nx, y - over * nx + offset * ny, heading], axis=-1)

    def reversed(self) -> Route:
        """The same route from last point to first."""
        return Route(self.points[::-1].copy(), self.width, self.one_way, self.drive, self.weight)


def _segment_distance(x, y, points) -> np.ndarray:
    """Distance from positions to a polyline, float32."""
    x, y = np.asarray(x, np.float32), np.asarray(y, np.float32)
    best = np.full(x.shape, np.inf, np.float32)
    for (ax, ay), (bx, by) in pairwise(points):
        dx, dy = np.float32(bx - ax), np.float32(by - ay)
        u, v = x - np.float32(ax), y - np.float32(ay)
        t = np.clip((u * dx + v * dy) * (1 / max(dx * dx + dy * dy, np.float32(1e-9))), 0, 1)
        u -= t * dx
        v -= t * dy
        np.minimum(best, u * u + v * v, out=best)
    return np.sqrt(best)


class Ground:
    """Layers of material over a base; each covers where its signed distance (metres, > 0 inside) says."""

    def __init__(self, base: str, turn: float = 0.0, **options):
        self.layers = [(None, base, turn, options, 1.0)]

    def add(self, inside, material: str, turn: float = 0.0, strength: float = 1.0, **options) -> Ground:
        """Put a layer on top; `turn` turns its pattern."""
        self.layers.append((inside, material, turn, options, strength))
        return self

    def strip(self, points, half_width, material, turn=0.0, strength=1.0, **options) -> Ground:
        """A path along a polyline."""
        return self.add(lambda x, y: half_width - _segment_distance(x, y, points), material, turn, strength, **options)

    def rectangle(self, x0, x1, y0, y1, material, turn=0.0, strength=1.0, **options) -> Ground:
        """An axis-aligned rectangle."""

        def inside(x, y):
            return np.minimum(np.minimum(x - x0, x1 - x), np.minimum(y - y0, y1 - y))

        return self.add(inside, material, turn, strength, **options)

    def disc(self, cx, cy, radius, material, **options) -> Ground:
        """A disc."""
        return self.add(lambda x, y: radius - np.hypot(x - cx, y - cy), material, **options)

    def __call__(self, x, y, blur, noise) -> np.ndarray:
        """Albedo at ground positions."""
        out = None  # the first layer is the base
        for inside, material, turn, options, strength in self.layers:
            c, s = np.float32(np.cos(turn)), np.float32(np.sin(turn))
            if inside is None:
                out = MATERIALS[material](c * x + s * y, c * y - s * x, blur, noise, **options)
                continue
            cover = np.clip(inside(x, y) / np.maximum(blur, 0.01) + 0.5, 0, 1).astype(np.float32) * strength
            on = np.flatnonzero(cover > 0)
            if len(on):
                xs, ys = x[on], y[on]
                made = MATERIALS[material](c * xs + s * ys, c * ys - s * xs, blur[on], noise, **options)
                out[on] += (made - out[on]) * cover[on, None]
        return out


class Builder:
    """Collects what a template puts into its scene, keeping routes clear."""

    def __init__(self, rng: np.random.Generator, camera: Camera):
        self.rng, self.camera = rng, camera
        self.boxes: list[Box] = []
        self.trees: list[Tree] = []
        self.things: list[tuple[float, float, Solids]] = []
        self.routes: list[Route] = []
        self.ground = Ground("asphalt")

    def route(self, points, width, *, one_way=False, drive=False, weight=1.0) -> Route:
        """Add a route."""
        made = Route(np.array(points, float), width, one_way, drive, weight)
        self.routes.append(made)
        return made

    def clear(self, x: float, y: float, radius: float) -> bool:
        """Whether a thing of `radius` at (x, y) leaves all routes and earlier things free."""
        gaps = [float(_segment_distance(x, y, r.points)) - r.width / 2 for r in self.routes]
        gaps += [np.hypot(x - tx, y - ty) - 0.5 for tx, ty, _ in self.things]
        gaps += [np.hypot(x - t.x, y - t.y) - 1.6 for t in self.trees]
        gaps += [float(box.distance(x, y)) for box in self.boxes if box.bottom < 2]
        return min(gaps, default=9.0) > radius

    def box(self, x, y, width, length, bottom, top, material, colour=(150, 150, 150), turn=0.0, roof=None) -> Box:
        """Add a box."""
        made = Box(x, y, width, length, bottom, top, turn, material, colour, roof)
        self.boxes.append(made)
        return made

    def tree(self, x, y, *, scale=1.0) -> None:
        """Add a tree where there is room."""
        if not self.clear(x, y, 0.5):
            return
        rng = self.rng
        greens = np.array([(52, 118, 92), (48, 104, 70), (56, 128, 112), (50, 112, 120), (64, 110, 84)], float)
        colour = tuple((greens[rng.integers(len(greens))] * rng.uniform(0.85, 1.1)).tolist())
        trunk, crown = rng.uniform(2.2, 3.0) * scale, rng.uniform(1.5, 2.2) * scale
        self.trees.append(Tree(x, y, trunk, crown, colour, int(rng.integers(2**31))))

    def lamp(self, x, y, turn=0.0) -> None:
        """Add a lamp post."""
        if not self.clear(x, y, 0.25):
            return
        f, grey = Figure(), (92, 94, 96)
        f.capsule((x, y, 0), (x, y, 0.8), 0.1, 0.08, grey)
        f.capsule((x, y, 0.8), (x, y, 4.6), 0.06, 0.045, grey)
        end = (x + 0.9 * np.cos(turn), y + 0.9 * np.sin(turn), 4.75)
        f.capsule((x, y, 4.6), end, 0.035, 0.03, grey)
        f.hull(
            [end, (end[0] + 0.4 * np.cos(turn), end[1] + 0.4 * np.sin(turn), 4.74)], [0.07, 0.09], (214, 216, 214), -0.1
        )
        self.things.append((x, y, f.place()))

    def bench(self, x, y, turn) -> None:
        """Add a bench."""
        if not self.clear(x, y, 0.95):
            return
        c, s = np.cos(turn), np.sin(turn)
        for u in (-0.65, 0.65):
            self.box(x + c * u, y + s * u, 0.1, 0.42, 0.0, 0.42, "concrete", (140, 142, 142), turn)
        self.box(x, y, 1.7, 0.46, 0.42, 0.48, "wood", (66, 98, 136), turn)
        self.box(x - s * 0.24, y + c * 0.24, 1.7, 0.05, 0.55, 0.9, "wood", (62, 92, 128), turn)

    def bin(self, x, y) -> None:
        """Add a litter bin."""
        if self.clear(x, y, 0.3):
            f = Figure()
            f.hull([(x, y, 0.12), (x, y, 0.75)], [0.22, 0.25], (62, 66, 52))
            f.hull([(x, y, 0.86), (x, y, 0.88)], [0.24, 0.24], (44, 46, 44), -0.3)
            self.things.append((x, y, f.place()))

    def bollard(self, x, y) -> None:
        """Add a bollard."""
        if self.clear(x, y, 0.15):
            f = Figure()
            f.capsule((x, y, 0), (x, y, 0.85), 0.08, 0.07, (70, 72, 76))
            f.capsule((x, y, 0.68), (x, y, 0.76), 0.085, 0.085, (210, 214, 216), -0.1)
            self.things.append((x, y, f.place()))

    def bicycles(self, x, y, turn, n, gap=0.62) -> None:
        """Add a row of parked bicycles along `turn`, each across it, where there is room."""
        row = np.arange(n) * gap
        places = [(x + np.cos(turn) * u, y + np.sin(turn) * u) for u in row]
        for bx, by in [place for place in places if self.clear(*place, 0.2)]:
            if self.rng.random() < 0.85:
                colour = tuple(0.9 * c for c in PAINTS[self.rng.integers(len(PAINTS))])
                figure = bicycle(colour, self.rng.uniform(0, 6))
                heading = turn + np.pi / 2 + self.rng.normal(0, 0.05) + np.pi * (self.rng.random() < 0.3)
                self.things.append((bx, by, figure.place(bx, by, heading)))

    def hedge(self, x, y, width, length, height=1.0, turn=0.0) -> None:
        """Add a clipped hedge."""
        self.box(x, y, width, length, 0, height, "hedge", (44, 84, 62), turn)

    def planter(self, x, y, size) -> None:
        """Add a planter with shrubs and a tree."""
        if self.clear(x, y, size * 0.75):
            self.box(x, y, size, size, 0, 0.5, "concrete", (172, 176, 178))
            self.box(x, y, size - 0.3, size - 0.3, 0.5, 0.78, "hedge", (48, 92, 70))
            if self.rng.random() < 0.7:
                rng = self.rng
                self.trees.append(Tree(x, y, 2.4, rng.uniform(1.3, 1.7), (54, 118, 96), int(rng.integers(2**31))))

    def facade(self, x, y, width, depth, height, turn=0.0, doors=()) -> Box:
        """Add a building whose wall of doors faces the camera."""
        rng = self.rng
        base, colour = [
            ("brick", (84, 98, 152)), ("brick", (110, 132, 168)), ("concrete", (188, 194, 196)),
            ("concrete", (156, 176, 190)), ("concrete", (172, 178, 172)), ("brick", (96, 112, 138)),
        ][rng.integers(6)]  # fmt: skip
        colour = tuple((np.array(colour) * rng.uniform(0.92, 1.06)).tolist())
        bay = float(rng.uniform(2.1, 3.4))
        wall = Facade(
            base, colour, bay, float(rng.uniform(3.2, 3.8)),
            (bay * float(rng.uniform(0.45, 0.72)), float(rng.uniform(1.5, 2.1))), 0.9,
            tuple((np.array((120, 106, 90)) * rng.uniform(0.8, 1.15)).tolist()),
            ((206, 208, 208), (74, 72, 70))[rng.integers(2)], tuple(doors),
        )  # fmt: skip
        return self.box(x, y, width, depth, 0, height, wall, colour, turn, roof=(126, 126, 126))

"""Scenes: a campus place, its camera and its traffic, all drawn from a seed.

Six templates say what kind of place it is; camera, layout, materials and colours are drawn anew for every seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthcampus.builder import Builder, Route
from synthcampus.camera import Camera
from synthcampus.layout import Layout
from synthcampus.scenery import Scenery, render_scenery
from synthcampus.templates import BUILDERS
from vadlib.errors import ParameterError

TEMPLATES = tuple(BUILDERS)
"""Kinds of place; scene i of a world uses template i modulo their number."""


@dataclass
class Place:
    """A scene before it is rendered: its layout and its traffic."""

    template: str
    seed: int
    layout: Layout
    routes: list[Route]

    @property
    def camera(self) -> Camera:
        """The scene's camera."""
        return self.layout.camera

    @property
    def one_way(self) -> list[Route]:
        """Routes that everybody walks in one direction."""
        return [route for route in self.routes if route.one_way]

    def is_free(self, x: float, y: float, radius: float = 0.5) -> bool:
        """Whether nothing built stands within `radius` of (x, y)."""
        things = [(tx, ty) for tx, ty, _ in self.layout.things] + [(t.x, t.y) for t in self.layout.trees]
        if any(np.hypot(x - tx, y - ty) < radius + 0.3 for tx, ty in things):
            return False
        return all(box.bottom > 2 or float(box.distance(x, y)) > radius for box in self.layout.boxes)


@dataclass
class Scene:
    """A rendered place."""

    place: Place
    scenery: Scenery


def _camera(rng: np.random.Generator, size) -> Camera:
    return Camera(
        height=float(rng.uniform(4.6, 6.2)),
        pitch=float(np.radians(rng.uniform(14.5, 19.5))),
        yaw=float(np.radians(rng.uniform(-7, 7))),
        focal=float(rng.uniform(0.88, 1.05)),
        size=tuple(size),
    )


def _light(rng: np.random.Generator, builder: Builder) -> Layout:
    azimuth = rng.uniform(np.radians(200), np.radians(520))  # any side but right behind what we look at
    elevation = np.radians(rng.uniform(36, 58))
    sun = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
    warm = rng.uniform(0, 1)
    return Layout(
        camera=builder.camera,
        sun=sun,
        sky=((222, 178, 128), (236, 226, 212)),
        warmth=(0.92 - 0.10 * warm, 0.99 - 0.02 * warm, 1.04 + 0.03 * warm),
        haze=float(rng.uniform(260, 520)),
        ground=builder.ground,
        boxes=builder.boxes,
        trees=builder.trees,
        things=builder.things,
    )


def draw_place(seed: int, template: str, size: tuple[int, int] = (480, 856)) -> Place:
    """Draw a place from a seed.

    Parameters
    ----------
    seed : int
        Draws camera, layout, materials, colours and light.
    template : str
        One of `TEMPLATES`.
    size : (int, int)
        Height and width of the image in pixels.

    Returns
    -------
    Place

    Raises
    ------
    ParameterError
        Unknown template.
    """
    if template not in TEMPLATES:
        raise ParameterError(f"template: expected one of {', '.join(TEMPLATES)}; got {template!r}")
    rng = np.random.default_rng([seed, TEMPLATES.index(template), 11])
    builder = Builder(rng, _camera(rng, size))
    BUILDERS[template](builder, rng)
    return Place(template, seed, _light(rng, builder), builder.routes)


def render_scene(place: Place, *, n_sway: int | None = None) -> Scene:
    """Render a place's static pictures; see `scenery.render_scenery`."""
    rng = np.random.default_rng([place.seed, 12])
    options = {} if n_sway is None else {"n_sway": n_sway}
    return Scene(place, render_scenery(place.layout, rng, **options))

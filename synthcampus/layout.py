"""What stands where in a static world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from synthcampus.camera import Camera
from synthcampus.figures import Solids
from synthcampus.materials import Facade


@dataclass
class Box:
    """A box on (or over) the ground: centre x, y, size along its own axes, bottom and top, turned by `turn` radians."""

    x: float
    y: float
    width: float
    length: float
    bottom: float
    top: float
    turn: float
    material: str | Facade
    colour: tuple
    roof: tuple | None = None  # colour of the top; None: the material goes on

    def local(self, x, y):
        """Coordinates along the box's own axes."""
        c, s = np.cos(self.turn), np.sin(self.turn)
        return (x - self.x) * c + (y - self.y) * s, -(x - self.x) * s + (y - self.y) * c

    def distance(self, x, y):
        """Distance from ground position to the box's footprint, 0 inside."""
        u, v = self.local(np.asarray(x), np.asarray(y))
        return np.hypot(np.maximum(np.abs(u) - self.width / 2, 0), np.maximum(np.abs(v) - self.length / 2, 0))


@dataclass
class Tree:
    """A tree: where, trunk and crown in metres, leaf colour BGR."""

    x: float
    y: float
    trunk: float
    crown: float
    colour: tuple
    seed: int


@dataclass
class Layout:
    """What stands where: everything that `render_scenery` draws."""

    camera: Camera
    sun: np.ndarray  # (3,) unit vector towards the sun
    sky: tuple  # (zenith colour, horizon colour), BGR
    warmth: tuple  # colour of direct light, BGR multipliers
    haze: float  # metres
    ground: Callable  # (x, y, blur, noise) -> albedo (n, 3)
    boxes: list[Box] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)
    things: list[tuple[float, float, Solids]] = field(default_factory=list)  # x, y, figure

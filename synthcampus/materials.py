"""Surfaces of the static world: functions from metres on a surface to albedo (BGR, 0..255).

Every material takes `a`, `b` (float32 arrays: metres along the surface), `blur` (metres one pixel covers, so that
detail too small to be seen fades out instead of flickering) and the scene's `Noise`, and returns float32 (n, 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_SIZE = 512


@dataclass(frozen=True)
class Noise:
    """Two tileable noise images in -1..1: `soft` with a 1/f spectrum, `grain` nearly white."""

    soft: np.ndarray
    grain: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Noise:
        """Draw both images."""
        frequency = np.hypot(np.fft.fftfreq(_SIZE)[:, None], np.fft.rfftfreq(_SIZE)[None]) * _SIZE
        frequency[0, 0] = np.inf
        made = []
        for power in (1.35, 0.3):
            spectrum = np.fft.rfft2(rng.standard_normal((_SIZE, _SIZE))) / frequency**power
            image = np.fft.irfft2(spectrum, s=(_SIZE, _SIZE))
            made.append(np.clip(image / image.std() / 2.2, -1, 1).astype(np.float32))
        return cls(*made)

    def at(self, a: np.ndarray, b: np.ndarray, metres: float, kind: str = "soft") -> np.ndarray:
        """Noise at positions a, b, the tile repeating every `metres`."""
        scale = _SIZE / metres
        image = self.soft if kind == "soft" else self.grain
        shape = a.shape
        u = np.mod(a * scale, _SIZE).astype(np.float32).reshape(-1, 1)
        v = np.mod(b * scale, _SIZE).astype(np.float32).reshape(-1, 1)
        out = np.empty((u.shape[0], 1), np.float32)
        for start in range(0, len(u), 30_000):  # remap takes at most 32,767 rows
            part = slice(start, start + 30_000)
            out[part] = cv2.remap(image, u[part], v[part], cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        return out.reshape(shape)


def _cell_noise(i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """A fixed value in -1..1 for every whole-numbered cell (i, j)."""
    mixed = np.sin(i * 127.1 + j * 311.7) * 43758.547
    return ((mixed - np.floor(mixed)) * 2 - 1).astype(np.float32)


def _colour(value: tuple, shade: np.ndarray) -> np.ndarray:
    return np.asarray(value, np.float32) * shade[:, None]


def _fade(size: float, blur: np.ndarray) -> np.ndarray:
    """How much of a detail `size` metres wide survives where one pixel covers `blur` metres."""
    return np.clip(size / np.maximum(blur, 1e-4) - 0.35, 0, 1)


def _joint(distance: np.ndarray, width: float, blur: np.ndarray) -> np.ndarray:
    """Coverage 0..1 of a line `width` wide at `distance` from its middle, anti-aliased over `blur`."""
    soft = np.maximum(blur, 1e-4)
    return np.clip((width / 2 - distance) / soft + 0.5, 0, 1) * np.minimum(1, width / soft)


def paving(a, b, blur, noise, colour=(176, 178, 180), length=0.6, width=0.3, offset=0.5, variety=0.07):
    """Slabs in courses, each a little different, with darker joints; stains and grain."""
    row = np.floor(b / width)
    along = a + np.mod(row, 2) * length * offset
    column = np.floor(along / length)
    shade = 1 + variety * _cell_noise(column, row) * _fade(min(width, length), blur)
    to_joint_a = np.abs(along / length - column - 0.5)
    to_joint_b = np.abs(b / width - row - 0.5)
    lines = np.maximum(
        _joint((0.5 - to_joint_a) * length, 0.018, blur * 0.7), _joint((0.5 - to_joint_b) * width, 0.018, blur * 0.7)
    )
    shade = shade * (1 - 0.26 * lines)
    shade = shade * (1 + 0.085 * noise.at(a, b, 23.0) + 0.05 * noise.at(a, b, 3.1) * _fade(0.1, blur))
    return _colour(colour, shade * (1 + 0.03 * noise.at(a, b, 4.0, "grain") * _fade(0.02, blur)))


def asphalt(a, b, blur, noise, colour=(98, 97, 96)):
    """Asphalt: fine grain, large patches, faint tracks."""
    shade = 1 + 0.10 * noise.at(a, b, 31.0) + 0.05 * noise.at(a, b, 7.0)
    return _colour(colour, shade * (1 + 0.12 * noise.at(a, b, 5.0, "grain") * _fade(0.03, blur)))


def grass(a, b, blur, noise, colour=(66, 108, 94)):
    """Lawn: tufts, patches of yellower and darker green."""
    patches = noise.at(a, b, 19.0)
    shade = 1 + 0.16 * patches + 0.16 * noise.at(a, b, 2.3) + 0.22 * noise.at(a, b, 6.0, "grain") * _fade(0.06, blur)
    out = _colour(colour, shade)
    out[:, 2] += 16 * noise.at(b, a, 13.0)
    return out


def gravel(a, b, blur, noise, colour=(150, 166, 178)):
    """Light bound gravel."""
    shade = 1 + 0.07 * noise.at(a, b, 17.0) + 0.14 * noise.at(a, b, 4.0, "grain") * _fade(0.04, blur)
    return _colour(colour, shade)


def concrete(a, b, blur, noise, colour=(168, 170, 170)):
    """Poured concrete with streaks running down (b is up on a wall)."""
    streaks = noise.at(a, b * 0.15, 6.0)
    return _colour(colour, 1 + 0.06 * streaks + 0.05 * noise.at(a, b, 9.0))


def brick(a, b, blur, noise, colour=(84, 98, 152)):
    """Bricks in running bond."""
    out = paving(a, b, blur, noise, colour, length=0.24, width=0.08, variety=0.16)
    return out


def wood(a, b, blur, noise, colour=(72, 104, 140)):
    """Planks along a."""
    shade = 1 + 0.12 * noise.at(a * 0.2, b, 2.0) - 0.3 * _joint(np.abs(np.mod(b, 0.12) - 0.06), 0.012, blur)
    return _colour(colour, shade)


def hedge(a, b, blur, noise, colour=(46, 84, 62)):
    """Clipped leaves."""
    shade = 1 + 0.4 * noise.at(a, b, 1.7, "grain") * _fade(0.08, blur) + 0.3 * noise.at(a, b, 1.9)
    return _colour(colour, shade)


def plain(a, b, blur, noise, colour=(120, 120, 120)):
    """Painted metal and the like."""
    return _colour(colour, 1 + 0.03 * noise.at(a, b, 3.0))


MATERIALS = {f.__name__: f for f in (paving, asphalt, grass, gravel, concrete, brick, wood, hedge, plain)}


@dataclass(frozen=True)
class Facade:
    """A wall with storeys of windows.

    `base` names the wall's material; bays and storeys are in metres; `doors` are (from, to, height) along the wall,
    shown as dark openings; `glass` is the colour the panes reflect.
    """

    base: str = "brick"
    colour: tuple = (84, 98, 152)
    bay: float = 2.4
    storey: float = 3.4
    window: tuple[float, float] = (1.3, 1.7)
    sill: float = 0.95
    glass: tuple = (122, 108, 92)
    frame: tuple = (206, 208, 208)
    doors: tuple = ()
    plinth: tuple = (128, 130, 132)

    def albedo(self, a, b, blur, noise):
        """Albedo of the wall at `a` metres along and `b` metres up."""
        out = MATERIALS[self.base](a, b, blur, noise, colour=self.colour)
        column, level = np.floor(a / self.bay), np.floor(b / self.storey)
        x = np.abs(a - (column + 0.5) * self.bay)  # from the window's middle line
        y = b - level * self.storey - self.sill
        half, tall = self.window[0] / 2, self.window[1]
        inside = np.minimum(half - x, np.minimum(y, tall - y))  # > 0 within the window
        reveal = np.clip(inside / np.maximum(blur, 0.01) + 0.5, 0, 1)
        pane = self._pane(a, b, y / tall, column, level, noise)
        rim = _joint(np.abs(inside - 0.04), 0.09, blur) + _joint(x, 0.06, blur) * (inside > 0)
        pane += (np.asarray(self.frame, np.float32) - pane) * np.clip(rim, 0, 1)[:, None]
        out += (pane - out) * reveal[:, None]
        sill = (x < half + 0.1) & (y < 0) & (y > -0.1)
        out[sill] = np.asarray(self.frame, np.float32) * 0.95
        band = _joint(np.abs(b - level * self.storey), 0.16, blur)[:, None]
        out *= 1 - 0.14 * band
        foot = b < 0.5
        out[foot] = concrete(a[foot], b[foot], blur[foot], noise, self.plinth)
        for start, stop, height in self.doors:
            self._door(out, a - start, b, stop - start, height, blur)
        return out

    def _pane(self, a, b, up, column, level, noise):
        """Glass: the sky's reflection brightening upwards, some blinds, a shadow under the lintel."""
        bright = 0.62 + 0.45 * up + 0.22 * _cell_noise(column, level) + 0.22 * noise.at(a + b, b, 9.0)
        pane = _colour(self.glass, np.clip(bright, 0.25, 1.5))
        blind = (_cell_noise(column + 7, level + 3) > 0.45) & (up > 0.45 - 0.4 * _cell_noise(column, level + 9))
        pane[blind] = np.asarray((178, 188, 192), np.float32) * 0.85
        pane *= (1 - 0.4 * np.clip((up - 0.88) / 0.12, 0, 1))[:, None]
        return pane

    def _door(self, out, a, b, width, height, blur):
        surround = (a > -0.15) & (a < width + 0.15) & (b < height + 0.18) & (b >= 0)
        out[surround] = np.asarray(self.frame, np.float32) * 0.8
        opening = (a > 0) & (a < width) & (b < height) & (b >= 0)
        out[opening] = np.asarray((52, 48, 46), np.float32) * (0.55 + 0.5 * b[opening, None] / height)

    def opening(self, a, b):
        """Bool: where the wall is open (a door)."""
        hit = np.zeros(a.shape, bool)
        for start, stop, height in self.doors:
            hit |= (a > start) & (a < stop) & (b < height)
        return hit

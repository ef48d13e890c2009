"""Normal life: people who walk alone and in groups, stand and talk, and keep clear of one another.

A social-force walk (Helbing and Molnar 1995) in its simplest form: each walker heads for a point a little further along
its route and is pushed away by whoever comes close.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthcampus.people import draw_look, stride_length
from synthcampus.scenes import Place, Route
from synthcampus.tracks import ACTIONS, NO_EVENT, Track

_STEP = 0.25  # metres between samples of a route
_WALK, _STAND = ACTIONS.index("walk"), ACTIONS.index("stand")


def visible_stretch(place: Place, route: Route, margin: float = 0.0) -> tuple[float, float] | None:
    """First and last distance along a route at which a person is in view, or None."""
    distance = np.arange(0, route.length + _STEP, _STEP)
    x, y, _ = route.at(distance).T
    inside = distance[place.camera.sees(x, y, margin)]
    return (float(inside[0]), float(inside[-1])) if len(inside) else None


class _Path:
    """A route in one direction, sampled, from where walkers come into view to where they leave it."""

    def __init__(self, route: Route, stretch: tuple[float, float]):
        self.start, self.stop = max(0.0, stretch[0] - 2.0), min(route.length, stretch[1] + 2.0)
        self.samples = route.at(np.arange(self.start, self.stop + 3, _STEP))  # (n, 3)
        self.length, self.width, self.weight = self.stop - self.start, route.width, route.weight

    def at(self, distance: float, offset: float) -> tuple[float, float, float]:
        x, y, heading = self.samples[min(int(max(distance, 0.0) / _STEP), len(self.samples) - 1)]
        return x - np.sin(heading) * offset, y + np.cos(heading) * offset, heading


@dataclass
class _Walker:
    look: object
    path: _Path
    distance: float
    offset: float
    speed: float
    phase: float
    born: int
    position: np.ndarray
    velocity: np.ndarray
    trail: list


def _paths(place: Place) -> list[_Path]:
    made = []
    for route in place.routes:
        stretch = visible_stretch(place, route)
        if stretch is None or route.weight <= 0:
            continue
        made.append(_Path(route, stretch))
        if not route.one_way:
            turned = route.reversed()
            made.append(_Path(turned, (route.length - stretch[1], route.length - stretch[0])))
    return made


class Crowd:
    """Simulates the walkers of one clip, `busy` of them in view on average, who avoid `others`."""

    def __init__(self, place: Place, fps: float, rng: np.random.Generator, others: list[Track], busy: float = 6.0):
        self.fps, self.rng, self.others = fps, rng, others
        self.paths = _paths(place)
        self.walkers: list[_Walker] = []
        self.done: list[Track] = []
        share = np.array([path.weight for path in self.paths])
        self.rates = (
            busy * share / share.sum() / np.array([path.length / 1.3 for path in self.paths]) / 1.5
        )  # groups a second

    def run(self, n_frames: int) -> list[Track]:
        """Tracks of everybody who walks during frames 0 .. n_frames - 1."""
        warm = -int(2.5 * self.fps)
        for path, rate in zip(self.paths, self.rates, strict=True):
            for _ in range(self.rng.poisson(rate * path.length / 1.3)):
                self._arrive(path, warm, self.rng.uniform(0, path.length))
        for frame in range(warm, n_frames):
            for path, rate in zip(self.paths, self.rates, strict=True):
                if self.rng.random() < rate / self.fps:
                    self._arrive(path, frame, 0.0)
            self._step(frame)
        for walker in self.walkers:
            self._finish(walker)
        return [track for track in self.done if track.start + len(track.x) > 0]

    def _arrive(self, path: _Path, frame: int, distance: float) -> None:
        rng = self.rng
        n = int(rng.choice([1, 2, 3], p=[0.62, 0.26, 0.12]))
        lane = rng.uniform(-0.5, 0.5) * max(0.0, path.width - 0.8 - 0.62 * (n - 1))
        speed = float(np.clip(rng.normal(1.32, 0.17), 0.85, 1.8))
        for k in range(n):
            offset = lane + (k - (n - 1) / 2) * 0.68
            start = distance - rng.uniform(0, 0.35) * (n > 1)
            x, y, heading = path.at(start, offset)
            if any(np.hypot(x - w.position[0], y - w.position[1]) < 0.6 for w in self.walkers):
                continue
            position = np.array([x, y])
            velocity = speed * np.array([np.cos(heading), np.sin(heading)])
            look = draw_look(rng)
            self.walkers.append(
                _Walker(look, path, start, offset, speed, rng.uniform(0, 6.28), frame, position, velocity, [])
            )

    def _step(self, frame: int) -> None:
        if not self.walkers:
            return
        dt = 1 / self.fps
        position = np.array([w.position for w in self.walkers])
        velocity = np.array([w.velocity for w in self.walkers])
        wish = np.empty_like(position)
        for i, w in enumerate(self.walkers):
            x, y, heading = w.path.at(w.distance + 1.3, w.offset)
            gap = np.array([x, y]) - w.position
            wish[i] = gap / max(np.hypot(*gap), 1e-6) * w.speed
        push = self._push(position, velocity, frame)
        velocity += ((wish - velocity) / 0.45 + push) * dt
        speed = np.hypot(*velocity.T)
        limit = np.array([w.speed * 1.25 for w in self.walkers])
        velocity *= np.minimum(1, limit / np.maximum(speed, 1e-6))[:, None]
        position += velocity * dt
        kept = []
        for w, p, v in zip(self.walkers, position, velocity, strict=True):
            w.position, w.velocity = p, v
            _, _, heading = w.path.at(w.distance, 0.0)
            pace = float(np.hypot(*v))
            w.distance += max(0.0, float(v[0] * np.cos(heading) + v[1] * np.sin(heading))) * dt
            w.phase += 2 * np.pi * pace * dt / stride_length("walk", w.look.height)
            w.trail.append((p[0], p[1], np.arctan2(v[1], v[0]), w.phase, pace))
            if w.distance >= w.path.length:
                self._finish(w)
            else:
                kept.append(w)
        self.walkers = kept

    def _push(self, position: np.ndarray, velocity: np.ndarray, frame: int) -> np.ndarray:
        """Acceleration away from walkers and given actors close by, a little to the right of straight away."""
        points, radii = [position], [np.full(len(position), 0.35)]
        for track in self.others:
            i = track.index(frame)
            if i is not None:
                points.append(np.array([[track.x[i], track.y[i]]]))
                radii.append(np.array([track.radius + 0.15]))
        points, radii = np.concatenate(points), np.concatenate(radii)
        gap = position[:, None] - points[None]  # (n, m, 2)
        distance = np.hypot(gap[..., 0], gap[..., 1])
        n = len(position)
        distance[np.arange(n), np.arange(n)] = np.inf
        away = gap / np.maximum(distance, 1e-3)[..., None]
        strength = 7.0 * np.exp((0.35 + radii[None] - distance) / 0.28)
        sideways = np.stack([velocity[:, 1], -velocity[:, 0]], axis=-1)[:, None] * 0.35
        total = (np.minimum(strength, 14)[..., None] * (away + sideways)).sum(axis=1)
        return np.clip(total, -9, 9)

    def _finish(self, w: _Walker) -> None:
        trail = np.array(w.trail)
        if not len(trail):
            return
        turn = np.unwrap(trail[:, 2])
        kernel = np.ones(5) / 5
        heading = np.convolve(np.pad(turn, 2, mode="edge"), kernel, mode="valid")
        action = np.where(trail[:, 4] > 0.22, _WALK, _STAND).astype(np.int8)
        energy = float(np.clip(w.speed / 1.32, 0.75, 1.25))
        event = np.full(len(trail), NO_EVENT, np.int16)
        self.done.append(
            Track(w.look, "person", w.born, trail[:, 0], trail[:, 1], heading, trail[:, 3], action, event, energy)
        )


def standing(look, x, y, heading, frames: range, fps: float, phase: float, gesture: float) -> Track:
    """A person who stands at (x, y) during `frames`."""
    n = len(frames)
    full = np.ones(n)
    return Track(
        look, "person", frames.start, x * full, y * full, heading * full, phase + np.arange(n) / fps * 4.2,
        np.full(n, _STAND, np.int8), np.full(n, NO_EVENT, np.int16), gesture,
    )  # fmt: skip


def free_spot(place: Place, rng: np.random.Generator, *, radius: float, depth=(9.0, 22.0), margin: float = 0.12):
    """A ground position in view with nothing built within `radius`, near a route; None when there is none."""
    routes = [r for r in place.routes if visible_stretch(place, r, margin)]
    for _ in range(200):
        route = routes[rng.integers(len(routes))]
        low, high = visible_stretch(place, route, margin)
        x, y, _ = route.at(np.array([rng.uniform(low, high)]), rng.uniform(-0.5, 0.5) * route.width)[0]
        if (
            depth[0] <= place.camera.depth_of(x, y) <= depth[1]
            and place.camera.sees(x, y, margin)
            and place.is_free(x, y, radius)
        ):
            return float(x), float(y)
    return None


def standing_groups(place: Place, n_frames: int, fps: float, rng: np.random.Generator, taken) -> list[Track]:
    """People who stand and talk throughout the clip; now and then many, so that a crowd alone is normal."""
    tracks = []
    for _ in range(int(rng.choice([0, 1, 2], p=[0.3, 0.5, 0.2]))):
        n = int(rng.choice([2, 3, 6], p=[0.5, 0.3, 0.2]))
        spot = free_spot(place, rng, radius=1.0)
        if spot is None or any(np.hypot(spot[0] - x, spot[1] - y) < 3.5 for x, y in taken):
            continue
        taken.append(spot)
        ring = 0.42 + 0.11 * n
        first = rng.uniform(0, 2 * np.pi)
        for k in range(n):
            turn = first + 2 * np.pi * k / n + rng.normal(0, 0.12)
            x, y = spot[0] + ring * np.cos(turn), spot[1] + ring * np.sin(turn)
            frames = range(-int(3 * fps), n_frames)
            tracks.append(
                standing(
                    draw_look(rng), x, y, turn + np.pi, frames, fps, rng.uniform(0, 40), float(rng.uniform(0.2, 1))
                )
            )
    return tracks

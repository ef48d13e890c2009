"""The static world of one camera: ray-cast once, then only copied.

Ground, boxes (buildings, benches, planters) and their shadows are cast per pixel at twice the image's size; posts,
parked bicycles and trees are painted over with a depth test. Trees are painted once for each of `N_SWAY` moments of a
closed sway, in sunlight and under a cloud, so that a frame of video begins as a blend of two ready pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from synthcampus.camera import Camera
from synthcampus.figures import SHIFT, Figure, shadow_outlines
from synthcampus.layout import Box, Layout
from synthcampus.materials import MATERIALS, Facade, Noise
from synthcampus.painting import FAR, Painter, tree_parts

N_SWAY = 8
_OVER = 2  # oversampling
_STILL_M = 50.0  # trees farther away do not sway visibly


@dataclass
class Scenery:
    """Ready pictures of a static world."""

    sunny: np.ndarray  # uint8 (N_SWAY, H, W, 3), BGR, in full sun
    cloudy: np.ndarray  # the same, under a cloud
    depth: np.ndarray  # uint16 (N_SWAY, H, W), centimetres to what may hide an actor; `FAR` for ground and sky
    ground: np.ndarray  # bool (H, W), where shadows of actors fall, unless a tree moves in front
    sunlight: np.ndarray  # float32 (H, W), share of the sun that reaches a pixel, 0..1


def _slab(origin, ray, box: Box):
    """Entry and exit along `ray` (n, 3) from `origin` ((3,) or (n, 3)) into `box`, and the axis first hit."""
    c, s = np.cos(box.turn), np.sin(box.turn)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)
    start = (origin - np.array([box.x, box.y, 0], np.float32)) @ turn
    along = ray @ turn
    low = np.array([-box.width / 2, -box.length / 2, box.bottom], np.float32)
    high = np.array([box.width / 2, box.length / 2, box.top], np.float32)
    inverse = 1 / np.where(np.abs(along) < 1e-7, 1e-7, along)
    one, two = (low - start) * inverse, (high - start) * inverse
    near, far = np.minimum(one, two), np.maximum(one, two)
    return near.max(axis=1), far.min(axis=1), near.argmax(axis=1), start, along


class _Caster:
    """Buffers of the ray caster, one entry a pixel of the oversampled picture."""

    def __init__(self, layout: Layout, noise: Noise):
        self.layout, self.noise = layout, noise
        camera = layout.camera
        self.shape = (camera.size[0] * _OVER, camera.size[1] * _OVER)
        self.rays = camera.rays(_OVER).reshape(-1, 3)
        self.eye = np.array([0, 0, camera.height], np.float32)
        down = -self.rays[:, 2]
        self.depth = np.where(down > 1e-4, camera.height / np.maximum(down, 1e-4), 1e4).astype(np.float32)
        self.is_ground = self.depth < 400
        self.is_sky = ~self.is_ground
        self.albedo = np.zeros((len(self.rays), 3), np.float32)
        self.facing = np.zeros(len(self.rays), np.float32)  # cosine of the angle to the sun

    def cast_ground(self) -> None:
        index = np.flatnonzero(self.is_ground)
        position = self.rays[index] * self.depth[index, None]
        blur = self.depth[index] ** 2 / (self.layout.camera.height * self.layout.camera.focal_px * _OVER) * 0.6
        self.albedo[index] = self.layout.ground(position[:, 0], position[:, 1], blur, self.noise)
        self.facing[index] = self.layout.sun[2]
        for box in self.layout.boxes:  # less light from the sky close to a wall
            if box.bottom < 0.3:
                reach = np.hypot(box.width, box.length) / 2 + 1.2
                close = (np.abs(position[:, 0] - box.x) < reach) & (np.abs(position[:, 1] - box.y) < reach)
                close = np.flatnonzero(close)
                gap = box.distance(position[close, 0], position[close, 1]).astype(np.float32)
                self.albedo[index[close]] *= (1 - 0.3 * np.exp(gap / -0.35))[:, None]

    def cast_box(self, box: Box) -> None:
        index = self._candidates(box)
        if not len(index):
            return
        enter, leave, axis, start, along = _slab(self.eye, self.rays[index], box)
        hit = (enter < leave) & (enter > 0.2) & (enter < self.depth[index])
        index, enter, axis, along = index[hit], enter[hit], axis[hit], along[hit]
        if not len(index):
            return
        local = start + along * enter[:, None]
        a = np.where(axis == 0, local[:, 1] + box.length / 2, local[:, 0] + box.width / 2).astype(np.float32)
        b = np.where(axis == 2, local[:, 1], local[:, 2]).astype(np.float32)
        blur = enter / (self.layout.camera.focal_px * _OVER)
        top = axis == 2
        sign = -np.sign(np.take_along_axis(along, axis[:, None], 1)[:, 0])
        c, s = np.cos(box.turn), np.sin(box.turn)
        normals = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]], np.float32)[axis] * sign[:, None]
        self.facing[index] = np.clip(normals @ self.layout.sun.astype(np.float32), 0, 1)
        self.albedo[index] = self._surface(box, a, b, blur, top)
        self.depth[index], self.is_ground[index], self.is_sky[index] = enter, False, False
        if isinstance(box.material, Facade):
            open_ = (axis == 1) & box.material.opening(a, b)
            self.depth[index[open_]] = enter[open_] + 2.5
            self.facing[index[open_]] = 0

    def _surface(self, box: Box, a, b, blur, top):
        if isinstance(box.material, Facade):
            out = box.material.albedo(a, b, blur, self.noise)
        else:
            out = MATERIALS[box.material](a, b, blur, self.noise, colour=box.colour)
        if box.roof is not None and top.any():
            out[top] = np.asarray(box.roof, np.float32)
        return out

    def _candidates(self, box: Box) -> np.ndarray:
        """Pixels of the rectangle around the box's projection."""
        c, s = np.cos(box.turn), np.sin(box.turn)
        corners = [
            (box.x + c * u - s * v, box.y + s * u + c * v, z)
            for u in (-box.width / 2, box.width / 2)
            for v in (-box.length / 2, box.length / 2)
            for z in (box.bottom, box.top)
        ]
        forward = (np.array(corners) - self.eye) @ self.layout.camera.axes[2]
        rows, columns = self.shape
        if forward.max() < 0.3:
            return np.zeros(0, np.int64)
        if forward.min() < 0.3:
            return np.arange(rows * columns)
        uv = self.layout.camera.project(np.array(corners))[0] * _OVER
        low = np.clip(np.floor(uv.min(axis=0)) - 1, 0, (columns, rows)).astype(int)
        high = np.clip(np.ceil(uv.max(axis=0)) + 1, 0, (columns, rows)).astype(int)
        grid = np.arange(low[1], high[1])[:, None] * columns + np.arange(low[0], high[0])[None]
        return grid.ravel()

    def sunlight(self) -> np.ndarray:
        """Share of the sun's disc seen from every pixel, float32 (H, W) at the image's own size, softened."""
        rows, columns = self.shape
        take = (np.arange(0, rows, _OVER)[:, None] * columns + np.arange(0, columns, _OVER)[None]).ravel()
        take_hit = take[(self.facing[take] > 0) & (self.depth[take] < 150)]
        position = self.eye + self.rays[take_hit] * self.depth[take_hit, None]
        total = np.zeros(len(take_hit), np.float32)
        offsets = [(-0.012, 0.008), (0.012, 0.008), (0.0, -0.014)]
        for dx, dy in offsets:
            sun = self.layout.sun + np.array([dx, dy, 0])
            total += _unshaded(position, (sun / np.linalg.norm(sun)).astype(np.float32), self.layout.boxes)
        out = np.zeros(rows * columns, np.float32)
        out[take_hit] = total / len(offsets)
        out = cv2.GaussianBlur(out.reshape(rows, columns)[::_OVER, ::_OVER], (0, 0), 0.8)
        ground = self.is_ground.reshape(rows, columns)[::_OVER, ::_OVER]
        return np.where(ground, out * (1 - self._small_shadows()), out)

    def _small_shadows(self) -> np.ndarray:
        """Shade 0..1 on the ground under trees, posts and parked bicycles, float32 (H, W)."""
        layout = self.layout
        leaves, solid = (np.zeros(layout.camera.size, np.uint8) for _ in range(2))
        for tree in layout.trees:
            wood, clumps = tree_parts(tree, 260)
            crown = Figure(capsules=[(c[:3], c[:3], 1.25 * c[3], 1.25 * c[3], None, 0.0) for c in clumps]).place()
            _fill(leaves, shadow_outlines([crown], layout.camera, layout.sun))
            _fill(solid, shadow_outlines([wood], layout.camera, layout.sun))
        for _, _, figure in layout.things:
            _fill(solid, shadow_outlines([figure], layout.camera, layout.sun))
        soft = cv2.GaussianBlur(leaves, (0, 0), layout.camera.size[1] / 400).astype(np.float32) * (0.74 / 255)
        return np.maximum(soft, cv2.GaussianBlur(solid, (0, 0), 0.9).astype(np.float32) * (0.85 / 255))


def _fill(image: np.ndarray, shadows: list[tuple[list[np.ndarray], list[float]]]) -> None:
    for corners in shadows[0][0]:
        cv2.fillConvexPoly(image, corners, 255, cv2.LINE_8, SHIFT)


def _unshaded(position, sun, boxes) -> np.ndarray:
    """1 where the sun is seen from `position` (n, 3), 0 behind a box."""
    seen = np.ones(len(position), np.float32)
    start = position + sun * 0.03
    for box in boxes:
        reach = np.hypot(box.width, box.length) / 2 + box.top * np.hypot(sun[0], sun[1]) / sun[2] + 0.5
        near = np.flatnonzero((np.hypot(position[:, 0] - box.x, position[:, 1] - box.y) < reach) & (seen > 0))
        if not len(near):
            continue
        ray = np.broadcast_to(sun, (len(near), 3))
        enter, leave, *_ = _slab(start[near], ray, box)
        seen[near[(leave > np.maximum(enter, 0.0)) & (leave > 0.02)]] = 0
    return seen


def _sky(rays: np.ndarray, layout: Layout, noise: Noise) -> np.ndarray:
    zenith, horizon = (np.asarray(c, np.float32) for c in layout.sky)
    up = np.clip(rays[:, 2], 0.02, None)
    mix = np.clip(up * 2.2, 0, 1)[:, None]
    a, b = (rays[:, 0] / up).astype(np.float32), (rays[:, 1] / up).astype(np.float32)
    cloud = np.clip(noise.at(a, b, 40.0) * 1.4 - 0.1, 0, 1)[:, None] * np.clip(up * 6, 0, 1)[:, None]
    return (zenith * mix + horizon * (1 - mix)) * (1 - cloud) + 240 * cloud


def render_scenery(layout: Layout, rng: np.random.Generator, *, n_sway: int = N_SWAY) -> Scenery:
    """Cast and paint the static world, in `n_sway` moments of the trees' sway; 1 for a still picture."""
    noise = Noise.draw(rng)
    caster = _Caster(layout, noise)
    caster.cast_ground()
    for box in layout.boxes:
        caster.cast_box(box)
    seen = caster.sunlight()
    sunny, cloudy = _shade(caster, seen)
    depth = np.minimum(caster.depth * 100, FAR - 1).astype(np.uint16)
    depth[caster.is_ground | caster.is_sky] = FAR
    depth = depth.reshape(caster.shape)[::_OVER, ::_OVER].copy()
    ground = caster.is_ground.reshape(caster.shape)[::_OVER, ::_OVER]
    painter = Painter(layout, sunny, cloudy, depth)
    for x, y, figure in sorted(layout.things, key=lambda item: -layout.camera.depth_of(item[0], item[1])):
        painter.figure(x, y, figure, _at(seen, layout.camera, x, y))
    trees = sorted(layout.trees, key=lambda tree: -layout.camera.depth_of(tree.x, tree.y))
    still = [tree for tree in trees if layout.camera.depth_of(tree.x, tree.y) > _STILL_M]
    for tree in still:
        painter.tree(tree, 0.0)
    made = []
    for k in range(n_sway):
        moment = Painter(layout, sunny.copy(), cloudy.copy(), depth.copy())
        for tree in trees[len(still) :]:
            moment.tree(tree, 2 * np.pi * k / n_sway)
        made.append((moment.sunny, moment.cloudy, moment.depth))
    stacks = [np.stack(parts) for parts in zip(*made, strict=True)]
    return Scenery(*stacks, ground=ground & (depth == FAR), sunlight=seen)


def _at(field_, camera: Camera, x: float, y: float) -> float:
    uv, _ = camera.project(np.array([x, y, 0.0]))
    height, width = field_.shape
    return float(field_[int(np.clip(uv[1], 0, height - 1)), int(np.clip(uv[0], 0, width - 1))])


def _shade(caster: _Caster, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pictures uint8 (H, W, 3) in sun and under a cloud, from albedo, facing and sunlight."""
    layout, rows, columns = caster.layout, *caster.shape
    sun = cv2.resize(seen, (columns, rows), interpolation=cv2.INTER_LINEAR).reshape(-1)
    direct = (caster.facing / max(layout.sun[2], 0.3) * sun)[:, None] * np.asarray(layout.warmth, np.float32)
    cool = np.array([1.07, 1.0, 0.95], np.float32)
    sky = _sky(caster.rays[caster.is_sky], layout, caster.noise)
    far = (1 - np.exp(-caster.depth / layout.haze))[:, None]
    pictures = []
    for light, veil in ((0.54 * cool + 0.52 * direct, 1.0), (np.full(3, 0.80, np.float32), 0.86)):
        image = caster.albedo * light
        image *= 1 - far
        image += far * (np.asarray(layout.sky[1], np.float32) * veil)
        image[caster.is_sky] = sky * veil
        image = np.clip(image, 0, 255).reshape(rows, columns, 3).astype(np.uint8)
        pictures.append(cv2.resize(image, (columns // _OVER, rows // _OVER), interpolation=cv2.INTER_AREA))
    return pictures[0], pictures[1]

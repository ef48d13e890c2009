"""Frames: moving actors over a scene's ready pictures, light that drifts, a sensor that is not perfect."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vadlib.synth.figures import SHIFT, outlines, shadow_outlines, to_fixed
from vadlib.synth.scenes import Scene
from vadlib.synth.tracks import NO_EVENT, Track

_SHADE = 0.76  # light in shadow, as a share of a cloudy picture's
_SMALLEST_PX = 24  # visible pixels (of a 480 x 856 image) under which an actor counts as out of sight


@dataclass
class Light:
    """Weather of one clip: per frame, cloudiness in 0..1, the camera's gain, and the moment of the trees' sway."""

    cloud: np.ndarray
    gain: np.ndarray
    sway: np.ndarray

    @classmethod
    def draw(cls, n_frames: int, fps: float, n_sway: int, rng: np.random.Generator) -> Light:
        """Draw a clip's weather: a slow drift, and now and then a cloud that passes."""
        time = np.arange(n_frames) / fps
        drift = 0.07 * np.sin(2 * np.pi * (time / rng.uniform(14, 30) + rng.random()))
        cloud = rng.uniform(0.03, 0.3) + drift
        if rng.random() < 0.3:
            middle, half = rng.uniform(0, max(time[-1], 1)), rng.uniform(2, 5)
            cloud = cloud + 0.7 / (1 + np.exp((np.abs(time - middle) - half) / 0.6))
        gain = 1 + 0.02 * np.sin(2 * np.pi * (time / rng.uniform(8, 20) + rng.random())) + rng.normal(0, 0.015)
        speed = 0.42 + 0.25 * np.sin(2 * np.pi * (time / rng.uniform(5, 9) + rng.random()))  # turns a second
        sway = (np.cumsum(speed / fps) * n_sway + rng.uniform(0, n_sway)).astype(int) % n_sway
        return cls(np.clip(cloud, 0, 1), gain, sway)


class FrameRenderer:
    """Draws the frames of one clip.

    Parameters
    ----------
    scene : Scene
    tracks : list of Track
    light : Light
    rng : numpy.random.Generator
        Draws the sensor's noise.
    """

    def __init__(self, scene: Scene, tracks: list[Track], light: Light, rng: np.random.Generator):
        self.scene, self.tracks, self.light, self.rng = scene, tracks, light, rng
        layout = scene.place.layout
        self.camera = scene.place.camera
        self.warmth = np.asarray(layout.warmth)
        self.lit_side = (float(np.clip(layout.sun @ self.camera.axes[0] * 1.4, -1, 1)), -0.7)
        height, width = self.camera.size
        noise = rng.normal(0, 2.1, (height + 64, width + 64, 1)) + rng.normal(0, 0.9, (height + 64, width + 64, 3))
        self.noise = np.clip(np.rint(noise + 128), 0, 255).astype(np.uint8)
        self.smallest = max(1, round(_SMALLEST_PX * height * width / (480 * 856)))

    def frame(self, t: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Picture uint8 (H, W, 3), BGR, and mask uint8 (H, W) of anomalous actors; None where no event is in view."""
        scenery, light = self.scene.scenery, self.light
        k, cloud, gain = light.sway[t], light.cloud[t], light.gain[t]
        image = cv2.addWeighted(scenery.sunny[k], (1 - cloud) * gain, scenery.cloudy[k], cloud * gain, 0)
        present = []
        for track in self.tracks:
            i = track.index(t)
            if i is not None:
                depth = self.camera.depth_of(track.x[i], track.y[i])
                if depth > 1.5 and self._near_view(track, i, depth):
                    present.append((depth, track, i, track.figure(i)))
        present.sort(key=lambda item: -item[0])
        if cloud < 0.9:
            for *_, figure in present:
                self._shadow(image, figure, k, (1 - cloud) * 0.92, gain)
        labelled = any(track.event[i] != NO_EVENT for _, track, i, _ in present)
        mask = np.zeros(image.shape[:2], np.uint8) if labelled else None
        for depth, track, i, figure in present:
            self._actor(image, mask, figure, depth, track, i, k, cloud, gain)
        if mask is not None and cv2.countNonZero(mask) < self.smallest:
            mask = None
        image = cv2.GaussianBlur(image, (3, 3), 0.55)
        y, x = self.rng.integers(0, 65, 2)
        height, width = self.camera.size
        return cv2.addWeighted(image, 1, self.noise[y : y + height, x : x + width], 1, -128), mask

    def _near_view(self, track: Track, i: int, depth: float) -> bool:
        """Whether any of an actor, or of its shadow, may be in the picture."""
        uv, _ = self.camera.project(np.array([track.x[i], track.y[i], 0.9]))
        reach = (track.radius + 2.2) * self.camera.focal_px / depth
        height, width = self.camera.size
        return -reach < uv[0] < width + reach and -reach < uv[1] < height + reach

    def _region(self, polygons: list[np.ndarray]) -> tuple[slice, slice, np.ndarray] | None:
        corners = np.concatenate(polygons)
        height, width = self.camera.size
        low = np.clip(np.floor(corners.min(axis=0)).astype(int) - 2, 0, (width, height))
        high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 3, 0, (width, height))
        return None if (low >= high).any() else (slice(low[1], high[1]), slice(low[0], high[0]), low)

    def _shadow(self, image, figure, k: int, strength: float, gain: float) -> None:
        """Darken sunlit ground to the light of the sky alone, where the figure's shadow falls."""
        polygons = shadow_outlines(figure, self.camera, self.scene.place.layout.sun)
        region = self._region(polygons)
        if region is None:
            return
        ys, xs, low = region
        ground = self.scene.scenery.ground[ys, xs]
        cover = np.zeros(ground.shape, np.uint8)
        for fixed in to_fixed(np.concatenate(polygons) - low, [len(p) for p in polygons]):
            cv2.fillConvexPoly(cover, fixed, 255, cv2.LINE_8, SHIFT)
        cover = cv2.blur(cover, (3, 3))
        cover[~ground] = 0
        weight = (cover * np.float32(strength / 255))[..., None]
        part = image[ys, xs]
        shade = self.scene.scenery.cloudy[k][ys, xs] * np.float32(_SHADE * gain)
        part[:] = part + (np.minimum(shade, part) - part) * weight

    def _actor(self, image, mask, figure, depth, track, i, k, cloud, gain) -> None:
        drawn = outlines(figure, self.camera, self.lit_side)
        region = self._region([corners for corners, *_ in drawn])
        if region is None:
            return
        ys, xs, low = region
        sun = self._sunlight(track.x[i], track.y[i], k) * (1 - cloud)
        part = image[ys, xs]
        hidden = self.scene.scenery.depth[k][ys, xs] < np.uint16(min(depth * 100, 60000))
        before = part.copy() if hidden.any() else None
        anomalous = track.event[i] != NO_EVENT
        value = 1 if anomalous else 0
        marks = mask[ys, xs] if mask is not None and (anomalous or mask[ys, xs].any()) else None
        sunny = (0.60 + 0.44 * sun * self.warmth) * gain
        fixed = to_fixed(np.concatenate([c for c, *_ in drawn]) - low, [len(c) for c, *_ in drawn])
        marks_before = marks.copy() if marks is not None and before is not None else None
        if marks is not None:
            marks = np.ascontiguousarray(marks)
        part = np.ascontiguousarray(part)
        for corners, (_, colour, bright) in zip(fixed, drawn, strict=True):
            level = bright * sun + (0.86 + 0.12 * bright) * (1 - sun) * 1.0
            paint = (colour[0] * sunny[0] * level, colour[1] * sunny[1] * level, colour[2] * sunny[2] * level)
            cv2.fillConvexPoly(part, corners, paint, cv2.LINE_AA, SHIFT)
            if marks is not None:
                cv2.fillConvexPoly(marks, corners, value, cv2.LINE_8, SHIFT)
        if before is not None:
            np.copyto(part, before, where=hidden[..., None])
        image[ys, xs] = part
        if marks is not None:
            if marks_before is not None:
                np.copyto(marks, marks_before, where=hidden)
            mask[ys, xs] = marks

    def _sunlight(self, x: float, y: float, k: int) -> float:
        """0..1: how much of the sun reaches the ground at (x, y), read off the pictures."""
        (u, v), _ = self.camera.project(np.array([x, y, 0.0]))
        height, width = self.camera.size
        row, column = int(min(max(v, 0), height - 1)), int(min(max(u, 0), width - 1))
        return self.scene.scenery.sunlight[row, column]

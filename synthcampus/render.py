"""Frames: moving actors over a scene's ready pictures, light that drifts, a sensor that is not perfect."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from synthcampus.figures import SHIFT, outlines, shadow_outlines
from synthcampus.painting import FAR
from synthcampus.scenes import Scene
from synthcampus.tracks import NO_EVENT, Track

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
    """Draws the frames of one clip; `rng` draws the sensor's noise."""

    def __init__(self, scene: Scene, tracks: list[Track], light: Light, rng: np.random.Generator):
        self.scene, self.tracks, self.light, self.rng = scene, tracks, light, rng
        layout = scene.place.layout
        self.camera = scene.place.camera
        self.warmth = np.asarray(layout.warmth)
        self.lit_side = (float(np.clip(layout.sun @ self.camera.axes[0] * 1.4, -1, 1)), -0.7)
        height, width = self.camera.size
        noise = rng.normal(0, 1.7, (height + 64, width + 64, 1)) + rng.normal(0, 0.6, (height + 64, width + 64, 3))
        self.noise = np.clip(np.rint(noise + 128), 0, 255).astype(np.uint8)
        self.drawn: list[tuple] = []  # of the latest frame: (track, position in it, box in the image), from far to near
        self.cover = np.zeros(self.camera.size, np.uint8)
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
            sunlit = [figure for _, track, i, figure in present if self._sunlight(track.x[i], track.y[i]) > 0.1]
            for shadow in shadow_outlines(sunlit, self.camera, self.scene.place.layout.sun):
                self._shadow(image, *shadow, k, (1 - cloud) * 0.92, gain)
        labelled = any(track.event[i] != NO_EVENT for _, track, i, _ in present)
        mask = np.zeros(image.shape[:2], np.uint8) if labelled else None
        pictures = outlines([figure for *_, figure in present], self.camera, self.lit_side)
        self.drawn = [(track, i, box) for (_, track, i, _), (_, box) in zip(present, pictures, strict=True)]
        for (depth, track, i, _), (drawn, box) in zip(present, pictures, strict=True):
            self._actor(image, mask, drawn, box, depth, track, i, k, cloud, gain)
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

    def _region(self, box: tuple[float, float, float, float]) -> tuple[slice, slice] | None:
        """Rows and columns of the picture that a box (least u, v, greatest u, v) touches."""
        height, width = self.camera.size
        left, top = max(int(box[0]) - 2, 0), max(int(box[1]) - 2, 0)
        right, bottom = min(int(box[2]) + 3, width), min(int(box[3]) + 3, height)
        return None if left >= right or top >= bottom else (slice(top, bottom), slice(left, right))

    def _shadow(self, image, polygons, box, k: int, strength: float, gain: float) -> None:
        """Darken sunlit ground to the light of the sky alone, where the figure's shadow falls."""
        region = self._region(box)
        if region is None:
            return
        for corners in polygons:
            cv2.fillConvexPoly(self.cover, corners, 255, cv2.LINE_8, SHIFT)
        cover = cv2.blur(self.cover[region], (3, 3))
        self.cover[region] = 0
        cover[~self.scene.scenery.ground[region] | (self.scene.scenery.depth[k][region] != FAR)] = 0
        weight = (cover * np.float32(strength / 255))[..., None]
        part = image[region]
        shade = self.scene.scenery.cloudy[k][region] * np.float32(_SHADE * gain)
        part[:] = part + (np.minimum(shade, part) - part) * weight

    def _actor(self, image, mask, drawn, box, depth, track, i, k, cloud, gain) -> None:
        """Draw one actor, where nothing static hides it, and mark it in the mask if anomalous."""
        region = self._region(box)
        if region is None:
            return
        hidden = self.scene.scenery.depth[k][region] < min(depth * 100, 60000)
        hides = hidden.any()
        before = image[region].copy() if hides else None
        anomalous = track.event[i] != NO_EVENT
        marked = mask is not None and (anomalous or mask[region].any())
        marks = mask[region].copy() if marked and hides else None
        sun = self._sunlight(track.x[i], track.y[i]) * (1 - cloud)
        light = ((0.60 + 0.44 * sun * self.warmth) * gain).tolist()
        blue, green, red = light
        for corners, colour, bright in drawn:
            level = bright * sun + (0.86 + 0.12 * bright) * (1 - sun)
            paint = (colour[0] * blue * level, colour[1] * green * level, colour[2] * red * level)
            cv2.fillConvexPoly(image, corners, paint, cv2.LINE_AA, SHIFT)
            if marked:
                cv2.fillConvexPoly(mask, corners, int(anomalous), cv2.LINE_8, SHIFT)
        if hides:
            np.copyto(image[region], before, where=hidden[..., None])
            if marked:
                np.copyto(mask[region], marks, where=hidden)

    def _sunlight(self, x: float, y: float) -> float:
        """0..1: how much of the sun reaches the ground at (x, y), read off the pictures."""
        (u, v), _ = self.camera.project(np.array([x, y, 0.0]))
        height, width = self.camera.size
        row, column = int(min(max(v, 0), height - 1)), int(min(max(u, 0), width - 1))
        return float(self.scene.scenery.sunlight[row, column])

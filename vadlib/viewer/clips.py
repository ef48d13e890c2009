"""Clips of a data set, and alarms in them, for the clip viewer: pictures, read when written, and coarse heatmaps."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np
import pandas as pd

from vadlib.data import FrameReader, VideoDataset
from vadlib.detectors import Detector
from vadlib.studies.footage_alarms import FootageAlarms
from vadlib.viewer.data import ViewerClip, heat_levels
from vadlib.viewer.page import LONGEST_SIDE_PX, write_viewer

COLD, HOT = 0.5, 0.999  # quantiles of all places' scores at the ends of the colour bar
CELLS = 28  # along a picture's longer side


def clips_to_show(
    videos: VideoDataset,
    scores: pd.DataFrame,
    detectors: Mapping[str, Detector],
    *,
    size: tuple[int, int],
    batch_size: int = 32,
) -> tuple[list[ViewerClip], dict[str, tuple[float, float]]]:
    """The clips of some scores, in order of their names, and by detector the scores at the ends of its colour bar.

    Heatmaps are computed now, one batch of frames at a time, and kept coarse; pictures are read only when the viewer is
    written, one batch at a time. UnreadableError where a frame cannot be read.

    `scores` has ``clip`` and ``frame`` of the frames to show, all of them readable; `detectors` are fitted, by the
    names of their scores, and each costs a pass over the frames; `size` (height, width) is that of the frames that they
    take.
    """
    table = scores[["clip", "frame"]].assign(label=np.int8(0)).sort_values(["clip", "frame"], ignore_index=True)
    shapes = {name: videos.image_size(name) for name in table["clip"].unique()}
    found: dict[str, dict[str, list[np.ndarray]]] = {name: {d: [] for d in detectors} for name in shapes}
    if detectors:
        names = table["clip"].to_numpy()
        for batch in FrameReader(videos, table, size, batch_size, description="heatmaps"):
            for detector, fitted in detectors.items():
                for name, heat in zip(
                    names[batch.rows], fitted.heatmap(batch.images, scenes=batch.scenes), strict=True
                ):
                    grid = _grid(shapes[name])
                    found[name][detector].append(cv2.resize(heat, grid[::-1], interpolation=cv2.INTER_AREA))
    limits = {
        detector: _limits(np.concatenate([np.ravel(heat) for maps in found.values() for heat in maps[detector]]))
        for detector in detectors
    }
    clips = []
    for name, rows in table.groupby("clip", sort=True, observed=True):
        clip = videos.clip(name)
        heat = {detector: heat_levels(np.stack(found[name][detector]), limits[detector]) for detector in detectors}
        pictures = _pictures(videos, rows, _picture_size(shapes[name]), batch_size)
        clips.append(ViewerClip(clip.id, clip.scene, clip.fps, rows["frame"].to_numpy(), pictures, heat))
    return clips, limits


def _pictures(videos: VideoDataset, rows: pd.DataFrame, size: tuple[int, int], batch_size: int) -> Iterator[np.ndarray]:
    reader = FrameReader(videos, rows.reset_index(drop=True), size, batch_size, progress=False)
    for batch in reader:
        yield from batch.images.permute(0, 2, 3, 1).numpy()  # (B, H, W, 3)


def _picture_size(shape: Sequence[int]) -> tuple[int, int]:
    scale = min(1.0, LONGEST_SIDE_PX / max(shape))
    return tuple(max(1, round(side * scale)) for side in shape)


def _grid(shape: Sequence[int]) -> tuple[int, int]:
    return tuple(max(1, round(CELLS * side / max(shape))) for side in shape)


def _limits(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, [COLD, HOT]).tolist()
    return low, max(high, low + 1e-6 * max(abs(low), 1.0))  # of heatmaps that are the same everywhere


class AlarmViewer:
    """The clips with the strangest moments, ready to be written: their heatmaps are computed now.

    `detectors` are those whose heatmaps are shown, and `size` (height, width) is that of the frames that they take (see
    `clips_to_show`).
    """

    def __init__(
        self,
        videos: VideoDataset,
        found: FootageAlarms,
        detectors: Mapping[str, Detector],
        *,
        n_clips: int,
        size: tuple[int, int],
        batch_size: int = 32,
    ):
        self.found = found
        self.viewed = found.scores[found.scores["clip"].isin(found.strangest_clips[:n_clips])]
        self.clips, self.limits = clips_to_show(videos, self.viewed, detectors, size=size, batch_size=batch_size)

    @property
    def n_clips(self) -> int:
        """Clips shown."""
        return self.viewed["clip"].nunique()

    def write(self, path: str | os.PathLike, *, title: str, note: str) -> dict:
        """Write the file, as `write_viewer`."""
        found, every = self.found, self.found.every_alarm
        return write_viewer(
            path,
            self.clips,
            self.viewed,
            found.detectors,
            thresholds={name: threshold.high for name, threshold in found.thresholds.items()},
            threshold_rule="chosen on held-out normal footage",
            alarms=every[every["clip"].isin(self.viewed["clip"])],
            alarm_rule=f"An alarm begins and ends at a lower threshold and lasts at least {found.rule.min_seconds:g} s",
            heat_limits=self.limits,
            title=title,
            note=note,
        )

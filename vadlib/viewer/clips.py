"""Clips of a data set for the clip viewer: their pictures, read when written, and coarse heatmaps of detectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np
import pandas as pd

from vadlib.data import FrameReader, VideoDataset
from vadlib.detectors import Detector
from vadlib.viewer.data import ViewerClip, heat_levels

COLD, HOT = 0.5, 0.999  # quantiles of all places' scores at the ends of the colour bar
CELLS = 28  # along a picture's longer side


def clips_to_show(
    videos: VideoDataset,
    scores: pd.DataFrame,
    detectors: Mapping[str, Detector],
    *,
    size: tuple[int, int],
    batch_size: int = 32,
    longest_side_px: int = 320,
) -> tuple[list[ViewerClip], dict[str, tuple[float, float]]]:
    """The clips of some scores, for `write_viewer`, and the limits of their heatmaps.

    Heatmaps are computed now, one batch of frames at a time, and kept coarse; pictures are read only when the viewer is
    written, one batch at a time.

    Parameters
    ----------
    videos : VideoDataset
    scores : DataFrame
        ``clip``, ``frame`` of the frames to show, all of them readable.
    detectors : mapping of str to Detector
        Fitted, by the names of their scores: those whose heatmaps are shown. Each costs a pass over the frames.
    size : (height, width)
        Of the frames that the detectors take.
    batch_size : int
    longest_side_px : int
        As for `write_viewer`.

    Returns
    -------
    clips : list of ViewerClip
        In order of their names.
    heat_limits : dict of str to (float, float)
        Scores at the ends of each colour bar: median and 99.9 % quantile of all places.

    Raises
    ------
    UnreadableError
        A frame cannot be read; now, or when the viewer is written.
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
        pictures = _pictures(videos, rows, _picture_size(shapes[name], longest_side_px), batch_size)
        clips.append(ViewerClip(clip.id, clip.scene, clip.fps, rows["frame"].to_numpy(), pictures, heat))
    return clips, limits


def _pictures(videos: VideoDataset, rows: pd.DataFrame, size: tuple[int, int], batch_size: int) -> Iterator[np.ndarray]:
    reader = FrameReader(videos, rows.reset_index(drop=True), size, batch_size, progress=False)
    for batch in reader:
        yield from batch.images.permute(0, 2, 3, 1).numpy()  # (B, H, W, 3)


def _picture_size(shape: Sequence[int], longest_side_px: int) -> tuple[int, int]:
    scale = min(1.0, longest_side_px / max(shape))
    return tuple(max(1, round(side * scale)) for side in shape)


def _grid(shape: Sequence[int]) -> tuple[int, int]:
    return tuple(max(1, round(CELLS * side / max(shape))) for side in shape)


def _limits(values: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(values, [COLD, HOT]).tolist()
    return low, max(high, low + 1e-6 * max(abs(low), 1.0))  # of heatmaps that are the same everywhere

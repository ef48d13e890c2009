"""One scene or one clip of a world to disk: what a worker does."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np

from synthcampus.scenery import Scenery
from synthcampus.scenes import Place, Scene, render_scene
from synthcampus.world import ClipPlan, WorldParameters, clip_frames
from vadlib.errors import ResultsError, UnreadableError

JPEG_QUALITY = 86


def write_scene(work: Path, place: Place, index: int) -> None:
    """Render a scene's static pictures and keep them for the clips."""
    for name, array in vars(render_scene(place).scenery).items():
        np.save(work / ".scenes" / f"{index:02d}_{name}.npy", array)


def _read_scene(work: Path, place: Place, index: int) -> Scene:
    files = {f.name: work / ".scenes" / f"{index:02d}_{f.name}.npy" for f in fields(Scenery)}
    return Scene(place, Scenery(**{name: np.asarray(np.load(file, mmap_mode="r")) for name, file in files.items()}))


def write_clip(work: Path, parameters: WorldParameters, plan: ClipPlan, place: Place) -> list[tuple]:
    """Render and write one clip; its events (clip, first, last, kind)."""
    frames = clip_frames(parameters, plan, _read_scene(work, place, int(plan.scene) - 1))
    if plan.split == "train":
        _write_video(work / "training" / "videos" / f"{plan.id}.avi", frames, parameters)
        return []
    return _write_test_clip(work / "testing", plan, frames, parameters)


def _write_video(path: Path, frames, parameters: WorldParameters) -> None:
    height, width = parameters.size
    video = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"XVID"), parameters.fps, (width, height))
    if not video.isOpened():
        raise UnreadableError(
            f"{path}: OpenCV cannot write MPEG-4 video here; install opencv-python-headless, which can"
        )
    n_frames = 0
    try:
        for image, _, _ in frames:
            video.write(image)
            n_frames += 1
    finally:
        video.release()
    n_arrived, film = 0, cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    while film.grab():
        n_arrived += 1
    film.release()
    if n_arrived != n_frames:  # the writer says nothing of a full disk
        raise ResultsError(f"{path}: {n_frames} frames were drawn, {n_arrived} arrived in it. Is the disk full?")


def _write_test_clip(testing: Path, plan: ClipPlan, frames, parameters: WorldParameters) -> list[tuple]:
    folder = testing / "frames" / plan.id
    folder.mkdir()
    shape = (plan.n_frames, *parameters.size)
    labels = np.zeros(plan.n_frames, np.uint8)
    in_view: list[tuple[str, ...]] = []
    with _SparseArray(testing / "test_pixel_mask" / f"{plan.id}.npy", shape) as pixels:
        for t, (image, mask, kinds) in enumerate(frames):
            if not cv2.imwrite(str(folder / f"{t:03d}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
                raise ResultsError(f"{folder / f'{t:03d}.jpg'}: could not be written. Is the disk full?")
            if mask is not None:
                labels[t] = 1
                pixels.write(t, mask)
            in_view.append(kinds)
    np.save(testing / "test_frame_mask" / f"{plan.id}.npy", labels)
    return _stretches(plan.id, in_view)


def _stretches(clip: str, in_view: list[tuple[str, ...]]) -> list[tuple]:
    """Unbroken stretches of each kind, as (clip, first, last, kind), by first frame."""
    found = []
    for kind in sorted({kind for kinds in in_view for kind in kinds}):
        on = np.array([kind in kinds for kinds in in_view], np.int8)
        edges = np.diff(np.concatenate([[0], on, [0]]))
        stretches = zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True)
        found += [(clip, int(first), int(stop) - 1, kind) for first, stop in stretches]
    return sorted(found, key=lambda row: row[1:])


class _SparseArray:
    """A uint8 .npy file of zeros in which only written rows take room on disk."""

    def __init__(self, path: Path, shape: tuple[int, int, int]):
        self.shape = shape
        self.file = path.open("wb")
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self.file, header)
        self.start = self.file.tell()
        self.file.truncate(self.start + int(np.prod(shape)))

    def write(self, t: int, frame: np.ndarray) -> None:
        """Write the rows of a frame that hold anything."""
        rows = np.flatnonzero(frame.any(axis=1))
        self.file.seek(self.start + (t * self.shape[1] + int(rows[0])) * self.shape[2])
        self.file.write(frame[rows[0] : rows[-1] + 1].tobytes())

    def __enter__(self) -> _SparseArray:
        return self

    def __exit__(self, *_) -> None:
        self.file.close()

"""One scene or one clip of a world to disk: what a worker does."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
from numpy.lib.format import open_memmap

from synthcampus.scenery import Scenery
from synthcampus.scenes import Place, Scene, render_scene
from synthcampus.world import ClipPlan, WorldParameters, clip_frames, planned
from vadlib.errors import ResultsError, UnreadableError

JPEG_QUALITY = 86


def write_part(folder: Path, parameters: WorldParameters, part: tuple[str, int], caller: int) -> tuple:
    """Write ("scene" or "clip", number) for process `caller`; gives it back, with the clip's events."""
    kind, number = part
    places, plans = planned(parameters)
    n_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        if kind == "scene":
            _write_scene(folder, places[number], number)
            return part, []
        plan = plans[number]
        scene = _read_scene(folder, places[int(plan.scene) - 1], int(plan.scene) - 1)
        frames = _while_wanted(clip_frames(parameters, plan, scene), caller)
        if plan.split == "test":
            return part, _write_test_clip(folder / "testing", plan, frames, parameters)
        _write_video(folder / "training" / "videos" / f"{plan.id}.avi", frames, parameters)
        return part, []
    finally:
        cv2.setNumThreads(n_threads)


def _while_wanted(frames: Iterable, caller: int) -> Iterator:
    """The frames, until the caller is gone: another run may write in the same place by then."""
    for frame in frames:
        if caller not in (os.getpid(), os.getppid()):
            os._exit(1)
        yield frame


def _write_scene(folder: Path, place: Place, index: int) -> None:
    """Render a scene's static pictures and keep them for the clips."""
    for name, array in vars(render_scene(place).scenery).items():
        np.save(folder / ".scenes" / f"{index:02d}_{name}.npy", array)


def _read_scene(folder: Path, place: Place, index: int) -> Scene:
    files = {f.name: folder / ".scenes" / f"{index:02d}_{f.name}.npy" for f in fields(Scenery)}
    return Scene(place, Scenery(**{name: np.asarray(np.load(file, mmap_mode="r")) for name, file in files.items()}))


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
    masks = testing / "test_pixel_mask" / f"{plan.id}.npy"
    start = open_memmap(masks, "w+", np.uint8, shape).offset  # zeros that nobody writes take no room on disk
    with masks.open("r+b") as file:  # not through the map, in which a full disk ends the process without a word
        for t, (image, mask, kinds) in enumerate(frames):
            if not cv2.imwrite(str(folder / f"{t:03d}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
                raise ResultsError(f"{folder / f'{t:03d}.jpg'}: could not be written. Is the disk full?")
            if mask is not None:
                labels[t] = 1
                rows = np.flatnonzero(mask.any(axis=1))
                file.seek(start + (t * shape[1] + int(rows[0])) * shape[2])
                file.write(mask[rows[0] : rows[-1] + 1].tobytes())
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

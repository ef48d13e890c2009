"""SynthCampus to disk, in ShanghaiTech's official layout."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from vadlib import __version__
from vadlib.errors import LayoutError, ParameterError, UnreadableError
from vadlib.synth.scenes import Scene, render_scene
from vadlib.synth.world import ClipPlan, WorldParameters, clip_frames, draw_places, plan_world

JPEG_QUALITY = 88
_FORMAT = 1  # raised whenever the same parameters give other bytes


def write_world(
    root: str | os.PathLike,
    *,
    n_train_clips: int = 12,
    n_test_clips: int = 24,
    n_scenes: int = 6,
    seed: int = 0,
    clip_seconds: tuple[float, float] = (11.0, 15.0),
    fps: float = 12.0,
    size: tuple[int, int] = (480, 856),
    n_workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Write a SynthCampus world, whole or not at all.

    The layout is ShanghaiTech's: `training/videos/SS_NNN.avi`, `testing/frames/SS_NNNN/000.jpg`,
    `testing/test_frame_mask/SS_NNNN.npy` (uint8 (T,)), `testing/test_pixel_mask/SS_NNNN.npy` (uint8 (T, H, W), a sparse file:
    only rows with anomalous pixels take room on disk); beside it `events.csv` (clip, first, last, event; frames from 0,
    inclusive, one row for each unbroken stretch in view) and `world.json`. A world that is already there with the same
    parameters is left alone.

    Parameters
    ----------
    root : path
        Folder to make.
    n_train_clips, n_test_clips : int
        Clips, dealt to the scenes in turn. Training clips show normal life only.
    n_scenes : int
        Cameras, 1 to 99.
    seed : int
        Same seed (and platform), same bytes, however many workers.
    clip_seconds : (float, float)
        Shortest and longest clip.
    fps : float
        Frames a second.
    size : (int, int)
        Height and width in pixels, even.
    n_workers : int, optional
        Processes; default: one for each core that this process may use, at most one for each clip.
    progress : bool
        Show a progress bar.

    Returns
    -------
    pathlib.Path
        `root`.

    Raises
    ------
    ParameterError
        A parameter outside its rule.
    LayoutError
        `root` exists and is not this world; it is left as it is.
    """
    root = Path(root)
    parameters = WorldParameters(
        int(n_train_clips), int(n_test_clips), int(n_scenes), int(seed), tuple(map(float, clip_seconds)), float(fps),
        tuple(map(int, size)),
    )  # fmt: skip
    if n_workers is not None and n_workers < 1:
        raise ParameterError(f"n_workers: expected 1 or more; got {n_workers}")
    record = {"format": _FORMAT, "vadlib": __version__, "parameters": parameters.as_dict()}
    if _is_there(root, record):
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    for left in root.parent.glob(f".{root.name}.*.unfinished"):
        _remove_if_abandoned(left)
    work = Path(tempfile.mkdtemp(prefix=f".{root.name}.{os.getpid()}.", suffix=".unfinished", dir=root.parent))
    try:
        work.chmod(0o755)
        events = _write_clips(work, parameters, n_workers, progress)
        _write_events(work / "events.csv", events)
        (work / "world.json").write_text(json.dumps(record, indent=2) + "\n")
        _put_in_place(work, root, record)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return root


def _is_there(root: Path, record: dict) -> bool:
    """Whether `root` holds the world of `record`; refuses anything else that is there."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        found = json.loads((root / "world.json").read_text())
    except (OSError, ValueError):
        raise LayoutError(
            f"{root}: expected nothing or a SynthCampus world (with world.json); found something else. "
            "It was left alone: give another folder, or remove it"
        ) from None
    if found == record:
        return True
    wanted, has = record["parameters"], found.get("parameters", {})
    differ = [f"{key} {has.get(key)} instead of {wanted[key]}" for key in wanted if has.get(key) != wanted[key]]
    if not differ:
        differ = [f"format {found.get('format')} of vadlib {found.get('vadlib')} instead of {_FORMAT} of {__version__}"]
    raise LayoutError(
        f"{root}: holds a SynthCampus world of other parameters ({'; '.join(differ)}). "
        "It was left alone: give another folder, or remove it"
    )


def _remove_if_abandoned(folder: Path) -> None:
    """Remove what an interrupted call left behind, but not the work of a process that is still alive."""
    try:
        os.kill(int(folder.name.split(".")[-3]), 0)
    except (ProcessLookupError, ValueError, IndexError):
        shutil.rmtree(folder, ignore_errors=True)
    except PermissionError:
        pass  # alive, somebody else's


def _put_in_place(work: Path, root: Path, record: dict) -> None:
    try:
        os.replace(work, root)  # an empty folder may stand there
    except OSError:
        if not _is_there(root, record):  # another process may have finished the same world meanwhile
            raise


def _write_clips(work: Path, parameters: WorldParameters, n_workers: int | None, progress: bool) -> list[tuple]:
    """Write scenes, then clips; events of all clips in order."""
    for name in ("training/videos", "testing/frames", "testing/test_frame_mask", "testing/test_pixel_mask", ".scenes"):
        (work / name).mkdir(parents=True)
    plans = plan_world(parameters, draw_places(parameters))
    used = sorted({int(plan.scene) - 1 for plan in plans})
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    n_workers = max(1, min(n_workers or cores, len(plans)))
    longest = sorted(range(len(plans)), key=lambda i: (-plans[i].n_frames, i))
    made: dict[int, list[tuple]] = {}
    bar = tqdm(total=len(used) + len(plans), desc="SynthCampus", unit="part", disable=not progress, leave=False)
    with bar:
        for _ in _run(_write_scene, [(work, parameters, i) for i in used], n_workers):
            bar.update()
        for i, events in _run(_write_clip, [(work, parameters, i, plans[i]) for i in longest], n_workers):
            made[i] = events
            bar.update()
    shutil.rmtree(work / ".scenes")
    return [event for i in sorted(made) for event in made[i]]


def _run(task, arguments: list[tuple], n_workers: int):
    """Results of `task(*arguments)` as they come, in this process or in several."""
    if n_workers == 1 or len(arguments) == 1:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            for one in arguments:
                yield task(*one)
        finally:
            cv2.setNumThreads(threads)
            _load_scene.cache_clear()
        return
    with ProcessPoolExecutor(n_workers, mp_context=_process_context(), initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        futures = [pool.submit(task, *one) for one in arguments]
        try:
            for future in futures:
                yield future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _process_context():
    """Clean processes, which neither fork this one's threads nor import its script.

    `forkserver` and `spawn` import the caller's `__main__` anew, so a plain script without a main guard would start itself over;
    hiding `__main__`'s file while they start spares it that.
    """
    return multiprocessing.get_context("forkserver" if sys.platform.startswith("linux") else "spawn")


def _write_scene(work: Path, parameters: WorldParameters, index: int) -> None:
    """Render a scene's static pictures and keep them for the clips."""
    scenery = render_scene(draw_places(parameters)[index]).scenery
    for name, array in vars(scenery).items():
        np.save(work / ".scenes" / f"{index:02d}_{name}.npy", array)


@lru_cache(maxsize=2)
def _load_scene(work: Path, parameters: WorldParameters, index: int) -> Scene:
    from vadlib.synth.scenery import Scenery

    folder = work / ".scenes"
    names = ("sunny", "cloudy", "depth", "ground", "sunlight")
    arrays = {name: np.load(folder / f"{index:02d}_{name}.npy", mmap_mode="r") for name in names}
    return Scene(draw_places(parameters)[index], Scenery(**arrays))


def _write_clip(work: Path, parameters: WorldParameters, order: int, plan: ClipPlan) -> tuple[int, list[tuple]]:
    """Render and write one clip; its place in the plan and its events (clip, first, last, kind)."""
    scene = _load_scene(work, parameters, int(plan.scene) - 1)
    frames = clip_frames(parameters, plan, scene)
    if plan.split == "train":
        _write_video(work / "training" / "videos" / f"{plan.id}.avi", frames, parameters)
        return order, []
    return order, _write_test_clip(work / "testing", plan, frames, parameters)


def _write_video(path: Path, frames, parameters: WorldParameters) -> None:
    height, width = parameters.size
    video = cv2.VideoWriter(
        str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"XVID"), parameters.fps, (width, height)
    )
    if not video.isOpened():
        raise UnreadableError(f"{path}: OpenCV cannot write MPEG-4 video here; install opencv-python-headless, which can")
    try:
        for image, _, _ in frames:
            video.write(image)
    finally:
        video.release()


def _write_test_clip(testing: Path, plan: ClipPlan, frames, parameters: WorldParameters) -> list[tuple]:
    folder = testing / "frames" / plan.id
    folder.mkdir()
    shape = (plan.n_frames, *parameters.size)
    labels = np.zeros(plan.n_frames, np.uint8)
    in_view: list[tuple[str, ...]] = []
    with _SparseArray(testing / "test_pixel_mask" / f"{plan.id}.npy", shape) as pixels:
        for t, (image, mask, kinds) in enumerate(frames):
            if not cv2.imwrite(str(folder / f"{t:03d}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
                raise UnreadableError(f"{folder / f'{t:03d}.jpg'}: could not be written; is the disk full?")
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


def _write_events(path: Path, events: list[tuple]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["clip", "first", "last", "event"])
        writer.writerows(events)

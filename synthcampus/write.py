"""SynthCampus to disk, in ShanghaiTech's official layout."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

from tqdm import tqdm

from synthcampus.clips import write_part
from synthcampus.events import EVENT_KINDS
from synthcampus.workers import as_done
from synthcampus.world import WorldParameters, planned
from vadlib import __version__
from vadlib.errors import LayoutError, ParameterError, ResultsError
from vadlib.storage import RunLock, recover_folder, replace_folder, user_path

_FORMAT = 3  # raised whenever the same parameters give other bytes


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
    `testing/test_frame_mask/SS_NNNN.npy` (uint8 (T,)), `testing/test_pixel_mask/SS_NNNN.npy` (uint8 (T, H, W), a sparse
    file: only rows with anomalous pixels take room on disk); beside it `events.csv` (clip, first, last, event, seen_in;
    frames from 0, inclusive, one row for each unbroken stretch in view) and `world.json`. A world that is already
    there with the same parameters is left alone.

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
    ResultsError
        `root` cannot be written; nothing is left there.
    BusyError
        Another process is writing there.
    """
    root = user_path(root)
    parameters = WorldParameters(
        int(n_train_clips), int(n_test_clips), int(n_scenes), int(seed), tuple(map(float, clip_seconds)), float(fps),
        tuple(map(int, size)),
    )  # fmt: skip
    if n_workers is not None and n_workers < 1:
        raise ParameterError(f"n_workers: expected 1 or more; got {n_workers}")
    record = {"format": _FORMAT, "vadlib": __version__, "parameters": parameters.as_dict()}
    if _is_there(root, record):
        return root

    def fill(folder: Path) -> None:
        _write_events(folder / "events.csv", _write_clips(folder, parameters, n_workers, progress))
        (folder / "world.json").write_text(json.dumps(record, indent=2) + "\n")

    try:
        with RunLock(root):
            recover_folder(root)
            if not _is_there(root, record):  # another process may have finished it meanwhile
                replace_folder(root, fill)
    except OSError as error:
        raise ResultsError(
            f"{root}: the world cannot be written there: {error}. Make room, or choose another folder."
        ) from error
    return root


def _is_there(root: Path, record: dict) -> bool:
    """Whether `root` holds the world of `record`; refuses anything else that is there."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        found = json.loads((root / "world.json").read_text())
        has = found["parameters"] | {}
    except (OSError, ValueError, KeyError, TypeError):
        raise LayoutError(
            f"{root}: expected nothing or a SynthCampus world (with world.json); found something else. "
            "It was left alone: give another folder, or remove it"
        ) from None
    if found == record:
        return True
    wanted = record["parameters"]
    differ = [f"{key} {has.get(key)} instead of {wanted[key]}" for key in wanted if has.get(key) != wanted[key]]
    if not differ:
        differ = [f"format {found.get('format')} of vadlib {found.get('vadlib')} instead of {_FORMAT} of {__version__}"]
    raise LayoutError(
        f"{root}: holds a SynthCampus world of other parameters ({'; '.join(differ)}). "
        "It was left alone: give another folder, or remove it"
    )


def _write_clips(folder: Path, parameters: WorldParameters, n_workers: int | None, progress: bool) -> list[tuple]:
    """Write scenes, then clips; events of all clips in order."""
    for name in ("training/videos", "testing/frames", "testing/test_frame_mask", "testing/test_pixel_mask", ".scenes"):
        (folder / name).mkdir(parents=True)
    _, plans = planned(parameters)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    n_workers = max(1, min(n_workers or cores, len(plans)))
    scenes = [("scene", i) for i in sorted({int(plan.scene) - 1 for plan in plans})]
    longest_first = [("clip", i) for i in sorted(range(len(plans)), key=lambda i: (-plans[i].n_frames, i))]
    events: dict[int, list[tuple]] = {}
    n_parts = len(scenes) + len(longest_first)
    with tqdm(total=n_parts, desc="SynthCampus", unit="part", disable=not progress, leave=False) as bar:
        for parts in (scenes, longest_first):
            tasks = [(folder, parameters, part, os.getpid()) for part in parts]
            for (kind, i), found in as_done(write_part, tasks, n_workers):
                events |= {i: found} if kind == "clip" else {}
                bar.update()
    shutil.rmtree(folder / ".scenes")
    return [event for i in sorted(events) for event in events[i]]


def _write_events(path: Path, events: list[tuple]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["clip", "first", "last", "event", "seen_in"])
        writer.writerows((*event, EVENT_KINDS[event[-1]]) for event in events)

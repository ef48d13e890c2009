"""Videos of one's own: files and folders of frames that belong to no published data set.

`open_dataset("folder", root)` takes any folder that is laid out like this::

    normal/a.mp4 ...      footage in which nothing happens that should raise an alarm, to fit on (split train)
    anything else         to score (split test): videos, folders of frames, folders of those, to any depth
    labels.csv            what happens in the clips to score, if someone knows (see `interval_labels`)

A clip is a video file, whatever its name ends in, or a folder of pictures called by their numbers; pictures beside
videos are not looked at, nor are folders that systems make, such as ``lost+found``.
Its id is its path under the root without the ending, joined by underscores: `gate/monday.mp4` is `gate_monday`.

Scenes: the first folder under `normal/` that is no date or hour is the camera (`normal/gate/a.mp4`,
`normal/2024-01-01/06/gate/30.00.mp4`). Clips to score belong to a camera where one of their folders is called like
it, whatever its case (`gate/b.mp4`, `march/Gate/b.mp4`), else to the scene called as their first folder (see
`assign_cameras`). Where `normal/` has no such folders, everything is one scene. Frame rate: videos carry their own;
folders of frames that of the times in their pictures' names, where those are even, else the median of the set's
videos, or 25 where there are none.
"""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vadlib.data.dataset import UNLABELLED, Clip, VideoDataset
from vadlib.data.labels.intervals import label_clips, read_intervals
from vadlib.data.layouts.cameras import UNKNOWN_SCENE, assign_cameras, name_key
from vadlib.data.layouts.clip_search import list_visible, search_clips
from vadlib.data.layouts.folder_facts import camera_facts, hour_facts, mask_facts, scan_facts
from vadlib.data.layouts.numbered import list_numbered, seconds_between
from vadlib.data.layouts.opening import LeftOut, Opening, check_some_left, count_and_list, open_each
from vadlib.data.reading import videos
from vadlib.data.reading.decoding import is_video
from vadlib.data.reading.files import list_names
from vadlib.data.reading.scanning import MAX_FPS, VideoScan, scan_video
from vadlib.errors import LayoutError, ParameterError, UnreadableError
from vadlib.storage import user_path

NAME = "videos"
NOMINAL_FPS = 25.0
EXPECTS = ("normal/*", "videos or folders of frames")
LABEL_FILE = "labels.csv"


def open_videos(
    paths: Sequence[str | os.PathLike],
    *,
    fps: float = NOMINAL_FPS,
    scene: str = UNKNOWN_SCENE,
    skip_unreadable: bool = False,
) -> VideoDataset:
    """Open some videos as a data set: every one a test clip, called as its file or folder without the ending.

    Nothing is known of their frames, so all of them are unlabelled (label -1), and damaged ones are refused (see
    `FrameReader`). `fps` is that of folders, and of files that state no rate and no times of frames.
    """
    if not 0 < fps <= MAX_FPS:
        raise ParameterError(f"fps: frames a second, above 0 and at most {MAX_FPS:.0f}, are expected, not {fps}.")
    sources = [Path(os.path.abspath(user_path(path))) for path in paths]
    if not sources:
        raise ParameterError("videos: none given; give video files, or folders of frames.")
    twice = [path for index, path in enumerate(sources) if path in sources[:index]]
    if twice:
        raise LayoutError(f"{twice[0]} is given twice. Give it once.")
    root = Path(os.path.commonpath([path.parent for path in sources]))
    opened, left_out = open_each(
        [("test", path) for path in sources],
        lambda _, path: _open_clip(path, float(fps), scene),
        root,
        skip_unreadable=skip_unreadable,
    )
    clips = [clip for clip, _ in opened.values()]
    _check_names(clips)
    labels = {clip.id: np.full(clip.n_frames, UNLABELLED, np.int8) for clip in clips}
    facts = scan_facts({clip.path.name: scan for clip, scan in opened.values() if scan})
    return VideoDataset(NAME, root, tuple(clips), labels, left_out=tuple(left_out), facts=facts, may_lack_labels=True)


def matches(folder: Path, name: str) -> bool:
    """Whether a folder can be opened: any can be tried, and `open_layout` says what is wrong with it."""
    return True


def open_layout(name: str, home: Path, opening: Opening) -> VideoDataset:
    """Open a folder of one's own videos (see the module and `vadlib.data.open_dataset`)."""
    normal = _only(home, "normal", Path.is_dir)
    search = search_clips(home, skip_unreadable=opening.skip_unreadable)

    def split_of(path: Path) -> str:
        return "train" if normal and path.relative_to(home).parts[0] == normal.name else "test"

    sources = {split: [path for path in search.clips if split_of(path) == split] for split in ("train", "test")}
    closed = [LeftOut.by(why, path, split_of(path), home) for path, why in search.unreadable.items()]
    check_some_left([split for split, paths in sources.items() if paths], closed, home)
    missing, unread = _missing(home, sources), mask_facts(search.masks)
    if missing and (not opening.allow_missing or len(missing) == 2):
        raise LayoutError(
            f"{name} in {home} is incomplete: {'; '.join(missing)}. Put footage of ordinary days into normal/, and "
            f"what is to be scored beside it.{_hint(home)}"
            + "".join(f" {what.capitalize()}: {value}." for what, value in unread.items())
        )
    clips, scans, left_out = _open_clips(home, sources, opening.skip_unreadable)
    left_out += closed
    _check_names(clips)
    _check_apart(clips)
    label_file = _only(home, LABEL_FILE, Path.is_file)
    intervals = [] if label_file is None else read_intervals(label_file)
    names = {clip.id: _names(clip.path.relative_to(home)) for clip in clips}
    gone = {name for clip in left_out for name in _names(Path(clip.clip))}
    labels, events = label_clips(label_file or home / LABEL_FILE, intervals, clips, names, gone)
    unlabelled = [clip.id for clip in clips if (labels[clip.id] == UNLABELLED).any()]
    source = f"none ({LABEL_FILE} is not there)" if label_file is None else label_file.name
    facts = {"labels": source + (f"; unlabelled: {count_and_list(unlabelled)}" if unlabelled else "")}
    below_normal = [path.relative_to(home).parts[1:-1] for path in sources["train"]]
    facts |= camera_facts(clips) | hour_facts(below_normal) | unread | scan_facts(scans)
    return VideoDataset(
        name, home, tuple(clips), labels, events=events, missing=tuple(missing), left_out=tuple(left_out),
        facts=facts, may_lack_labels=True,
    )  # fmt: skip


def _only(home: Path, name: str, is_kind: Callable[[Path], bool]) -> Path | None:
    """Find a file or folder, whatever the case of its name."""
    found = [path for path in list_visible(home) if path.name.casefold() == name and is_kind(path)]
    if len(found) > 1:
        raise LayoutError(f"{home} has {found[0].name} and {found[1].name}. Keep one of them.")
    return found[0] if found else None


def _missing(home: Path, sources: dict[str, list[Path]]) -> list[str]:
    missing = []
    if not sources["train"]:
        missing.append("no footage to fit on (videos or folders of frames in normal/)")
    if not sources["test"]:
        there = [path.name for path in list_visible(home)]
        missing.append(f"nothing to score (videos or folders of frames beside normal/; there is {list_names(there)})")
    return missing


def _hint(home: Path) -> str:
    """Guess what was meant: the folder below, or another name for `normal`."""
    folders = [path for path in list_visible(home) if path.is_dir()]
    if any(path.name.casefold() == "normal" for path in folders):
        return ""
    inside = next((path for path in folders[:50] if _only(path, "normal", Path.is_dir)), None)
    if inside is not None:
        return f" {inside} has a folder normal: give that as root."
    near = difflib.get_close_matches("normal", [path.name.casefold() for path in folders], n=1)
    meant = [path.name for path in folders if path.name.casefold() in (*near, "train", "training")]
    return f" Is {meant[0]} the footage to fit on? Rename it to normal." if meant else ""


def _open_clips(
    home: Path, sources: dict[str, list[Path]], skip_unreadable: bool
) -> tuple[list[Clip], dict[str, VideoScan], list[LeftOut]]:
    """Open the clips; gives also what was found in the files, by their names."""
    paths = [(split, path) for split in sources for path in sources[split]]
    opened, left_out = open_each(
        paths, lambda _, path: _open_clip(path, math.nan, UNKNOWN_SCENE), home, skip_unreadable=skip_unreadable
    )
    paths = [(split, path) for split, path in paths if path in opened]
    parts = {path: path.relative_to(home).parts for _, path in paths}
    scenes_of_normal, scenes_of_scored = assign_cameras(
        [parts[path][1:-1] for split, path in paths if split == "train"],
        [parts[path][:-1] for split, path in paths if split == "test"],
    )
    scenes = dict(zip([path for _, path in paths], [*scenes_of_normal, *scenes_of_scored], strict=True))
    rates = [clip.fps for clip, _ in opened.values() if math.isfinite(clip.fps)]
    fps = float(np.median(rates)) if rates else NOMINAL_FPS
    clips, scans = [], {}
    for split, path in paths:
        clip, scan = opened[path]
        rate = clip.fps if math.isfinite(clip.fps) else _dated_rate(path) or fps
        clip_id = "_".join((*parts[path][:-1], clip.id))
        clips.append(replace(clip, id=clip_id, split=split, scene=scenes[path], fps=rate))
        if scan:
            scans[path.relative_to(home).as_posix()] = scan
    return clips, scans, left_out


def _dated_rate(path: Path) -> float | None:
    """Pictures a second of a folder of frames that are called by when they were taken; None of others."""
    step = seconds_between(list_numbered(path)) if path.is_dir() else None
    return 1 / step if step else None


def _names(path: Path) -> tuple[str, ...]:
    """What `labels.csv` may call a clip, besides its id."""
    return path.as_posix(), path.with_name(path.stem).as_posix(), path.name, path.stem


def _check_apart(clips: list[Clip]) -> None:
    """Refuse to score the very file that was fitted on."""
    fitted = {}
    for clip in sorted(clips, key=lambda clip: clip.split, reverse=True):  # train first
        status = clip.path.stat()
        key = (status.st_dev, status.st_ino)
        if clip.split == "train":
            fitted[key] = clip
        elif key in fitted:
            raise LayoutError(
                f"{clip.path} is the same file as {fitted[key].path}, by a link: it would be scored by a detector "
                "that was fitted on it. Keep one of them."
            )


def _open_clip(path: Path, fps: float, scene: str) -> tuple[Clip, VideoScan | None]:
    """Open a clip; gives also what was found in its file, if it is one."""
    if path.is_dir():
        files = videos.list_numbered(path)
        if not files:
            raise LayoutError(_no_frames(path))
        return Clip(path.name, "test", scene, path, len(files), fps), None
    if not path.exists():
        raise LayoutError(f"{path} does not exist. Give video files, or folders of frames.")
    if not path.is_file():
        raise UnreadableError(f"{path} is neither a file nor a folder. Give video files, or folders of frames.")
    scan = scan_video(path)
    return Clip(path.stem, "test", scene, path, scan.n_frames, scan.rate or fps), scan


def _no_frames(folder: Path) -> str:
    inside = sorted(entry for entry in folder.iterdir() if videos.visible(entry))
    films = [entry.name for entry in inside if is_video(entry)]
    if films:
        return f"{folder} holds videos, not frames: give the files themselves ({folder / films[0]} …)."
    return f"{folder} has no frames: pictures called by their number ({', '.join(videos.IMAGE_SUFFIXES)}) are expected."


def _check_names(clips: list[Clip]) -> None:
    """Names become folders, and some file systems tell neither upper case from lower nor how accents are composed."""
    seen: dict[str, Clip] = {}
    for clip in clips:
        other = seen.setdefault(name_key(clip.id), clip)
        if other is not clip:
            raise LayoutError(
                f"{other.path} and {clip.path} are both called {clip.id}. Rename one of them, or score them apart."
            )

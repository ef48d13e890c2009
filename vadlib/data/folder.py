"""Videos of one's own: files and folders of frames that belong to no published data set.

`open_dataset("folder", root)` takes any folder that is laid out like this::

    normal/a.mp4 ...      footage in which nothing happens that should raise an alarm, to fit on (split train)
    anything else         to score (split test): videos, folders of frames, folders of those, to any depth
    labels.csv            what happens in the clips to score, if someone knows (see `interval_labels`)

A clip is a video file, or a folder of pictures called by their numbers; pictures beside videos are not looked at,
nor are videos of kinds that are not read (`facts` says so) and folders that systems make, such as ``lost+found``.
Its id is its path under the root without the ending, joined by underscores: `gate/monday.mp4` is `gate_monday`.

Scenes: the first folder under `normal/` is the camera (`normal/gate/a.mp4`). Clips to score belong to a camera
where one of their folders is called like it, whatever its case (`gate/b.mp4`, `march/Gate/b.mp4`), else to the scene
called as their first folder. Where `normal/` has no folders of clips, everything is one scene. Frame rate: videos
carry their own; folders of frames get the median of the set's videos, or 25 where there are none.
"""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from vadlib.data import videos
from vadlib.data.dataset import UNLABELLED, Clip, VideoDataset, some
from vadlib.data.folder_facts import UNKNOWN_SCENE, UNREAD_SUFFIXES, camera_facts, left_out_facts, scan_facts
from vadlib.data.interval_labels import label_clips, read_intervals
from vadlib.data.scanning import VideoScan, scan_video
from vadlib.errors import LayoutError, ParameterError, UnreadableError
from vadlib.storage import user_path

NAME = "videos"
COUNTING_SUFFIXES = (".avi", ".mp4", ".mov", ".m4v")  # their headers hold the number of frames
ESTIMATING_SUFFIXES = (".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".wmv")  # theirs a duration, from which it is guessed
VIDEO_SUFFIXES = COUNTING_SUFFIXES + ESTIMATING_SUFFIXES
MAX_FPS = 1000.0
NOMINAL_FPS = 25.0
EXPECTS = ("normal/*", "videos or folders of frames")
LABEL_FILE = "labels.csv"
SYSTEM_FOLDERS = (  # of archives, network drives and file systems
    "__MACOSX", "@eaDir", "#recycle", "#snapshot", "$RECYCLE.BIN", "System Volume Information", "lost+found",
)  # fmt: skip


def open_videos(
    paths: Sequence[str | os.PathLike], *, fps: float = NOMINAL_FPS, scene: str = UNKNOWN_SCENE
) -> VideoDataset:
    """Open some videos as a data set: every one a test clip, called as its file or folder without the ending.

    Nothing is known of their frames, so all of them are unlabelled (label -1).

    Parameters
    ----------
    paths : sequence of path-like
        Video files, or folders of numbered pictures.
    fps : float
        Frames a second of folders, and of files whose header has no believable rate.
    scene : str
        The camera that all of them show.

    Returns
    -------
    VideoDataset
        Split ``"test"``, so that damaged videos are refused (see `FrameReader`).

    Raises
    ------
    ParameterError
        No paths, or a rate outside (0, 1000].
    LayoutError
        A path that is missing, a folder without frames, or two videos of one name.
    UnreadableError
        A file that is no video.
    """
    if not 0 < fps <= MAX_FPS:
        raise ParameterError(f"fps: frames a second, above 0 and at most {MAX_FPS:.0f}, are expected, not {fps}.")
    found = [Path(os.path.abspath(user_path(path))) for path in paths]
    if not found:
        raise ParameterError("videos: none given; give video files, or folders of frames.")
    opened = [_open_clip(path, float(fps), scene) for path in found]
    clips = [clip for clip, _ in opened]
    _check_names(clips)
    labels = {clip.id: np.full(clip.n_frames, UNLABELLED, np.int8) for clip in clips}
    root = Path(os.path.commonpath([path.parent for path in found]))
    facts = scan_facts({clip.path.name: scan for clip, scan in opened if scan})
    return VideoDataset(NAME, root, tuple(clips), labels, facts=facts, may_lack_labels=True)


def is_home(folder: Path, name: str) -> bool:
    """Whether a folder can be opened: any can be tried, and `open_home` says what is wrong with it."""
    return True


def open_home(name: str, home: Path, allow_missing: bool) -> VideoDataset:
    """Open a folder of one's own videos (see the module and `vadlib.data.open_dataset`)."""
    normal = _normal_folder(home)
    found = {"train": [], "test": []}  # paths relative to home, by split
    left_out: list[Path] = []
    for path in find_clips(home, left_out):
        parts = path.relative_to(home).parts
        found["train" if normal and parts[0] == normal.name else "test"].append(path)
    missing, unread = _missing(home, found), left_out_facts(left_out)
    if missing and (not allow_missing or len(missing) == 2):
        raise LayoutError(
            f"{name} in {home} is incomplete: {'; '.join(missing)}. Put footage of ordinary days into normal/, and "
            f"what is to be scored beside it.{_hint(home)}"
            + "".join(f" {what.capitalize()}: {value}." for what, value in unread.items())
        )
    clips, scans = _open_clips(home, found)
    _check_names(clips)
    _check_apart(clips)
    label_file = _label_file(home)
    intervals = [] if label_file is None else read_intervals(label_file)
    names = {clip.id: _names(clip.path.relative_to(home)) for clip in clips}
    labels, events = label_clips(label_file or home / LABEL_FILE, intervals, clips, names)
    unlabelled = [clip.id for clip in clips if (labels[clip.id] == UNLABELLED).any()]
    source = f"none ({LABEL_FILE} is not there)" if label_file is None else label_file.name
    facts = {"labels": source + (f"; unlabelled: {some(unlabelled)}" if unlabelled else "")}
    facts |= camera_facts(clips) | unread | scan_facts(scans)
    return VideoDataset(
        name, home, tuple(clips), labels, events=events, missing=tuple(missing), facts=facts, may_lack_labels=True
    )


def find_clips(folder: Path, left_out: list[Path] | None = None) -> list[Path]:
    """List the videos and folders of frames below a folder, sorted.

    Parameters
    ----------
    folder : Path
    left_out : list of Path, optional
        Given, the videos of kinds that are not read are added to it.

    Raises
    ------
    UnreadableError
        A folder that may not be read.
    LayoutError
        A folder that is reached twice, by a link, or that holds pictures as well as clips in folders.
    """
    status = folder.stat()
    seen = {(status.st_dev, status.st_ino): folder}
    left_out = [] if left_out is None else left_out
    entries = _entries(folder)
    below = [path for entry in entries if entry.is_dir() for path in _find_in(entry, seen, left_out)]
    left_out += [entry for entry in entries if _is_unread(entry)]
    return sorted([*(entry for entry in entries if _is_video(entry)), *below])


def _find_in(folder: Path, seen: dict[tuple[int, int], Path], left_out: list[Path]) -> list[Path]:
    entries = _entries(folder)
    status = folder.stat()
    first = seen.setdefault((status.st_dev, status.st_ino), folder)
    if first is not folder:
        raise LayoutError(f"{folder} is the same folder as {first}, by a link. Remove one of them.")
    inside = [path for entry in entries if entry.is_dir() for path in _find_in(entry, seen, left_out)]
    films = [entry for entry in entries if _is_video(entry)]
    pictures = [entry for entry in entries if entry.suffix.lower() in videos.IMAGE_SUFFIXES and not entry.is_dir()]
    if pictures and inside and not films:
        raise LayoutError(
            f"{folder} holds pictures ({pictures[0].name} …) and also {some([path.name for path in inside])} in "
            "folders. A folder of frames has none: move one of the two."
        )
    left_out += [entry for entry in entries if _is_unread(entry)]
    return [folder] if pictures and not films else films + inside


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if videos.visible(path) and path.name not in SYSTEM_FOLDERS)
    except OSError as error:
        raise UnreadableError(f"{folder} cannot be listed: {error.strerror}.") from error


def _is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()


def _is_unread(path: Path) -> bool:
    return path.suffix.lower() in UNREAD_SUFFIXES and not path.is_dir()


def _normal_folder(home: Path) -> Path | None:
    """Find the folder `normal`, whatever its case."""
    found = [path for path in _entries(home) if path.name.casefold() == "normal" and path.is_dir()]
    if len(found) > 1:
        raise LayoutError(f"{home} has {found[0].name}/ and {found[1].name}/. Keep one of them.")
    return found[0] if found else None


def _label_file(home: Path) -> Path | None:
    """Find the labels, whatever the case of their file's name."""
    found = [path for path in _entries(home) if path.name.casefold() == LABEL_FILE and path.is_file()]
    if len(found) > 1:
        raise LayoutError(f"{home} has {found[0].name} and {found[1].name}. Keep one of them.")
    return found[0] if found else None


def _missing(home: Path, found: dict[str, list[Path]]) -> list[str]:
    missing = []
    if not found["train"]:
        missing.append("no footage to fit on (videos or folders of frames in normal/)")
    if not found["test"]:
        there = [path.name for path in _entries(home)]
        missing.append(f"nothing to score (videos or folders of frames beside normal/; there is {_listed(there)})")
    return missing


def _listed(names: list[str], n: int = 8) -> str:
    return (", ".join(names[:n]) + (" …" if len(names) > n else "")) or "nothing"


def _hint(home: Path) -> str:
    """Guess what was meant: the folder below, or another name for `normal`."""
    folders = [path for path in _entries(home) if path.is_dir()]
    if any(path.name.casefold() == "normal" for path in folders):
        return ""
    inside = next((path for path in folders[:50] if _normal_folder(path)), None)
    if inside is not None:
        return f" {inside} has a folder normal: give that as root."
    near = difflib.get_close_matches("normal", [path.name.casefold() for path in folders], n=1)
    meant = [path.name for path in folders if path.name.casefold() in (*near, "train", "training")]
    return f" Is {meant[0]} the footage to fit on? Rename it to normal." if meant else ""


def _open_clips(home: Path, found: dict[str, list[Path]]) -> tuple[list[Clip], dict[str, VideoScan]]:
    """Open the clips; gives also what was found in the files, by their names."""
    paths = [(path, split) for split in found for path in found[split]]
    with ThreadPoolExecutor(8) as pool:  # opening many videos waits for the disk
        opened = list(pool.map(lambda pair: _open_clip(pair[0], math.nan, UNKNOWN_SCENE), paths))
    rates = [clip.fps for clip, _ in opened if math.isfinite(clip.fps)]
    fps = float(np.median(rates)) if rates else NOMINAL_FPS
    inside = [path.relative_to(home).parts[1] for path in found["train"] if len(path.relative_to(home).parts) > 2]
    cameras = {name.casefold(): name for name in sorted(inside, reverse=True)}
    clips, scans = [], {}
    for (clip, scan), (path, split) in zip(opened, paths, strict=True):
        parts = path.relative_to(home).parts
        clip_id = "_".join((*parts[:-1], clip.id))
        folders = parts[1:-1] if split == "train" else parts[:-1]
        rate = clip.fps if math.isfinite(clip.fps) else fps
        clips.append(replace(clip, id=clip_id, split=split, scene=_scene(folders, cameras), fps=rate))
        if scan:
            scans[path.relative_to(home).as_posix()] = scan
    return clips, scans


def _scene(folders: tuple[str, ...], cameras: Mapping[str, str]) -> str:
    """Which camera a clip in these folders shows; `cameras` have normal footage, by their names in lower case."""
    if not cameras or not folders:
        return UNKNOWN_SCENE
    return next((cameras[name.casefold()] for name in folders if name.casefold() in cameras), folders[0])


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
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        raise UnreadableError(
            f"{path} is no video: {', '.join(VIDEO_SUFFIXES)} are expected, or a folder of "
            "frames. Rewrite it with `ffmpeg -i IN OUT.mp4`."
        )
    scan = scan_video(path)
    return Clip(path.stem, "test", scene, path, scan.n_frames, scan.rate or fps), scan


def _no_frames(folder: Path) -> str:
    inside = sorted(entry for entry in folder.iterdir() if videos.visible(entry))
    films = [entry.name for entry in inside if entry.suffix.lower() in VIDEO_SUFFIXES]
    if films:
        return f"{folder} holds videos, not frames: give the files themselves ({folder / films[0]} …)."
    return f"{folder} has no frames: pictures called by their number ({', '.join(videos.IMAGE_SUFFIXES)}) are expected."


def _check_names(clips: list[Clip]) -> None:
    """Names become folders, and some file systems do not tell upper case from lower."""
    seen: dict[str, Clip] = {}
    for clip in clips:
        other = seen.setdefault(clip.id.casefold(), clip)
        if other.path == clip.path and other is not clip:
            raise LayoutError(f"{clip.path} is given twice. Give it once.")
        if other is not clip:
            raise LayoutError(
                f"{other.path} and {clip.path} are both called {clip.id}. Rename one of them, or score them apart."
            )

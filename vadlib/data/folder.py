"""Videos of one's own: files and folders of frames that belong to no data set, and have no labels."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vadlib.data import videos
from vadlib.data.dataset import Clip, VideoDataset
from vadlib.errors import LayoutError, ParameterError, UnreadableError
from vadlib.storage import user_path

NAME = "videos"
UNKNOWN_SCENE = "unknown"
COUNTING_SUFFIXES = (".avi", ".mp4", ".mov", ".m4v")  # their headers hold the number of frames
ESTIMATING_SUFFIXES = (".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".wmv")  # theirs a duration, from which it is guessed
MAX_FPS = 1000.0


def open_videos(paths: Sequence[str | os.PathLike], *, fps: float = 25.0, scene: str = UNKNOWN_SCENE) -> VideoDataset:
    """Open some videos as a data set: every one a test clip, called as its file or folder without the ending.

    Nothing is known of their frames. Where the frame table must have a label, it is 0, which here means
    "unlabelled": do not evaluate against it, and do not fit on it as if someone had looked.

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
    clips = [_open_clip(path, float(fps), scene) for path in found]
    _check_names(clips)
    labels = {clip.id: np.zeros(clip.n_frames, np.int8) for clip in clips}
    root = Path(os.path.commonpath([path.parent for path in found]))
    return VideoDataset(NAME, root, tuple(clips), labels)


def _open_clip(path: Path, fps: float, scene: str) -> Clip:
    if path.is_dir():
        files = videos.list_numbered(path)
        if not files:
            raise LayoutError(_no_frames(path))
        return Clip(path.name, "test", scene, path, len(files), fps)
    if not path.exists():
        raise LayoutError(f"{path} does not exist. Give video files, or folders of frames.")
    if path.suffix.lower() not in COUNTING_SUFFIXES + ESTIMATING_SUFFIXES:
        raise UnreadableError(
            f"{path} is no video: {', '.join(COUNTING_SUFFIXES + ESTIMATING_SUFFIXES)} are expected, or a folder of "
            "frames. Rewrite it with `ffmpeg -i IN OUT.mp4`."
        )
    info = videos.probe_video(path)
    n_frames = _count_frames(path) if path.suffix.lower() in ESTIMATING_SUFFIXES else info.n_frames
    believable = math.isfinite(info.fps) and 0 < info.fps <= MAX_FPS
    return Clip(path.stem, "test", scene, path, n_frames, info.fps if believable else fps)


def _no_frames(folder: Path) -> str:
    inside = sorted(entry for entry in folder.iterdir() if videos.visible(entry))
    films = [entry.name for entry in inside if entry.suffix.lower() in COUNTING_SUFFIXES + ESTIMATING_SUFFIXES]
    if films:
        return f"{folder} holds videos, not frames: give the files themselves ({folder / films[0]} …)."
    return f"{folder} has no frames: pictures called by their number ({', '.join(videos.IMAGE_SUFFIXES)}) are expected."


def _count_frames(path: Path) -> int:
    capture, n_frames = videos.open_video(path), 0
    try:
        while capture.grab():
            n_frames += 1
    finally:
        capture.release()
    if not n_frames:
        raise UnreadableError(f"{path} opens as a video, but no frame of it can be decoded. Copy it again.")
    return n_frames


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

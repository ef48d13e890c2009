"""Files to pixels: video files and folders of numbered frames, read the same way.

Frames are numbered from 0 in playing order, whatever the files are called. Pictures are uint8 (H, W, 3) RGB:
grey pictures are repeated over the three channels, transparency is dropped, 16 bits become 8.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from vadlib.data.files import require_file
from vadlib.data.files import visible as visible
from vadlib.data.numbered import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from vadlib.data.numbered import list_numbered
from vadlib.data.pictures import picture_size, read_image
from vadlib.data.pictures import read_mask as read_mask
from vadlib.errors import UnreadableError

VIDEO_SUFFIXES = (".avi", ".mp4", ".mov", ".mkv")
MAX_FPS = 1000.0
MIN_FRAME_BYTES = 8  # a frame that shows nothing new takes this much in an AVI or MP4 file, at the least
TEXT_BYTES = 4096  # at a file's beginning, by which text is told from video
CONTROL_CHARACTERS = bytes(set(range(32)) - set(b"\t\n\r\f")) + b"\x7f"


class VideoInfo(NamedTuple):
    """What a video file's header says."""

    n_frames: int
    fps: float  # 0 where the header has none that can be believed
    height: int
    width: int


def open_video(path: Path, n_threads: int = 1) -> cv2.VideoCapture:
    """Open a video for decoding; the caller releases it.

    Raises
    ------
    UnreadableError
        A file that is not there, is no video, or has a name that is no text.
    """
    require_file(path)
    if _is_text(path):  # a play list would open other files
        raise UnreadableError(f"{path} is not a video that OpenCV can open, but text. Copy it again.")
    # A relative path could be taken for a protocol: "concat:a/b.avi".
    capture = cv2.VideoCapture(os.path.abspath(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, n_threads])
    if not capture.isOpened():
        raise UnreadableError(
            f"{path} is not a video that OpenCV can open. If it was cut short in copying, copy it again."
        )
    return capture


def _is_text(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(TEXT_BYTES)
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}.") from error
    return bool(start) and len(start) == len(start.translate(None, CONTROL_CHARACTERS))


def probe_video(path: Path) -> VideoInfo:
    """Read a video's header.

    Raises
    ------
    UnreadableError
        A file that is no video, or whose header does not say how many frames it has, or says more than the file
        can hold.
    """
    capture = open_video(path)
    try:
        n_frames, fps, height, width = (
            capture.get(key)
            for key in (
                cv2.CAP_PROP_FRAME_COUNT,
                cv2.CAP_PROP_FPS,
                cv2.CAP_PROP_FRAME_HEIGHT,
                cv2.CAP_PROP_FRAME_WIDTH,
            )
        )
    finally:
        capture.release()
    if not n_frames >= 1:
        raise UnreadableError(
            f"{path}: its header does not say how many frames it has. Rewrite it with `ffmpeg -i IN -c copy OUT`."
        )
    if min(height, width) < 1:
        raise UnreadableError(f"{path}: its header gives no size of its frames. Copy it again.")
    n_bytes = require_file(path)
    if n_frames * MIN_FRAME_BYTES > n_bytes:
        raise UnreadableError(
            f"{path}: its header gives {n_frames:.0f} frames, which its {n_bytes:,} bytes cannot hold. Copy it again, "
            "or rewrite it with `ffmpeg -i IN -c copy OUT`."
        )
    believable = np.isfinite(fps) and 0 < fps <= MAX_FPS
    return VideoInfo(round(n_frames), float(fps) if believable else 0.0, round(height), round(width))


def iterate_frames(
    path: Path, frames: Sequence[int], n_frames: int, *, n_threads: int = 1, exact: bool = False
) -> Iterator[np.ndarray | UnreadableError]:
    """Yield the wanted frames of a video file or of a folder of frames.

    A frame that cannot be read comes as the error, not raised, so that the caller decides whether to go on. A
    video is decoded from its start to the last frame wanted: seeking is not exact in every container and codec,
    decoding in sequence is, and `grab` leaves out the colour conversion of the others. Of a folder only the
    files wanted are read.

    Parameters
    ----------
    path : Path
    frames : ascending ints
        The 0-based frames wanted.
    n_frames : int
        How many there should be.
    n_threads : int
        Threads of the video codec. What several of them make of a damaged video differs from run to run.
    exact : bool
        Decode a video on to its end, and give an error in place of the last frame wanted where it has more or
        fewer frames than `n_frames`: a decoder drops what is damaged in silence, and the frames after that are
        not the ones that their numbers say. (A folder is always checked.)

    Yields
    ------
    uint8 (H, W, 3) RGB, or UnreadableError
        One for each of `frames`.
    """
    if path.is_dir():
        return _iterate_folder(path, frames, n_frames)
    return _iterate_video(path, frames, n_frames, n_threads, exact)


def _iterate_folder(path: Path, frames: Sequence[int], n_frames: int) -> Iterator[np.ndarray | UnreadableError]:
    files = list_numbered(path)
    if len(files) != n_frames:
        raise UnreadableError(
            f"{path} has {len(files)} frames, {n_frames} when the data set was opened. Open it again."
        )
    reference = None  # the first picture that has a size, and which
    for frame in frames:
        try:
            reference = reference or _first_size(files)
            image = read_image(files[frame], like=reference)
        except UnreadableError as error:
            image = error
        yield image


def _first_size(files: list[Path]) -> tuple[Path, tuple[int, int]]:
    """The first picture of which the size can be told, and its (height, width)."""
    for file in files[:-1]:
        try:
            return file, picture_size(file)
        except UnreadableError:  # reported when it is its turn
            continue
    return files[-1], picture_size(files[-1])


def _iterate_video(
    path: Path, frames: Sequence[int], n_frames: int, n_threads: int, exact: bool
) -> Iterator[np.ndarray | UnreadableError]:
    capture = None
    n_read = 0
    try:
        capture = open_video(path, n_threads)
        for image in _grab(capture, path, frames, n_frames, exact):
            n_read += 1
            yield image
    except UnreadableError as error:  # the rest is behind it
        for _ in frames[n_read:]:
            yield error
    finally:
        if capture is not None:
            capture.release()


def _grab(
    capture: cv2.VideoCapture, path: Path, frames: Sequence[int], n_frames: int, exact: bool
) -> Iterator[np.ndarray]:
    position = 0  # the frame that the next grab brings
    for frame in frames:
        image = None
        while position <= frame and capture.grab():
            position += 1
        if position > frame:
            _, image = capture.retrieve()
        if image is None:
            raise UnreadableError(
                f"{path}: decoding ended at frame {position} of the {n_frames} expected (frame {frame} was wanted). "
                "Copy the file again, or leave out what cannot be read with skip_unreadable=True."
            )
        if exact and frame == frames[-1]:
            while capture.grab():
                position += 1
            _check_count(path, position, n_frames)
        yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def check_whole(path: Path, n_frames: int, *, n_threads: int = 1) -> None:
    """Decode a video from start to end, and raise UnreadableError where it has not `n_frames` frames."""
    capture, n_found = open_video(path, n_threads), 0
    try:
        while capture.grab():
            n_found += 1
    finally:
        capture.release()
    _check_count(path, n_found, n_frames)


def _check_count(path: Path, n_found: int, n_frames: int) -> None:
    if n_found != n_frames:
        raise UnreadableError(
            f"{path}: {n_frames} frames expected, {n_found} can be decoded. Frames after the damage would get other "
            "frames' labels: copy the file again, or leave out the whole clip with skip_unreadable=True."
        )

"""Files to pixels: video files and folders of numbered frames, read the same way.

Frames are numbered from 0 in playing order, whatever the files are called. Pictures are uint8 (H, W, 3) RGB:
grey pictures are repeated over the three channels, transparency is dropped, 16 bits become 8.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vadlib.data.layouts.numbered import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from vadlib.data.layouts.numbered import list_numbered
from vadlib.data.reading.decoding import REWRITE, VideoDecoder
from vadlib.data.reading.files import SKIPPING, require_file
from vadlib.data.reading.files import visible as visible
from vadlib.data.reading.pictures import picture_size, read_image
from vadlib.data.reading.pictures import read_mask as read_mask
from vadlib.data.reading.scanning import MAX_FPS, scan_video
from vadlib.errors import UnreadableError

MIN_FRAME_BYTES = 8  # a frame that shows nothing new takes this much in an AVI or MP4 file, at the least


class VideoInfo(NamedTuple):
    """What a video file says of itself."""

    n_frames: int
    fps: float  # 0 where there is none that can be believed
    height: int
    width: int


def probe_video(path: Path) -> VideoInfo:
    """Read a video's header, and its first picture; where the header does not count the frames, all are decoded.

    The header's number is what a published data set goes by; of one's own files see `scan_video`.
    """
    with VideoDecoder(path) as video:
        n_frames, rate = video.stream.frames, video.stream.average_rate or video.stream.guessed_rate or 0
        first = next(iter(video), None)
        counted = 0 < n_frames * MIN_FRAME_BYTES <= require_file(path)
        if first is None or not counted:
            return VideoInfo(*scan_video(path)[:4])
        height, width = video.picture(first).shape[:2]
    return VideoInfo(n_frames, float(rate) if 0 < rate <= MAX_FPS else 0.0, height, width)


def iterate_frames(
    path: Path, frames: Sequence[int], n_frames: int, *, n_threads: int = 1, exact: bool = False
) -> Iterator[np.ndarray | UnreadableError]:
    """Yield the wanted frames of a video file or of a folder of frames.

    A frame that cannot be read comes as the error, not raised, so that the caller decides whether to go on. A
    video is decoded from its start to the last frame wanted: seeking is not exact in every container and codec,
    decoding in sequence is, and the colours of the others are not converted. Of a folder only the files wanted are
    read.

    With `exact`, a video is decoded on to its end, and an error comes in place of the last frame wanted where it has
    more or fewer frames than `n_frames`: a decoder drops what is damaged in silence, and the frames after that are not
    the ones that their numbers say. (A folder is always checked.) What several threads make of a damaged video differs
    from run to run.
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
    n_read = 0
    try:
        with VideoDecoder(path, n_threads) as video:
            for image in _wanted(video, frames, n_frames, exact):
                n_read += 1
                yield image
    except UnreadableError as error:  # the rest is behind it
        for _ in frames[n_read:]:
            yield error


def _wanted(video: VideoDecoder, frames: Sequence[int], n_frames: int, exact: bool) -> Iterator[np.ndarray]:
    decoded, position = iter(video), 0  # the frame that comes next
    for wanted in frames:
        frame = None
        for frame in itertools.islice(decoded, wanted - position + 1):  # noqa: B007 - the last one is used
            position += 1
        if position <= wanted:
            raise UnreadableError(
                f"{video.path}: decoding ended at frame {position} of the {n_frames} expected (frame {wanted} was "
                f"wanted). Copy the file again (if the copy is whole, {REWRITE}), {SKIPPING}."
            )
        if exact and wanted == frames[-1]:
            _check_count(video.path, position + sum(1 for _ in decoded), n_frames)
        yield video.picture(frame)


def check_whole(path: Path, n_frames: int) -> None:
    """Decode a video from start to end, and raise UnreadableError where it has not `n_frames` frames."""
    _check_count(path, scan_video(path).n_frames, n_frames)


def _check_count(path: Path, n_found: int, n_frames: int) -> None:
    if n_found != n_frames:
        raise UnreadableError(
            f"{path}: {n_frames} frames expected, {n_found} can be decoded. Frames after the damage would get other "
            f"frames' labels: copy the file again (if it is still growing, once it is whole), {SKIPPING}."
        )

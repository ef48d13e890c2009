"""Whether the frames of a video come at an even rate: everything here counts time as frames by frames a second.

Phones and some recorders write frames when they have them. MP4 and MOV files list how long each frame lasts (ISO/IEC
14496-12, section 8.6.1.2, the box ``stts``), so there it takes no decoding to tell.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from vadlib.data import videos
from vadlib.errors import UnreadableError

TOLERATED_FRAMES = 1.5  # by which a frame may be earlier or later than its number says
MAX_BOX_BYTES = 2**26
CONTAINERS = (b"mdia", b"minf", b"stbl")
FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")


def listed_departure(path: Path, fps: float) -> float:
    """How far the frames of an MP4 or MOV file are from their times at an even rate, by the file's own list.

    Parameters
    ----------
    path : Path
    fps : float
        The rate, above 0.

    Returns
    -------
    float
        Seconds, at most; 0 for files of another format, and for those that have no such list.
    """
    try:
        with path.open("rb") as file:
            if file.read(8)[4:] not in FIRST_BOXES:
                return 0.0
            return _listed(file, path.stat().st_size, fps)
    except (OSError, struct.error, ValueError):  # whatever is wrong with the file is found where it is decoded
        return 0.0


def decoded_times(path: Path) -> np.ndarray:
    """Decode a video to find when its frames come.

    Returns
    -------
    float (n_frames,)
        Seconds; all 0 where the file does not say.

    Raises
    ------
    UnreadableError
        A file that is no video, or none of whose frames can be decoded.
    """
    capture, times = videos.open_video(path), []
    try:
        while capture.grab():
            times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    finally:
        capture.release()
    if not times:
        raise UnreadableError(f"{path} opens as a video, but no frame of it can be decoded. Copy it again.")
    return np.array(times)


def departure(times: np.ndarray, frames: np.ndarray, fps: float) -> float:
    """How far some frames are from their times at an even rate.

    Parameters
    ----------
    times : float (n,)
        Seconds, in order.
    frames : int (n,)
        The frames' numbers.
    fps : float
        The rate, above 0.

    Returns
    -------
    float
        Seconds, at most; 0 where there are no times.
    """
    if not len(times) or not np.isfinite(times).all():
        return 0.0
    return float(np.abs((times - times[0]) - (frames - frames[0]) / fps).max())


def is_uneven(seconds: float, fps: float) -> bool:
    """Whether a departure is more than rounding: more than `TOLERATED_FRAMES` frames."""
    return seconds * fps > TOLERATED_FRAMES


def _listed(file: BinaryIO, n_bytes: int, fps: float) -> float:
    for kind, start, end in _boxes(file, 0, n_bytes):
        if kind != b"moov":
            continue
        for track, first, last in _boxes(file, start, end):
            found = _leaves(file, first, last) if track == b"trak" else {}
            if found.get(b"hdlr", b"")[8:12] == b"vide" and {b"stts", b"mdhd"} <= found.keys():
                return _of_track(found[b"stts"], found[b"mdhd"], fps)
    return 0.0


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, and where the content starts and ends, of each box in a stretch of a file."""
    while start + 8 <= end:
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8))
        header = 8
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
            header = 16
        size = size or end - start  # 0: to the end
        if size < header or start + size > end:
            return
        yield kind, start + header, start + size
        start += size


def _leaves(file: BinaryIO, start: int, end: int) -> dict[bytes, bytes]:
    """The contents of a track's boxes by kind, the first of each."""
    found: dict[bytes, bytes] = {}
    for kind, first, last in _boxes(file, start, end):
        if kind in CONTAINERS:
            found = _leaves(file, first, last) | found
        elif kind in (b"hdlr", b"stts", b"mdhd") and last - first <= MAX_BOX_BYTES:
            file.seek(first)
            found.setdefault(kind, file.read(last - first))
    return found


def _of_track(stts: bytes, mdhd: bytes, fps: float) -> float:
    (timescale,) = struct.unpack_from(">I", mdhd, 20 if mdhd[:1] == b"\1" else 12)
    (n_runs,) = struct.unpack_from(">I", stts, 4)
    runs = np.frombuffer(stts, ">u4", 2 * n_runs, 8).reshape(-1, 2).astype(float)  # (n, 2): frames, and units each
    runs = runs[runs[:, 0] > 0]
    if not timescale or not len(runs):
        return 0.0
    counts, units = runs.T
    # Within a run the departure changes evenly, so it is largest at a run's first frame or at the very last frame.
    frames = np.append(0, np.cumsum(counts))
    times = np.append(0, np.cumsum(counts * units))
    frames[-1] -= 1
    times[-1] -= units[-1]
    return departure(times / timescale, frames, fps)

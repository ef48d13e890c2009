"""What a video file holds, found by decoding it once: how many frames, when they are shown, and what is wrong with it.

Headers are not enough: they count frames that are never shown (a cut made without encoding), that were dropped, or
that nothing can be decoded from; and they state rates that the frames' own time stamps contradict.
"""

from __future__ import annotations

import zlib
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vadlib.data.decoding import REWRITE, VideoDecoder
from vadlib.data.files import require_file
from vadlib.errors import UnreadableError
from vadlib.frame_times import UnevenRate

MAX_FPS = 1000.0
TOLERATED_FRAMES = 1.5  # by which a frame may be earlier or later than at an even rate: time stamps are rounded
TOLERATED_END_S = 1.0  # by which sound may go on behind the last picture
MIN_STILL_S, MIN_STILL_FRAMES = 5.0, 10  # of the very same picture, from which on it is worth a word


class VideoScan(NamedTuple):
    """What is in a video file.

    Attributes
    ----------
    n_frames : int
        That can be decoded.
    rate : float
        Frames per second: the header's where the frames keep to it, else the mean of their own; an `UnevenRate` where
        they come unevenly; 0 where nothing says.
    height, width : int
        Of the first frame, pixels, upright.
    notes : tuple of str
        What a person should know of the file, a few words each: an early end, damage, a picture that stands still.
    """

    n_frames: int
    rate: float
    height: int
    width: int
    notes: tuple[str, ...]


def scan_video(path: Path) -> VideoScan:
    """Decode a video from its start to its end, once for each state of the file.

    Raises
    ------
    UnreadableError
        A file that is no video, or no picture of which can be decoded.
    """
    require_file(path)
    status = path.stat()
    return _scan(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=2**16)
def _scan(path: Path, n_bytes: int, changed_ns: int) -> VideoScan:
    times, pictures = [], []
    with VideoDecoder(path) as video:
        for frame in video:
            if not times:
                height, width = video.picture(frame).shape[:2]
            times.append(np.nan if frame.time is None else frame.time)
            pictures.append(zlib.crc32(frame.planes[0]))
            last = frame.duration * float(frame.time_base) if frame.duration and frame.time_base else 0.0
        stream = video.stream
        codec, stated_end, damage = stream.codec_context.name, video.stated_end, Counter(video.damage)
        header_rates = [float(rate) for rate in (stream.average_rate, stream.guessed_rate) if rate]
    if not times:
        raise UnreadableError(
            f"{path}: not one of its {codec} pictures can be decoded. If it was cut short in copying or is still being "
            "recorded, copy it again."
        )
    starts, n_jumps = _rising(np.array(times))
    rate = _rate(starts, last, [rate for rate in header_rates if 0 < rate <= MAX_FPS])
    notes = [f"{what}, {n} times" if n > 1 else what for what, n in damage.items()]
    if n_jumps:
        notes.append(f"its clock jumps back {n_jumps} times; there the usual time to the next frame is taken")
    elif starts is not None and stated_end is not None:
        step = max(last, float(np.median(np.diff(starts))) if len(starts) > 1 else 0.0)
        if stated_end - (times[-1] + step) > max(TOLERATED_END_S, 2 * step):
            notes.append(
                f"its pictures end after {times[-1] + step - times[0]:.1f} of the {stated_end - times[0]:.1f} seconds "
                f"that it states; if it was cut short, copy it again"
            )
    notes += _still(np.array(pictures), starts, rate)
    return VideoScan(len(times), rate, height, width, tuple(notes))


def _rising(times: np.ndarray) -> tuple[np.ndarray | None, int]:
    """Times from 0 on, and how often they had to be mended: recorders' clocks start anew. None where there are none."""
    if not np.isfinite(times).all():
        return None, 0
    steps = np.diff(times)
    forward = steps[steps > 0]
    if not len(forward):
        return (None if len(times) > 1 else np.zeros(1)), 0
    wrong = steps <= 0
    return np.append(0.0, np.cumsum(np.where(wrong, np.median(forward), steps))), int(wrong.sum())


def _rate(starts: np.ndarray | None, last: float, header_rates: list[float]) -> float:
    if starts is None or len(starts) < 2:
        return header_rates[0] if header_rates else 0.0
    mean = (len(starts) - 1) / starts[-1]
    for rate in (*header_rates, mean):
        if _departure(starts, rate) * rate <= TOLERATED_FRAMES:
            return rate
    return UnevenRate(np.append(starts, starts[-1] + (last or float(np.median(np.diff(starts))))))


def _departure(starts: np.ndarray, rate: float) -> float:
    """How far frames are from their times at an even rate, in seconds, at most."""
    return float(np.abs(starts - np.arange(len(starts)) / rate).max())


def _still(pictures: np.ndarray, starts: np.ndarray | None, rate: float) -> list[str]:
    """A word on the longest stretch of one and the same picture: a camera that hangs, or a decoder."""
    edges = np.flatnonzero(np.append(True, np.append(np.diff(pictures) != 0, True)))
    lengths = np.diff(edges)
    longest = int(lengths.argmax())
    first, n = int(edges[longest]), int(lengths[longest])
    times = starts if starts is not None else np.arange(len(pictures)) / (rate or 25.0)
    duration = float(times[first + n - 1] - times[first])
    if n == len(pictures) and n >= MIN_STILL_FRAMES:
        return [f"all its {n} frames show the very same picture"]
    if n >= MIN_STILL_FRAMES and duration >= MIN_STILL_S:
        return [f"the very same picture for {duration:.1f} s from {times[first]:.1f} s on"]
    return []

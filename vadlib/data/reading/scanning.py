"""What a video file holds, found by decoding it once: how many frames, when they are shown, and what is wrong with it.

Headers are not enough: they count frames that are never shown (a cut made without encoding), that were dropped, or
that nothing can be decoded from; and they state rates that the frames' own time stamps contradict.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections import Counter
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vadlib.data.reading.decoding import CORRUPT, UNDECODED, VideoDecoder
from vadlib.data.reading.files import SKIPPING, code_digest, require_file
from vadlib.errors import ParameterError, UnreadableError
from vadlib.frame_times import UnevenRate
from vadlib.spans import runs_of_equal
from vadlib.storage import write_atomically

CACHE = "VADLIB_CACHE"  # internal: names a folder that the processes of one build share; `vadlib.environment` sets it
MAX_FPS = 1000.0
TOLERATED_FRAMES = 1.5  # by which a frame may be earlier or later than at an even rate: time stamps are rounded
TOLERATED_END_FRAMES = 3  # that the pictures may end early: cuts made without encoding lose some
TOLERATED_END_S = 1.0  # the same where the container's duration is that of its sound, too
MIN_HOLE_S, MIN_HOLE_STEPS = 0.5, 5  # without a picture, in seconds and in usual steps, likewise
MIN_STILL_S, MIN_STILL_FRAMES = 5.0, 10  # of the very same picture, from which on it is worth a word


class VideoScan(NamedTuple):
    """What is in a video file.

    The rate is the header's where the frames keep to it, else the mean of their own; an `UnevenRate` where they come
    unevenly; 0 where nothing says.
    """

    n_frames: int  # that can be decoded
    rate: float  # frames per second
    height: int  # of the first frame, upright
    width: int
    damage: tuple[str, ...]  # what is wrong, a few words each: an early end, pictures that cannot be decoded
    notes: tuple[str, ...]  # what else a person should know: a clock that starts anew, a picture that stands still


def scan_video(path: Path) -> VideoScan:
    """Decode a video from its start to its end, once for each state of the file."""
    require_file(path)
    status = path.stat()
    return _scan(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=2**16)
def _scan(path: Path, n_bytes: int, changed_ns: int) -> VideoScan:
    """A scan, from the folder that `CACHE` names where it is there: a day of footage takes minutes to decode."""
    of_file = (str(path.resolve()), n_bytes, changed_ns, version("av"), code_digest("decoding", "scanning"))
    state = hashlib.sha256(repr(of_file).encode()).hexdigest()
    cache_file = Path(os.environ[CACHE], f"{state}.json") if os.environ.get(CACHE) else None
    if cache_file is not None:
        with suppress(OSError, ValueError, KeyError, TypeError, ParameterError):
            record = json.loads(cache_file.read_text(encoding="utf-8"))
            rate = UnevenRate(record["times"]) if record["times"] else record["rate"]
            words = tuple(record["damage"]), tuple(record["notes"])
            return VideoScan(record["n_frames"], rate, *record["size"], *words)
    scan = _decode(path)
    if cache_file is not None:
        times = scan.rate.times.tolist() if isinstance(scan.rate, UnevenRate) else None
        entry = {"n_frames": scan.n_frames, "rate": float(scan.rate), "times": times, "size": scan[2:4]}
        with suppress(OSError):
            write_atomically(cache_file, json.dumps(entry | {"damage": scan.damage, "notes": scan.notes}))
    return scan


def _decode(path: Path) -> VideoScan:
    times, pictures = [], []  # of each frame: when it is shown and when its packet came; a checksum of its brightness
    with VideoDecoder(path) as video:
        for frame in video:
            if not times:
                height, width = video.picture(frame).shape[:2]
            unit = float(frame.time_base or 0) or np.nan
            times.append([np.nan if stamp is None else stamp * unit for stamp in (frame.pts, frame.dts)])
            pictures.append(zlib.crc32(frame.planes[0]))
            last = frame.duration * float(frame.time_base) if frame.duration and frame.time_base else 0.0
        stream = video.stream
        codec, (stated_end, with_sound) = stream.codec_context.name, video.stated_end
        n_damaged = Counter(video.damage)
        header_rates = [float(rate) for rate in (stream.average_rate, stream.guessed_rate) if rate]
    if not times:
        raise UnreadableError(
            f"{path}: not one of its {codec} pictures can be decoded. If it was cut short in copying or is still being "
            "recorded, copy it again."
        )
    n_lost = n_damaged[UNDECODED]
    if n_lost > len(times):
        raise UnreadableError(
            f"{path}: {n_lost} of its {n_lost + len(times)} {codec} pictures cannot be decoded; it is damaged, or "
            f"encrypted. Copy or export it again, without encryption, {SKIPPING}."
        )
    starts, n_jumps = _rising(*np.array(times, np.float64).T)
    rate = _rate(starts, last, [rate for rate in header_rates if 0 < rate <= MAX_FPS])
    if n_damaged[CORRUPT] <= n_jumps:  # where recordings were joined; nothing is missing there
        del n_damaged[CORRUPT]
    damage = [f"{what}, {n} times" if n > 1 else what for what, n in n_damaged.items()]
    notes = [*_still(np.array(pictures), starts, rate), *_holes(starts)]
    if n_jumps:
        notes.append(f"its clock jumps back {n_jumps} times; there the usual time to the next frame is taken")
    elif starts is not None and stated_end is not None:
        step = max(last, float(np.quantile(np.diff(starts), 0.9)) if len(starts) > 1 else 0.0)
        begin = np.nan_to_num(times[0][0])
        end = begin + starts[-1] + step
        words = f"its pictures end after {end - begin:.1f} of the {stated_end - begin:.1f} seconds that it states"
        if stated_end - end > max(TOLERATED_END_FRAMES * step, TOLERATED_END_S if with_sound else 0.0):
            if with_sound:
                notes.append(f"{words}; sound or subtitles go on, or it was cut short")
            else:
                damage.append(f"{words}; if it was cut short, copy it again")
    return VideoScan(len(times), rate, height, width, tuple(damage), tuple(notes))


def _rising(shown: np.ndarray, decoded: np.ndarray) -> tuple[np.ndarray | None, int]:
    """Times from 0 on, and how often they had to be mended: recorders' clocks start anew. None where there are none.

    AVI files state no time of showing; what is guessed there may go back and forth, and that of decoding does not.
    """
    n_jumps, starts = min((_mended(times) for times in (shown, decoded)), key=lambda found: found[0])
    return starts, n_jumps if starts is not None else 0


def _mended(times: np.ndarray) -> tuple[float, np.ndarray | None]:
    """How many steps do not go forward, and the times with the usual step in their place.

    The last frames may have no time: they come out of the decoder when no packet goes in any more.
    """
    known = len(times) - int(np.isnan(times[::-1]).cumprod().sum())
    if known == 0 or np.isnan(times[:known]).any():
        return np.inf, None
    steps = np.diff(times)
    forward = steps[steps > 0]
    if len(times) > 1 and not len(forward):
        return np.inf, None
    mended = np.where(steps > 0, steps, np.median(forward) if len(forward) else 0.0)
    return int((steps <= 0).sum()), np.append(0.0, np.cumsum(mended))


def _rate(starts: np.ndarray | None, last: float, header_rates: list[float]) -> float:
    if starts is None or len(starts) < 2:
        return header_rates[0] if header_rates else 0.0
    mean = float((len(starts) - 1) / starts[-1])
    for rate in (*header_rates, mean):
        if _departure(starts, rate) * rate <= TOLERATED_FRAMES:
            return rate
    return UnevenRate(np.append(starts, starts[-1] + (last or float(np.median(np.diff(starts))))))


def _departure(starts: np.ndarray, rate: float) -> float:
    """How far frames are from their times at an even rate, in seconds, at most."""
    return float(np.abs(starts - np.arange(len(starts)) / rate).max())


def _holes(starts: np.ndarray | None) -> list[str]:
    """A word on the longest stretch without a picture, where pictures come regularly else."""
    steps = np.diff(starts) if starts is not None and len(starts) > MIN_STILL_FRAMES else np.zeros(1)
    longest = int(steps.argmax())
    if steps[longest] <= max(MIN_HOLE_S, MIN_HOLE_STEPS * np.quantile(steps, 0.9)):
        return []
    return [f"no picture for {steps[longest]:.1f} s from {starts[longest]:.1f} s on"]


def _still(pictures: np.ndarray, starts: np.ndarray | None, rate: float) -> list[str]:
    """A word on the longest stretch of one and the same picture: a camera that hangs, or a decoder."""
    first, stop = max(runs_of_equal(pictures).tolist(), key=lambda run: run[1] - run[0])
    n = stop - first
    times = starts if starts is not None else np.arange(len(pictures)) / (rate or 25.0)
    duration = float(times[first + n - 1] - times[first])
    if n == len(pictures) and n >= MIN_STILL_FRAMES:
        return [f"all its {n} frames show the very same picture"]
    if n >= MIN_STILL_FRAMES and duration >= MIN_STILL_S:
        return [f"the very same picture for {duration:.1f} s from {times[first]:.1f} s on"]
    return []

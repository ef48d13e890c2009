"""Resized frames that a build keeps on disk: each is decoded once for each size, whichever chapters ask.

A folder for each state of a clip's files and each size; in it safetensors files, each added in one step, so that
several processes can share it and a killed one leaves nothing half-written. What is kept is what was decoded, to the
bit; what is damaged, or goes, is decoded again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from vadlib.data.reading.files import code_digest
from vadlib.data.reading.scanning import CACHE
from vadlib.errors import UnreadableError

MOST_BYTES = 8 * 2**30  # of all that is kept; what was used longest ago goes first
LEFT_FREE = 4 * 2**30  # on the disk: below that, nothing more is kept
SHARD_FRAMES = 64
ABANDONED_S = 3600  # partial files older than this belong to nobody
CODE = ("decoding", "videos", "pictures", "views", "frames", "store")  # modules that make a picture what it is
Image = np.ndarray | UnreadableError


class FrameStore:
    """Frames of one size and view, below a folder that any number of processes, sizes and views share.

    At most about `most_bytes` are kept there: several processes may together be over it by what they add at one time.
    `n_recalled` counts the frames that were there, so far.
    """

    def __init__(self, folder: Path, size: tuple[int, int], most_bytes: int = MOST_BYTES, *, view: str = "whole"):
        self.folder, self.size, self.view, self.n_recalled = folder, size, view, 0
        self._room, self._lock = most_bytes - _make_room(folder, most_bytes), threading.Lock()

    def through(self, path: Path, frames: Sequence[int], read: Callable[[list[int]], Iterator[Image]]) -> Iterator:
        """Yield frames of a clip, ascending: those that are kept from here, the others by `read`, which are then kept.

        They are kept once all have been read without an error: only then is a test video known to be whole. `read`
        takes some of `frames`, and yields a picture uint8 (H, W, 3) for each, or why there is none.
        """
        try:
            place = self.folder / _identity(path, self.size, self.view)
        except OSError:  # who reads it says what is wrong
            yield from read(list(frames))
            return
        found = _find(place, set(frames))
        adding = _Adding(place)
        with closing(read([frame for frame in frames if frame not in found])) as lacking, closing(adding):
            for frame in frames:
                image = found[frame]() if frame in found else None
                if image is not None:
                    with self._lock:
                        self.n_recalled += 1
                elif frame in found:  # it was damaged
                    with closing(read([frame])) as again:
                        image = next(again)
                else:
                    image = next(lacking)
                    adding.add(frame, image, self._room)
                yield image
            n_bytes = adding.finish()
            with self._lock:  # a thread a clip
                self._room -= n_bytes


class _Adding:
    """Files of new frames of a clip, which appear all at the end, or never."""

    def __init__(self, place: Path):
        self.place, self.spoilt, self.n_bytes = place, False, 0
        self.frames: list[int] = []
        self.images: list[np.ndarray] = []
        self.partial: dict[Path, Path] = {}  # where they are, and where they belong

    def add(self, frame: int, image: Image, room: int) -> None:
        self.spoilt = self.spoilt or isinstance(image, UnreadableError) or self.n_bytes + image.nbytes > room
        if not self.spoilt:
            self.frames.append(frame)
            self.images.append(image)
            self.n_bytes += image.nbytes
            if len(self.frames) == SHARD_FRAMES:
                self._write()

    def finish(self) -> int:
        """Bytes that are kept from now on."""
        if self.frames and not self.spoilt:
            self._write()
        if self.spoilt:
            return 0
        with suppress(OSError):
            for path in list(self.partial):
                path.rename(self.partial[path])
                del self.partial[path]
        return self.n_bytes

    def close(self) -> None:
        for path in self.partial:
            with suppress(OSError):
                path.unlink()

    def _write(self) -> None:
        images = np.stack(self.images)
        checks = np.array([zlib.crc32(image) for image in images], np.uint32)
        name = f"{self.frames[0]}-{self.frames[-1]}-{uuid.uuid4().hex[:16]}"
        path = self.place / f".{name}.partial"
        try:
            self.place.mkdir(parents=True, exist_ok=True)
            self.partial[path] = self.place / f"{name}.safetensors"
            save_file({"frames": np.array(self.frames, np.int64), "images": images, "checks": checks}, path)
        except (OSError, SafetensorError):  # no room, most likely; the build can do without
            self.spoilt = True
        self.frames, self.images = [], []


def build_store(size: tuple[int, int], view: str = "whole") -> FrameStore | None:
    """The store of the build that this process belongs to, if it does."""
    return FrameStore(Path(os.environ[CACHE], "frames"), size, view=view) if os.environ.get(CACHE) else None


def _find(place: Path, wanted: set[int]) -> dict[int, Callable[[], np.ndarray | None]]:
    """Of the frames wanted, those that are kept, each to be read by a call; one that is damaged reads as None."""
    found = {}
    with suppress(FileNotFoundError):
        for path in sorted(place.glob("*.safetensors")):
            first, last = map(int, path.name.split("-")[:2])
            if not any(first <= frame <= last for frame in wanted):
                continue
            with suppress(OSError, SafetensorError):
                shard = safe_open(path, "np")  # holds the file, even if it is removed meanwhile
                checks = shard.get_tensor("checks")
                for row, frame in enumerate(shard.get_tensor("frames").tolist()):
                    if frame in wanted:
                        found[frame] = partial(_read, path, shard, row, checks[row])
    if found:
        with suppress(OSError):
            os.utime(place)  # used now
    return found


def _read(path: Path, shard, row: int, check: int) -> np.ndarray | None:
    image = np.ascontiguousarray(shard.get_slice("images")[row])
    if zlib.crc32(image) == check:
        return image
    with suppress(OSError):
        path.unlink()
    return None


def _make_room(folder: Path, most_bytes: int) -> int:
    """Remove what was used longest ago where it is too much; gives the bytes that count as taken."""
    clips = []  # when last used, bytes, place
    with suppress(OSError):
        for place in folder.iterdir():
            n_bytes = 0
            for file in os.scandir(place):
                with suppress(OSError):  # gone since it was listed
                    n_bytes += file.stat().st_size
                    if file.name.endswith(".partial") and time.time() - file.stat().st_mtime > ABANDONED_S:
                        os.unlink(file)
            clips.append((place.stat().st_mtime, n_bytes, place))
    taken = sum(n_bytes for _, n_bytes, _ in clips)
    if taken > most_bytes:
        for _, n_bytes, place in sorted(clips):
            if taken <= most_bytes * 0.75:  # so that it is not a clip each time
                break
            shutil.rmtree(place, ignore_errors=True)
            taken -= n_bytes
    existing = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    with suppress(OSError):
        if shutil.disk_usage(existing).free < LEFT_FREE:
            return most_bytes
    return taken


def _identity(path: Path, size: tuple[int, int], view: str) -> str:
    made_by = [code_digest(*CODE), version("av"), cv2.__version__]
    identity = [made_by, size, view, str(path.resolve()), _state(path)]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]


def _state(path: Path) -> list:
    """Names, bytes and times of the clip's files."""
    return _folder_state(path, path.stat().st_mtime_ns) if path.is_dir() else _file_state(path.name, path.stat())


@lru_cache(maxsize=4096)
def _folder_state(path: Path, changed_ns: int) -> list:
    with os.scandir(path) as entries:
        return sorted(_file_state(entry.name, entry.stat()) for entry in entries)


def _file_state(name: str, status: os.stat_result) -> list:
    return [name, status.st_size, status.st_mtime_ns]

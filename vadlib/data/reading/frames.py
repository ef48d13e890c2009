"""Frames to the network: only those of a table, decoded in sequence by threads, in batches of one size.

Resizing averages (`cv2.INTER_AREA`) where both sides shrink, so that distant people do not vanish between
sampled pixels, and interpolates (`cv2.INTER_LINEAR`) otherwise.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
import torch

from vadlib.data.dataset import Clip, VideoDataset, check_frame, check_has_frames
from vadlib.data.progress import progress_bar
from vadlib.data.reading import videos
from vadlib.data.reading.prefetch import prefetch
from vadlib.errors import ParameterError, UnreadableError
from vadlib.frame_times import seconds

FILES_PER_JOB = 64  # of a folder of frames: several threads can then share one long clip
BYTES_AHEAD = 4 * 2**20  # decoded pictures that wait, a job


class Batch(NamedTuple):
    """Some frames of a reader's table.

    Attributes
    ----------
    images : torch uint8 (B, 3, H, W)
        RGB, in torch's channels_last memory format (use `reshape`, not `view`).
    rows : int64 (B,)
        Positions in the reader's table.
    labels : int8 (B,)
    scenes : str (B,) or None
        Cameras, where the table names them.
    seconds : float64 (B,) or None
        When the frames begin, from their clips' starts.
    """

    images: torch.Tensor
    rows: np.ndarray
    labels: np.ndarray
    scenes: np.ndarray | None = None
    seconds: np.ndarray | None = None


class FrameReader:
    """Batches of the frames in a table; can be iterated any number of times, with the same result each time.

    Only the table's frames are decoded: a video from its start to the last frame wanted, of a folder only the
    files wanted. Threads decode several clips at a time, some way ahead of the caller; memory does not grow
    with the table. Leaving the loop early stops them.

    Videos of the test split are decoded on to their end, and refused where the number of frames is not the clip's:
    a decoder drops damaged frames in silence, and all later ones would get other frames' labels. Training clips
    are normal throughout, so a shift cannot mislabel them, and headers in circulation can be off by a frame or
    two; of those only a wanted frame that is missing is an error. What is not detected: bytes damaged inside a
    picture that still decodes, in a video or a file of its own; compare checksums where that matters.

    Parameters
    ----------
    dataset : VideoDataset
    table : DataFrame
        Rows of `dataset.frame_table()`, in any order, none twice. Frames come in (clip, frame) order whatever
        the table's order is; `Batch.rows` says which is which.
    size : (height, width)
        Pixels of the images.
    batch_size : int
    progress : bool
        Show a bar on the terminal or in the notebook.
    n_threads : int, optional
        Decoding threads; the number of cores, at most 8, by default.
    skip_unreadable : bool
        Leave out frames that cannot be read, with a warning, and note them in `skipped`; by default they are an
        error. Of a test video with frames missing all are left out; to know in time, its frames are counted first.
    description : str
        In front of the progress bar.

    Attributes
    ----------
    skipped : int64 array
        After an iteration: positions in the table of the frames left out.
    why_skipped : dict of str to str
        After an iteration: by clip, what was wrong with the first of them.

    Raises
    ------
    ParameterError
        A table that is empty, lacks a column, names a clip or frame that is not there, or names one twice; a
        size, batch size or number of threads below 1.
    LayoutError
        Clips of which only the labels are there.
    UnreadableError
        While iterating: a video that ends early or (test split) has frames missing, a corrupt picture.
    """

    def __init__(
        self,
        dataset: VideoDataset,
        table: pd.DataFrame,
        size: tuple[int, int] = (224, 224),
        batch_size: int = 64,
        *,
        progress: bool = True,
        n_threads: int | None = None,
        skip_unreadable: bool = False,
        description: str = "Reading frames",
    ):
        n_threads = min(8, available_cores()) if n_threads is None else n_threads
        check_size(size)
        for name, value in (("batch_size", batch_size), ("n_threads", n_threads)):
            if value < 1:
                raise ParameterError(f"{name}: at least 1 is expected, not {value}.")
        check_table(dataset, table)
        self.dataset = dataset
        self.table = table
        self.size = (int(size[0]), int(size[1]))
        self.batch_size = int(batch_size)
        self.progress = progress
        self.n_threads = int(n_threads)
        self.skip_unreadable = skip_unreadable
        self.description = description
        self.skipped = np.empty(0, np.int64)
        self.why_skipped: dict[str, str] = {}

    @property
    def n_frames(self) -> int:
        """Frames in the table."""
        return len(self.table)

    def __len__(self) -> int:
        """Batches of one iteration (fewer may come where frames are skipped)."""
        return -(-self.n_frames // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches in (clip, frame) order."""
        order, jobs = self._jobs()
        n_ahead = int(np.clip(BYTES_AHEAD // (3 * self.size[0] * self.size[1]), 4, 64))
        decoded = prefetch(jobs, n_threads=self.n_threads, n_ahead=n_ahead)
        skipped: list[int] = []
        self.why_skipped = {}
        images, rows = self._new_images(), []
        with closing(decoded), self._progress_bar() as bar:
            for row, image in zip(order, decoded, strict=True):
                bar.update()
                if isinstance(image, UnreadableError):
                    self._skip(image, row, skipped)
                    continue
                images[len(rows)] = image
                rows.append(row)
                if len(rows) == self.batch_size:
                    yield self._batch(images, rows)
                    images, rows = self._new_images(), []
        self.skipped = np.array(skipped, np.int64)
        if rows:
            yield self._batch(images, rows)

    def _progress_bar(self):
        return progress_bar(self.n_frames, self.description, "frames", shown=self.progress)

    def _new_images(self) -> np.ndarray:
        return np.empty((min(self.batch_size, self.n_frames), *self.size, 3), np.uint8)  # (B, H, W, 3)

    def _batch(self, images: np.ndarray, rows: list[int]) -> Batch:
        positions = np.array(rows, np.int64)
        channels_first = torch.from_numpy(images[: len(rows)]).permute(0, 3, 1, 2)  # (B, 3, H, W), nothing copied
        part = self.table.iloc[positions]
        scenes = part["scene"].to_numpy(str) if "scene" in part else None
        fps = [self.dataset.clip(clip).fps for clip in part["clip"]]
        begin = [float(seconds(rate, frame)) for rate, frame in zip(fps, part["frame"], strict=True)]
        return Batch(channels_first, positions, part["label"].to_numpy(np.int8), scenes, np.array(begin))

    def _skip(self, error: UnreadableError, row: int, skipped: list[int]) -> None:
        if not self.skip_unreadable:
            raise error
        if not skipped:  # the first speaks for all, which are in `skipped`
            warnings.warn(f"Left out, as skip_unreadable is set: {error}", stacklevel=3)
        self.why_skipped.setdefault(str(self.table["clip"].iloc[row]), str(error))
        skipped.append(int(row))

    def _jobs(self) -> tuple[np.ndarray, list[Callable[[], Iterator]]]:
        """Cut the work up: a whole video, or some files of a folder, each for one thread at a time.

        Returns
        -------
        order : int64 (n_frames,)
            Positions in the table, in (clip, frame) order.
        jobs : list of callables
            Together they yield an image, or why there is none, for each of `order`.
        """
        clip_ids, frames = self.table["clip"].to_numpy(), self.table["frame"].to_numpy(np.int64)
        clip_numbers, names = pd.factorize(clip_ids, sort=True)
        order = np.lexsort((frames, clip_numbers))
        ends = np.flatnonzero(np.diff(clip_numbers[order])) + 1
        jobs = []
        for clip_id, group in zip(names, np.split(frames[order], ends), strict=True):
            clip = self.dataset.clip(clip_id)
            step = FILES_PER_JOB if clip.path.is_dir() else len(group)
            for start in range(0, len(group), step):
                part = group[start : start + step].tolist()
                jobs.append(partial(_resized_frames, clip, part, self.size, self.skip_unreadable))
        return order, jobs


def _resized_frames(
    clip: Clip, frames: list[int], size: tuple[int, int], all_or_none: bool
) -> Iterator[np.ndarray | UnreadableError]:
    exact = clip.split == "test"
    if exact and all_or_none and not clip.path.is_dir():
        try:
            videos.check_whole(clip.path, clip.n_frames)
        except UnreadableError as error:
            yield from [error] * len(frames)
            return
    for image in videos.iterate_frames(clip.path, frames, clip.n_frames, exact=exact):
        yield image if isinstance(image, UnreadableError) else resize(image, size)


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a picture (H, W, ...) to (height, width), averaging where both sides shrink."""
    height, width = image.shape[:2]
    shrinks = size[0] <= height and size[1] <= width
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def read_frame(dataset: VideoDataset, clip_id: str, frame: int) -> np.ndarray:
    """Read one frame at its own size: uint8 (H, W, 3) RGB (see `read_frames`)."""
    return read_frames(dataset, clip_id, [frame])[0]


def read_frames(dataset: VideoDataset, clip_id: str, frames: Sequence[int]) -> list[np.ndarray]:
    """Read some frames of a clip at their own size, for figures.

    Parameters
    ----------
    dataset : VideoDataset
    clip_id : str
    frames : ints
        In any order, repeated or not.

    Returns
    -------
    list of uint8 (H, W, 3)
        RGB, in the order of `frames`.

    Raises
    ------
    ParameterError
        No such clip or frame.
    LayoutError
        A clip of which only the labels are there.
    UnreadableError
        A frame that cannot be read.
    """
    clip = dataset.clip(clip_id)
    check_has_frames([clip], dataset)
    wanted = sorted({int(frame) for frame in frames})
    for frame in wanted:
        check_frame(clip, frame)
    images = dict(zip(wanted, videos.iterate_frames(clip.path, wanted, clip.n_frames), strict=True))
    for image in images.values():
        if isinstance(image, UnreadableError):
            raise image
    return [images[int(frame)] for frame in frames]


def check_table(dataset: VideoDataset, table: pd.DataFrame) -> None:
    """Raise where a table is not made of rows of the data set's frame table, each at most once, with frames to read."""
    lacking = {"clip", "frame", "label"} - set(table.columns)
    if lacking:
        raise ParameterError(f"table: column {min(lacking)!r} is missing; pass rows of dataset.frame_table().")
    if len(table) == 0:
        raise ParameterError("table: no rows, so there is nothing to read.")
    twice = table.duplicated(["clip", "frame"])
    if twice.any():
        clip_id, frame = table.loc[twice.to_numpy(), ["clip", "frame"]].iloc[0]
        raise ParameterError(
            f"table: frame {frame} of clip {clip_id} is there twice (as are {twice.sum() - 1} more); "
            "drop_duplicates(['clip', 'frame']) keeps one of each."
        )
    bounds = table.groupby("clip")["frame"].agg(["min", "max"])
    clips = [dataset.clip(clip_id) for clip_id in bounds.index]
    for clip, first, last in zip(clips, bounds["min"], bounds["max"], strict=True):
        check_frame(clip, first)
        check_frame(clip, last)
    check_has_frames(clips, dataset)


def check_size(size: tuple[int, int]) -> None:
    """Raise ParameterError where a size is not (height, width)."""
    if np.shape(size) != (2,) or min(size) < 1 or any(side != int(side) for side in size):
        raise ParameterError(f"size: (height, width), whole numbers of at least 1, is expected, not {size!r}.")


def available_cores() -> int:
    """Cores that this process may use, which on a shared machine can be fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

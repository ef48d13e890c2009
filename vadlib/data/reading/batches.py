"""Rows of a frame table to batches: what readers of frames, windows, sound and scores have in common."""

from __future__ import annotations

import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from contextlib import closing
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from vadlib.data.dataset import Clip, VideoDataset, check_frame, check_has_frames
from vadlib.data.progress import progress_bar
from vadlib.errors import ParameterError, UnreadableError
from vadlib.frame_times import seconds

Piece = list[np.ndarray]  # what belongs to one row: its picture, or those of its window


class Batch(NamedTuple):
    """Some frames of a reader's table."""

    # uint8 (B, 3, H, W) RGB, in torch's channels_last memory format (use `reshape`, not `view`); of a window of T
    # frames (B, T, 3, H, W). `Sound` gives samples, float32 (B, N), in their place, and `Scores` float32 (B, C).
    images: torch.Tensor
    rows: np.ndarray  # int64 (B,): positions in the reader's table
    labels: np.ndarray  # int8 (B,)
    scenes: np.ndarray | None = None  # str (B,): the cameras; None, like `seconds`, from readers that know no data set
    seconds: np.ndarray | None = None  # float64 (B,): when the frames begin, from their clips' starts


class BatchReader(ABC):
    """What readers of a table have in common; a subclass says what belongs to each row, and how it becomes a tensor."""

    needs_files = True  # whether clips of which only the labels are there are refused

    def __init__(
        self,
        dataset: VideoDataset,
        table: pd.DataFrame,
        batch_size: int = 64,
        *,
        progress: bool = True,
        n_threads: int | None = None,
        skip_unreadable: bool = False,
        description: str = "Reading frames",
    ):
        n_threads = min(8, available_cores()) if n_threads is None else n_threads
        check_at_least_one(batch_size=batch_size, n_threads=n_threads)
        check_table(dataset, table)
        if self.needs_files:
            check_has_frames([dataset.clip(clip_id) for clip_id in sorted(set(table["clip"]))], dataset)
        self.dataset, self.table = dataset, table
        self.batch_size, self.n_threads = int(batch_size), int(n_threads)
        self.progress, self.description = progress, description
        self.skip_unreadable = skip_unreadable
        self.skipped = np.empty(0, np.int64)
        self.why_skipped: dict[str, str] = {}

    @property
    def n_frames(self) -> int:
        """Rows of the table."""
        return len(self.table)

    def __len__(self) -> int:
        """Batches of one iteration (fewer may come where frames are skipped, more where sizes differ)."""
        return -(-self.n_frames // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches in (clip, frame) order."""
        order, clips = self._in_order()
        skipped: list[int] = []
        self.why_skipped = {}
        images, rows = None, []
        with closing(self._pieces(clips)) as pieces, self._progress_bar() as bar:
            for row, piece in zip(order, pieces, strict=True):
                bar.update()
                if isinstance(piece, UnreadableError):
                    self._skip(piece, row, skipped)
                    continue
                if rows and images.shape[2:] != piece[0].shape:
                    yield self._batch(images, rows)
                    rows = []
                if not rows:
                    n_rows = min(self.batch_size, self.n_frames)
                    images = np.empty((n_rows, len(piece), *piece[0].shape), piece[0].dtype)  # (B, T, ...)
                np.stack(piece, out=images[len(rows)])
                rows.append(row)
                if len(rows) == self.batch_size:
                    yield self._batch(images, rows)
                    rows = []
        self.skipped = np.array(skipped, np.int64)
        if rows:
            yield self._batch(images, rows)

    @abstractmethod
    def _pieces(self, clips: list[tuple[Clip, np.ndarray]]) -> Generator[Piece | UnreadableError]:
        """Give what belongs to each of the ascending frames of each clip, or why there is nothing."""

    @abstractmethod
    def _tensor(self, images: np.ndarray) -> torch.Tensor:
        """Turn a batch's pieces (B, T, ...) into the batch's `images`."""

    def _progress_bar(self):
        return progress_bar(self.n_frames, self.description, "frames", shown=self.progress)

    def _batch(self, images: np.ndarray, rows: list[int]) -> Batch:
        positions = np.array(rows, np.int64)
        of_rows = [column[positions] for column in (self.table["label"].to_numpy(np.int8), *self._scenes_and_seconds)]
        return Batch(self._tensor(images[: len(rows)]), positions, *of_rows)

    @cached_property
    def _scenes_and_seconds(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each row of the table: its camera, and when its frame begins."""
        scenes, begins = np.empty(self.n_frames, object), np.empty(self.n_frames, np.float64)
        frames = self.table["frame"].to_numpy(np.int64)
        for clip_id, rows in self.table.groupby("clip").indices.items():
            clip = self.dataset.clip(clip_id)
            scenes[rows], begins[rows] = clip.scene, seconds(clip.fps, frames[rows])
        return (self.table["scene"].to_numpy(str) if "scene" in self.table else scenes.astype(str)), begins

    def _skip(self, error: UnreadableError, row: int, skipped: list[int]) -> None:
        if not self.skip_unreadable:
            raise error
        if not skipped:  # the first speaks for all, which are in `skipped`
            warnings.warn(f"Left out, as skip_unreadable is set: {error}", stacklevel=3)
        self.why_skipped.setdefault(str(self.table["clip"].iloc[row]), str(error))
        skipped.append(int(row))

    def _in_order(self) -> tuple[np.ndarray, list[tuple[Clip, np.ndarray]]]:
        """Positions in the table, in (clip, frame) order, int64 (n_frames,); each clip with its frames, ascending."""
        clip_numbers, names = pd.factorize(self.table["clip"].to_numpy(), sort=True)
        frames = self.table["frame"].to_numpy(np.int64)
        order = np.lexsort((frames, clip_numbers))
        ends = np.flatnonzero(np.diff(clip_numbers[order])) + 1
        groups = np.split(frames[order], ends)
        return order, [(self.dataset.clip(name), group) for name, group in zip(names, groups, strict=True)]


def check_table(dataset: VideoDataset, table: pd.DataFrame) -> None:
    """Raise where a table is not made of rows of the data set's frame table, each at most once."""
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
    for clip_id, frames in table.groupby("clip")["frame"]:
        check_frame(dataset.clip(clip_id), frames.min())
        check_frame(dataset.clip(clip_id), frames.max())


def check_at_least_one(**values: int) -> None:
    """Raise ParameterError naming the first value that is below 1."""
    for name, value in values.items():
        if value != int(value) or value < 1:
            raise ParameterError(f"{name}: at least 1 is expected, not {value}.")


def available_cores() -> int:
    """Cores that this process may use, which on a shared machine can be fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

"""Frames read once and held in memory, for many detectors under many settings."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch

from vadlib.data import FrameReader
from vadlib.data.reading.frames import Batch
from vadlib.errors import ParameterError


class FramesInMemory:
    """Frames of a reader in memory, from which readers of some of them are made.

    Parameters
    ----------
    reader : FrameReader
        Read once, here. Its table's index says which frames `select` means.
    size : (height, width), optional
        Of the middle part to keep of each frame as read; all of it by default.

    Raises
    ------
    ParameterError
        If the part is larger than the frames.
    """

    def __init__(self, reader: FrameReader, size: tuple[int, int] | None = None):
        self.table, self.size, self.batch_size = reader.table, tuple(size or reader.size), reader.batch_size
        top, left = ((whole - part) // 2 for whole, part in zip(reader.size, self.size, strict=True))
        if min(top, left) < 0:
            raise ParameterError(f"size: expected at most {tuple(reader.size)}, the frames as read, found {self.size}")
        self._images = torch.empty((reader.n_frames, 3, *self.size), dtype=torch.uint8).to(
            memory_format=torch.channels_last
        )  # (N, 3, H, W)
        self._read = np.zeros(reader.n_frames, dtype=bool)
        for batch in reader:
            self._images[batch.rows] = batch.images[:, :, top : top + self.size[0], left : left + self.size[1]]
            self._read[batch.rows] = True

    def select(self, table: pd.DataFrame) -> MemoryReader:
        """A reader of these rows of the table."""
        return MemoryReader(self, table)


class MemoryReader:
    """What detectors need of a `FrameReader`, for frames already in memory: `table`, `n_frames`, batches."""

    def __init__(self, frames: FramesInMemory, table: pd.DataFrame):
        self._frames, self.table, self.size, self.batch_size = frames, table, frames.size, frames.batch_size
        self._positions = frames.table.index.get_indexer(table.index)  # (n,)
        if (self._positions < 0).any():
            raise ParameterError(f"table: {(self._positions < 0).sum()} of its rows are not among the frames held")

    @property
    def n_frames(self) -> int:
        """Frames in the table."""
        return len(self.table)

    @property
    def skipped(self) -> np.ndarray:
        """Positions in the table of frames that could not be read."""
        return np.flatnonzero(~self._frames._read[self._positions])

    def __len__(self) -> int:
        """Batches of one iteration, at most."""
        return -(-self.n_frames // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches in the table's order."""
        readable = np.flatnonzero(self._frames._read[self._positions])
        labels = self.table["label"].to_numpy(np.int8)
        for rows in np.array_split(readable, range(self.batch_size, len(readable), self.batch_size)):
            if len(rows):
                yield Batch(self._frames._images[self._positions[rows]], rows, labels[rows])

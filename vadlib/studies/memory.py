"""Frames, and what networks make of them, kept for the second detector that asks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
import torch

from vadlib.data import FrameReader
from vadlib.data.reading.frames import Batch
from vadlib.detectors.gradcam import raw_grad_cam
from vadlib.errors import ParameterError

MOST_BYTES = 3 * 2**30  # of kept features; what is beyond is computed again each time


class FramesInMemory:
    """Frames of a reader, or the middle part of this `size` of each, from which readers of some of them are made."""

    def __init__(self, reader: FrameReader, size: tuple[int, int] | None = None):
        self.table, self.size, self.batch_size = reader.table, tuple(size or reader.size), reader.batch_size
        top, left = ((whole - part) // 2 for whole, part in zip(reader.size, self.size, strict=True))
        if min(top, left) < 0:
            raise ParameterError(f"size: expected at most {tuple(reader.size)}, the frames as read, found {self.size}")
        self._images = torch.empty((reader.n_frames, 3, *self.size), dtype=torch.uint8).to(
            memory_format=torch.channels_last
        )  # (N, 3, H, W)
        self._read = np.zeros(reader.n_frames, dtype=bool)
        self._seconds = np.full(reader.n_frames, np.nan)
        for batch in reader:
            self._images[batch.rows] = batch.images[:, :, top : top + self.size[0], left : left + self.size[1]]
            self._read[batch.rows] = True
            self._seconds[batch.rows] = batch.seconds

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
        scenes = self.table["scene"].to_numpy(str) if "scene" in self.table else None
        for rows in np.array_split(readable, range(self.batch_size, len(readable), self.batch_size)):
            if len(rows):
                held = self._positions[rows]
                of_batch = None if scenes is None else scenes[rows]
                yield Batch(self._frames._images[held], rows, labels[rows], of_batch, self._frames._seconds[held])


class CachedNetwork:
    """A network that computes the features of a frame, known by its pixels, once, and keeps up to `most_bytes`."""

    def __init__(self, network: Any, most_bytes: int = MOST_BYTES):
        self.network, self.most_bytes, self.n_bytes = network, most_bytes, 0
        self._kept: dict[tuple, torch.Tensor] = {}  # (digest, what) to the features of one frame

    def __getattr__(self, name: str) -> Any:
        """What the network itself has."""
        return getattr(self.network, name)

    def to(self, device: torch.device | str) -> Self:
        """Move the network; what is kept stays where it was computed, so forget it first."""
        self.network.to(device)
        return self

    def forget(self) -> None:
        """Drop everything kept, such as before frames of another size."""
        self._kept.clear()
        self.n_bytes = 0

    def features(self, images: torch.Tensor, layers: Sequence[str]) -> dict[str, torch.Tensor]:
        """As `FeatureNetwork.features`; a layer is computed for the frames that it is not kept for."""
        self.network.check_layers(layers)

        def compute(missing: torch.Tensor, names: list[str]) -> list[torch.Tensor]:
            found = self.network.features(missing, names)
            return [found[name].permute(0, 2, 3, 1) for name in names]  # channels last, as they lie in memory

        recalled = self._recall(images, list(layers), compute)
        return {name: values.permute(0, 3, 1, 2) for name, values in zip(layers, recalled, strict=True)}

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """As the network's own ``embed``."""
        return self._recall(images, ["embedding"], lambda missing, _: [self.network.embed(missing)])[0]

    def raw_grad_cam(self, images: torch.Tensor, layers: Sequence[str], target: str | int) -> list[torch.Tensor]:
        """As `vadlib.detectors.gradcam.raw_grad_cam`."""
        self.network.check_layers(layers)

        def compute(missing: torch.Tensor, names: list[tuple]) -> list[torch.Tensor]:
            return raw_grad_cam(self.network, missing, [layer for _, layer, _ in names], target=target)

        return self._recall(images, [("cam", layer, target) for layer in layers], compute)

    def _recall(
        self, images: torch.Tensor, names: list, compute: Callable[[torch.Tensor, list], list[torch.Tensor]]
    ) -> list[torch.Tensor]:
        """One tensor (B, ...) for each name; computed for frames and names that lack one, and kept if there is room."""
        digests = [_digest(image) for image in images.cpu()]
        rows = [i for i, digest in enumerate(digests) if any((digest, name) not in self._kept for name in names)]
        new: dict[tuple, torch.Tensor] = {}
        if rows:
            lacking = [name for name in names if any((digests[i], name) not in self._kept for i in rows)]
            for name, values in zip(lacking, compute(images[rows], lacking), strict=True):
                new |= {(digests[i], name): one for i, one in zip(rows, values, strict=True)}
        found = [torch.stack([new.get((d, n), self._kept.get((d, n))) for d in digests]) for n in names]
        for key, one in new.items():
            if self.n_bytes + one.nbytes > self.most_bytes:
                break
            if key not in self._kept:
                self._kept[key] = one.clone()  # a frame's own memory, not the batch's
                self.n_bytes += one.nbytes
        return found


def _digest(image: torch.Tensor) -> bytes:
    """Of the pixels and their arrangement."""
    size = str(tuple(image.shape)).encode()
    return hashlib.blake2b(image.numpy().tobytes(), digest_size=16, salt=size[:16]).digest()

"""Frames, and what networks make of them, kept for the second detector that asks.

Frames lie in a file, and so do features beyond what memory should hold: reading those of a frame (1.4 MB of ResNet-18's
first three layers at 224 pixels) takes a tenth of the time of computing them. The files have no name and go with the
process.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
import torch

from vadlib.data import FrameReader
from vadlib.data.reading.frames import Batch
from vadlib.data.reading.inputs import Frames
from vadlib.data.reading.scanning import CACHE
from vadlib.detectors import Detector
from vadlib.detectors.gradcam import raw_grad_cam
from vadlib.errors import ParameterError, ResultsError

MOST_BYTES = 2**30  # of features in memory; what is beyond goes to a file
MOST_FILE_BYTES = 32 * 2**30  # of features in it, and at most half of what is free; what is beyond is computed again


class KeptFrames:
    """Frames of a reader, from which readers of some of them are made."""

    def __init__(self, reader: FrameReader):
        self.table, self.size, self.view, self.batch_size = reader.table, reader.size, reader.view, reader.batch_size
        self._file = ArrayFile()
        self._read = np.zeros(reader.n_frames, dtype=bool)
        self._places: list[Place | None] = [None] * reader.n_frames
        self._seconds = np.full(reader.n_frames, np.nan)
        self.dataset = reader.dataset
        for batch in reader:
            images = batch.images.permute(0, 2, 3, 1)
            try:
                for row, image in zip(batch.rows, images.numpy(), strict=True):
                    self._places[row] = self._file.put(image)
            except OSError as error:
                raise ResultsError(
                    f"the frames of a study could not be kept: {error}. They need "
                    f"{reader.n_frames * images[0].nbytes:,} bytes: make room, or name another folder in the "
                    "environment variable TMPDIR"
                ) from error
            self._read[batch.rows] = True
            self._seconds[batch.rows] = batch.seconds

    def select(self, table: pd.DataFrame) -> KeptReader:
        """A reader of these rows of the table."""
        return KeptReader(self, table)

    def images(self, positions: np.ndarray) -> torch.Tensor:
        """Some frames, by their positions in the table, uint8 (B, 3, H, W)."""
        images = np.empty((len(positions), *self.size, 3), np.uint8)  # (B, H, W, 3)
        for image, position in zip(images, positions, strict=True):
            self._file.read(self._places[position], image)
        return torch.from_numpy(images).permute(0, 3, 1, 2)


class KeptReader:
    """What detectors need of a `FrameReader`, for frames that are kept: `table`, `n_frames`, batches."""

    skip_unreadable = True  # what could not be read was left out when the frames were

    def __init__(self, frames: KeptFrames, table: pd.DataFrame):
        self._frames, self.table, self.batch_size = frames, table, frames.batch_size
        self.size, self.view = frames.size, frames.view
        self.dataset = frames.dataset
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
                yield Batch(self._frames.images(held), rows, labels[rows], of_batch, self._frames._seconds[held])


def as_read_by(detector: Detector, reader: FrameReader | KeptReader) -> Iterable[Batch]:
    """A reader of the same frames that gives what a detector reads: this one, where that is the frames alone."""
    if detector.reads == Frames():
        return reader
    names = ("size", "view", "batch_size", "skip_unreadable")
    reading = {name: getattr(reader, name) for name in names}
    return detector.reads.open(reader.dataset, reader.table, **reading)


class CachedNetwork:
    """A network that computes the features of a frame, known by its pixels, once.

    It keeps `most_bytes` in memory, and what is beyond, up to `most_file_bytes`, in a file.
    """

    def __init__(self, network: Any, most_bytes: int = MOST_BYTES, most_file_bytes: int = MOST_FILE_BYTES):
        self.network, self.most_bytes, self.most_file_bytes = network, most_bytes, most_file_bytes
        self.forget()

    def __getattr__(self, name: str) -> Any:
        """What the network itself has."""
        return getattr(self.network, name)

    def to(self, device: torch.device | str) -> Self:
        """Move the network; what is kept stays where it was computed, so forget it first."""
        self.network.to(device)
        return self

    def forget(self) -> None:
        """Drop everything kept, such as before frames of another size."""
        self._kept: dict[tuple, torch.Tensor | Place] = {}  # (digest, what) to the features of one frame
        self._file: ArrayFile | None = None
        self.n_bytes = 0  # in memory

    def features(self, images: torch.Tensor, layers: Sequence[str]) -> dict[str, torch.Tensor]:
        """As `FeatureNetwork.features`; a layer is computed for the frames that it is not kept for."""
        self.network.check_layers(layers)

        def compute(missing: torch.Tensor, names: list[str]) -> list[torch.Tensor]:
            found = self.network.features(missing, names)
            return [found[name].permute(0, 2, 3, 1) for name in names]  # channels last, as they lie in memory

        recalled = self._recall(images, list(layers), compute)
        return {name: values.permute(0, 3, 1, 2) for name, values in zip(layers, recalled, strict=True)}

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """As the network's own ``embed``, which goes on from the last layer that is kept of a frame."""
        return self._recall(images, ["embedding"], lambda missing, _: [self._embed(missing)])[0]

    def _embed(self, images: torch.Tensor) -> torch.Tensor:
        digests = [_digest(image) for image in images.cpu()]
        layers = list(getattr(self.network, "channels", ()))[::-1]  # CLIP has none
        last = [next((layer for layer in layers if (digest, layer) in self._kept), None) for digest in digests]
        found: dict[int, torch.Tensor] = {}
        for layer in dict.fromkeys(last):
            rows = [i for i, name in enumerate(last) if name == layer]
            if layer is None:
                embedded = self.network.embed(images[rows])
            else:
                kept = torch.stack([self._get((digests[i], layer)) for i in rows])  # (B, H, W, C)
                embedded = self.network.embed_after(layer, kept.permute(0, 3, 1, 2))
            found |= dict(zip(rows, embedded, strict=True))
        return torch.stack([found[i] for i in range(len(digests))])

    def raw_grad_cam(self, images: torch.Tensor, layers: Sequence[str], target: str | int) -> list[torch.Tensor]:
        """As `vadlib.detectors.gradcam.raw_grad_cam`."""
        self.network.check_layers(layers)

        def compute(missing: torch.Tensor, names: list[tuple]) -> list[torch.Tensor]:
            lacking = [layer for _, layer, _ in names]
            first = min(lacking, key=list(self.network.channels).index)
            exact = self.network.precision == "float32"  # otherwise features are not what the network goes on from
            earliest = self.features(missing, [first])[first] if exact else None
            return raw_grad_cam(self.network, missing, lacking, target=target, earliest=earliest)

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
        found = [torch.stack([new[d, n] if (d, n) in new else self._get((d, n)) for d in digests]) for n in names]
        for key, one in new.items():
            if key not in self._kept:
                self._keep(key, one)
        return found

    def _get(self, key: tuple) -> torch.Tensor:
        kept = self._kept[key]
        if isinstance(kept, torch.Tensor):
            return kept
        values = np.empty(kept.shape, kept.dtype)
        self._file.read(kept, values)
        return torch.from_numpy(values).to(self.network.device)

    def _keep(self, key: tuple, values: torch.Tensor) -> None:
        if self.n_bytes + values.nbytes <= self.most_bytes:
            self._kept[key] = values.clone()  # a frame's own memory, not the batch's
            self.n_bytes += values.nbytes
            return
        try:
            self._file = self._file or ArrayFile()
            if self._file.n_bytes + values.nbytes <= min(self.most_file_bytes, self._file.room()):
                self._kept[key] = self._file.put(values.cpu().numpy())
        except OSError:  # no room: it is computed again
            self.most_file_bytes = 0


def shared_networks(networks: Mapping[str, Any]) -> dict[str, CachedNetwork]:
    """The networks, of which those of the same weights are one that computes what it is asked for a frame once."""
    shared: list[CachedNetwork] = []
    for network in networks.values():
        known = [(one.record, one.precision) for one in shared]
        if (network.record, network.precision) not in known:
            shared.append(CachedNetwork(network, most_file_bytes=0))  # footage has no end
    return {
        name: next(one for one in shared if (one.record, one.precision) == (network.record, network.precision))
        for name, network in networks.items()
    }


class Place(NamedTuple):
    """Where an array is in a file."""

    start: int
    shape: tuple[int, ...]
    dtype: np.dtype


class ArrayFile:
    """Arrays in a file without a name."""

    def __init__(self):
        folder = os.environ.get(CACHE) or None
        if folder:
            os.makedirs(folder, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - goes with this object
        self.n_bytes = 0

    def room(self) -> int:
        """Bytes that the file may have, so that as much is left to others."""
        return (self.n_bytes + shutil.disk_usage(os.environ.get(CACHE) or tempfile.gettempdir()).free) // 2

    def put(self, array: np.ndarray) -> Place:
        """Add an array."""
        place, content = (
            Place(self.n_bytes, array.shape, array.dtype),
            memoryview(np.ascontiguousarray(array)).cast("B"),
        )
        while content:
            written = os.pwrite(self._file.fileno(), content, self.n_bytes)
            self.n_bytes, content = self.n_bytes + written, content[written:]
        return place

    def read(self, place: Place, into: np.ndarray) -> None:
        """Read an array into one of its shape and type that lies in one piece."""
        self._file.seek(place.start)
        rest = memoryview(into).cast("B")
        while rest:
            rest = rest[self._file.readinto(rest) :]


def _digest(image: torch.Tensor) -> bytes:
    """Of the pixels and their arrangement."""
    size = str(tuple(image.shape)).encode()
    pixels = image.movedim(0, -1).contiguous().numpy()  # (H, W, 3), as frames lie in memory
    return hashlib.blake2b(pixels, digest_size=16, salt=size[:16]).digest()

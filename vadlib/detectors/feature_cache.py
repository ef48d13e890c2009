"""One embedding a frame, kept on disk so that another k, score or protocol embeds nothing again.

The cache is a folder of shards: one folder for each identity of what was embedded (weights, precision, data set, image
size), in it safetensors files named by the digest of their content. Shards are only ever added, each in one step, so
that several processes can share a cache and a killed one leaves nothing half-written.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from safetensors.numpy import load, save

from vadlib.data import FrameReader
from vadlib.errors import ParameterError, ResultsError, WeightsError
from vadlib.storage import user_path, write_atomically

FORMAT = 2  # part of the identity: raise it where decoding, resizing or the files change
SHARD_FRAMES = 512  # a killed run loses about this many, and the clip that it was in
ABANDONED_S = 3600  # partial files older than this belong to nobody


class EmbeddedFrames(NamedTuple):
    """Frames whose embeddings are known, in the place of a reader; a row of NaN is a frame that could not be read."""

    embeddings: np.ndarray  # float32 (n, D)
    labels: np.ndarray  # int8 (n,)


def embed_frames(network, reader: Iterable, *, cache: str | Path | None = None) -> np.ndarray:
    """Embed every frame of a reader's table; with a cache, read and embed only those that it lacks.

    Parameters
    ----------
    network : network with `embed`
        Any embedding network: ``embed(uint8 (B, 3, H, W)) -> float32 (B, D)``, ``embedding_size``, ``record``,
        ``precision``. It stays on its device.
    reader : FrameReader
        Without a cache, any reader of `Batch` with `n_frames` serves.
    cache : str or Path, optional
        Folder of the cache; made where it is not there. A damaged file in it is removed with a warning, and its
        frames are embedded again. Frames of a clip are kept once the reader is through with the clip: only then
        is a test video known to be whole.

    Returns
    -------
    float32 (n_frames, D)
        In the table's order, not normalised. A frame that the reader was told to skip, and did, is a row of NaN;
        such rows are never cached. `reader.skipped` says which, as after an iteration.

    Raises
    ------
    ParameterError
        If the network embeds nothing, or the cache cannot know what network or frames it has before it.
    WeightsError
        If an embedding is not finite, or not of the promised size.
    ResultsError
        If the cache cannot be read or written.
    UnreadableError
        As the reader does.

    Notes
    -----
    Embeddings that were computed in batches of another size, or on another device, may differ in their last bits from
    those computed now; the cache does not tell them apart.
    """
    return embed_labelled_frames(network, reader, cache=cache)[0]


def embed_labelled_frames(
    network, reader: Iterable, *, cache: str | Path | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """`embed_frames`, and the frames' labels int8 (n_frames,): 0 where the reader has none."""
    require_embed(network)
    if isinstance(reader, EmbeddedFrames):
        return reader
    embeddings = np.full((reader.n_frames, network.embedding_size), np.nan, np.float32)  # (n_frames, D)
    if cache is not None:
        _embed_missing(network, reader, EmbeddingCache(cache, network, reader), embeddings)
        return embeddings, reader.table["label"].to_numpy(np.int8)
    labels = np.zeros(reader.n_frames, np.int8)
    for batch in reader:
        embeddings[batch.rows] = _embed_batch(network, batch.images, reader)
        labels[batch.rows] = getattr(batch, "labels", 0)
    return embeddings, labels


def _embed_missing(network, reader: FrameReader, cache: EmbeddingCache, embeddings: np.ndarray) -> None:
    """Fill `embeddings` from the cache, and from the frames where it lacks them, which it then gets."""
    missing = np.flatnonzero(~cache.fill(embeddings))
    reader.skipped = np.empty(0, np.int64)
    if not len(missing):
        return
    clips = reader.table["clip"].to_numpy()
    rest, finished = _subreader(reader, missing), False
    pending = np.empty(0, np.int64)  # embedded and not yet in the cache
    try:
        for batch in rest:
            rows = missing[batch.rows]
            embeddings[rows] = _embed_batch(network, batch.images, reader)
            pending = np.concatenate([pending, rows])
            n_known_whole = np.count_nonzero(clips[pending] != clips[pending[-1]])
            if n_known_whole >= SHARD_FRAMES:
                cache.add(pending[:n_known_whole], embeddings)
                pending = pending[n_known_whole:]
        finished = True
    finally:  # an error or an interrupt keeps what is sound
        if len(pending) and not finished:
            pending = pending[clips[pending] != clips[pending[-1]]]
        if len(pending):
            cache.add(pending, embeddings)
    reader.skipped = missing[rest.skipped]


def _embed_batch(network, images: torch.Tensor, reader: Iterable) -> np.ndarray:
    """Embeddings float32 (B, D) of frames (B, 3, H, W), the same whatever is left to embed."""
    # The last bits of an embedding depend on how many frames are computed at a time, not on which. So the last batch,
    # too, is given as many as the others have: what a run embeds after an interruption is what it would have been.
    n_lacking = max(getattr(reader, "batch_size", 0) - len(images), 0)
    if n_lacking:
        images = torch.cat([images, images[:1].expand(n_lacking, -1, -1, -1)])
    return checked_embeddings(network, images)[: len(images) - n_lacking].cpu().numpy()


def _subreader(reader: FrameReader, rows: np.ndarray) -> FrameReader:
    return FrameReader(
        reader.dataset,
        reader.table.iloc[rows],
        reader.size,
        reader.batch_size,
        view=reader.view,
        progress=reader.progress,
        n_threads=reader.n_threads,
        skip_unreadable=reader.skip_unreadable,
        description=reader.description,
        fresh=reader.fresh,
    )


class EmbeddingCache:
    """Embeddings on disk of the frames of one reader's table, by one network."""

    def __init__(self, folder: str | Path, network, reader: FrameReader):
        if not all(hasattr(reader, name) for name in ("dataset", "table", "size")):
            raise ParameterError(
                f"cache: a FrameReader is expected, which knows its data set, table and image size, not a "
                f"{type(reader).__name__}; give one, or cache=None"
            )
        record = network.record
        if record.sha256 is None and record.seed is None:
            raise ParameterError(
                f"cache: the weights {record.name!r} of {record.architecture} have neither digest nor seed, so their "
                "embeddings cannot be told from another network's; load them from a file, or give cache=None"
            )
        identity = {
            "format": FORMAT,
            "architecture": record.architecture,
            "sha256": record.sha256,
            "seed": record.seed,
            "precision": network.precision,
            "embedding_size": network.embedding_size,
            "dataset": reader.dataset.fingerprint,
            "image_size": list(reader.size),
        } | ({} if getattr(reader, "view", "whole") == "whole" else {"view": reader.view})
        text = json.dumps(identity, indent=2) + "\n"
        self.folder = user_path(folder).absolute() / hashlib.sha256(text.encode()).hexdigest()[:32]
        self._clips = reader.table["clip"].to_numpy()
        self._frames = reader.table["frame"].to_numpy(np.int64)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not (self.folder / "identity.json").is_file():
                write_atomically(self.folder / "identity.json", text)
            for partial in self.folder.glob(".*.partial"):
                if time.time() - partial.stat().st_mtime > ABANDONED_S:
                    partial.unlink(missing_ok=True)
        except FileNotFoundError:  # a partial file that its own process has just moved into place
            pass
        except OSError as error:
            raise ResultsError(
                f"cache: {folder} cannot be used ({error}); give a folder that can be written, or cache=None"
            ) from error

    def fill(self, embeddings: np.ndarray) -> np.ndarray:
        """Write into `embeddings` (n_frames, D) the rows that are cached; gives which those are, bool (n_frames,)."""
        codes, names = pd.factorize(self._clips)
        names, frames = pd.Index(names), pd.Index(_keys(codes, self._frames))
        known = np.zeros(len(embeddings), bool)
        for path in sorted(self.folder.glob("*.safetensors")):
            if known.all():
                break
            shard = self._read(path)
            if shard is None:
                continue
            clips = json.loads(shard["clip_names"].tobytes())
            # A clip outside the table has number -1, hence a negative key, which is not found.
            keys = _keys(names.get_indexer(clips)[shard["clip_numbers"]], shard["frames"])
            rows = frames.get_indexer(keys)
            found = rows >= 0
            embeddings[rows[found]] = shard["embeddings"][found]
            known[rows[found]] = True
        return known

    def add(self, rows: np.ndarray, embeddings: np.ndarray) -> None:
        """Keep some rows of `embeddings` (n_frames, D), in one new file; whole or not at all."""
        names, numbers = np.unique(self._clips[rows].astype(str), return_inverse=True)
        content = save(
            {
                "embeddings": np.ascontiguousarray(embeddings[rows], np.float32),
                "frames": self._frames[rows],
                "clip_numbers": numbers.astype(np.int64),
                "clip_names": np.frombuffer(json.dumps(names.tolist()).encode(), np.uint8),
            }
        )
        digest = _digest(content)
        partial = self.folder / f".{digest}.{os.getpid()}.partial"
        try:
            with open(partial, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.folder / f"{digest}.safetensors")
        except OSError as error:
            raise ResultsError(
                f"cache: {self.folder} cannot be written ({error}); make room, or give another folder, or cache=None"
            ) from error
        finally:
            partial.unlink(missing_ok=True)

    def _read(self, path: Path) -> dict[str, np.ndarray] | None:
        """Read a shard; None where it is gone, or was damaged, which removes it."""
        try:
            content = path.read_bytes()
            if _digest(content) == path.stem:
                return load(content)
            path.unlink(missing_ok=True)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ResultsError(
                f"cache: {path} cannot be read ({error}); delete it, or give another folder, or cache=None"
            ) from error
        warnings.warn(f"cache: {path} was damaged and is removed; its frames are embedded again", stacklevel=2)
        return None


def _keys(clip_numbers: np.ndarray, frames: np.ndarray) -> np.ndarray:
    return clip_numbers.astype(np.int64) * 2**32 + frames  # one number for (clip, frame)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def require_embed(network) -> None:
    """Raise ParameterError unless the network gives embeddings."""
    if not hasattr(network, "embed"):
        raise ParameterError(
            f"network: {network.record.architecture} has no embed; expected a network that gives one embedding a "
            "frame, such as clip_vision or resnet18"
        )


def checked_embeddings(network, images: torch.Tensor) -> torch.Tensor:
    """Embeddings float32 (B, D) of uint8 frames (B, 3, H, W), checked for size and NaN, on the network's device."""
    embeddings = network.embed(images).float()
    if tuple(embeddings.shape) != (len(images), network.embedding_size):
        raise WeightsError(
            f"network: {network.record.architecture} promises embeddings of shape "
            f"{(len(images), network.embedding_size)} and gives {tuple(embeddings.shape)}"
        )
    n_broken = int((~torch.isfinite(embeddings).all(dim=1)).sum())
    if n_broken:
        raise WeightsError(
            f"network: {network.record.name} ({network.precision}) gives NaN or infinity for {n_broken} of "
            f"{len(images)} frames; fetch the weights again, or use precision='float32'"
        )
    return embeddings

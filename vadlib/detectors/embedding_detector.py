"""What detectors share that see a frame as one embedding."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from vadlib.detectors.detector import Detector
from vadlib.detectors.feature_cache import EmbeddedFrames, checked_embeddings, embed_frames, require_embed
from vadlib.errors import ParameterError

CHUNK_ROWS = 8192  # scored at a time


def unit_rows(x: torch.Tensor) -> torch.Tensor:
    """Rows float32 (n, D) scaled to length 1; a row of zeros, which has no direction, stays zeros."""
    x = x.double()  # squares of float32 neither overflow nor vanish
    return (x / torch.linalg.vector_norm(x, dim=1, keepdim=True).clamp_min(1e-300)).float()


class EmbeddingDetector(Detector):
    """A detector that sees a frame as one embedding of length 1.

    `cache`, the folder that `embed_frames` keeps embeddings in, is no part of it: it is not saved, and may be set at
    any time.
    """

    network = "embedder"

    def __init__(self, network, *, device: str = "auto", cache: str | Path | None = None):
        require_embed(network)
        super().__init__(network, device=device)
        self.cache = cache

    @abstractmethod
    def require_fitted(self) -> None:
        """Raise NotFittedError before `fit`."""

    @abstractmethod
    def score_unit_rows(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Scores float32 (B,) by name, of embeddings of length 1 (or 0), float32 (B, D), on the detector's device."""

    def score_batch(self, images: torch.Tensor, *, scenes: Sequence[str] | None = None) -> dict[str, torch.Tensor]:
        """Every score of uint8 RGB frames (B, 3, H, W), float32 (B,) each, by name."""
        self.require_fitted()
        with torch.inference_mode():
            return self.score_unit_rows(unit_rows(checked_embeddings(self.network, images)))

    def score_columns(self, reader: Iterable) -> dict[str, np.ndarray]:
        """Every score of a reader's frames, embedding only those that the cache lacks; see `Detector.score_columns`."""
        self.require_fitted()
        embeddings = embed_frames(self.network, reader, cache=self.cache)
        if not isinstance(reader, EmbeddedFrames) and not np.isfinite(embeddings).any():
            raise ParameterError("score: the reader gave no frame; give it a table with at least one")
        return self.score_embeddings(embeddings)

    def score_embeddings(self, embeddings: np.ndarray) -> dict[str, np.ndarray]:
        """Every score, float32 (n,), of embeddings float32 (n, D) of any length; NaN where a row is all NaN."""
        self.require_fitted()
        embeddings = np.asarray(embeddings)
        readable = self.readable_rows(embeddings)
        columns: dict[str, np.ndarray] = {}
        with torch.inference_mode():
            for start in range(0, max(len(embeddings), 1), CHUNK_ROWS):
                rows = start + np.flatnonzero(readable[start : start + CHUNK_ROWS])
                for name, values in self.score_unit_rows(self.to_unit_rows(embeddings[rows])).items():
                    column = columns.setdefault(name, np.full(len(embeddings), np.nan, np.float32))
                    column[rows] = values.float().cpu().numpy()
        return columns

    def readable_rows(self, embeddings: np.ndarray) -> np.ndarray:
        """Which rows of (n, D) are embeddings and which all NaN, bool (n,); anything else is a ParameterError."""
        size = self.network.embedding_size
        if np.ndim(embeddings) != 2 or np.shape(embeddings)[1] != size:
            raise ParameterError(
                f"embeddings: expected (n, {size}), as {self.network.record.architecture} gives them, found "
                f"{np.shape(embeddings)}"
            )
        finite = np.isfinite(embeddings)
        readable = finite.all(axis=1)
        broken = np.flatnonzero(~readable & ~np.isnan(embeddings).all(axis=1))
        if len(broken):
            raise ParameterError(
                f"embeddings: row {broken[0]} (and {len(broken) - 1} more) holds infinity or some NaN; expected "
                "finite rows, or rows all NaN for frames that were skipped"
            )
        return readable

    def to_unit_rows(self, embeddings: np.ndarray) -> torch.Tensor:
        """Embeddings (n, D) of length 1, on the detector's device."""
        return unit_rows(torch.from_numpy(np.asarray(embeddings, np.float32)).to(self.device))

"""What a detector reads, said by its class, and the reader that gives it: `detector.reads.open(dataset, table, …)`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from vadlib.data.dataset import Clip, VideoDataset
from vadlib.data.reading.batches import BatchReader, Piece
from vadlib.data.reading.frames import FrameReader
from vadlib.data.reading.sound import RATE_HZ, SoundReader
from vadlib.errors import ParameterError

AS_ASKED = "as asked"


class Inputs(ABC):
    """What belongs to a frame that is to be scored."""

    window: int = 1
    stride: int = 1

    @abstractmethod
    def open(self, dataset: VideoDataset, table: pd.DataFrame, *, batch_size: int = 64, **options) -> BatchReader:
        """Open a reader of a table's frames; options are those of its class."""


@dataclass(frozen=True)
class Frames(Inputs):
    """The frame alone: images uint8 (B, 3, H, W)."""

    size: tuple[int, int] | str | None = AS_ASKED  # which it must have, whatever is asked for; None for its own

    def open(self, dataset: VideoDataset, table: pd.DataFrame, *, size=(224, 224), **options) -> FrameReader:
        """Open a `FrameReader`."""
        size = size if self.size == AS_ASKED else self.size
        return FrameReader(dataset, table, size, window=self.window, stride=self.stride, **options)


@dataclass(frozen=True)
class Window(Inputs):
    """The frame and those before it: images uint8 (B, window, 3, H, W), the frame itself last."""

    window: int  # how many
    stride: int = 1  # from one to the next
    size: tuple[int, int] | str | None = AS_ASKED  # as of `Frames`

    open = Frames.open


@dataclass(frozen=True)
class Sound(Inputs):
    """What was heard before the frame: samples, float32 (B, seconds * rate_hz)."""

    seconds: float = 1.0
    rate_hz: int = RATE_HZ

    def open(self, dataset: VideoDataset, table: pd.DataFrame, *, size=None, view=None, **options) -> SoundReader:
        """Open a `SoundReader`; sound has no size and no view."""
        return SoundReader(dataset, table, self.seconds, rate_hz=self.rate_hz, **options)


@dataclass(frozen=True)
class Scores(Inputs):
    """What other detectors gave the frame: float32 (B, columns)."""

    columns: Sequence[str] | None = None  # all numbers beside clip, frame and label by default

    def open(
        self,
        dataset: VideoDataset,
        table: pd.DataFrame,
        *,
        scores: pd.DataFrame | None = None,
        size=None,
        view=None,
        **options,
    ) -> ScoresReader:
        """Open a `ScoresReader`; its columns are the table's own where no `scores` are given."""
        return ScoresReader(dataset, table, table if scores is None else scores, self.columns, **options)


class ScoresReader(BatchReader):
    """Batches of columns of a table of scores, float32 (B, C), each row's by its clip and frame.

    The table of scores, (clip, frame, ...), may hold other frames, too. Options are those of `FrameReader`.
    """

    needs_files = False

    def __init__(
        self,
        dataset: VideoDataset,
        table: pd.DataFrame,
        scores: pd.DataFrame,
        columns: Sequence[str] | None = None,
        batch_size: int = 64,
        *,
        description: str = "Reading scores",
        **options,
    ):
        super().__init__(dataset, table, batch_size, description=description, **options)
        if columns is None:
            columns = [name for name in scores.select_dtypes("number") if name not in ("frame", "label")]
        lacking = {"clip", "frame"} - set(scores) | set(columns) - set(scores.select_dtypes("number"))
        if lacking or not columns:
            raise ParameterError(f"scores: {min(lacking, default='a column')!r} is missing, or holds no numbers.")
        self.columns = list(columns)
        if scores.duplicated(["clip", "frame"]).any():
            raise ParameterError(
                "scores: a frame is there twice; drop_duplicates(['clip', 'frame']) keeps one of each."
            )
        self._values = scores.set_index(["clip", "frame"])[self.columns].astype(np.float32)
        absent = ~pd.MultiIndex.from_frame(table[["clip", "frame"]]).isin(self._values.index)
        if absent.any():
            clip_id, frame = table.loc[absent, ["clip", "frame"]].iloc[0]
            raise ParameterError(f"scores: frame {frame} of clip {clip_id} has none, nor have {absent.sum() - 1} more.")

    def _pieces(self, clips: list[tuple[Clip, np.ndarray]]) -> Generator[Piece]:
        for clip, frames in clips:
            for values in self._values.loc[clip.id].loc[frames].to_numpy():
                yield [values]

    def _tensor(self, images: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(images[:, 0])  # (B, C)

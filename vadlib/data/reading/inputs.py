"""What a detector reads, and the reader that gives it."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from vadlib.data.dataset import VideoDataset
from vadlib.data.reading.frames import FrameReader


@dataclass(frozen=True)
class Frames:
    """Single frames, brought to the size asked for."""

    def open(self, dataset: VideoDataset, table: pd.DataFrame, **reading) -> FrameReader:
        """A reader of the table's frames; `reading` is `FrameReader`'s."""
        return FrameReader(dataset, table, **reading)


Inputs = Frames

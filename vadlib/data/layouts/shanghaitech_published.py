"""ShanghaiTech Campus (Luo et al. 2017) as others tabulated it: labels and events of its test clips, and no pictures.

::

    frame_scores.parquet      events.csv      captions.parquet      tracks.parquet      paper/*.npy

What else the tables hold, `vadlib.data.published.tables` reads.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vadlib.data.dataset import Clip, VideoDataset
from vadlib.data.layouts.opening import Opening
from vadlib.data.layouts.shanghaitech import NOMINAL_FPS
from vadlib.data.published.tables import EVENTS, FRAME_SCORES, SOURCES, read_event_table, read_frame_scores

EXPECTS = tuple(SOURCES)


def matches(folder: Path, name: str) -> bool:
    """Whether a folder is the set's own."""
    return (folder / FRAME_SCORES).exists()


def open_layout(name: str, home: Path, opening: Opening) -> VideoDataset:
    """Open the labels of the tables (see `vadlib.data.open_dataset`); nothing of the data set itself is missing."""
    frames = read_frame_scores(home)
    labels = {clip: group["label"].to_numpy(np.int8) for clip, group in frames.groupby("clip")}
    clips = tuple(
        Clip(clip, "test", clip.partition("_")[0], None, len(values), NOMINAL_FPS) for clip, values in labels.items()
    )
    events = read_event_table(home, frames)
    facts = {"labels": FRAME_SCORES, "events": EVENTS}
    return VideoDataset(name, home, clips, labels, events=events, facts=facts)

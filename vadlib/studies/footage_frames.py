"""Which frames of footage to fit on and which to score, and which of them could not be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from vadlib.data import FrameReader, VideoDataset
from vadlib.data.footage import hold_out, sample_by_time, spread_over
from vadlib.data.layouts.opening import SPLITS, first_sentence
from vadlib.detectors import Detector
from vadlib.errors import UnreadableError
from vadlib.networks import FeatureNetwork
from vadlib.studies.footage import fit_without_labels, score_together
from vadlib.studies.memory import KeptFrames

COLUMNS = ("clip", "part of", "left out", "why")
WHOLE = "the whole clip"


@dataclass(frozen=True)
class FootageFrames:
    """Frames to fit on, frames to score (held-out normal footage, and watched), and how they came about."""

    fit: pd.DataFrame
    to_score: pd.DataFrame  # with `last` (see `sample_by_time`)
    rate: float  # frames a second that are scored
    how: str  # how normal footage was held out, in words


def split_footage(
    videos: VideoDataset,
    *,
    held_out_share: float,
    guard_s: float,
    n_fit: int,
    frames_a_second: float,
    max_frames: int,
    seed: int,
) -> FootageFrames:
    """Hold out normal footage, spread the frames to fit on over the rest, and sample what is to be scored."""
    table, fps = videos.frame_table(), {clip.id: clip.fps for clip in videos.clips}
    training, tested = table[table["split"] == "train"], table[table["split"] == "test"]
    parts = hold_out(training, fps, share=held_out_share, guard_s=guard_s, seed=seed)
    to_score = pd.concat([parts.held, tested]).sort_index()
    to_score, rate = sample_by_time(to_score, fps, rate=frames_a_second, max_frames=max_frames)
    return FootageFrames(spread_over(parts.fit, n_fit, seed=seed), to_score, rate, parts.how)


def fit_on_footage(
    networks: Mapping[str, FeatureNetwork],
    reader: FrameReader,
    parameters: Mapping[str, Any],
    *,
    seed: int = 0,
    device: str = "auto",
) -> tuple[dict[str, Detector], pd.DataFrame]:
    """Fit every detector that needs no label on frames that are read once (see `fit_without_labels`).

    Returns
    -------
    detectors : dict of str to Detector
    fitted_on : DataFrame
        The reader's rows that could be read, in the order fitted.

    Raises
    ------
    UnreadableError
        None of them could.
    """
    frames = KeptFrames(reader).select(reader.table)
    check_enough_left(reader, "train", "to fit on")
    fitted_on = reader.table.drop(reader.table.index[frames.skipped])
    return fit_without_labels(networks, frames, parameters, seed=seed, device=device), fitted_on


def score_footage(detectors: Mapping[str, Detector], reader: FrameReader) -> pd.DataFrame:
    """The reader's table with a column for each detector's main score; NaN where a frame could not be read.

    Raises
    ------
    UnreadableError
        None of the frames held out, or none of those watched, could be read.
    """
    columns = score_together(detectors, reader)
    check_enough_left(reader, "train", "held out to choose thresholds on")
    check_enough_left(reader, "test", "to score")
    return reader.table.assign(**columns)


def table_of_left_out(videos: VideoDataset, readers: Iterable[FrameReader]) -> pd.DataFrame:
    """List what was left out as unreadable.

    Parameters
    ----------
    videos : VideoDataset
    readers : iterable of FrameReader
        Iterated over, with `skip_unreadable`.

    Returns
    -------
    DataFrame
        ``clip``, ``part of``, ``left out`` (the whole clip, or how many of the frames wanted), ``why``; as text. No
        rows where everything could be read.
    """
    rows = [(clip.clip, SPLITS[clip.split], WHOLE, clip.why) for clip in videos.left_out]
    skipped = [reader.table.iloc[reader.skipped][["clip"]] for reader in readers]
    wanted = pd.concat([reader.table[["clip"]] for reader in readers])["clip"].value_counts()
    lost = pd.concat(skipped)["clip"].value_counts(sort=False)
    reasons = {clip: why for reader in readers for clip, why in reader.why_skipped.items()}
    for clip_id, count in sorted(lost.items()):
        clip = videos.clip(clip_id)
        drawn = wanted[clip_id]
        amount = f"all {count:,} frames drawn" if count == drawn else f"{count:,} of {drawn:,} frames drawn"
        why = first_sentence(reasons[clip_id], clip.path, videos.root)
        rows.append((clip_id, SPLITS[clip.split], amount, why))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def check_enough_left(reader: FrameReader, split: str, purpose: str) -> None:
    """Raise UnreadableError where the reader, now at its end, could read no frame of a part of the footage."""
    own = reader.table["split"].to_numpy() == split
    if own.any() and own[reader.skipped].sum() == own.sum():
        why = next(why for clip, why in reader.why_skipped.items() if reader.dataset.clip(clip).split == split)
        raise UnreadableError(
            f"{reader.dataset.root}: not one of the {own.sum():,} frames {purpose} can be read, so nothing is left of "
            f"{SPLITS[split]}. The first: {why}"
        )

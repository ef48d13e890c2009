"""All footage watched in one table, however many clips it comes in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from vadlib.data import VideoDataset
from vadlib.data.reading.capture_times import find_moments
from vadlib.report.words.footage import hours_and_minutes

MAX_GROUPS = 200  # of clips, in a table of all of them
MIN_YEAR, MAX_YEAR = 1900, 2099  # as `find_moments` reads them in dates


def overview_of_clips(
    videos: VideoDataset,
    scores: pd.DataFrame,
    strangeness: np.ndarray,
    moments: pd.DataFrame,
    fps: Mapping[str, float],
) -> pd.DataFrame:
    """All footage watched, in groups of clips: by folder, or, where all lie in one, by the hour in their names.

    Parameters
    ----------
    videos : VideoDataset
    scores : DataFrame (n rows)
        ``clip``, ``frame``, ``last`` of the frames scored.
    strangeness : float (n,)
        Of those frames.
    moments : DataFrame
        From `merge_alarms`.
    fps : mapping of str to float

    Returns
    -------
    DataFrame
        As text, a row for each group, in the groups' order: ``footage``, ``camera``, ``clips``, ``length``,
        ``moments``, ``strangest`` and ``in clip``. Folders are cut from their end until there are at most `MAX_GROUPS`.
    """
    group_of = _groups({clip: videos.clip(clip).path for clip in scores["clip"].unique()}, videos.root)
    rows = []
    for group, positions in pd.Series(np.arange(len(scores))).groupby(scores["clip"].map(group_of).to_numpy()):
        own = scores.iloc[positions]
        clips = own["clip"].unique()
        best = positions.to_numpy()[np.argmax(np.asarray(strangeness)[positions])]
        cameras = {videos.clip(clip).scene for clip in clips}
        rows.append({
            "footage": group,
            "camera": ", ".join(sorted(cameras)) if len(cameras) < 4 else f"{len(cameras)} cameras",
            "clips": f"{len(clips):,}",
            "length": hours_and_minutes(own, fps),
            "moments": f"{moments['clip'].isin(clips).sum():,}",
            "strangest": f"{np.asarray(strangeness)[best]:.1f}",
            "in clip": scores["clip"].iloc[best],
        })  # fmt: skip
    return pd.DataFrame(rows)


def _groups(paths: Mapping[str, Path], root: Path) -> dict[str, str]:
    """By clip, the group it belongs to."""
    folders = {clip: path.relative_to(root).parent.parts for clip, path in paths.items()}
    if len(set(folders.values())) == 1:
        keys = {clip: found[0].key for clip, path in paths.items() if (found := find_moments([path.stem]))}
        # Keys of a clock begin with its hour, those of seconds since 1970 with these.
        if len(keys) == len(paths) and all(MIN_YEAR <= key[0] <= MAX_YEAR for key in keys.values()):
            return {clip: "{:04d}-{:02d}-{:02d}, {:02d} h".format(*key[:4]) for clip, key in keys.items()}
    depth = max(map(len, folders.values()))
    while depth > 0 and len({parts[:depth] for parts in folders.values()}) > MAX_GROUPS:
        depth -= 1
    return {clip: "/".join(parts[:depth]) or "all of it" for clip, parts in folders.items()}

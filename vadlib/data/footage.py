"""Footage rather than frames: normal footage held out from fitting, and frames sampled by the clock.

A threshold must be chosen from normal frames that the detector was not fitted on, and from their like: whole clips if
a camera has several, since frames of one clip are alike; where it has one, the end of the clip, after a gap.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from vadlib.data.sampling import fill_evenly
from vadlib.errors import ParameterError
from vadlib.frame_times import UnevenRate, seconds

TOLERATED = 0.2  # how far the share of whole clips may be from the share asked for, before clips are cut instead
MAX_GUARD_SHARE = 0.1  # of a clip that is cut, at most, for the gap
ROUNDING = 1e-9  # of seconds times frames per second
N_PIECES = 4  # of a clip, where there are too few clips to tell blocks by
MAX_BLOCKS = 20  # to check a choice on: more would take their time, and tell no more


class HeldOut(NamedTuple):
    """Normal footage in two parts that share no frame: rows of a table, in (clip, frame) order."""

    fit: pd.DataFrame
    held: pd.DataFrame
    how: str  # in words: what was held out


def hold_out(
    table: pd.DataFrame, fps: Mapping[str, float], *, share: float = 0.5, guard_s: float = 2.0, seed: int = 0
) -> HeldOut:
    """Divide normal footage into a part to fit on and a part to choose thresholds on.

    The table has every frame of it (``clip``, ``scene``, ``frame``), `fps` frames a second by clip. A `share` in (0, 1)
    is held out; `guard_s` seconds, at most a tenth of the clip, are left out between the parts of a clip that is cut.
    """
    if not 0 < share < 1:
        raise ParameterError(f"share: expected a share between 0 and 1, found {share!r}")
    if not 0 <= guard_s < np.inf:
        raise ParameterError(f"guard_s: expected seconds, 0 or more, found {guard_s!r}")
    if not len(table):
        raise ParameterError("table: no normal footage in it; give frames of clips in which nothing unusual happens")
    table = table.sort_values(["clip", "frame"])
    rng, fit, held = np.random.default_rng(seed), [], []
    n_whole = n_cut = 0
    for _, footage in table.groupby("scene", sort=True):
        lengths = footage.groupby("clip").size()
        chosen = _whole_clips(lengths, share, rng)
        if chosen is not None:
            apart = footage["clip"].isin(chosen).to_numpy()
            fit.append(footage[~apart])
            held.append(footage[apart])
            n_whole += len(chosen)
            continue
        for clip, frames in footage.groupby("clip"):
            start, end = _cut(clip, len(frames), fps[clip], share, guard_s)
            fit.append(frames.iloc[:start])
            held.append(frames.iloc[end:])
        n_cut += len(lengths)
    n_clips = table["clip"].nunique()
    words = []
    if n_whole:
        words.append(f"{n_whole} of the {n_clips} normal clips, whole")
    if n_cut:
        gap = f", after a gap of at most {guard_s:g} s" if guard_s else ""
        words.append(f"the last {share:.0%} of {'the one' if n_cut == n_clips == 1 else n_cut} normal clip(s){gap}")
    return HeldOut(pd.concat(fit).sort_index(), pd.concat(held).sort_index(), " and ".join(words))


def blocks_of(table: pd.DataFrame) -> np.ndarray:
    """Blocks of footage to check a choice on: the clips, or, where there are fewer than three, quarters of each.

    Of more than `MAX_BLOCKS` clips, neighbours in their order, which is that of their names, make a block together: the
    segments of a recorder that follow one another are alike.
    """
    clips = table["clip"].to_numpy(dtype=object)
    n_clips = table["clip"].nunique()
    if n_clips > MAX_BLOCKS:
        numbers, names = pd.factorize(table["clip"], sort=True)
        firsts = np.asarray(names, object)[np.unique(np.arange(n_clips) * MAX_BLOCKS // n_clips, return_index=True)[1]]
        return np.array([f"from {first} on" for first in firsts], object)[numbers * MAX_BLOCKS // n_clips]
    if n_clips > 2:
        return clips
    within = table.groupby("clip").cumcount().to_numpy()
    lengths = table.groupby("clip")["frame"].transform("size").to_numpy()
    return np.array(
        [f"{clip}, part {n}" for clip, n in zip(clips, within * N_PIECES // lengths + 1, strict=True)], object
    )


def spread_over(table: pd.DataFrame, n: int, *, seed: int = 0) -> pd.DataFrame:
    """Some of a table's frames: as many of each scene as may be, evenly in time; all where there are fewer."""
    if n < 1:
        raise ParameterError(f"n: expected at least 1 frame, found {n}")
    table = table.sort_values(["clip", "frame"])
    scenes = [rows for _, rows in table.groupby("scene", sort=True)]
    shares = fill_evenly(np.array([len(rows) for rows in scenes]), min(n, len(table)), np.random.default_rng(seed))
    spread = [
        rows.iloc[np.linspace(0, len(rows) - 1, k).round().astype(int)] for rows, k in zip(scenes, shares, strict=True)
    ]
    return pd.concat(spread).sort_values(["clip", "frame"])


def sample_by_time(
    table: pd.DataFrame, fps: Mapping[str, float], *, rate: float, max_frames: int | None = None
) -> tuple[pd.DataFrame, float]:
    """Every so many frames of each clip, so that all clips give as many a second; of it a stretch without gaps comes.

    Gives rows of the table with a column ``last``, the last frame that the row stands for, so that none is left out,
    and the rate used. A clip with fewer frames a second (`fps`, by clip) gives all of them; of an `UnevenRate` frames
    are taken by their own times. Where that would give more than `max_frames`, the rate is lowered for all clips alike;
    but each clip gives one frame at least, so that none goes unseen, even where there are more clips than that.
    """
    if max_frames is not None and max_frames < 1:
        raise ParameterError(f"max_frames: expected at least 1 frame, found {max_frames}")
    if not (np.isfinite(rate) and rate > 0):
        raise ParameterError(f"rate: expected frames a second, above 0, found {rate!r}")
    counts = table.groupby("clip")["frame"].agg(["min", "max"])
    most = np.inf if max_frames is None else max(max_frames, len(counts))
    rates = counts.index.map(fps).to_numpy(float)
    lengths = (counts["max"] - counts["min"] + 1).to_numpy()
    uneven = {clip: fps[clip] for clip in counts.index if isinstance(fps[clip], UnevenRate)}
    is_even = ~counts.index.isin(list(uneven))
    while True:
        steps = np.maximum(1, np.round(rates / rate)).astype(int)
        by_time = {clip: _by_time(own, *counts.loc[clip, ["min", "max"]], rate) for clip, own in uneven.items()}
        total = int(np.ceil(lengths / steps)[is_even].sum()) + sum(len(frames) for frames in by_time.values())
        if total <= most:
            break
        rate /= max(1.02, total / most)  # rounding may leave it a little over: then once more
    of_row = counts.assign(step=steps).loc[table["clip"]]
    first, end, step = (of_row[name].to_numpy() for name in ("min", "max", "step"))
    frames = table["frame"].to_numpy()
    is_taken = (frames - first) % step == 0
    last = np.minimum(frames + step - 1, end)
    for clip, chosen in by_time.items():
        rows = np.flatnonzero(table["clip"] == clip)
        interval = np.searchsorted(chosen, frames[rows], side="right") - 1
        is_taken[rows] = frames[rows] == chosen[interval]
        last[rows] = np.append(chosen[1:] - 1, counts.loc[clip, "max"])[interval]
    return table[is_taken].assign(last=last[is_taken]), float(rate)


def _by_time(own: UnevenRate, first: int, last: int, rate: float) -> np.ndarray:
    """The first of a clip's frames first..last in each interval of 1 / `rate` seconds that has any."""
    frames = np.arange(first, last + 1)
    interval = np.floor((seconds(own, frames) - seconds(own, first)) * rate + ROUNDING)
    return frames[np.append(True, np.diff(interval) > 0)]


def _whole_clips(lengths: pd.Series, share: float, rng: np.random.Generator) -> list[str] | None:
    """Clips that together hold about the share of the frames, leaving at least one; None where no choice comes near."""
    if len(lengths) < 2:
        return None
    shuffled = lengths.iloc[rng.permutation(len(lengths))]
    chosen, held, total = [], 0, int(lengths.sum())
    for clip, length in shuffled.items():
        if len(chosen) < len(lengths) - 1 and abs(held + length - share * total) < abs(held - share * total):
            chosen.append(clip)
            held += length
    return chosen if chosen and abs(held / total - share) <= TOLERATED else None


def _cut(clip: str, n_frames: int, fps: float, share: float, guard_s: float) -> tuple[int, int]:
    """Where the fitted part ends and the held part begins."""
    end = n_frames - max(1, round(share * n_frames))
    guard = round(guard_s * fps)
    if isinstance(fps, UnevenRate):
        guard = end - int(np.searchsorted(fps.times, fps.times[end] - guard_s, side="right") - 1)
    start = end - min(guard, int(MAX_GUARD_SHARE * n_frames))
    if start < 1:
        raise ParameterError(
            f"normal footage: clip {clip} has {n_frames} frame(s), too few to fit on some and hold out others; "
            "give longer normal clips"
        )
    return start, end

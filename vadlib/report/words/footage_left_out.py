"""What a page about footage must name beside its answer: clips that do not open, and frames that cannot be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from vadlib.data import FrameReader, VideoDataset
from vadlib.data.layouts.opening import SPLITS, first_sentence
from vadlib.errors import UnreadableError

COLUMNS = ("clip", "part of", "left out", "why")
MAX_NAMED = 5
WHOLE = "the whole clip"
TOLD = ("times", "damage", "videos", "camera", "other cameras", "not looked at")  # what names of facts begin with


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
    """Raise UnreadableError where no frame of a part of the footage could be read.

    Parameters
    ----------
    reader : FrameReader
        Iterated over.
    split : str
        Which rows of its table.
    purpose : str
        What they were for, for the message.
    """
    own = reader.table["split"].to_numpy() == split
    if own.any() and own[reader.skipped].sum() == own.sum():
        why = next(why for clip, why in reader.why_skipped.items() if reader.dataset.clip(clip).split == split)
        raise UnreadableError(
            f"{reader.dataset.root}: not one of the {own.sum():,} frames {purpose} can be read, so nothing is left of "
            f"{SPLITS[split]}. The first: {why}"
        )


def facts_sentence(facts: Mapping[str, str]) -> str:
    """What a reader should know of the footage, as sentences: damage, uneven times, cameras without normal footage.

    Parameters
    ----------
    facts : mapping of str to str
        From `VideoDataset`.
    """
    told = [(name, value) for name, value in facts.items() if name.startswith(TOLD)]
    return " ".join(f"{name[0].upper()}{name[1:]}: {value}." for name, value in told)


def left_out_sentence(left_out: pd.DataFrame) -> str:
    """Name what was left out, for the page's answer; empty where nothing was.

    Parameters
    ----------
    left_out : DataFrame
        From `table_of_left_out`.
    """
    if not len(left_out):
        return ""
    parts = []
    for part, rows in left_out.groupby("part of", sort=False):
        listed = [f"{row[0]} ({row[2]})" for row in rows.head(MAX_NAMED).itertuples(index=False)]
        more = f" and {len(rows) - MAX_NAMED} more" if len(rows) > MAX_NAMED else ""
        clips = "1 clip" if len(rows) == 1 else f"{len(rows)} clips"
        parts.append(f"of {part}, {clips}: {', '.join(listed)}{more}")
    return f"Not seen, since it could not be read: {'; '.join(parts)}. The table at the end of this page says why."

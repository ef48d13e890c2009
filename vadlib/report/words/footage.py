"""Sentences of a page about footage: how much there is, how it was sampled, what of it was not seen."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from vadlib.evaluation import footage_hours
from vadlib.report.words.footage_answers import answer_sentence, page_sentences, roc_sentence
from vadlib.studies.footage_alarms import FootageAlarms

MAX_NAMED = 5
TOLD = ("times", "damage", "videos", "camera", "other cameras", "not looked at")  # what names of facts begin with


def footage_sentences(
    found: FootageAlarms,
    left_out: pd.DataFrame,
    listed: pd.DataFrame,
    *,
    rate: float,
    asked_rate: float,
    n_timelines: int,
) -> dict[str, str]:
    """What the page says of alarms, by the name to cite.

    Parameters
    ----------
    found : FootageAlarms
    left_out : DataFrame
        From `table_of_left_out`.
    listed : DataFrame
        The moments that are listed.
    rate, asked_rate : float
        Frames a second scored, and asked for.
    n_timelines : int
        Clips whose timelines are shown, at most.
    """
    every = "All clips of which frames could be read" if len(left_out) else "All clips"
    is_long = found.scores["clip"].nunique() > n_timelines
    return {
        "answer": answer_sentence(found.moments, found.events, hours_and_minutes(found.scores, found.fps)),
        "left_out": left_out_sentence(left_out),
        "left_out_note": "These are in no number of this page."
        if len(left_out)
        else "Every frame that was drawn could be read.",
        "overview_sentence": f"{every} are in this table, by the folders that they lie in, or by the hour."
        if is_long
        else "",
        "held_minutes": hours_and_minutes(found.normal, found.fps),
        "rate_sentence": rate_sentence(found.normal, found.scores, rate, asked_rate, found.fps),
        "promise_note": found.target_note,
        "roc_sentence": roc_sentence(found.known),
        **page_sentences(found.scores, found.moments, listed, found.events, n_timelines, n_left_out=len(left_out)),
    }


def hours_and_minutes(table: pd.DataFrame, fps: Mapping[str, float]) -> str:
    """How long the footage of a sampled table is, in words that suit its length."""
    hours = footage_hours(table, fps)
    if hours >= 2:
        return f"{hours:.1f} hours"
    return f"{hours * 60:.1f} minutes" if hours * 3600 >= 120 else f"{hours * 3600:.0f} seconds"


def rate_sentence(
    normal: pd.DataFrame, scores: pd.DataFrame, rate: float, asked: float, fps: Mapping[str, float]
) -> str:
    """How many frames a second were scored, and whether that is what was asked for.

    Parameters
    ----------
    normal, scores : DataFrame
        Sampled frames, held out and watched.
    rate, asked : float
        Frames a second.
    fps : mapping of str to float
    """
    n_frames = len(normal) + len(scores)
    sentence = (
        f"Of that, and of the {hours_and_minutes(scores, fps)} watched, {rate:.2g} frames a second are scored, "
        f"{n_frames:,} in all"
    )
    if rate == asked:
        return f"{sentence}."
    return (
        f"{sentence}: fewer than the {asked:g} asked for, to bound the time this takes. What lasts less than "
        f"{1 / rate:.2g} s may lie between two of them; a higher max_frames in the profile looks closer."
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

"""Sentences of a page about footage: how much there is, what was seen in it, what was not, what a target came to."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from vadlib.evaluation import footage_hours, match_alarms
from vadlib.studies.false_alarm_targets import FalseAlarmTarget
from vadlib.studies.footage_alarms import NO, NOT_LABELLED, FootageAlarms

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


def answer_sentence(moments: pd.DataFrame, events: pd.DataFrame | None, length: str) -> str:
    """The page's answer: how much was found, or how much stood out.

    Parameters
    ----------
    moments : DataFrame
        From `merge_alarms`, with a column ``true`` from `match_alarms_with_labels` where there are labels.
    events : DataFrame or None
        The true events; None without labels.
    length : str
        Of the footage watched, in words.
    """
    if not len(moments):
        start = f"In {length} of footage no detector raised an alarm"
        if events is None:
            return f"{start}."
        return (
            f"{start}, and {len(events)} event(s) were missed."
            if len(events)
            else f"{start}, and the labels name no event."
        )
    if events is None:
        top = moments.iloc[0]
        return (
            f"In {length} of footage {len(moments)} moment(s) stood out; the strangest is in {top['clip']}, from "
            f"{top['start_s']:.1f} to {top['end_s']:.1f} s."
        )
    unknown = int((moments["true"] == NOT_LABELLED).sum())
    rest = f"; {unknown} more moment(s) are in clips without labels" if unknown else ""
    n_false, n_known = int((moments["true"] == NO).sum()), len(moments) - unknown
    if not len(events):
        return (
            f"In {length} of footage the labels name no event, and the {n_false} moment(s) at which a detector raised "
            f"an alarm in a labelled clip are false alarms{rest}."
        )
    found = int(match_alarms(moments, events)[1].sum())
    where = " in labelled clips" if unknown else ""
    return (
        f"In {length} of footage at least one of the detectors found {found} of {len(events)} event(s); "
        f"{n_false} of the {n_known} moments{where} at which one raised an alarm overlap no event{rest}."
    )


def roc_sentence(known: pd.DataFrame) -> str:
    """Why there is no ROC curve, or what the AUROC beside the alarms is.

    Parameters
    ----------
    known : DataFrame
        The frames scored of the footage watched whose label is known: ``label``.
    """
    if known["label"].nunique() == 2:
        return (
            "The AUROC in the table is that of single frames, with no threshold; an alarm is worth what the curves say."
        )
    start = (
        "There is no ROC curve and no AUROC here. Both say how scores of anomalous frames stand to those of normal ones"
    )
    if not len(known):
        return f"{start}, and no label says which of these frames are which."
    kind = "anomalous" if known["label"].iloc[0] == 1 else "normal"
    return f"{start}, and all {len(known):,} labelled frames that were scored are {kind}."


def page_sentences(
    scores: pd.DataFrame,
    moments: pd.DataFrame,
    listed: pd.DataFrame,
    events: pd.DataFrame | None,
    n_timelines: int,
    *,
    n_left_out: int = 0,
) -> dict[str, str]:
    """Sentences that differ between pages with and without labels, and with what is shown, by the name to glue.

    Parameters
    ----------
    scores : DataFrame
        ``clip`` of the frames scored.
    moments, listed : DataFrame
        From `merge_alarms`, with a column ``true`` from `match_alarms_with_labels` where there are labels; all, and
        those listed.
    events : DataFrame or None
        From `true_events`.
    n_timelines : int
        Clips whose timelines are shown, at most.
    n_left_out : int
        Clips of which some or all could not be read.
    """
    n_clips = scores["clip"].nunique()
    every = "all clips" if not n_left_out else f"the {n_clips} clip(s) of which frames could be read"
    all_clips = f"It shows {every}." if n_clips <= n_timelines else f"It shows {n_timelines} of {n_clips}."
    rest = f"; the strangest {len(listed)} are listed." if len(listed) < len(moments) else "."
    words = {"timelines_sentence": all_clips, "moments_sentence": f"There are {len(moments) or 'none'}{rest}"}
    normal_cost = "so the alarms can only be held against those in normal footage."
    if events is None:
        return words | {
            "gallery_sentence": "The strangest come first, one a clip; whether they matter is for you to say."
            if len(moments)
            else "There was no alarm, so these are simply the strangest frames, one a clip.",
            "cost_sentence": f"No label says what really happened, {normal_cost}",
        }
    if not len(events):
        return words | {
            "gallery_sentence": "The labels name no event, so they are false alarms, the strangest first, one a clip."
            if len(moments) and (moments["true"] == NO).any()
            else "There was no alarm in a labelled clip, so these are simply its strangest frames, one a clip.",
            "cost_sentence": f"The labels name no event, {normal_cost}",
        }
    return words | {
        "gallery_sentence": "Hits are moments that overlap a true event, the strangest first; misses are events "
        "for which no detector raised an alarm, the least strange first; false alarms are moments that overlap "
        "none, the strangest first; one a clip.",
        "cost_sentence": "An event is found if an alarm overlaps it, if only by a frame; a false alarm overlaps none.",
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


def target_sentence(checked: pd.DataFrame, promise: FalseAlarmTarget) -> str:
    """What a promise came to, by detector: where labels say which frames are normal, else on the held-out footage.

    Parameters
    ----------
    checked : DataFrame
        From `check_targets`.
    promise : FalseAlarmTarget
        The one in use.
    """
    for where, words in (
        ("normal frames watched", "On the normal frames watched"),
        ("held-out footage, cross-checked", "On held-out footage that the threshold was not chosen on"),
    ):
        if (str(promise), where) in checked.index:
            cells = checked.loc[(str(promise), where)]
            listed = "; ".join(f"{name} {cell}" for name, cell in cells.items())
            return f"{words}, the promise of {promise.amount()} came to: {listed}."
    return f"Whether the promise of {promise.amount()} is kept, this footage is too short to say."

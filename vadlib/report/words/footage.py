"""Sentences of a page about footage: how much there is, what was found in it, what of it was not seen."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from vadlib.evaluation import footage_hours, match_alarms
from vadlib.studies.false_alarm_targets import HELD_OUT, WATCHED, FalseAlarmTarget
from vadlib.studies.footage_alarms import FootageAlarms
from vadlib.studies.footage_truth import NO, NOT_LABELLED

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

    `left_out` is from `table_of_left_out`, `listed` the moments that are listed, `rate` and `asked_rate` are the frames
    a second scored and asked for, and `n_timelines` the number of clips whose timelines are shown, at most.
    """
    moments, n_clips = found.moments, found.scores["clip"].nunique()
    rest = f"; the strangest {len(listed)} are listed." if len(listed) < len(moments) else "."
    return {
        "answer": answer_sentence(moments, found.events, hours_and_minutes(found.scores, found.fps)),
        "left_out": left_out_sentence(left_out),
        "left_out_note": "These are in no number of this page."
        if len(left_out)
        else "Every frame that was drawn could be read.",
        "timelines_sentence": f"It shows {min(n_clips, n_timelines)} of the {n_clips} clip(s) of which frames could be "
        "read.",
        "overview_sentence": "All clips of which frames could be read are in this table, by the folders that they lie "
        "in, or by the hour."
        if n_clips > n_timelines
        else "",
        "moments_sentence": f"There are {len(moments) or 'none'}{rest}",
        "gallery_sentence": gallery_sentence(found.events),
        "cost_sentence": cost_sentence(found.events),
        "held_minutes": hours_and_minutes(found.normal, found.fps),
        "rate_sentence": rate_sentence(found.normal, found.scores, rate, asked_rate, found.fps),
        "promise_note": found.target_note,
        "roc_sentence": roc_sentence(found.known),
    }


def answer_sentence(moments: pd.DataFrame, events: pd.DataFrame | None, length: str) -> str:
    """How much was found, or how much stood out, in footage of a `length` in words.

    `moments` are from `merge_alarms`, with a column ``true`` from `match_alarms_with_labels` where there are labels,
    and `events` from `labelled_events`.
    """
    start = f"In {length} of footage"
    if not len(moments):
        missed = f", and {len(events)} event(s) were missed" if events is not None and len(events) else ""
        return f"{start} no detector raised an alarm{missed}."
    if events is None:
        top = moments.iloc[0]
        return (
            f"{start} {len(moments)} moment(s) stood out; the strangest is in {top['clip']}, from {top['start_s']:.1f} "
            f"to {top['end_s']:.1f} s."
        )
    unknown = int((moments["true"] == NOT_LABELLED).sum())
    where, rest = "", ""
    if unknown:
        where, rest = " in labelled clips", f"; {unknown} more moment(s) are in clips without labels"
    return (
        f"{start} at least one of the detectors found {int(match_alarms(moments, events)[1].sum())} of {len(events)} "
        f"event(s); {int((moments['true'] == NO).sum())} of the {len(moments) - unknown} moments{where} at which one "
        f"raised an alarm overlap no event{rest}."
    )


def gallery_sentence(events: pd.DataFrame | None) -> str:
    """What frames the gallery shows."""
    if events is None or not len(events):
        return "The strangest come first, one a clip; whether they matter is for you to say."
    return (
        "Hits are moments that overlap a true event, the strangest first; misses are events for which no detector "
        "raised an alarm, the least strange first; false alarms are moments that overlap none, the strangest first; "
        "one a clip."
    )


def cost_sentence(events: pd.DataFrame | None) -> str:
    """What alarms are held against."""
    if events is None or not len(events):
        return "No label names an event, so the alarms can only be held against those in normal footage."
    return "An event is found if an alarm overlaps it, if only by a frame; a false alarm overlaps none."


def roc_sentence(known: pd.DataFrame) -> str:
    """Why there is no ROC curve, or what the AUROC beside the alarms is, from the scored frames of `known` label."""
    if known["label"].nunique() == 2:
        return (
            "The AUROC in the table is that of single frames, with no threshold; an alarm is worth what the curves say."
        )
    return (
        "There is no ROC curve and no AUROC here. Both say how scores of anomalous frames stand to those of normal "
        "ones, and not both kinds are labelled here."
    )


def hours_and_minutes(table: pd.DataFrame, fps: Mapping[str, float]) -> str:
    """How long the footage of a sampled table is, in words that suit its length."""
    hours = footage_hours(table, fps)
    if hours >= 2:
        return f"{hours:.1f} hours"
    return f"{hours * 60:.1f} minutes" if hours * 3600 >= 120 else f"{hours * 3600:.0f} seconds"


def rate_sentence(
    normal: pd.DataFrame, scores: pd.DataFrame, rate: float, asked: float, fps: Mapping[str, float]
) -> str:
    """How many frames a second were scored, held out (`normal`) and watched, and whether as many as were asked for."""
    sentence = (
        f"Of that, and of the {hours_and_minutes(scores, fps)} watched, {rate:.2g} frames a second are scored, "
        f"{len(normal) + len(scores):,} in all"
    )
    if rate == asked:
        return f"{sentence}."
    return (
        f"{sentence}: fewer than the {asked:g} asked for, to bound the time this takes. What lasts less than "
        f"{1 / rate:.2g} s may lie between two of them; a higher max_frames in the profile looks closer."
    )


def facts_sentence(facts: Mapping[str, str]) -> str:
    """What a reader should know of the footage (`VideoDataset.facts`): damage, uneven times, cameras never normal."""
    told = [(name, value) for name, value in facts.items() if name.startswith(TOLD)]
    return " ".join(f"{name[0].upper()}{name[1:]}: {value}." for name, value in told)


def left_out_sentence(left_out: pd.DataFrame) -> str:
    """Name what was left out (of `table_of_left_out`), for the page's answer; empty where nothing was."""
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
    """What a target came to (of `check_targets`): where labels say which frames are normal, else on held-out ones."""
    for where, words in (
        (WATCHED, "On the normal frames watched"),
        (HELD_OUT, "On held-out footage that the threshold was not chosen on"),
    ):
        if (str(promise), where) in checked.index:
            cells = checked.loc[(str(promise), where)]
            listed = "; ".join(f"{name} {cell}" for name, cell in cells.items())
            return f"{words}, the promise of {promise.amount()} came to: {listed}."
    return f"Whether the promise of {promise.amount()} is kept, this footage is too short to say."

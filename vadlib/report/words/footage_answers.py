"""What a page about footage answers: sentences that depend on whether there are labels, and what they say."""

from __future__ import annotations

import pandas as pd

from vadlib.evaluation import match_alarms
from vadlib.studies.false_alarm_targets import HELD_OUT, WATCHED, FalseAlarmTarget
from vadlib.studies.footage_truth import NO, NOT_LABELLED


def answer_sentence(moments: pd.DataFrame, events: pd.DataFrame | None, length: str) -> str:
    """The page's answer: how much was found, or how much stood out, in footage of a `length` in words.

    `moments` are from `merge_alarms`, with a column ``true`` from `match_alarms_with_labels` where there are labels,
    and `events` from `labelled_events`.
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
    """Why there is no ROC curve, or what the AUROC beside the alarms is, from the scored frames of `known` label."""
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
        As in `answer_sentence`; all, and those listed.
    events : DataFrame or None
        From `labelled_events`.
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


def target_sentence(checked: pd.DataFrame, promise: FalseAlarmTarget) -> str:
    """What a target came to, by detector: where labels say which frames are normal, else on the held-out footage.

    `checked` is the table of `check_targets`, and `promise` the target in use.
    """
    for where, words in (
        (WATCHED, "On the normal frames watched"),
        (HELD_OUT, "On held-out footage that the threshold was not chosen on"),
    ):
        if (str(promise), where) in checked.index:
            cells = checked.loc[(str(promise), where)]
            listed = "; ".join(f"{name} {cell}" for name, cell in cells.items())
            return f"{words}, the promise of {promise.amount()} came to: {listed}."
    return f"Whether the promise of {promise.amount()} is kept, this footage is too short to say."

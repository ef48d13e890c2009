"""What labels say of the footage watched, clip by clip, and the sentences that depend on whether there are any."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from vadlib.evaluation import anomalous_stretches, match_alarms

YES, NO, NOT_LABELLED = "yes", "no", "not labelled"  # whether a moment overlaps an event


def true_events(named: pd.DataFrame, tested: pd.DataFrame, known_clips: Iterable[str]) -> pd.DataFrame | None:
    """The events that labels tell of, those among them between two frames that were scored.

    Parameters
    ----------
    named : DataFrame
        ``clip``, ``first``, ``last``, ``event``: the data set's own list; no rows where it has none.
    tested : DataFrame
        ``clip``, ``frame``, ``label`` of every frame of the test clips, not of those sampled only.
    known_clips : iterable of str
        Clips that have labels, and of which some frame was scored.

    Returns
    -------
    DataFrame or None
        Of the known clips; no rows where their labels say that nothing happens. None where no clip is known.
    """
    known_clips = set(known_clips)
    if not known_clips:
        return None
    events = named if len(named) else anomalous_stretches(tested)
    return events[events["clip"].isin(known_clips)].reset_index(drop=True)


def match_alarms_with_labels(moments: pd.DataFrame, events: pd.DataFrame, known_clips: Iterable[str]) -> np.ndarray:
    """Whether each moment overlaps a true event, as far as anybody knows.

    Parameters
    ----------
    moments : DataFrame (n rows)
        From `merge_alarms`.
    events : DataFrame
        From `true_events`.
    known_clips : iterable of str
        Clips that have labels.

    Returns
    -------
    object (n,)
        "yes", "no", or "not labelled" in a clip without labels.
    """
    known = moments["clip"].isin(set(known_clips)).to_numpy()
    true = match_alarms(moments, events)[0]
    return np.where(known, np.where(true, YES, NO), NOT_LABELLED).astype(object)


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


def why_no_roc(known: pd.DataFrame) -> str:
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

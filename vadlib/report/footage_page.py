"""What a page about footage says and shows: sentences on alarms and what was not seen, tables of moments and clips."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from vadlib.data import VideoDataset
from vadlib.data.reading.capture_times import find_moments
from vadlib.errors import ParameterError
from vadlib.evaluation import auroc, bootstrap_auroc, footage_hours, match_alarms, poisson_interval
from vadlib.studies.false_alarm_targets import HELD_OUT, WATCHED, FalseAlarmTarget
from vadlib.studies.footage_alarms import FootageAlarms
from vadlib.studies.footage_truth import NO, NOT_LABELLED

MAX_NAMED = 5
TOLD = ("times", "damage", "videos", "camera", "other cameras", "not looked at")  # what names of facts begin with
MAX_GROUPS = 200  # of clips, in a table of all of them
MIN_YEAR, MAX_YEAR = 1900, 2099  # as `find_moments` reads them in dates


# ---- sentences


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


# ---- tables


def moments_table(moments: pd.DataFrame) -> pd.DataFrame:
    """Moments (of `merge_alarms`) as text, a row each."""
    table = pd.DataFrame(
        {
            "clip": moments["clip"],
            "from, s": moments["start_s"].map("{:.1f}".format),
            "to, s": moments["end_s"].map("{:.1f}".format),
            "strangeness": moments["strangeness"].map("{:.1f}".format),
            "raised by": moments["detectors"],
        }
    )
    return table.assign(**{"an event?": moments["true"]}) if "true" in moments else table


def clips_table(videos: VideoDataset) -> pd.DataFrame:
    """The clips watched: ``clip``, ``scene``, ``fps``, ``n_frames`` and the file's name."""
    watched = [clip for clip in videos.clips if clip.split == "test"]
    rows = [(clip.id, clip.scene, clip.fps, clip.n_frames, clip.path.name) for clip in watched]
    return pd.DataFrame(rows, columns=["clip", "scene", "fps", "n_frames", "path"])


def table_of_alarms(
    scores: pd.DataFrame,
    alarms: Mapping[str, pd.DataFrame],
    *,
    events: pd.DataFrame | None,
    fps: Mapping[str, float],
    n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """One row a detector: its alarms, and, with labels, its AUROC, the events found and the false alarms.

    `scores` are of the footage watched (``clip``, ``frame``, ``last``, ``label``, a column a detector), `alarms` by
    detector, and `events` the true ones, among clips with labels; None where nothing is labelled.
    """
    hours, rows = footage_hours(scores, fps), {}
    if events is not None:
        scores = scores[scores["label"] >= 0]
        hours_known = footage_hours(scores, fps)
    for name, found in alarms.items():
        under_alarm = ((found["end_s"] - found["start_s"]).sum()) / (3600 * hours)
        rows[name] = {
            "alarms": len(found),
            "an hour": f"{len(found) / hours:.0f}",
            "time under alarm": f"{under_alarm:.1%}",
        }
        if events is None:
            continue
        true, caught = match_alarms(found[found["clip"].isin(scores["clip"])], events)
        rows[name] |= {
            "events found": f"{caught.sum()} of {len(events)}" if len(events) else "no event",
            "false alarms an hour [95 %]": f"{poisson_interval(float((~true).sum()), hours_known):.0f}",
            "AUROC [95 %]": auroc_text(scores, name, n_resamples=n_resamples, seed=seed),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def auroc_text(scores: pd.DataFrame, name: str, *, n_resamples: int = 1000, seed: int = 0) -> str:
    """AUROC of a column with its interval over clips, or why there is none."""
    if scores["label"].nunique() < 2:
        return "one class only"
    resampling = {"clusters": scores["clip"], "n_resamples": n_resamples, "seed": seed}
    with suppress(ParameterError):  # hardly a resample with both classes
        if scores.groupby("label")["clip"].nunique().min() > 1:  # or resamples would all draw the same clip of one
            return f"{bootstrap_auroc(scores['label'], scores[name], **resampling):.3f}"
    return f"{auroc(scores['label'], scores[name]):.3f} (too few clips for an interval)"


def overview_of_clips(
    videos: VideoDataset, scores: pd.DataFrame, strangeness: np.ndarray, moments: pd.DataFrame, fps: Mapping[str, float]
) -> pd.DataFrame:
    """All footage watched, in groups of clips: by folder, or, where all lie in one, by the hour in their names.

    `strangeness` is that of the rows of `scores`, and `moments` are from `merge_alarms`. Folders are cut from their end
    until there are at most `MAX_GROUPS`.
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

"""Tables of a page about footage: its alarms, its moments, its clips."""

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
from vadlib.report.words.footage import hours_and_minutes

MAX_GROUPS = 200  # of clips, in a table of all of them
MIN_YEAR, MAX_YEAR = 1900, 2099  # as `find_moments` reads them in dates


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

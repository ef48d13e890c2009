"""What happened in front of a camera: all label-free detectors on the same footage, and what their alarms say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from vadlib.data import FrameReader, VideoDataset, read_frame
from vadlib.detectors import Detector, LearnsFrom, catalogue
from vadlib.evaluation import AlarmRule, Threshold, list_alarms, match_alarms
from vadlib.figures import ClipTimeline, GalleryRow
from vadlib.frame_times import seconds
from vadlib.networks import FeatureNetwork
from vadlib.spans import runs_of_ones
from vadlib.studies.memory import CachedNetwork, as_read_by, shared_networks


def fit_without_labels(
    networks: Mapping[str, FeatureNetwork],
    frames: Iterable,
    parameters: Mapping,
    *,
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Detector]:
    """Fit every detector that needs normal frames only, all on the same ones; gives them by title.

    Networks go by the title of a detector, or else by the role that it takes. The frames are read once for each
    detector, so best kept (`KeptFrames`). A chapter's parameters (see `Detector.chapter_options`) are at most: fewer
    components, neighbours or prototypes where the network's channels, or the frames, are.
    """
    fitted, networks = {}, shared_networks(networks)
    for entry in catalogue.entries(learns_from=LearnsFrom.NORMAL):
        role = entry.cls.network
        of_entry = {**networks, role: networks.get(entry.title, networks.get(role))}
        options = catalogue.chapter_options(entry, parameters) | {"n_fit": frames.n_frames}
        detector = catalogue.make(entry, of_entry, seed, device, **options)
        fitted[entry.title] = detector.fit(as_read_by(detector, frames))
    return fitted


def score_together(detectors: Mapping[str, Detector], reader: Iterable) -> dict[str, np.ndarray]:
    """Main score of every detector in one pass over the frames, so that each is decoded once and none is kept.

    float32 (n_frames,) by detector, in the order of the reader's table; NaN where a frame was skipped.
    """
    columns = {name: np.full(reader.n_frames, np.nan, np.float32) for name in detectors}
    readers = {name: as_read_by(detector, reader) for name, detector in detectors.items()}
    caches = [detector.network for detector in detectors.values() if isinstance(detector.network, CachedNetwork)]
    for batch in reader:
        for cache in caches:
            cache.forget()
        for name, detector in detectors.items():
            if readers[name] is reader:
                scores = detector.score_batch(batch.images, scenes=batch.scenes)[detector.main_score]
                columns[name][batch.rows] = scores.float().cpu().numpy()
    return columns | {name: detectors[name].score(own) for name, own in readers.items() if own is not reader}


def standardised(scores: pd.DataFrame, normal: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Scores in standard deviations from the mean of held-out normal frames, and their mean over the detectors.

    `scores` and `normal`, of held-out normal frames, have a column for each name; so has what comes back, with the
    index of `scores`, and ``strangeness``: the mean of them.
    """
    spread = normal[list(names)].std(ddof=0)
    values = (scores[list(names)] - normal[list(names)].mean()) / spread.where(spread > 0, 1.0)
    return values.assign(strangeness=values.mean(axis=1))


def merge_alarms(
    alarms: Mapping[str, pd.DataFrame], scores: pd.DataFrame, strangeness: np.ndarray, fps: Mapping[str, float]
) -> pd.DataFrame:
    """Alarms of all detectors (by name, from `list_alarms`) in one list: those that overlap are one moment.

    `scores` and `strangeness` (from `standardised`) are of the frames scored. The strangest moment comes first;
    ``detectors`` names who raised it, ``frame`` is its strangest frame and ``strangeness`` that one's.
    """
    rows = []
    parts = [table.assign(detector=name) for name, table in alarms.items() if len(table)]
    every = pd.concat(parts) if parts else pd.DataFrame(columns=["clip", "first", "last", "detector"])
    for clip, own in every.sort_values(["clip", "first"]).groupby("clip"):
        ends = own["last"].cummax().shift(fill_value=-1)
        for _, moment in own.groupby((own["first"] > ends).cumsum()):
            first, last = int(moment["first"].min()), int(moment["last"].max())
            raised = [name for name in alarms if name in set(moment["detector"])]
            frame, value = strangest_frame(scores, strangeness, clip, first, last)
            rows.append({
                "clip": clip, "first": first, "last": last, "start_s": float(seconds(fps[clip], first)),
                "end_s": float(seconds(fps[clip], last + 1)),
                "detectors": ", ".join(raised), "n_detectors": len(raised),
                "frame": frame, "strangeness": value,
            })  # fmt: skip
    columns = ["clip", "first", "last", "start_s", "end_s", "detectors", "n_detectors", "frame", "strangeness"]
    return pd.DataFrame(rows, columns=columns).sort_values(
        "strangeness", ascending=False, kind="stable", ignore_index=True
    )


def strangest_frame(
    scores: pd.DataFrame, strangeness: np.ndarray, clip: str, first: int, last: int
) -> tuple[int, float]:
    """The scored frame of a stretch that is strangest, and how strange; (first, NaN) where none of it was scored."""
    inside = (scores["clip"] == clip) & (scores["frame"] <= last) & (scores["last"] >= first)
    positions = np.flatnonzero(inside.to_numpy())
    if not len(positions):
        return first, float("nan")
    best = positions[np.argmax(np.asarray(strangeness)[positions])]
    return int(scores["frame"].iloc[best]), float(np.asarray(strangeness)[best])


def choose_scenes_to_show(
    moments: pd.DataFrame,
    scores: pd.DataFrame,
    strangeness: np.ndarray,
    *,
    events: pd.DataFrame | None,
    fps: Mapping[str, float],
    n: int,
) -> pd.DataFrame:
    """Frames for the gallery: surest hits, misses and false alarms, or, without labels, the strangest moments.

    Parameters
    ----------
    moments : DataFrame
        From `merge_alarms`.
    scores, strangeness
        As in `merge_alarms`; of clips with labels only, where there are labels.
    events : DataFrame or None
        True events, ``clip``, ``first``, ``last``; None where no label says.
    fps : mapping of str to float
    n : int
        Of each kind, at most one a clip.

    Returns
    -------
    DataFrame
        ``kind`` (hit, miss, false alarm, or strange), ``clip``, ``frame``, ``second``, ``strangeness``,
        ``detectors``. Never empty: without an alarm, the strangest frames of all are shown.
    """
    parts = []
    if events is not None:
        moments = moments[moments["clip"].isin(scores["clip"])]
        true, found = match_alarms(moments, events)
        missed = events[~found].reset_index(drop=True)
        where = [strangest_frame(scores, strangeness, e.clip, e.first, e.last) for e in missed.itertuples()]
        missed = missed.assign(frame=[frame for frame, _ in where], strangeness=[value for _, value in where])
        missed = missed.dropna(subset="strangeness").sort_values("strangeness").assign(detectors="none")
        parts += [("hit", moments[true]), ("miss", missed), ("false alarm", moments[~true])]
    else:
        parts.append(("strange", moments))
        n *= 2
    if not any(len(rows) for _, rows in parts):
        rows = scores.assign(strangeness=np.asarray(strangeness), detectors="none")
        parts = [("strange", rows.sort_values("strangeness", ascending=False, kind="stable"))]
    columns = ["kind", "clip", "frame", "second", "strangeness", "detectors"]
    chosen = pd.concat([rows.drop_duplicates("clip").head(n).assign(kind=kind) for kind, rows in parts])
    shown_at = [float(seconds(fps[row.clip], row.frame)) for row in chosen.itertuples()]
    return chosen.assign(second=shown_at)[columns].reset_index(drop=True)


def alarms_of_all(
    scores: pd.DataFrame, thresholds: Mapping[str, Threshold], *, fps: Mapping[str, float], rule: AlarmRule
) -> dict[str, pd.DataFrame]:
    """Alarms of each detector at its thresholds (see `list_alarms`)."""
    return {
        name: list_alarms(scores, name, threshold.high, low=threshold.low, fps=fps, rule=rule)
        for name, threshold in thresholds.items()
    }


def timelines_of(
    clips: Sequence[str],
    scores: pd.DataFrame,
    strange: pd.DataFrame,
    alarms: Mapping[str, pd.DataFrame],
    labels: Mapping[str, np.ndarray],
    fps: Mapping[str, float],
) -> list[ClipTimeline]:
    """What `vadlib.figures.clip_timelines` draws, for some clips.

    Parameters
    ----------
    clips : sequence of str
    scores, strange : DataFrame (n rows)
        ``clip``, ``frame`` of the frames scored; the same rows from `standardised`.
    alarms : mapping of str to DataFrame
        By detector.
    labels : mapping of str to int8 (n_frames,)
        Frame labels by clip; below 0 where nobody knows.
    fps : mapping of str to float
        By clip.
    """
    found = []
    for clip in clips:
        rows = (scores["clip"] == clip).to_numpy()
        truth = None
        if (labels[clip] >= 0).all():
            truth = [tuple(seconds(fps[clip], run).tolist()) for run in runs_of_ones(labels[clip])]
        spans = {name: own[own["clip"] == clip][["start_s", "end_s"]].to_numpy() for name, own in alarms.items()}
        lines = {name: strange.loc[rows, name].to_numpy() for name in alarms}
        shown_at = seconds(fps[clip], scores.loc[rows, "frame"].to_numpy())
        end = float(seconds(fps[clip], len(labels[clip])))
        found.append(ClipTimeline(clip, shown_at, lines, spans, truth, end))
    return found


def gallery_rows(
    videos: VideoDataset,
    detectors: Mapping[str, Detector],
    fitted_on: pd.DataFrame,
    shown: pd.DataFrame,
    size: tuple[int, int],
    *,
    n_neighbours: int = 2,
) -> list[GalleryRow]:
    """What `vadlib.figures.gallery` draws: frames with a heatmap, and the normal frames nearest to them.

    Parameters
    ----------
    videos : VideoDataset
    detectors : mapping of str to Detector
        From `fit_without_labels`.
    fitted_on : DataFrame
        ``clip``, ``frame`` of the frames that they were fitted on, in the order read.
    shown : DataFrame
        From `choose_scenes_to_show`.
    size : (height, width)
        Of the frames that the detectors take.
    n_neighbours : int
        Normal frames beside each, if there are as many.
    """
    reader = FrameReader(videos, shown.assign(label=0), size, len(shown), progress=False)
    batch = next(iter(reader))
    order = np.argsort(batch.rows)
    with_heat = next(detector for detector in detectors.values() if detector.heat_label)
    with_neighbours = next(detector for detector in detectors.values() if hasattr(detector, "nearest"))
    heatmaps = with_heat.heatmap(batch.images, scenes=batch.scenes)[order]
    _, nearest = with_neighbours.nearest(batch.images, min(n_neighbours, len(fitted_on)))
    return [
        GalleryRow(
            f"{row.kind}: {row.clip}, {row.second:.1f} s\nstrangeness {row.strangeness:.1f}, raised by {row.detectors}",
            read_frame(videos, row.clip, row.frame),
            heatmap,
            [
                (read_frame(videos, near.clip, near.frame), f"normal: {near.clip}, frame {near.frame}")
                for near in fitted_on.iloc[positions].itertuples()
            ],
            videos.pixel_mask(row.clip, row.frame),
        )
        for row, heatmap, positions in zip(shown.itertuples(), heatmaps, nearest[order], strict=True)
    ]

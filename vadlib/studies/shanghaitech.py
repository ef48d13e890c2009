"""ShanghaiTech itself: everything that the tables that others published of it can say, measured in one go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import pandas as pd

from vadlib.data import VideoDataset, draw
from vadlib.data.published.tables import (
    read_captions,
    read_frame_scores,
    read_paper_arrays,
    read_tracks,
    table_sources,
)
from vadlib.detectors import ClipPrototypes
from vadlib.detectors.as_run import PrototypesAsRun
from vadlib.detectors.as_run.frame_prototypes import SINGLE_SCORES
from vadlib.evaluation import blind_scores
from vadlib.studies.captions import CaptionEmbedder, caption_protocols, score_captions
from vadlib.studies.ensemble_weights import best_weights, weights_from_other_clips
from vadlib.studies.event_kinds import kinds_by_score
from vadlib.studies.paper_arrays import judge_paper_arrays, paper_clip_scores, weights_worth
from vadlib.studies.published_scores import compare_scores, judge_scores, moving_mean, small_curve
from vadlib.studies.tracks import UsualSpeeds, fit_usual_speeds, speed_scores, track_speeds

AS_RUN_PROTOCOLS = ("same-clips", "disjoint-clips", "disjoint-scenes")
COMPARED = ("stg_nf", "velocity", "speed", "captions_other_clips_mean", "pose", "deep", "middle")
CURVES = ("stg_nf", "velocity", "speed", "captions_other_clips_mean", "middle")


def measure_published_tables(
    videos: VideoDataset,
    *,
    seeds: Sequence[int],
    n_fit: int,
    n_test: int,
    n_fit_as_run: int,
    n_test_as_run: int,
    n_prototypes: int = 100,
    n_drawn_as_run: int = 200,
    n_dimensions: int = 128,
    n_folds: int = 5,
    square_px: int = 64,
    mean_frames: int = 25,
    n_splits: int = 200,
    n_resamples: int = 1000,
    stage: Callable[[str], AbstractContextManager] = lambda name: nullcontext(),
) -> dict[str, dict]:
    """Captions as written and as run, tracks, published scores, blind scores and the paper's arrays.

    Parameters
    ----------
    videos : VideoDataset
        ``shanghaitech-published``.
    seeds : sequence of int
        Of the draws, and of what is random in a detector; the first is judged in full.
    n_fit, n_test : int
        Frames of each class for the prototypes as written: fitted on in each fold, and tested.
    n_fit_as_run, n_test_as_run : int
        The same, for the prototypes as run.
    n_prototypes, n_drawn_as_run : int
        Prototypes of each class, and the frames that they are made of as run.
    n_dimensions, n_folds : int
        Of the captions' vectors, and of the cross-fitted protocols.
    square_px : int
        Side of the squares that are the places of tracked people.
    mean_frames : int
        Odd: frames whose scores are averaged, for the columns that end on ``_mean`` and for ``speed``.
    n_splits : int
        Of the paper's arrays into halves.
    n_resamples : int
        Of the bootstrap over clips.
    stage : callable, optional
        `chapter.stage`.

    Returns
    -------
    dict
        ``captions`` and ``as_run`` (by protocol, see `caption_protocols`; ``weighted`` has weights that are best on
        the tested frames, ``weighted_elsewhere`` those of other clips); ``scores`` (of every test frame, see
        `judge_scores`), ``comparisons``, ``curves`` and ``kinds`` of them, and ``kinds_drawn``, of the captions under
        each protocol; ``tracks``; ``paper`` (`judge_paper_arrays`) and ``paper_weights`` (`weights_worth`);
        ``sources``; counts.
    """
    frames, home, resampling = videos.frame_table(), videos.root, {"n_resamples": n_resamples, "seed": seeds[0]}
    frames = frames.assign(caption=read_captions(home, frames))
    shared = {"seeds": seeds, "n_dimensions": n_dimensions, "n_folds": n_folds, "n_resamples": n_resamples}

    def as_written(network: CaptionEmbedder, seed: int) -> ClipPrototypes:
        return ClipPrototypes(network, k=n_prototypes, seed=seed, device="cpu")

    def as_run(network: CaptionEmbedder, seed: int) -> PrototypesAsRun:
        return PrototypesAsRun(network, k=n_prototypes, n_frames=n_drawn_as_run, seed=seed, device="cpu")

    with stage("captions as written"):
        written, drawn = caption_protocols(frames, as_written, n_fit=n_fit, n_test=n_test, **shared)
    with stage("captions as run"):
        options = {"protocols": AS_RUN_PROTOCOLS, "judge": _weighted, "main": "weighted", **shared}
        run, drawn_as_run = caption_protocols(frames, as_run, n_fit=n_fit_as_run, n_test=n_test_as_run, **options)
    with stage("every frame"):
        scored = frames.merge(read_frame_scores(home).drop(columns="label"), on=["clip", "frame"])
        for name in ("clips", "scenes"):
            split = draw(frames, f"disjoint-{name}", n_fit, n_fit, None, None, seeds[0], n_folds=n_folds)
            found = score_captions(
                split, lambda network: as_written(network, seeds[0]), n_dimensions=n_dimensions, seed=seeds[0]
            )
            scored[f"captions_other_{name}"] = found["ensemble"].loc[frames.index].to_numpy()
        tracks = read_tracks(home, frames)
        by_scene, by_place = fit_usual_speeds(tracks), fit_usual_speeds(tracks, square_px=square_px)
        scored["speed_of_scene"] = speed_scores(tracks, by_scene, frames)
        scored["speed_of_place"] = speed_scores(tracks, by_place, frames)
        for name in ("captions_other_clips", "captions_other_scenes", "speed_of_scene", "speed_of_place"):
            scored[f"{name}_mean"] = moving_mean(scored[name], scored["clip"], mean_frames)
        scored["speed"] = scored.pop("speed_of_place_mean")
        scored = scored.assign(**blind_scores(frames))
        columns = [name for name in scored.columns if name not in frames]
    with stage("judge"):
        paper = read_paper_arrays(home)
        return {
            "captions": written,
            "as_run": run,
            "scores": judge_scores(scored, columns, **resampling),
            "comparisons": compare_scores(scored, COMPARED, **resampling),
            "curves": {
                name: small_curve(scored["label"], scored[name], clips=scored["clip"], **resampling) for name in CURVES
            },
            "kinds": kinds_by_score(scored, columns, videos.events, **resampling),
            "kinds_drawn": _kinds_drawn(drawn, "ensemble", videos.events, resampling)
            | _kinds_drawn(drawn_as_run, "weighted", videos.events, resampling, "as run, "),
            "tracks": _facts_of_tracks(tracks, by_place, frames),
            "paper": judge_paper_arrays(paper),
            "paper_weights": weights_worth(
                paper.clip_labels, paper_clip_scores(paper), best_weights, n_splits=n_splits, seed=seeds[0]
            ),
            "sources": table_sources(home),
            "n_frames": len(frames),
            "n_anomalous": int(frames["label"].sum()),
            "n_clips": int(frames["clip"].nunique()),
            "n_captions": int(frames["caption"].nunique()),
        }


def _weighted(scored: pd.DataFrame) -> pd.DataFrame:
    """The four scores by the weights of the grid that are best on these very frames, and on other clips."""
    labels, columns = scored["label"].to_numpy(), scored[list(SINGLE_SCORES)].to_numpy(np.float64)  # (n, 4)
    elsewhere = weights_from_other_clips(labels, columns, scored["clip"].to_numpy())
    return scored.assign(
        weighted=columns @ best_weights(labels, columns), weighted_elsewhere=(columns * elsewhere).sum(axis=1)
    )


def _kinds_drawn(drawn: Mapping[str, pd.DataFrame], main: str, events, resampling: Mapping, prefix: str = "") -> dict:
    """Of the frames that each protocol tested."""
    return {
        f"{prefix}{protocol}": kinds_by_score(scored, [main], events, **resampling)[main]
        for protocol, scored in drawn.items()
    }


def _facts_of_tracks(tracks: pd.DataFrame, usual: UsualSpeeds, frames: pd.DataFrame) -> dict:
    tested = tracks[tracks["split"] == "test"]
    seen = len(tested.drop_duplicates(["clip", "frame"]))
    return {
        "n_train_clips": usual.n_clips,
        "n_test_clips": int(tested["clip"].nunique()),
        "n_boxes": len(tracks),
        "n_places": len(usual.by_place),
        "share_of_boxes_with_a_speed": float(np.isfinite(track_speeds(tested)).mean()),
        "share_of_frames_without_people": 1 - seen / len(frames),
    }

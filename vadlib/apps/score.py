"""`vadlib score`: a fitted detector applied to any video.

The folder is one of results, as a chapter's: `scores.parquet` (and `scores.csv`: clip, frame, second, then one float32
column a score), `metrics.json` (what was found in each video), `run.json` (how it came about), and for each video
`videos/NAME/timeline.svg`, `.png` and `overlay.mp4`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

import vadlib
from vadlib.apps.overlay import OverlayLimits, OverlayWriter, overlay_limits
from vadlib.apps.saved_run import SavedRun, ScoreOptions, open_saved_run
from vadlib.apps.video_results import check_finite, describe_video, save_timeline
from vadlib.data import Clip, FrameReader, VideoDataset
from vadlib.data.layouts.cameras import UNKNOWN_SCENE
from vadlib.data.layouts.folder import open_videos
from vadlib.data.reading import videos
from vadlib.data.reading.views import heatmap_in_frame, picture_in_view
from vadlib.errors import ParameterError, ResultsError, UnreadableError
from vadlib.frame_times import seconds
from vadlib.runs import provenance
from vadlib.runs.code_state import library_digests
from vadlib.runs.results import FORMAT, load_results, plain, read_json, write_json
from vadlib.storage import check_replaceable, user_path, write_folder

NAME = "vadlib score"  # of the experiment, in run.json
BATCH_BYTES = 256 * 2**20  # most that a batch of frames at their own size may take


def score_videos(
    paths: Sequence[str | os.PathLike],
    detector: str | os.PathLike,
    out: str | os.PathLike,
    *,
    size: tuple[int, int] | None = None,
    view: str | None = None,
    weights: str | os.PathLike | None = None,
    scene: str | None = None,
    score: str | None = None,
    quantile: float = 0.99,
    overlay: bool = True,
    fps: float = 25.0,
    batch_size: int = 32,
    skip_unreadable: bool = False,
    device: str = "auto",
    progress: bool = True,
) -> Path:
    """Score every frame of some videos with a fitted detector; gives the folder of tables, timelines and overlays.

    Each video is decoded once, a batch at a time; frames are resized to the size of the fit by the same code as in
    the notebooks. The folder is written whole or not at all; an earlier one of this function is replaced.

    Parameters
    ----------
    paths : sequence of path-like
        Video files, or folders of frames.
    detector : path-like
        Results folder with a fitted detector, or a saved detector's folder (see `open_saved_run`).
    out : path-like
        Folder to write.
    size, view : (height, width) and str, optional
        Frame size of the fit, and the part of a frame that filled it, where the run does not say.
    weights : path-like, optional
        Where the network's weights lie now.
    scene : str, optional
        The camera that all videos show, needed by a detector that keeps a reference for each scene of its fit.
    score : str, optional
        The score to draw and to compare with the threshold; the detector's main score by default.
    quantile : float
        The threshold is this quantile of the run's own normal test frames' scores; without those there is none.
    overlay : bool
        Write overlay videos.
    fps : float
        Frames a second of folders of frames.
    batch_size : int
    skip_unreadable : bool
        Leave out what cannot be read: single pictures of a folder, whole videos. `run.json` names them.
    device : str
    progress : bool
        Show a bar for each video.
    """
    started, clock = datetime.now(UTC), perf_counter()
    out = Path(os.path.abspath(user_path(out)))
    _check_replaceable(out)  # before anything slow
    dataset = open_videos(paths, fps=fps, scene=scene or UNKNOWN_SCENE, skip_unreadable=skip_unreadable)
    run = open_saved_run(detector, size=size, view=view, weights=weights, device=device)
    run.check_scene(scene)
    name = score or run.detector.main_score
    options = ScoreOptions(name, run.threshold(name, quantile), scene, batch_size, skip_unreadable, progress)

    def fill(folder: Path) -> None:
        limits, limits_source = overlay_limits(run, dataset, options) if overlay else (None, None)
        tables = [_score_clip(run, dataset, clip, folder, limits, options) for clip in dataset.clips]
        table = pd.concat([table for table in tables if len(table)] or [pd.DataFrame()], ignore_index=True)
        if not len(table):
            n_videos = len(dataset.clips) + len(dataset.left_out)
            raise UnreadableError(f"Not one frame of {n_videos} video(s) could be read; nothing is written.")
        table.to_parquet(folder / "scores.parquet", index=False, compression="zstd")
        table.to_csv(folder / "scores.csv", index=False)
        threshold = options.threshold
        metrics = {
            "score": options.score,
            "threshold": None if threshold is None else {**threshold._asdict(), "is": str(threshold)},
            "videos": [describe_video(*pair, options) for pair in zip(dataset.clips, tables, strict=True)],
        }
        record = {
            "experiment": NAME,
            "format": FORMAT,
            "started": started.isoformat(timespec="seconds"),
            "seconds": perf_counter() - clock,
            "detector": run.describe(),
            "scene": options.scene,
            "overlay_limits": None if limits is None else {**limits._asdict(), "is": limits_source},
            "facts": {name: value for name, value in dataset.facts.items() if name != "left out"},
            "left_out": [{"video": clip.clip, "why": clip.why} for clip in dataset.left_out],
            **_code(),
        }
        write_json(folder / "metrics.json", plain(metrics, "metrics"))
        files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        write_json(folder / "run.json", plain(record | {"files": files}, "run"))

    try:
        write_folder(out, fill, check=_check_replaceable)
    except OSError as error:
        raise ResultsError(f"The scores could not be written to {out}: {error}.") from error
    return out


def summary_lines(folder: Path) -> list[str]:
    """What a person should know of a folder of scores: damage, uneven times, and what was left out as unreadable."""
    results = load_results(folder)
    skipped = [
        f"{video['skipped']:,} of the {video['frames']:,} frames of {video['clip']}"
        for video in results.metrics["videos"]
        if video["skipped"]
    ]
    left_out = [*(video["why"] for video in results.run["left_out"]), *skipped]
    return [f"{name}: {value}" for name, value in results.run["facts"].items()] + [
        f"left out: {what}" for what in left_out
    ]


def _score_clip(
    run: SavedRun, dataset: VideoDataset, clip: Clip, folder: Path, limits: OverlayLimits | None, options: ScoreOptions
) -> pd.DataFrame:
    """Score one video and draw it; gives its rows of the table, none where nothing of it could be read."""
    place = folder / "videos" / clip.id
    place.mkdir(parents=True)
    if limits is None:
        frames, columns = _collect(_scored_batches(run, dataset, clip, run.size, options))
    else:
        with OverlayWriter(
            place / "overlay.mp4", clip.fps, name=clip.id, score_name=options.score, limits=limits
        ) as writer:
            size = _own_size(dataset, clip) or run.size
            batches = _scored_batches(run, dataset, clip, size, options, heatmaps=True)
            frames, columns = _collect(_drawn(batches, writer, size, clip.n_frames, options.score))
    if not len(frames):
        place.rmdir()
        return pd.DataFrame()
    table = pd.DataFrame(
        {"clip": clip.id, "frame": frames, "second": np.round(seconds(clip.fps, frames), 6), **columns}
    )
    check_finite(table, list(columns))
    save_timeline(place, clip, table, options)
    return table


def _own_size(dataset: VideoDataset, clip: Clip) -> tuple[int, int] | None:
    """(height, width) of the first frame that can be read; None where none can."""
    if not clip.path.is_dir():
        return dataset.image_size(clip.id)
    for file in videos.list_numbered(clip.path):
        try:
            return videos.read_image(file).shape[:2]
        except UnreadableError:  # the reader raises or skips it, as it was told to
            continue
    return None


class _Scored(NamedTuple):
    frames: np.ndarray  # int64 (B,)
    images: np.ndarray  # uint8 (B, H, W, 3) RGB, as read
    scores: dict[str, np.ndarray]  # float32 (B,)
    heatmaps: np.ndarray | None  # float32 (B, h, w)


def _scored_batches(
    run: SavedRun,
    dataset: VideoDataset,
    clip: Clip,
    size: tuple[int, int],
    options: ScoreOptions,
    *,
    heatmaps: bool = False,
) -> Iterator[_Scored]:
    """Read a video at a size, bring the frames to what the fit saw of them, and score them."""
    view = "whole" if heatmaps else run.view  # heatmaps are drawn on whole pictures
    table = dataset.frame_table()
    table = table[table["clip"] == clip.id].reset_index(drop=True)  # row = frame
    reader = FrameReader(
        dataset,
        table,
        size,
        max(1, min(options.batch_size, BATCH_BYTES // (3 * size[0] * size[1]))) if options.batch_size > 0 else 0,
        view=view,
        progress=options.progress,
        skip_unreadable=options.skip_unreadable,
        description=clip.id,
    )
    for batch in reader:
        pictures = batch.images.permute(0, 2, 3, 1).numpy()  # (B, H, W, 3)
        images = batch.images
        if size != run.size or view != run.view:
            seen = [picture_in_view(picture, run.size, run.view) for picture in pictures]
            images = torch.from_numpy(np.stack(seen)).permute(0, 3, 1, 2)
        batch = batch._replace(images=images)
        scores, heat = run.scores_and_heatmaps(batch, scene=options.scene, heatmaps=heatmaps)
        if heat is not None:
            heat = np.stack([heatmap_in_frame(one, size, run.view) for one in heat])
        if options.score not in scores:
            raise ParameterError(f"score: one of {', '.join(scores)} is expected, not {options.score!r}.")
        yield _Scored(batch.rows, pictures, scores, heat)


def _drawn(
    batches: Iterator[_Scored], writer: OverlayWriter, size: tuple[int, int], n_frames: int, score: str
) -> Iterator[_Scored]:
    """Pass batches on, having drawn them; frames that were skipped in between become black ones."""
    for batch in batches:
        for index, frame in enumerate(batch.frames):
            while writer.n_frames < frame:
                writer.write_missing(size)
            heatmap = None if batch.heatmaps is None else batch.heatmaps[index]
            writer.write(batch.images[index], float(batch.scores[score][index]), heatmap)
        yield batch
    while 0 < writer.n_frames < n_frames:
        writer.write_missing(size)


def _collect(batches: Iterator[_Scored]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    kept = [(batch.frames, batch.scores) for batch in batches]  # not the pictures
    if not kept:
        return np.empty(0, np.int64), {}
    names = list(kept[0][1])
    return np.concatenate([frames for frames, _ in kept]), {
        name: np.concatenate([scores[name] for _, scores in kept]).astype(np.float32) for name in names
    }


def _code() -> dict:
    """Which code did it; the git revision is that of vadlib's own checkout, not of the working directory."""
    source = Path(vadlib.__file__).resolve().parents[1]
    return {
        "git": provenance.git_revision(source) if (source / "pyproject.toml").is_file() else None,
        "depends_on": library_digests(),
        "versions": provenance.package_versions(),
        "device": provenance.device_name(),
    }


def _check_replaceable(out: Path) -> None:
    """Make sure that replacing `out` deletes nothing but what an earlier run of this command wrote."""
    check_replaceable(out, called="--out")
    if (out / "run.json").is_file() and (name := read_json(out / "run.json").get("experiment")) != NAME:
        raise ResultsError(
            f"--out {out} holds the results of {name}, not scores of videos, so it is left alone. Give another folder, "
            "or move away what is there."
        )

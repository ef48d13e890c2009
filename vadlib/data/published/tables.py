"""Tables that others published of ShanghaiTech Campus: what scores, captions and tracks its frames got elsewhere.

They stay outside the project, in a folder of five parts (`SOURCES`); `open_dataset("shanghaitech-published", folder)`
reads its labels and events. Every reader here gives a whole table, or an error that names file, column and clip. Frames
are numbered from 0; the labels are those of the official masks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from vadlib.data.labels.arrays import open_array
from vadlib.data.reading.files import require_file
from vadlib.errors import LabelError, LayoutError, UnreadableError
from vadlib.storage import file_sha256

FRAME_SCORES, EVENTS, CAPTIONS, TRACKS = "frame_scores.parquet", "events.csv", "captions.parquet", "tracks.parquet"
PUBLISHED_SCORES = ("stg_nf", "velocity", "pose", "deep")  # columns of scores, higher is more anomalous
CLIP_SCORES = ("max_similarity", "mean_similarity", "topk_similarity", "distance_based")  # of the paper's own run
_FRAME = {"clip": "text", "frame": "whole", "label": "whole"}
_COLUMNS = {
    FRAME_SCORES: _FRAME | dict.fromkeys(PUBLISHED_SCORES, "number"),
    EVENTS: {"clip": "text", "first": "whole", "last": "whole", "event": "text"},
    CAPTIONS: _FRAME | {"caption": "text"},
    TRACKS: {"split": "text", "clip": "text"} | dict.fromkeys(("frame", "person", "x0", "y0", "x1", "y1"), "whole"),
}
_KINDS = {"text": "text that is not empty", "whole": "a whole number", "number": "a finite number"}


@dataclass(frozen=True)
class TableSource:
    """Where a table comes from."""

    what: str
    repository: str
    revision: str
    terms: str


SOURCES = {
    FRAME_SCORES: TableSource(
        "frame scores of STG-NF and of AI-VAD's attributes",
        "AllenYLJiang/Local-Patterns-Generalize-Better", "3e4e6101", "no licence",
    ),
    EVENTS: TableSource("kinds of event", "svip-lab/MLEP", "22e96634", "the data set's own authors"),
    CAPTIONS: TableSource("captions by a vision-language model", "Yuchen413/AnomalyRuler", "210ce0b5", "MIT"),
    TRACKS: TableSource(
        "boxes of tracked people",
        "akanuasiegbu/Leveraging-Trajectory-Prediction-for-Pedestrian-Video-Anomaly-Detection", "2cdaf414", "GPL-3",
    ),
    "paper": TableSource("scores of the paper's own run", "cheredi/anomal-y", "db5afd88", "no licence"),
}  # fmt: skip


@dataclass(frozen=True)
class PaperArrays:
    """The scores that the paper's author committed, of frames that are not named.

    Attributes
    ----------
    padim_labels, padim_scores : (8000,)
    clip_labels : (1200,)
    clip_scores : mapping of str to (1200,)
        By `CLIP_SCORES`, and ``fused_score``, the published ensemble of the four.
    """

    padim_labels: np.ndarray
    padim_scores: np.ndarray
    clip_labels: np.ndarray
    clip_scores: Mapping[str, np.ndarray]


def read_frame_scores(folder: Path) -> pd.DataFrame:
    """Published scores of every test frame.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    DataFrame
        ``clip``, ``frame``, ``label`` and a column for each of `PUBLISHED_SCORES`, in (clip, frame) order.

    Raises
    ------
    UnreadableError, LayoutError, LabelError
        The file is not there or damaged; lacks a column; or a cell is not what its column holds.
    """
    table, path = _read(folder, FRAME_SCORES), folder / FRAME_SCORES
    _require_labels(path, table)
    _require(path, table, "clip", table["clip"].str.fullmatch(r"\d\d_\d+"), "SS_NNNN, the scene and a number")
    place = table.groupby("clip").cumcount()
    _require(path, table, "frame", table["frame"] == place, "every frame of the clip once, from 0 to the last")
    return table


def read_event_table(folder: Path, frames: pd.DataFrame) -> pd.DataFrame:
    """What happens when: ``clip``, ``first``, ``last`` (inclusive), ``event``; together these must be the labels."""
    table, path = _read(folder, EVENTS, by=["clip", "first"]), folder / EVENTS
    n_frames = table["clip"].map(frames["clip"].value_counts()).fillna(0).astype(int)
    inside = (table["first"] >= 0) & (table["first"] <= table["last"]) & (table["last"] < n_frames)
    _require(path, table, "last", inside, f"first and last among the frames that {FRAME_SCORES} has of the clip")
    covered = pd.Series(0, index=frames.index, dtype=np.int8)
    for row in table.itertuples():
        covered[(frames["clip"] == row.clip) & frames["frame"].between(row.first, row.last)] = 1
    differs = covered != frames["label"]
    if differs.any():
        first = frames[differs].iloc[0]
        raise LabelError(
            f"{path}: the events together are expected to be the labels of {FRAME_SCORES}, and differ in "
            f"{differs.sum():,} frames, the first frame {first['frame']} of clip {first['clip']}, whose label is "
            f"{first['label']}. Get both from one source."
        )
    return table


def read_captions(folder: Path, frames: pd.DataFrame) -> pd.Series:
    """A caption of each of the frames (``clip``, ``frame``, ``label``), with their index.

    Parameters
    ----------
    folder : Path
    frames : DataFrame
        Every test frame.

    Returns
    -------
    Series of str

    Raises
    ------
    UnreadableError, LayoutError, LabelError
        As `read_frame_scores`; other frames than these, or other labels.
    """
    table, path = _read(folder, CAPTIONS), folder / CAPTIONS
    _require_labels(path, table)
    _require(path, table, "frame", ~table.duplicated(["clip", "frame"]), "each frame of a clip once")
    found = frames[["clip", "frame", "label"]].merge(table, on=["clip", "frame"], how="left", suffixes=("", "_there"))
    _require(path, found, "caption", found["caption"].notna(), f"a caption of every frame of {FRAME_SCORES}")
    _require(path, found, "label", found["label"] == found["label_there"], f"the label that {FRAME_SCORES} has")
    if len(table) != len(frames):
        raise LabelError(f"{path}: {len(frames):,} captions are expected, a frame each, not {len(table):,}.")
    return pd.Series(found["caption"].to_numpy(), index=frames.index, name="caption")


def read_tracks(folder: Path, frames: pd.DataFrame) -> pd.DataFrame:
    """Boxes of tracked people in training and test clips.

    Parameters
    ----------
    folder : Path
    frames : DataFrame
        ``clip`` and ``frame`` of every test frame, in which the test clips' boxes must lie.

    Returns
    -------
    DataFrame
        ``split`` ("train", "test"), ``clip``, ``scene``, ``person``, ``frame``, and in pixels ``x0``, ``y0``,
        ``x1``, ``y1``; in (split, clip, person, frame) order.

    Raises
    ------
    UnreadableError, LayoutError, LabelError
        As `read_frame_scores`; a box without area; a person twice in a frame; a test clip that is none.
    """
    table, path = _read(folder, TRACKS, by=["split", "clip", "person", "frame"]), folder / TRACKS
    _require(path, table, "split", table["split"].isin(["train", "test"]), "train or test")
    _require(path, table, "frame", table["frame"] >= 0, "frames from 0")
    for low, high in (("x0", "x1"), ("y0", "y1")):
        _require(path, table, high, table[high] > table[low], f"more than {low}")
    _require(path, table, "person", ~table.duplicated(["clip", "person", "frame"]), "each person once in a frame")
    n_frames = table["clip"].map(frames["clip"].value_counts()).fillna(0)
    known = np.where(table["split"] == "test", table["frame"] < n_frames, n_frames == 0)
    _require(path, table, "clip", known, f"test frames that {FRAME_SCORES} has, training clips that it has not")
    if not (table["split"] == "train").any():
        raise LabelError(f"{path}, column split: boxes of training clips are expected, and there are none.")
    table.insert(2, "scene", table["clip"].str.partition("_")[0])
    return table


def read_paper_arrays(folder: Path) -> PaperArrays:
    """The arrays in the folder ``paper``.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    PaperArrays

    Raises
    ------
    UnreadableError, LabelError
        An array is missing or damaged, or is not one finite number a frame.
    """

    def read(name: str, labels: np.ndarray | None = None) -> np.ndarray:
        path = folder / "paper" / f"{name}.npy"
        values = open_array(path)
        expected = "one label a frame, 0 or 1" if labels is None else f"{len(labels):,} finite numbers"
        fits = values.ndim == 1 and len(values) and values.dtype.kind in "iufb" and np.isfinite(values).all()
        if not fits or (not np.isin(values, (0, 1)).all() if labels is None else len(values) != len(labels)):
            raise LabelError(f"{path}: {expected} is expected, found {values.dtype} {values.shape}. Copy it again.")
        return np.asarray(values)

    padim_labels, clip_labels = read("labels"), read("clip_test_labels")
    clip_scores = {name: read(f"clip_{name}", clip_labels) for name in (*CLIP_SCORES, "fused_score")}
    return PaperArrays(padim_labels, read("padim_scores", padim_labels), clip_labels, clip_scores)


def table_sources(folder: Path) -> dict[str, dict]:
    """By file in the folder: what it is, repository, revision, terms, and its sha256; what a record cites."""
    found = {}
    for name, source in SOURCES.items():
        paths = sorted((folder / name).glob("*.npy")) if name == "paper" else [folder / name]
        if not paths:
            raise LayoutError(f"{folder / name} is expected to hold the paper's arrays (*.npy), and does not.")
        for path in paths:
            require_file(path)
            found[path.relative_to(folder).as_posix()] = {**asdict(source), "sha256": file_sha256(path)}
    return found


def _read(folder: Path, name: str, by: list[str] | None = None) -> pd.DataFrame:
    """A table's columns, checked cell by cell, in order."""
    path, columns = folder / name, _COLUMNS[name]
    require_file(path)
    try:
        table = pd.read_csv(path, dtype=str) if name.endswith(".csv") else pd.read_parquet(path)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise UnreadableError(f"{path} cannot be read: {str(error).splitlines()[0]}. Copy it again.") from error
    lacking = [column for column in columns if column not in table]
    if lacking:
        raise LayoutError(
            f"{path}: columns {', '.join(columns)} are expected; {', '.join(lacking)} is not among "
            f"{', '.join(map(str, table))}."
        )
    if not len(table):
        raise LabelError(f"{path} has no rows.")
    table = table[list(columns)].copy()
    for column, kind in columns.items():
        table[column] = _checked(path, table, column, kind)
    return table.sort_values(by or ["clip", "frame"], kind="stable", ignore_index=True)


def _checked(path: Path, table: pd.DataFrame, column: str, kind: str) -> pd.Series:
    values = table[column]
    if kind == "text":
        _require(path, table, column, [isinstance(value, str) and bool(value) for value in values], _KINDS[kind])
        return values.astype(str)
    numbers = pd.to_numeric(values, errors="coerce").astype(np.float64)
    fits = np.isfinite(numbers) & ((numbers % 1 == 0) | (kind == "number"))
    _require(path, table, column, fits, _KINDS[kind])
    return numbers if kind == "number" else numbers.astype(np.int64)


def _require_labels(path: Path, table: pd.DataFrame) -> None:
    _require(path, table, "label", table["label"].isin([0, 1]), "0 or 1")


def _require(path: Path, table: pd.DataFrame, column: str, fits, expected: str) -> None:
    """Raise LabelError naming file, column and clip of the first row that is not as expected."""
    wrong = np.flatnonzero(~np.asarray(fits, bool))
    if not len(wrong):
        return
    row = table.iloc[wrong[0]]
    at = "".join(f", {name} {row[name]}" for name in ("clip", "frame", "first") if name in table and name != column)
    raise LabelError(
        f"{path}, column {column}{at}: {expected} is expected, found {str(row[column])[:80]!r} (and "
        f"{len(wrong) - 1:,} rows more are wrong). Copy it again."
    )

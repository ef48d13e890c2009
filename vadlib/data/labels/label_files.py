"""Labels of frames in one file for all test clips: `avenue.mat`, `ped2.mat`, `frame_labels_shanghai.npy` and the like.

Of `.mat` files there are two kinds. The frame-prediction code of Liu et al. (2018, StevenLiuWen/ano_pred_cvpr2018)
files intervals, and much code since: `gt` has a cell (2, n) a clip, the first and last frames of n events, numbered
from 1, ends included. The code of Reiss and Hoshen (2022, talreiss/Accurate-Interpretable-VAD) has an array a clip,
`01`, `02` and so on: (1, T), 1 = anomalous.

The `.npy` files (of MNAD, Park et al. 2020, and of code built on it) hold nothing but the labels of all test frames,
clip after clip, so they fit only the whole data set: (N,) or (1, N), clips sorted by name, 1 = anomalous.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vadlib.data.dataset import Clip
from vadlib.data.labels.arrays import open_array
from vadlib.data.labels.mat_files import open_variable, variable_names
from vadlib.data.layouts.locate import relative_name
from vadlib.data.layouts.opening import LeftOut, list_unmatched, listed
from vadlib.errors import LabelError

MAX_FRAMES = 1_000_000


class LabelFiles(NamedTuple):
    """Where the labels of test clips are, and how they are read; clips go by their numbers."""

    name: str  # for who reads results
    kind: str  # for messages: a clip is "with" or "without" it
    numbers: Collection[int]  # clips that it has labels of
    eventful: Collection[int]  # those of them that ought to be there
    read: Callable[[Mapping[int, Clip], Sequence[LeftOut]], dict[str, np.ndarray]]  # labels (n_frames,) by clip id

    def unmatched(self, present: Collection[int], called: str, no_pictures: str) -> list[str]:
        """Say which clips have labels but are not there, and the other way round; `called` is how clips are called."""
        names = ([called.format(number) for number in sorted(each)] for each in (present, self.numbers, self.eventful))
        return list_unmatched(*names, f"with {self.kind} but {no_pictures}", f"without {self.kind}")


NO_LABELS = LabelFiles("none", "labels", (), (), lambda clips, left_out: {})


def labels_in(path: Path, home: Path, tested: Collection[int]) -> LabelFiles:
    """Labels in a file of a data set in `home`, whose test clips have these numbers; its ending says of which kind."""
    name = relative_name(path, home)
    return _mat_labels(path, name) if path.suffix == ".mat" else _flat_labels(path, name, tested)


def _mat_labels(path: Path, name: str) -> LabelFiles:
    variables = variable_names(path)
    arrays = {int(variable): variable for variable in variables if re.fullmatch(r"[0-9]{1,3}", variable)}
    if arrays and "gt" not in variables:
        return LabelFiles(
            f"{name}: an array of labels for each clip",
            f"labels in {path.name}",
            arrays,
            arrays,
            lambda clips, _: {clip.id: _labels_in_array(path, arrays[number], clip) for number, clip in clips.items()},
        )
    intervals = read_intervals(path)
    return LabelFiles(
        f"{name}: intervals of frames",
        f"labels in {path.name}",
        intervals,
        [number for number, spans in intervals.items() if spans.size],
        lambda clips, _: {clip.id: label_intervals(clip, intervals[number].T, path) for number, clip in clips.items()},
    )


def _flat_labels(path: Path, name: str, numbers: Collection[int]) -> LabelFiles:
    return LabelFiles(
        f"{name}: labels of frames in a row",
        f"labels in {path.name}",
        numbers,
        (),
        lambda clips, left_out: split_flat_labels(path, list(clips.values()), left_out),
    )


def read_intervals(path: Path) -> dict[int, np.ndarray]:
    """Read first and last frames, int64 (2, n), numbered from 1, ends included, by the clip's number from 1."""
    intervals = {}
    for number, cell in enumerate(open_variable(path, "gt").cells, start=1):
        spans = np.zeros((2, 0)) if cell.size == 0 else cell.astype(float)
        if spans.shape[0] != 2 or not ((spans >= 1) & (spans == np.floor(spans)) & (spans <= MAX_FRAMES)).all():
            raise LabelError(
                f"{path}: intervals (2, n) of frames numbered from 1 are expected of clip {number}, found an array "
                f"{cell.shape} of {cell.ravel()[:6].tolist()}. Copy it again."
            )
        intervals[number] = spans.astype(np.int64)
    return intervals


def label_intervals(clip: Clip, intervals: Iterable[tuple[int, int]], path: Path) -> np.ndarray:
    """Labels of a clip of which a file has first and last anomalous frames, numbered from 1, ends included."""
    labels = np.zeros(clip.n_frames, np.int8)
    for first, last in intervals:
        if not first <= last <= clip.n_frames:
            raise LabelError(
                f"Clip {clip.id} has {clip.n_frames} frames ({clip.path}), but {path} labels frames {first} to "
                f"{last} of it. Nothing is cut to fit: copy both again."
            )
        labels[first - 1 : last] = 1
    return labels


def _labels_in_array(path: Path, variable_name: str, clip: Clip) -> np.ndarray:
    variable = open_variable(path, variable_name)
    labels = np.concatenate([np.ravel(cell) for cell in variable.cells] or [np.empty(0)])
    if sum(side != 1 for side in variable.shape) > 1 or len(labels) != clip.n_frames:
        raise LabelError(
            f"Clip {clip.id} has {clip.n_frames} frames ({clip.path}), but {path} has an array {variable.shape} of it. "
            "One label for each frame is expected; nothing is cut to fit: copy both again."
        )
    return labels


def split_flat_labels(path: Path, clips: Sequence[Clip], left_out: Sequence[LeftOut] = ()) -> dict[str, np.ndarray]:
    """Read the labels of all test frames in one array, and give each clip, by its id, its own; none are cut to fit."""
    labels = open_array(path)
    n_frames = sum(clip.n_frames for clip in clips)
    if labels.shape not in ((n_frames,), (1, n_frames)):
        gone = [clip for clip in left_out if clip.split == "test"]
        if gone:
            raise LabelError(
                f"{path} has labels {labels.shape} in one array, which cannot be told apart where a clip is left out: "
                f"{listed(gone)}. Copy that again, or use labels that are filed by clip."
            )
        raise LabelError(
            f"{path} has labels {labels.shape}, but the {len(clips)} test clips have {n_frames:,} frames. It fits "
            "only a copy with all of them: copy the clips again, or use labels that are filed by clip."
        )
    clips = sorted(clips, key=lambda clip: clip.id)
    ends = np.cumsum([clip.n_frames for clip in clips])[:-1]
    parts = np.split(np.array(labels).reshape(-1), ends)
    return {clip.id: part for clip, part in zip(clips, parts, strict=True)}

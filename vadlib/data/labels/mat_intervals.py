"""Labels of frames in one `.mat` file for all clips, `avenue.mat`, `ped2.mat` and the like: there are two kinds.

The frame-prediction code of Liu et al. (2018, StevenLiuWen/ano_pred_cvpr2018) files intervals, and much code since:
`gt` has a cell (2, n) a clip, the first and last frames of n events, numbered from 1, ends included. The code of Reiss
and Hoshen (2022, talreiss/Accurate-Interpretable-VAD) has an array a clip, `01`, `02` and so on: (1, T), 1 = anomalous.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vadlib.data.dataset import Clip
from vadlib.data.labels.mat_files import open_variable, variable_names
from vadlib.errors import LabelError

MAX_FRAMES = 1_000_000


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


class MatLabels(NamedTuple):
    """What such a file holds: in words, the clips that it has labels of, and those in which something happens."""

    how: str
    numbers: frozenset[int]
    eventful: frozenset[int]


def describe_mat(path: Path) -> MatLabels:
    """Look into such a file of either kind."""
    arrays = _arrays(path)
    if arrays is None:
        intervals = read_intervals(path)
        eventful = frozenset(number for number, spans in intervals.items() if spans.size)
        return MatLabels("intervals of frames", frozenset(intervals), eventful)
    return MatLabels("an array of labels for each clip", frozenset(arrays), frozenset(arrays))


def label_by_mat(path: Path, clips: Mapping[int, Clip]) -> dict[str, np.ndarray]:
    """Read such a file of either kind, and turn it into labels of frames by clip id, for test clips by number."""
    arrays = _arrays(path)
    if arrays is None:
        of_clip = read_intervals(path)
        return {clip.id: _label(clip, number, of_clip, path) for number, clip in clips.items()}
    return {clip.id: _labels_in_array(path, arrays, number, clip) for number, clip in clips.items()}


def _arrays(path: Path) -> dict[int, str] | None:
    """Names of the arrays of a file that has one for each clip, by the clip's number; None of another file."""
    names = variable_names(path)
    numbered = {int(name): name for name in names if re.fullmatch(r"[0-9]{1,3}", name)}
    return numbered if numbered and "gt" not in names else None


def _labels_in_array(path: Path, by_number: Mapping[int, str], number: int, clip: Clip) -> np.ndarray:
    if number not in by_number:
        raise LabelError(f"{path} has arrays of {len(by_number)} clips, none of clip {number} ({clip.path}).")
    variable = open_variable(path, by_number[number])
    labels = np.concatenate([np.ravel(cell) for cell in variable.cells] or [np.empty(0)])
    if sum(side != 1 for side in variable.shape) > 1 or len(labels) != clip.n_frames:
        raise LabelError(
            f"Clip {clip.id} has {clip.n_frames} frames ({clip.path}), but {path} has an array {variable.shape} of it. "
            "One label for each frame is expected; nothing is cut to fit: copy both again."
        )
    return labels


def _label(clip: Clip, number: int, of_clip: dict[int, np.ndarray], path: Path) -> np.ndarray:
    if number not in of_clip:
        raise LabelError(f"{path} has intervals of {len(of_clip)} clips, none of clip {number} ({clip.path}).")
    labels = np.zeros(clip.n_frames, np.int8)
    for first, last in of_clip[number].T:
        if not first <= last <= clip.n_frames:
            raise LabelError(
                f"Clip {clip.id} has {clip.n_frames} frames ({clip.path}), but {path} labels frames {first} to "
                f"{last} of it. Nothing is cut to fit: copy both again."
            )
        labels[first - 1 : last] = 1
    return labels

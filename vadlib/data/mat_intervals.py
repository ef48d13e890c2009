"""Labels of frames as intervals in a `.mat` file: `avenue.mat`, `ped2.mat` and the like.

The frame-prediction code of Liu et al. (2018, StevenLiuWen/ano_pred_cvpr2018) files labels so, and much code since:
`gt` has a cell (2, n) a clip, the first and last frames of n events, numbered from 1, ends included.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vadlib.data.dataset import Clip
from vadlib.data.mat_files import open_variable
from vadlib.errors import LabelError

MAX_FRAMES = 1_000_000


def read_intervals(path: Path) -> dict[int, np.ndarray]:
    """Read such a file.

    Returns
    -------
    dict of int to int64 (2, n)
        By the clip's number, from 1: first and last frames, numbered from 1, ends included.

    Raises
    ------
    LabelError
        A file without `gt`, or whose cells are no intervals.
    """
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


def label_by_intervals(path: Path, clips: Mapping[int, Clip]) -> dict[str, np.ndarray]:
    """Read such a file, and turn it into labels of frames.

    Parameters
    ----------
    path : Path
    clips : mapping of int to Clip
        Test clips by number.

    Returns
    -------
    dict of str to int8 (n_frames,)
        By clip id.

    Raises
    ------
    LabelError
        As `read_intervals`; a clip without a cell; an interval beyond its clip's frames.
    """
    of_clip = read_intervals(path)
    return {clip.id: _label(clip, number, of_clip, path) for number, clip in clips.items()}


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

"""Labels of all test frames of a data set in one array, clip after clip: `frame_labels_shanghai.npy` and the like.

Such files (of MNAD, Park et al. 2020, and of code built on it) hold nothing but the labels, so they fit only the
whole data set: (N,) or (1, N), clips sorted by name, 1 = anomalous.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vadlib.data.dataset import Clip
from vadlib.data.labels.arrays import open_array
from vadlib.data.layouts.opening import LeftOut, listed
from vadlib.errors import LabelError


def split_flat_labels(path: Path, clips: Sequence[Clip], left_out: Sequence[LeftOut] = ()) -> dict[str, np.ndarray]:
    """Read such a file, and give each clip, by its id, its own labels (n_frames,); none are cut to fit."""
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

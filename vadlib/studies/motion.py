"""What moved, under several blurs, and by dense flow: all from one pass over the frames."""

from collections.abc import Iterable, Sequence

import numpy as np

from vadlib.detectors import FlowSpeed, FrameDifference
from vadlib.detectors.heatmaps import smoothed_resize

COLUMNS = {FrameDifference.title: "max", FlowSpeed.title: "flow"}  # of a chapter's scores, by title


def blurred_maxima(reader: Iterable, sigmas: Sequence[float], sigma: float) -> dict[str, np.ndarray]:
    """Maxima of flow blurred by `sigma`, ``flow``, and of both kinds of motion under the other blurs.

    The latter are ``difference, sigma S`` and ``flow, sigma S``: float32 (n_frames,) each, in the order of the reader's
    table of pairs of frames; NaN where a frame was skipped.
    """
    kinds = {"difference": FrameDifference(), "flow": FlowSpeed()}
    wanted = {("flow", sigma): "flow"} | {(kind, s): f"{kind}, sigma {s:g}" for kind in kinds for s in sigmas}
    columns = {name: np.full(reader.n_frames, np.nan, np.float32) for name in wanted.values()}
    for batch in reader:
        moved = {kind: detector.moved(batch.images.to(detector.device)) for kind, detector in kinds.items()}
        for (kind, s), name in wanted.items():
            heat = smoothed_resize(moved[kind], moved[kind].shape[1:], sigma=s)  # (B, H, W)
            columns[name][batch.rows] = heat.amax(dim=(1, 2)).cpu().numpy()
    return columns

"""Where a classifier looks, for Grad-CAM + SSIM: the steps of its score, and what moves it that should not."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vadlib.data import VideoDataset, read_frame
from vadlib.data.reading.views import picture_in_view
from vadlib.detectors import GradCamSsim
from vadlib.figures import map_grid

MAX_SHIFTED = 64


def draw_attention_steps(detector: GradCamSsim, videos: VideoDataset, frame: pd.DataFrame, read: Callable) -> Figure:
    """Activation map, reference and similarity of one frame (a table of one row), by layer."""
    reader = read(frame, "one frame")
    batch, picture = next(iter(reader)), read_frame(videos, frame["clip"].iloc[0], int(frame["frame"].iloc[0]))
    if reader.view != "whole":
        picture = picture_in_view(picture, reader.size, reader.view)
    steps = detector.steps(batch.images, scenes=frame["scene"])
    return map_grid(
        {"this frame": steps.cams[:, 0], "reference": steps.references[:, 0], "SSIM": steps.similarity[:, 0]},
        detector.layers,
        limits={"this frame": (0, 1), "reference": (0, 1), "SSIM": (-1, 1)},
        labels={"this frame": "activation", "reference": "activation", "SSIM": "similarity"},
        backgrounds={"this frame": picture},
    )


def draw_normal_attention(detector: GradCamSsim) -> Figure:
    """Mean and standard deviation of normal frames' maps, for each layer."""
    spread = np.sqrt(detector.reference_variance)
    return map_grid(
        {"mean": detector.references["all"], "standard deviation": spread},
        detector.layers,
        limits={"mean": (0, 1), "standard deviation": (0, float(spread.max()))},
        labels={"mean": "activation", "standard deviation": "activation"},
    )


def shift_effect(detector: GradCamSsim, read: Callable, scores: pd.DataFrame, shift_px: int) -> float:
    """How far a shift to the right moves the scores of normal frames, in standard deviations of normal scores.

    Parameters
    ----------
    detector : GradCamSsim
    read : callable
        Opens a reader of a table of frames: `chapter.read`.
    scores : DataFrame
        With `clip`, `frame`, `label`, `scene`, `ssim`.
    shift_px : int
    """
    normal = scores[scores["label"] == 0]
    probe = normal.iloc[:: max(1, len(normal) // MAX_SHIFTED)].head(MAX_SHIFTED)
    unmoved, moved = [], []
    for batch in read(probe, "shifting"):
        scenes = probe["scene"].to_numpy()[batch.rows]
        unmoved.append(detector.score_batch(batch.images, scenes=scenes)["ssim"].cpu())
        moved.append(detector.score_batch(batch.images.roll(shift_px, dims=3), scenes=scenes)["ssim"].cpu())
    return float(np.abs(np.concatenate(moved) - np.concatenate(unmoved)).mean() / normal["ssim"].std())

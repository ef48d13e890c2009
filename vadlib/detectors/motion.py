"""Motion between a frame and the one before it, with nothing learnt: changed brightness, and speed of dense flow."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self

import cv2
import numpy as np
import torch

from vadlib.data.reading.inputs import Window
from vadlib.detectors.detector import Detector, LearnsFrom
from vadlib.detectors.heatmaps import frame_scores, smoothed_resize
from vadlib.errors import ParameterError


class _Motion(Detector):
    """A heatmap of motion, blurred; a frame's scores are its maximum, its mean, and the mean of its top 1 %.

    A clip's first frame has none before it: nothing moves in it.
    """

    main_score = "max"
    reads = Window(2)
    learns_from = LearnsFrom.NOTHING
    network = None
    varied: ClassVar = {"sigma": (0.0, 2.0, 8.0)}

    def __init__(self, seed: int = 0, device: str = "auto", *, sigma: float = 4.0):
        super().__init__(device=device)
        if not sigma >= 0:
            raise ParameterError(f"sigma: expected pixels, 0 or more, found {sigma}")
        self.sigma, self._is_fitted = float(sigma), False

    @abstractmethod
    def moved(self, images: torch.Tensor) -> torch.Tensor:
        """How much each pixel moved, float32 (B, H, W), of uint8 pairs (B, 2, 3, H, W)."""

    def fit(self, reader: Iterable | None = None) -> Self:
        """Learn nothing: no frame of a reader is looked at."""
        self._is_fitted = True
        return self

    def score_batch(self, images: torch.Tensor, *, scenes: Sequence[str] | None = None) -> dict[str, torch.Tensor]:
        """``max``, ``mean`` and ``top1%`` of the heatmap, float32 (B,) each."""
        return frame_scores(self._heat(images))

    def heatmap(self, images: torch.Tensor, *, scenes: Sequence[str] | None = None) -> np.ndarray:
        """What moved where, blurred: float32 (B, H, W)."""
        return self._heat(images).cpu().numpy()

    def parameters(self) -> dict[str, Any]:
        """The blur."""
        return {"sigma": self.sigma}

    def state(self) -> dict[str, torch.Tensor]:
        """Nothing."""
        self._require_fitted(self._is_fitted)
        return {}

    def set_state(self, state: dict[str, torch.Tensor]) -> None:
        """Nothing to take over."""
        self._is_fitted = True

    def _heat(self, images: torch.Tensor) -> torch.Tensor:
        self._require_fitted(self._is_fitted)
        if images.dtype != torch.uint8 or images.ndim != 5 or images.shape[1:3] != (2, 3):
            raise ParameterError(f"images: expected uint8 (B, 2, 3, H, W), found {images.dtype} {tuple(images.shape)}")
        moved = self.moved(images.to(self.device))
        return smoothed_resize(moved, moved.shape[1:], sigma=self.sigma)  # (B, H, W)


class FrameDifference(_Motion):
    """Absolute difference to the frame before, the mean of the three colours, in grey levels.

    A frame's scores are the maximum, the mean and the mean of the top 1 % of the map, blurred. Nothing is fitted.

    Parameters
    ----------
    seed : int
        Nothing is drawn.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` …
    sigma : float
        Standard deviation of the blur, pixels of the frames as read; 4 is what PaDiM blurs by.

    Raises
    ------
    ParameterError
        If ``sigma`` is below 0; of images, if they are no pairs of RGB frames.
    """

    title = "Frame difference"
    colour = "#8C510A"
    heat_label = "change since the frame before (grey levels)"

    def moved(self, images: torch.Tensor) -> torch.Tensor:
        """Grey levels of change, float32 (B, H, W), of uint8 pairs (B, 2, 3, H, W)."""
        return (images[:, 1].int() - images[:, 0].int()).abs().float().mean(dim=1)


class FlowSpeed(_Motion):
    """Speed: length of the dense optical flow from the frame before (DIS, Kroeger et al. 2016), pixels per frame.

    Parameters, scores and errors are those of `FrameDifference`.
    """

    title = "Optical flow"
    colour = "#7F7F7F"
    heat_label = "speed (pixels per frame)"

    def moved(self, images: torch.Tensor) -> torch.Tensor:
        """Pixels per frame, float32 (B, H, W), of uint8 pairs (B, 2, 3, H, W)."""
        flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)  # one each: it keeps the flow it found last
        pairs = images.permute(0, 1, 3, 4, 2).cpu().numpy()  # (B, 2, H, W, 3)
        speed = np.empty(pairs.shape[:1] + pairs.shape[2:4], np.float32)
        for i, pair in enumerate(pairs):
            before, now = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in pair)
            speed[i] = np.linalg.norm(flow.calc(before, now, None), axis=2)
        return torch.from_numpy(speed).to(self.device)

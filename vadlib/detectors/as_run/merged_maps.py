"""Grad-CAM + SSIM as run: three layers' maps averaged to one, blurred, and compared once (notebook cells 13 to 19)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Self

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from vadlib.detectors.as_run.uniform_ssim import uniform_ssim, uniform_ssim_map
from vadlib.detectors.detector import Detector
from vadlib.detectors.gradcam import raw_grad_cam, scaled_maps
from vadlib.detectors.ssim import ssim, ssim_map
from vadlib.errors import ParameterError
from vadlib.networks import FeatureNetwork

SCALINGS = ("min-max", "max")
WINDOWS = {"uniform": (uniform_ssim, uniform_ssim_map), "gaussian": (ssim, ssim_map)}


class SpadeAsRun(Detector):
    """One minus the similarity of a frame's Grad-CAM map to a mean map; departures from `GradCamSsim` are arguments.

    Parameters
    ----------
    network : FeatureNetwork
        One with a classifier; as run, ResNet-18.
    seed : int
        Nothing is drawn: there for the sake of one signature for all detectors.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` …
    layers : sequence of str
        Layers of the maps.
    scaling : {"min-max", "max"}
        Each map to [0, 1] by its least and largest value, or by the largest alone.
    merged : bool
        Whether the mean of the layers' maps is compared, or each layer's own and the similarities averaged.
    sigma : float
        Standard deviation of the blur of what is compared, in pixels.
    window : {"uniform", "gaussian"}
        Of SSIM: scikit-image's default (see `uniform_ssim`), or that of the measure's authors (see `ssim`).

    Raises
    ------
    ParameterError
        If a parameter is outside its rule.
    WeightsError
        If the network has no classifier.

    Notes
    -----
    The notebook's reference is the mean of the first 100 normal frames of the test set, which are tested, too: what
    `fit` is given is not the detector's to choose.
    """

    title = "Grad-CAM + SSIM as run"
    colour = "#8A5F00"
    main_score = "ssim"
    network = "classifier"
    heat_label = "1 - SSIM"
    compared = False

    def __init__(
        self,
        network: FeatureNetwork,
        seed: int = 0,
        device: str = "auto",
        *,
        layers: Sequence[str] = ("layer2", "layer3", "layer4"),
        scaling: str = "min-max",
        merged: bool = True,
        sigma: float = 4.0,
        window: str = "uniform",
    ):
        super().__init__(network, device=device)
        network.check_layers(layers)
        network.require_logits()
        for name, value, allowed in (("scaling", scaling, SCALINGS), ("window", window, WINDOWS)):
            if value not in allowed:
                raise ParameterError(f"{name}: expected one of {', '.join(allowed)}, found {value!r}")
        if not sigma >= 0:
            raise ParameterError(f"sigma: expected pixels, 0 or more, found {sigma}")
        self.layers, self.seed, self.scaling = tuple(layers), int(seed), scaling
        self.merged, self.sigma, self.window = bool(merged), float(sigma), window
        self.reference: torch.Tensor | None = None  # float32 (maps, H, W)

    def fit(self, reader: Iterable) -> Self:
        """Average the maps of normal frames, in one pass and in memory that does not grow with their number."""
        n, total = 0, 0.0
        for batch in reader:
            maps = self.maps(batch.images).double()  # (M, B, H, W)
            if n and maps.shape[2:] != total.shape[1:]:
                raise ParameterError(f"fit: expected frames of one size, found {tuple(maps.shape[2:])} among others")
            n, total = n + maps.shape[1], total + maps.sum(dim=1)
        if not n:
            raise ParameterError("fit: the reader gave no frame; give it a table of normal frames")
        self.reference = (total / n).float()
        return self

    def maps(self, images: torch.Tensor) -> torch.Tensor:
        """What is compared of frames (B, 3, H, W): float32 (M, B, H, W) in [0, 1], M = 1 if merged; needs no fit."""
        raw = raw_grad_cam(self.network, images, self.layers)
        if self.scaling == "min-max":
            raw = [values - values.amin(dim=(1, 2), keepdim=True) for values in raw]
        maps = scaled_maps(raw, tuple(images.shape[2:]))
        maps = maps.mean(dim=0, keepdim=True) if self.merged else maps
        if self.sigma == 0:
            return maps
        rows, columns = (_blur_matrix(side, self.sigma, maps.device) for side in maps.shape[2:])
        return (rows @ maps @ columns.T).clamp_(0, 1)

    def score_batch(self, images: torch.Tensor, *, scenes: Sequence[str] | None = None) -> dict[str, torch.Tensor]:
        """One minus SSIM, ``ssim``, float32 (B,)."""
        return {"ssim": 1 - self._compared(images, 0).mean(dim=0).float()}

    def heatmap(self, images: torch.Tensor, *, scenes: Sequence[str] | None = None) -> np.ndarray:
        """One minus local SSIM, numpy float32 (B, H, W)."""
        return 1 - self._compared(images, 1).mean(dim=0).float().cpu().numpy()

    def parameters(self) -> dict[str, Any]:
        """Constructor arguments, but for network and device."""
        names = ("seed", "scaling", "merged", "sigma", "window")
        return {"layers": list(self.layers)} | {name: getattr(self, name) for name in names}

    def state(self) -> dict[str, torch.Tensor]:
        """The mean maps."""
        self._require_fitted(self.reference is not None)
        return {"reference": self.reference.cpu().contiguous()}

    def set_state(self, state: dict[str, torch.Tensor]) -> None:
        """Take over saved mean maps."""
        self.reference = state["reference"].to(self.device, copy=True)

    def _compared(self, images: torch.Tensor, local: int) -> torch.Tensor:
        """Similarity (M, B), or local similarity (M, B, H, W), to the reference."""
        self._require_fitted(self.reference is not None)
        if images.ndim == 4 and images.shape[2:] != self.reference.shape[1:]:
            height, width = self.reference.shape[1:]
            raise ParameterError(
                f"images: expected frames of {height}x{width} pixels, as at fit, found {tuple(images.shape[2:])}; "
                "read them in that size"
            )
        compare = WINDOWS[self.window][local]
        return torch.stack([compare(m, r) for m, r in zip(self.maps(images), self.reference, strict=True)])


@lru_cache(maxsize=8)
def _blur_matrix(n: int, sigma: float, device: torch.device) -> torch.Tensor:
    """Gaussian blur of n pixels as a matrix (n, n), cut at 4 sigma, mirrored at the edge pixels, as OpenCV does."""
    return torch.from_numpy(gaussian_filter1d(np.eye(n), sigma, axis=0, mode="mirror")).float().to(device)

"""Features of frames computed once and kept, so that detectors that differ in what follows share them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Self

import torch

from vadlib.detectors import GradCamSsim
from vadlib.detectors.gradcam import raw_grad_cam, scaled_maps

MOST_BYTES = 3 * 2**30  # of kept features; what is beyond is computed again each time


class CachedNetwork:
    """A network that computes the features of a frame once, however often they are asked for.

    Frames are told apart by their pixels. Everything but features is the network's own: its record, channels, checks.

    Parameters
    ----------
    network : FeatureNetwork or ClipVision
    most_bytes : int
        Kept at most; features beyond are given all the same, and not kept.
    """

    def __init__(self, network: Any, most_bytes: int = MOST_BYTES):
        self.network, self.most_bytes, self.n_bytes = network, most_bytes, 0
        self._kept: dict[tuple, torch.Tensor] = {}  # (digest, what) to the features of one frame

    def __getattr__(self, name: str) -> Any:
        """What the network itself has."""
        return getattr(self.network, name)

    def to(self, device: torch.device | str) -> Self:
        """Move the network; what is kept stays where it was computed, so forget it first."""
        self.network.to(device)
        return self

    def forget(self) -> None:
        """Drop everything kept, such as before frames of another size."""
        self._kept.clear()
        self.n_bytes = 0

    def taps(self, images: torch.Tensor, layers: Sequence[str]) -> dict[str, torch.Tensor]:
        """As `FeatureNetwork.taps`; a layer is computed for the frames that it is not kept for."""
        self.network.check_layers(layers)

        def compute(missing: torch.Tensor, names: list[str]) -> list[torch.Tensor]:
            found = self.network.taps(missing, names)
            return [found[name].permute(0, 2, 3, 1) for name in names]  # channels last, as they lie in memory

        recalled = self._recall(images, list(layers), compute)
        return {name: values.permute(0, 3, 1, 2) for name, values in zip(layers, recalled, strict=True)}

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """As the network's own ``embed``."""
        return self._recall(images, ["embedding"], lambda missing, _: [self.network.embed(missing)])[0]

    def raw_grad_cam(self, images: torch.Tensor, layers: Sequence[str], target: str | int) -> list[torch.Tensor]:
        """As `vadlib.detectors.gradcam.raw_grad_cam`."""
        self.network.check_layers(layers)

        def compute(missing: torch.Tensor, names: list[tuple]) -> list[torch.Tensor]:
            return raw_grad_cam(self.network, missing, [layer for _, layer, _ in names], target=target)

        return self._recall(images, [("cam", layer, target) for layer in layers], compute)

    def _recall(
        self, images: torch.Tensor, names: list, compute: Callable[[torch.Tensor, list], list[torch.Tensor]]
    ) -> list[torch.Tensor]:
        """One tensor (B, ...) for each name; computed for frames and names that lack one, and kept if there is room."""
        digests = [_digest(image) for image in images.cpu()]
        rows = [i for i, digest in enumerate(digests) if any((digest, name) not in self._kept for name in names)]
        new: dict[tuple, torch.Tensor] = {}
        if rows:
            lacking = [name for name in names if any((digests[i], name) not in self._kept for i in rows)]
            for name, values in zip(lacking, compute(images[rows], lacking), strict=True):
                new |= {(digests[i], name): one for i, one in zip(rows, values, strict=True)}
        found = [torch.stack([new.get((d, n), self._kept.get((d, n))) for d in digests]) for n in names]
        for key, one in new.items():
            if self.n_bytes + one.nbytes > self.most_bytes:
                break
            if key not in self._kept:
                self._kept[key] = one.clone()  # a frame's own memory, not the batch's
                self.n_bytes += one.nbytes
        return found


def _digest(image: torch.Tensor) -> bytes:
    """Of the pixels and their arrangement."""
    size = str(tuple(image.shape)).encode()
    return hashlib.blake2b(image.numpy().tobytes(), digest_size=16, salt=size[:16]).digest()


class CachedGradCamSsim(GradCamSsim):
    """`GradCamSsim` on a `CachedNetwork`: maps of a frame are computed once for all references and map sizes."""

    def _maps(self, images: torch.Tensor) -> torch.Tensor:
        raw = self.network.raw_grad_cam(images, self.layers, self.target)
        return scaled_maps(raw, self._size_of_maps(images))

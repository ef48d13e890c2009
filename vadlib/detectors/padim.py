"""PaDiM: a Gaussian over network features at every position of the frame (paper section 3.1; Defard et al. 2021)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
import torch

from vadlib.detectors.detector import Detector
from vadlib.detectors.gaussian import PyramidGaussianField
from vadlib.detectors.heatmaps import frame_scores, smoothed_resize
from vadlib.errors import ParameterError
from vadlib.networks import FeatureNetwork

LAYERS = ("layer1", "layer2", "layer3")
REDUCTIONS = ("blocks", "select", "dense")
FRAME_SCORES = ("max", "mean", "top1%")


class Padim(Detector):
    """Patch distribution modelling.

    Parameters
    ----------
    network : FeatureNetwork
        Backbone; the paper's is ResNet-18.
    n_components : int
        Dimensions kept of the layers' concatenated channels (paper: 300 of 448).
    seed : int
        Draws the reduction.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` …
    layers : sequence of str
        Taps, at most from fine to coarse (paper: ``layer1``, ``layer2``, ``layer3``).
    reduction : {"blocks", "select", "dense"}
        ``blocks``: a random projection with orthonormal rows for each layer, in proportion to its channels.
        ``select``: random channels, as the original method. ``dense``: one orthonormal projection of all channels
        together, which shares nothing between positions and takes five times the memory.
    epsilon : float
        Added to the covariance matrices' diagonals (0.01 in the original).
    sigma : float
        Standard deviation of the blur of the heatmap, in pixels of the frame as given (4 in the original).
    frame_score : {"max", "mean", "top1%"}
        What `score` takes of a heatmap; `score_columns` gives all three.

    Raises
    ------
    ParameterError
        If a parameter is outside its rule; the message says which.
    """

    title = "PaDiM"
    colour = "#009E73"
    main_score = "max"  # `frame_score` of an instance
    heat_label = "Mahalanobis distance (standard deviations)"
    chapter_options: ClassVar = {"n_components": "n_components"}
    varied: ClassVar = {
        "score": FRAME_SCORES,
        "reduction": REDUCTIONS,
        "n_components": (20, 50, 200),
        "layers": ("layer1", "layer2", "layer3", "layer2 layer3"),
        "image_size": (112, 160),
        "epsilon": (0.0001, 0.001, 0.1, 1.0),
        "sigma": (0.0, 8.0),
        "n_fit": (15, 30),
        "seed": (1, 2, 3, 4),
    }
    paper = "padim"

    def __init__(
        self,
        network: FeatureNetwork,
        n_components: int = 300,
        seed: int = 0,
        device: str = "auto",
        *,
        layers: Sequence[str] = LAYERS,
        reduction: str = "blocks",
        epsilon: float = 0.01,
        sigma: float = 4.0,
        frame_score: str = "max",
    ):
        super().__init__(network, device=device)
        network.check_layers(layers)
        channels = [network.channels[name] for name in layers]
        if len(set(layers)) != len(layers):
            raise ParameterError(f"layers: expected each layer once, found {list(layers)}")
        if not len(layers) <= n_components <= sum(channels):
            raise ParameterError(
                f"n_components: expected {len(layers)} to {sum(channels)}, the channels of {', '.join(layers)}, "
                f"found {n_components}"
            )
        for name, value, allowed in (
            ("reduction", reduction, REDUCTIONS),
            ("frame_score", frame_score, FRAME_SCORES),
        ):
            if value not in allowed:
                raise ParameterError(f"{name}: expected one of {', '.join(allowed)}, found {value!r}")
        if not sigma >= 0:
            raise ParameterError(f"sigma: expected pixels, 0 or more, found {sigma}")
        if not epsilon > 0:
            raise ParameterError(f"epsilon: expected a number above 0, found {epsilon}")
        self.layers = tuple(layers)
        self.n_components, self.seed, self.reduction = int(n_components), int(seed), reduction
        self.epsilon, self.sigma, self.frame_score = float(epsilon), float(sigma), frame_score
        self.main_score = frame_score
        matrices = _reduction_matrices(reduction, channels, self.n_components, self.seed)
        self._matrices = [torch.from_numpy(m).to(self.device) for m in matrices]
        self.field: PyramidGaussianField | None = None

    @classmethod
    def possible_options(cls, network, options: Mapping[str, Any], n_fit: int | None = None) -> dict[str, Any]:
        """At most as many dimensions as the layers have channels."""
        n_channels = sum(network.channels[layer] for layer in options.get("layers", LAYERS))
        return {**options, "n_components": min(options.get("n_components", 300), n_channels)}

    def fit(self, reader: Iterable) -> Self:
        """Fit the Gaussians to normal frames, in one pass and in memory that does not grow with their number."""
        field = None
        for batch in reader:
            features = self._features(batch.images)
            if field is None:
                field = PyramidGaussianField(
                    [f.shape[2:] for f in features], [f.shape[1] for f in features], self.device
                )
            field.update(features)
        if field is None:
            raise ParameterError("fit: the reader gave no frame; give it a table of normal frames")
        self.field = field.finalize(self.epsilon)
        return self

    def distances(self, images: torch.Tensor) -> torch.Tensor:
        """Mahalanobis distance at every position, float32 (B, H_grid, W_grid), of uint8 frames (B, 3, H, W)."""
        self._require_fitted(self.field is not None)
        grid = max(self.field.grids)
        return self.field.mahalanobis(self._features(images)).unflatten(1, grid)

    def heatmap(self, images: torch.Tensor, *, scenes: Sequence[str] | None = None) -> np.ndarray:
        """Distances brought to the frames' size, bilinear, then blurred; numpy float32 (B, H, W)."""
        return self._heatmap(images).cpu().numpy()

    def score_batch(self, images: torch.Tensor, *, scenes: Sequence[str] | None = None) -> dict[str, torch.Tensor]:
        """Maximum, mean and mean of the top 1 % of the heatmap, float32 (B,) each."""
        return frame_scores(self._heatmap(images))

    def scores_and_heatmap(self, batch: Any) -> tuple[dict[str, torch.Tensor], np.ndarray]:
        """Both from one pass: the scores are read off the heatmap."""
        heatmap = self._heatmap(batch.images)
        return frame_scores(heatmap), heatmap.cpu().numpy()

    def parameters(self) -> dict[str, Any]:
        """Constructor arguments, but for network and device."""
        return {
            "n_components": self.n_components,
            "seed": self.seed,
            "layers": list(self.layers),
            "reduction": self.reduction,
            "epsilon": self.epsilon,
            "sigma": self.sigma,
            "frame_score": self.frame_score,
        }

    def state(self) -> dict[str, torch.Tensor]:
        """The field's sums and the reduction's matrices, as they were drawn."""
        self._require_fitted(self.field is not None)
        matrices = {f"reduction_{i}": m.cpu().contiguous() for i, m in enumerate(self._matrices)}
        return self.field.state() | matrices

    def set_state(self, state: dict[str, torch.Tensor]) -> None:
        """Take over a saved field, and factor it again."""
        self._matrices = [state[f"reduction_{i}"].to(self.device, copy=True) for i in range(len(self._matrices))]
        self.field = PyramidGaussianField.from_state(state, self.device).finalize(self.epsilon)

    def _features(self, images: torch.Tensor) -> list[torch.Tensor]:
        layers = list(self.network.features(images, self.layers).values())
        with torch.inference_mode():
            if self.reduction == "dense":
                size = layers[0].shape[2:]
                layers = [
                    torch.cat([torch.nn.functional.interpolate(t, size=size, mode="nearest") for t in layers], dim=1)
                ]
            # A 1x1 convolution without the convolution: channels are the last axis in memory.
            return [
                (t.permute(0, 2, 3, 1) @ matrix.T).permute(0, 3, 1, 2)
                for t, matrix in zip(layers, self._matrices, strict=True)
            ]

    def _heatmap(self, images: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return smoothed_resize(self.distances(images), tuple(images.shape[2:]), sigma=self.sigma)


def _reduction_matrices(reduction: str, channels: list[int], n_components: int, seed: int) -> list[np.ndarray]:
    """One float32 (components, channels) matrix a layer; a single one over all layers for ``dense``."""
    rng = np.random.default_rng(seed)
    if reduction == "dense":
        return [orthonormal_rows(n_components, sum(channels), rng)]
    if reduction == "select":
        chosen = np.sort(rng.choice(sum(channels), n_components, replace=False))
        starts = np.cumsum([0, *channels])
        picked = [chosen[(chosen >= a) & (chosen < b)] - a for a, b in pairwise(starts)]
        return [np.eye(c, dtype=np.float32)[rows] for c, rows in zip(channels, picked, strict=True)]
    return [orthonormal_rows(n, c, rng) for n, c in zip(_in_proportion(n_components, channels), channels, strict=True)]


def orthonormal_rows(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """A random float32 (rows, columns) matrix whose rows are orthonormal: a random projection."""
    q, r = np.linalg.qr(rng.standard_normal((columns, rows)))
    return np.ascontiguousarray((q * np.sign(np.diag(r))).T.astype(np.float32))


def _in_proportion(total: int, channels: list[int]) -> list[int]:
    """Split ``total`` over the layers in proportion to their channels, largest remainders first; at least 1 each."""
    shares = np.array(channels) * total / sum(channels)
    counts = np.maximum(np.floor(shares).astype(int), 1)
    while counts.sum() < total:
        counts[np.argmax(shares - counts)] += 1
    while counts.sum() > total:
        counts[np.argmax(counts - shares)] -= 1
    return counts.tolist()

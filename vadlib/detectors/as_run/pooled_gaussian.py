"""PaDiM as run: layers pooled to one coarse grid, and one Gaussian over all its positions (notebook cells 27 to 32)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch

from vadlib.detectors.detector import Detector
from vadlib.detectors.heatmaps import smoothed_resize
from vadlib.detectors.padim import orthonormal_rows
from vadlib.errors import ParameterError
from vadlib.networks import FeatureNetwork

REDUCTIONS = ("variance", "projection")
GAUSSIANS = ("one", "each")


class PadimAsRun(Detector):
    """Mahalanobis distance of pooled patch features; every departure from PaDiM's text is an argument.

    Parameters
    ----------
    network : FeatureNetwork
        Backbone; as run, ResNet-18.
    n_components : int
        Channels kept, or dimensions projected to (as run: 300 of 896).
    seed : int
        Draws the projection, or which of the channels of equal variance are kept.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` …
    layers : sequence of str
        As run ``layer2``, ``layer3``, ``layer4``; as written ``layer1``, ``layer2``, ``layer3``.
    grid : int
        Positions a side, to which every layer is averaged (a coarser one repeated).
    standardise : bool
        Channels to mean 0 and variance 1 over all frames and positions, before anything else.
    reduction : {"variance", "projection"}
        ``variance``: the channels of largest variance. Once standardised all have the same, so the seed chooses; in
        the notebook, rounding did. ``projection``: a random one with orthonormal rows.
    gaussians : {"one", "each"}
        One Gaussian of all positions together, or one for each.
    epsilon : float
        Added to the covariances' diagonals.
    squared : bool
        Whether the distance is left squared, which changes the scores' scale and not their order.

    Raises
    ------
    ParameterError
        If a parameter is outside its rule; the message says which.

    Notes
    -----
    Fitting reads the frames twice where channels are standardised or chosen. Sums are float64, and memory does not
    grow with the frames. The notebook's pseudo-inverse is the inverse: with epsilon on its diagonal, a covariance
    matrix is positive definite.
    """

    title = "PaDiM as run"
    colour = "#005C43"
    main_score = "max"
    heat_label = "squared Mahalanobis distance"
    compared = False
    chapter_options: ClassVar = {"n_components": "n_components"}

    def __init__(
        self,
        network: FeatureNetwork,
        n_components: int = 300,
        seed: int = 0,
        device: str = "auto",
        *,
        layers: Sequence[str] = ("layer2", "layer3", "layer4"),
        grid: int = 14,
        standardise: bool = True,
        reduction: str = "variance",
        gaussians: str = "one",
        epsilon: float = 1e-6,
        squared: bool = True,
    ):
        super().__init__(network, device=device)
        network.check_layers(layers)
        n_channels = sum(network.channels[name] for name in layers)
        if len(set(layers)) != len(layers):
            raise ParameterError(f"layers: expected each layer once, found {list(layers)}")
        if not 1 <= n_components <= n_channels:
            raise ParameterError(f"n_components: expected 1 to {n_channels}, the channels, found {n_components}")
        if grid != int(grid) or grid < 1:
            raise ParameterError(f"grid: expected positions a side, a whole number of at least 1, found {grid}")
        for name, value, allowed in (("reduction", reduction, REDUCTIONS), ("gaussians", gaussians, GAUSSIANS)):
            if value not in allowed:
                raise ParameterError(f"{name}: expected one of {', '.join(allowed)}, found {value!r}")
        if not epsilon > 0:
            raise ParameterError(f"epsilon: expected a number above 0, found {epsilon}")
        self.n_components, self.seed, self.layers, self.grid = int(n_components), int(seed), tuple(layers), int(grid)
        self.standardise, self.reduction, self.gaussians = bool(standardise), reduction, gaussians
        self.epsilon, self.squared = float(epsilon), bool(squared)
        self._learnt: dict[str, torch.Tensor] = {}  # what `state` gives, on the device

    @classmethod
    def possible_options(cls, network, options: Mapping[str, Any], n_fit: int | None = None) -> dict[str, Any]:
        """At most as many dimensions as the layers have channels."""
        n_channels = sum(network.channels[name] for name in options.get("layers", ("layer2", "layer3", "layer4")))
        return {**options, "n_components": min(options.get("n_components", 300), n_channels)}

    def fit(self, reader: Iterable) -> Self:
        """Learn channels' statistics where they are needed, then the Gaussians, from normal frames."""
        learnt = self._channels(reader) if self.standardise or self.reduction == "variance" else self._reduction(None)
        n, total, products = 0, 0.0, 0.0
        for batch in reader:
            learnt["size"] = torch.tensor(batch.images.shape[2:])
            x = self._grouped(batch.images, learnt)  # (G, N, D)
            n, total, products = n + x.shape[1], total + x.sum(dim=1), products + x.mT @ x
        if n < 2:
            raise ParameterError(f"fit: expected at least 2 normal frames, found {n}; give it a table of more")
        learnt["mean"] = total / n  # (G, D)
        scatter = products - n * learnt["mean"][:, :, None] * learnt["mean"][:, None]
        self._set_learnt(learnt | {"covariance": scatter / (n - 1)})  # (G, D, D)
        return self

    def distances(self, images: torch.Tensor) -> torch.Tensor:
        """(Squared) Mahalanobis distance at every position, float32 (B, grid, grid), of uint8 frames (B, 3, H, W)."""
        self._require_fitted(bool(self._learnt))
        size = tuple(self._learnt["size"].tolist())
        if images.ndim == 4 and tuple(images.shape[2:]) != size:
            raise ParameterError(
                f"images: expected frames of {size[0]}x{size[1]} pixels, as at fit, found {tuple(images.shape[2:])}; "
                "read them in the size of the fit"
            )
        with torch.inference_mode():
            rest = self._grouped(images, self._learnt) - self._learnt["mean"][:, None]
            squared = (rest @ self._whitening.mT).square().sum(dim=2)  # (G, N)
            squared = squared.T if self.gaussians == "each" else squared.reshape(len(images), -1)  # (B, P)
            return (squared if self.squared else squared.sqrt()).float().unflatten(1, (self.grid, self.grid))

    def score_batch(self, images: torch.Tensor, *, scenes: Sequence[str] | None = None) -> dict[str, torch.Tensor]:
        """The largest distance of any position, ``max``, float32 (B,)."""
        return {"max": self.distances(images).amax(dim=(1, 2))}

    def heatmap(self, images: torch.Tensor, *, scenes: Sequence[str] | None = None) -> np.ndarray:
        """Distances brought to the frames' size, bilinear, without a blur; numpy float32 (B, H, W)."""
        return smoothed_resize(self.distances(images), tuple(images.shape[2:]), sigma=0).cpu().numpy()

    def parameters(self) -> dict[str, Any]:
        """Constructor arguments, but for network and device."""
        names = ("n_components", "seed", "grid", "standardise", "reduction", "gaussians", "epsilon", "squared")
        return {"layers": list(self.layers)} | {name: getattr(self, name) for name in names}

    def state(self) -> dict[str, torch.Tensor]:
        """The reduction, and the Gaussians' means and covariances, without epsilon."""
        self._require_fitted(bool(self._learnt))
        return {name: values.cpu().contiguous() for name, values in self._learnt.items()}

    def set_state(self, state: dict[str, torch.Tensor]) -> None:
        """Take over saved Gaussians, and factor them again."""
        self._set_learnt({name: values.to(self.device, copy=True) for name, values in state.items()})

    def _set_learnt(self, learnt: dict[str, torch.Tensor]) -> None:
        covariance = learnt["covariance"].clone()
        covariance.diagonal(dim1=1, dim2=2).add_(self.epsilon)
        factor, failed = torch.linalg.cholesky_ex(covariance)
        if failed.any():
            raise ParameterError(f"epsilon: {self.epsilon} leaves covariances that are not positive definite; raise it")
        identity = torch.eye(self.n_components, dtype=factor.dtype, device=self.device).expand_as(factor)
        self._whitening = torch.linalg.solve_triangular(factor, identity, upper=False)  # (G, D, D)
        self._learnt = learnt

    def _pooled(self, images: torch.Tensor) -> torch.Tensor:
        """Layers averaged to the grid, channels concatenated: float64 (B, P, C)."""
        layers = self.network.features(images, self.layers).values()
        pooled = [torch.nn.functional.adaptive_avg_pool2d(x.double(), self.grid) for x in layers]
        return torch.cat(pooled, dim=1).flatten(2).mT

    def _grouped(self, images: torch.Tensor, learnt: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Reduced features by the Gaussian that they belong to: float64 (G, N, D)."""
        with torch.inference_mode():
            x = (self._pooled(images) - learnt["shift"]) * learnt["scale"]  # (B, P, C)
            x = x[..., learnt["channels"]] if "channels" in learnt else x @ learnt["matrix"].T  # (B, P, D)
            return x.transpose(0, 1) if self.gaussians == "each" else x.reshape(1, -1, x.shape[2])

    def _channels(self, reader: Iterable) -> dict[str, torch.Tensor]:
        """What takes channels to those kept, from their means and variances over all frames and positions."""
        n, total, squares = 0, 0.0, 0.0
        with torch.inference_mode():
            for batch in reader:
                x = self._pooled(batch.images).flatten(0, 1)  # (N, C)
                n, total, squares = n + len(x), total + x.sum(dim=0), squares + x.square().sum(dim=0)
        if not n:
            raise ParameterError("fit: the reader gave no frame; give it a table of normal frames")
        mean = total / n
        return self._reduction((mean, (squares / n - mean.square()).clamp_(min=0)))

    def _reduction(self, moments: tuple[torch.Tensor, torch.Tensor] | None) -> dict[str, torch.Tensor]:
        """`shift` and `scale` (C,), and the `channels` (D,) that are kept, or a `matrix` (D, C) that projects them."""
        rng = np.random.default_rng(self.seed)
        n_channels = sum(self.network.channels[name] for name in self.layers)
        shift, scale = np.zeros(n_channels), np.ones(n_channels)
        if moments is not None:
            mean, variance = (values.cpu().numpy() for values in moments)
            if self.standardise:
                varies = variance > 1e-12 * variance.max(initial=0)
                shift, scale, variance = mean, np.where(varies, variance, 1) ** -0.5, varies.astype(float)
        if self.reduction == "variance":
            chosen = np.lexsort((rng.permutation(n_channels), -variance))[: self.n_components]
            reduction = {"channels": np.sort(chosen)}
        else:
            reduction = {"matrix": orthonormal_rows(self.n_components, n_channels, rng).astype(np.float64)}
        found = {"shift": shift, "scale": scale} | reduction
        return {name: torch.from_numpy(values).to(self.device) for name, values in found.items()}

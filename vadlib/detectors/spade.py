"""SPADE: how far a frame is from its nearest normal frames (Cohen and Hoshen 2020, the paper's reference [4])."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch

from vadlib.detectors.detector import Detector
from vadlib.detectors.heatmaps import smoothed_resize
from vadlib.detectors.nearest_positions import nearest_position_distances
from vadlib.errors import ParameterError, WeightsError
from vadlib.networks import FeatureNetwork

CHUNK_FRAMES = 8  # whose neighbours' features are in memory at a time: with 5 neighbours, 56 MB at 224 pixels
FRAMES_A_NEIGHBOUR = 5  # fitted frames that each neighbour asked for takes at least, where k may be brought down


class SpadeKnn(Detector):
    """Nearest neighbours among normal frames: of the whole frame for its score, of its positions for its heatmap.

    Parameters
    ----------
    network : FeatureNetwork
    k : int
        Nearest normal frames that a frame's score averages over (50 in the original).
    seed : int
        Draws the frames that are kept, where ``max_fit_frames`` is fewer than there are; nothing else is drawn.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` …
    layers : sequence of str
        Feature pyramid of the heatmap.
    pooled : str or None
        What describes a whole frame. None: the network's own embedding, its last pooled features, as in the original.
        A layer's name: that layer's mean over positions, for weights that end early.
    heatmap_k : int
        Nearest normal frames among whose positions the heatmap searches; as many as there are, where fewer are fitted
        (50 in the original: ten times the work for a little lower distances).
    max_fit_frames : int or None
        Frames to keep at most, drawn at random; None: all of them.
    sigma : float
        Standard deviation of the heatmap's blur, pixels of the frame as given (4 in the original).

    Raises
    ------
    ParameterError
        If a parameter is outside its rule.
    WeightsError
        If the weights lack a part that the layers, or the embedding, need.

    Notes
    -----
    The frames themselves are kept, 147 KiB each at 224 pixels, and so are they in a saved detector: mind the data
    set's terms before you pass one on. Their features would take nine times as much, and are computed again for the
    few frames that a heatmap needs.

    Coarse layers are brought to the finest grid by repeating their positions, as PaDiM does, not by interpolation. The
    distances of coarse positions are then shared, and the search takes a sixth of the multiplications.
    """

    title = "SPADE"
    colour = "#56B4E9"
    main_score = "knn"
    heat_label = "distance to the nearest normal position"
    chapter_options: ClassVar = {"k": "n_neighbours"}
    varied: ClassVar = {"k": (1, 5, 20), "image_size": (112,), "n_fit": (30,)}

    def __init__(
        self,
        network: FeatureNetwork,
        k: int = 50,
        seed: int = 0,
        device: str = "auto",
        *,
        layers: Sequence[str] = ("layer1", "layer2", "layer3"),
        pooled: str | None = None,
        heatmap_k: int = 5,
        max_fit_frames: int | None = None,
        sigma: float = 4.0,
    ):
        super().__init__(network, device=device)
        network.check_layers(layers)
        if pooled is None:
            _require_embedding(network, layers)
        else:
            network.check_layers([pooled])
        for name, value in (("k", k), ("heatmap_k", heatmap_k), ("max_fit_frames", max_fit_frames)):
            if value is not None and (value < 1 or value != int(value)):
                raise ParameterError(f"{name}: expected a whole number, at least 1, found {value}")
        if max_fit_frames is not None and max_fit_frames < k:
            raise ParameterError(f"max_fit_frames: expected at least k = {k}, found {max_fit_frames}")
        if not sigma >= 0:
            raise ParameterError(f"sigma: expected pixels, 0 or more, found {sigma}")
        self.k, self.seed, self.layers, self.pooled = int(k), int(seed), tuple(layers), pooled
        self.heatmap_k, self.sigma = int(heatmap_k), float(sigma)
        self.max_fit_frames = None if max_fit_frames is None else int(max_fit_frames)
        self._embeddings: torch.Tensor | None = None  # float32 (n, D)
        self._frames: torch.Tensor | None = None  # uint8 (n, 3, H, W), on the CPU

    @classmethod
    def possible_options(cls, network, options: Mapping[str, Any], n_fit: int | None = None) -> dict[str, Any]:
        """At most a fifth of the frames as neighbours."""
        if n_fit is None:
            return dict(options)
        return {**options, "k": min(options.get("k", 50), max(1, n_fit // FRAMES_A_NEIGHBOUR))}

    def fit(self, reader: Iterable) -> Self:
        """Keep normal frames and their embeddings."""
        wanted = self._drawn_rows(reader) if self.max_fit_frames is not None else None
        embeddings, frames = [], []
        for batch in reader:
            images = batch.images if wanted is None else batch.images[torch.from_numpy(np.isin(batch.rows, wanted))]
            if len(images):
                embeddings.append(self._embed(images))
                frames.append(images.cpu().contiguous())
        sizes = {tuple(part.shape[2:]) for part in frames}
        if len(sizes) > 1:
            raise ParameterError(f"fit: expected frames of one size, found {sorted(sizes)}")
        n_frames = sum(map(len, frames))
        if n_frames < self.k:
            raise ParameterError(
                f"k: {self.k} nearest normal frames asked for, {n_frames} fitted on; fit on more, or ask for fewer"
            )
        self._embeddings, self._frames = torch.cat(embeddings), torch.cat(frames)
        return self

    def score_batch(self, images: torch.Tensor, *, scenes: Sequence[str] | None = None) -> dict[str, torch.Tensor]:
        """Mean Euclidean distance to the ``k`` nearest normal frames, ``knn``, float32 (B,)."""
        return {"knn": self._nearest_frames(images, self.k).values.mean(dim=1)}

    def heatmap(self, images: torch.Tensor, *, scenes: Sequence[str] | None = None) -> np.ndarray:
        """Distance of each position to the nearest one, wherever, of the nearest normal frames: float32 (B, H, W)."""
        nearest = self._nearest_frames(images, min(self.heatmap_k, self._n_fitted())).indices.cpu()  # (B, heatmap_k)
        maps = []
        with torch.inference_mode():
            for part, rows in zip(images.split(CHUNK_FRAMES), nearest.split(CHUNK_FRAMES), strict=True):
                used, of_each = rows.unique(return_inverse=True)  # (u,), (b, heatmap_k)
                gallery = self._pyramid(self._frames[used])
                queries = self._pyramid(part)
                for index, chosen in enumerate(of_each.tolist()):
                    query = [layer[index] for layer in queries]
                    found = [nearest_position_distances(query, [layer[row] for layer in gallery]) for row in chosen]
                    maps.append(torch.stack(found).amin(dim=0))
            heat = smoothed_resize(torch.stack(maps), tuple(images.shape[2:]), sigma=self.sigma)
        return heat.cpu().numpy()

    def nearest(self, images: torch.Tensor, n: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """The fitted normal frames that frames are most like.

        Parameters
        ----------
        images : uint8 (B, 3, H, W)
            RGB frames of the size that the detector was fitted on.
        n : int
            How many, at most as many as were fitted on.

        Returns
        -------
        distances : float32 (B, n)
            Nearest first.
        positions : int64 (B, n)
            In the order in which `fit` read them, those not counted that it did not keep.

        Raises
        ------
        ParameterError
            If ``n`` is out of range, or as `score_batch`.
        """
        if not 1 <= n <= self._n_fitted():
            raise ParameterError(f"n: expected 1 to the {self._n_fitted()} frames fitted on, found {n}")
        found = self._nearest_frames(images, n)
        return found.values.cpu().numpy(), found.indices.cpu().numpy()

    def parameters(self) -> dict[str, Any]:
        """Constructor arguments, but for network and device."""
        names = ("k", "seed", "pooled", "heatmap_k", "max_fit_frames", "sigma")
        return {"layers": list(self.layers)} | {name: getattr(self, name) for name in names}

    def state(self) -> dict[str, torch.Tensor]:
        """Frames and embeddings."""
        self._n_fitted()
        return {"embeddings": self._embeddings.cpu().contiguous(), "frames": self._frames}

    def set_state(self, state: dict[str, torch.Tensor]) -> None:
        """Take over saved frames and embeddings."""
        self._embeddings, self._frames = state["embeddings"].to(self.device), state["frames"]

    def _drawn_rows(self, reader: Iterable) -> np.ndarray:
        n_kept = min(self.max_fit_frames, reader.n_frames)
        return np.random.default_rng(self.seed).choice(reader.n_frames, n_kept, replace=False)

    def _n_fitted(self) -> int:
        self._require_fitted(self._embeddings is not None)
        return len(self._embeddings)

    def _embed(self, images: torch.Tensor) -> torch.Tensor:
        if self.pooled is None:
            return self.network.embed(images)
        return self.network.features(images, [self.pooled])[self.pooled].mean(dim=(2, 3))

    def _nearest_frames(self, images: torch.Tensor, k: int):
        """Distances to the nearest fitted frames and their rows, nearest first, (B, k) each."""
        self._n_fitted()
        if images.shape[1:] != self._frames.shape[1:]:
            height, width = self._frames.shape[2:]
            raise ParameterError(
                f"images: expected frames of {height}x{width} pixels, as at fit, found {tuple(images.shape[2:])}; "
                "read frames in the size of the fit"
            )
        with torch.inference_mode():
            # Differences, not products: those would lose the small distances of near neighbours.
            distances = torch.cdist(
                self._embed(images), self._embeddings, compute_mode="donot_use_mm_for_euclid_dist"
            )  # (B, n)
            return distances.topk(k, dim=1, largest=False)

    def _pyramid(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Features at the layers' own resolutions, coarse to fine: float32 (B, H_layer, W_layer, C_layer)."""
        layers = self.network.features(images, self.layers).values()
        return sorted((x.permute(0, 2, 3, 1).contiguous() for x in layers), key=lambda x: x.shape[1])


def _require_embedding(network: FeatureNetwork, layers: Sequence[str]) -> None:
    try:
        network.require_embedding()
    except WeightsError as error:
        raise WeightsError(f"{error}; here, pooled={layers[-1]!r} does that") from error

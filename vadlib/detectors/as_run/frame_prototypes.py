"""CLIP prototypes as run: real frames near the centres of few, and a fourth score (notebook cells 44 to 56)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch

from vadlib.detectors.detector import LearnsFrom
from vadlib.detectors.embedding_detector import EmbeddingDetector
from vadlib.detectors.feature_cache import embed_labelled_frames
from vadlib.detectors.prototype_clusters import cluster, nearness
from vadlib.detectors.prototypes import CLASS_NAMES, FRAMES_A_PROTOTYPE
from vadlib.errors import ParameterError

SINGLE_SCORES = ("max", "mean", "topk", "distance")
PROTOTYPES = ("frames", "centres")


class PrototypesAsRun(EmbeddingDetector):
    """Nearness to prototypes of both classes; every departure from `ClipPrototypes` is an argument.

    Scores, each of the anomalous prototypes less that of the normal ones: ``max``, the largest cosine; ``mean``, the
    mean over all prototypes, which is the cosine's with their mean and knows nothing of clusters; ``topk``, the mean of
    the `top_k` largest. ``distance``: of normal less anomalous, the smallest Euclidean. ``ensemble``: their weighted
    mean.

    Parameters
    ----------
    network : network with `embed`
        As run, CLIP ViT-B/32.
    k : int
        Prototypes of each class (as run: 100).
    seed : int
        Of the draw and of K-Means.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` …
    n_frames : int, optional
        Frames of each class that prototypes are made of, drawn from those given, or all where there are fewer (as
        run: 200). None for all.
    prototypes : {"frames", "centres"}
        The frame nearest to each of K-Means' centres, or the centre.
    n_starts : int
        Of K-Means, of which the best is kept.
    top_k : int
        Prototypes that ``topk`` averages.
    weights : sequence of 4 floats
        Of the four scores in the ensemble, in the order above; only their ratios matter. As run, those that are best
        on the test frames, which no detector can know: see `vadlib.studies.ensemble_weights`.
    standardised : bool
        Whether the ensemble takes each score in standard deviations over the frames fitted on; as run, as it is.
    cache : str or Path, optional
        See `EmbeddingDetector`.

    Raises
    ------
    ParameterError
        If a parameter is outside its rule; the message says which.
    """

    title = "Prototypes as run"
    colour = "#8B3F69"
    main_score = "ensemble"
    learns_from = LearnsFrom.LABELLED_FRAMES
    compared = False
    chapter_options: ClassVar = {"k": "n_prototypes"}

    def __init__(
        self,
        network,
        k: int = 100,
        seed: int = 0,
        device: str = "auto",
        *,
        n_frames: int | None = 200,
        prototypes: str = "frames",
        n_starts: int = 10,
        top_k: int = 5,
        weights: Sequence[float] = (1, 1, 1, 1),
        standardised: bool = False,
        cache: str | Path | None = None,
    ):
        if prototypes not in PROTOTYPES:
            raise ParameterError(f"prototypes: expected one of {', '.join(PROTOTYPES)}, found {prototypes!r}")
        for name, value in (("k", k), ("n_starts", n_starts), ("top_k", top_k)):
            if value != int(value) or value < 1:
                raise ParameterError(f"{name}: expected a whole number of at least 1, found {value}")
        if n_frames is not None and n_frames < k:
            raise ParameterError(f"n_frames: expected at least k = {k}, or None for all, found {n_frames}")
        if len(weights) != 4 or not all(math.isfinite(w) and w >= 0 for w in weights) or not any(weights):
            raise ParameterError(
                f"weights: expected four of {', '.join(SINGLE_SCORES)}, 0 or more and not all 0, found {list(weights)}"
            )
        super().__init__(network, device=device, cache=cache)
        self.k, self.seed, self.n_frames = int(k), int(seed), None if n_frames is None else int(n_frames)
        self.prototypes, self.n_starts, self.top_k = prototypes, int(n_starts), int(top_k)
        self.weights, self.standardised = tuple(float(w) for w in weights), bool(standardised)
        self._learnt: dict[str, torch.Tensor] = {}

    @classmethod
    def possible_options(cls, network, options: Mapping[str, Any], n_fit: int | None = None) -> dict[str, Any]:
        """At most a fifth of the frames as prototypes."""
        if n_fit is None:
            return dict(options)
        return {**options, "k": min(options.get("k", 100), max(1, n_fit // FRAMES_A_PROTOTYPE))}

    def fit(self, reader: Iterable) -> Self:
        """Embed a reader's frames, and make prototypes of each class by their labels."""
        embeddings, labels = embed_labelled_frames(self.network, reader, cache=self.cache)
        readable, labels = self.readable_rows(embeddings), np.asarray(labels)
        unit, rng = self.to_unit_rows(embeddings), np.random.default_rng(self.seed)
        learnt = {}
        for label, name in CLASS_NAMES.items():
            rows = np.flatnonzero(readable & (labels == label))
            if len(rows) < self.k:
                raise ParameterError(
                    f"k: {self.k} prototypes of each class asked for, but there are {len(rows)} {name} frames (label "
                    f"{label}); give fewer, or more frames"
                )
            if self.n_frames is not None and len(rows) > self.n_frames:
                rows = np.sort(rng.choice(rows, self.n_frames, replace=False))
            of = cluster(unit.cpu().numpy(), rows, self.k, self.seed, self.device, name, n_starts=self.n_starts)
            learnt[f"rows_{label}"] = torch.from_numpy(of.rows)
            learnt[f"prototypes_{label}"] = unit[of.rows] if self.prototypes == "frames" else of.centres
        self._learnt = learnt
        values = torch.stack(list(self._single_scores(unit[readable]).values())).double()  # (4, n)
        spread = values.std(dim=1, correction=0)
        self._learnt["mean"], self._learnt["spread"] = values.mean(dim=1), torch.where(spread > 1e-6, spread, torch.inf)
        return self

    def require_fitted(self) -> None:
        """Raise NotFittedError before `fit`."""
        self._require_fitted(bool(self._learnt))

    def score_unit_rows(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """The four scores and their ensemble, float32 (B,) each, of embeddings of length 1, float32 (B, D)."""
        scores = self._single_scores(x)
        values = torch.stack(list(scores.values()), dim=1).double()  # (B, 4)
        if self.standardised:
            values = (values - self._learnt["mean"]) / self._learnt["spread"]
        weights = torch.tensor(self.weights, dtype=torch.float64, device=x.device)
        return scores | {"ensemble": (values @ (weights / weights.sum())).float()}

    def _single_scores(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        near = []
        for label in CLASS_NAMES:
            prototypes = self._learnt[f"prototypes_{label}"]
            near.append(nearness(x, prototypes, self.top_k) | {"mean": x @ prototypes.mean(dim=0)})
        normal, anomalous = near
        scores = {name: anomalous[name] - normal[name] for name in SINGLE_SCORES}
        return scores | {"distance": -scores["distance"]}

    def parameters(self) -> dict[str, Any]:
        """Constructor arguments, but for network, device and cache."""
        names = ("k", "seed", "n_frames", "prototypes", "n_starts", "top_k", "standardised")
        return {name: getattr(self, name) for name in names} | {"weights": list(self.weights)}

    def state(self) -> dict[str, torch.Tensor]:
        """Prototypes, the rows of the fit that they are of, or nearest to; each score's mean and spread there."""
        self.require_fitted()
        return {name: values.cpu().contiguous() for name, values in self._learnt.items()}

    def set_state(self, state: dict[str, torch.Tensor]) -> None:
        """Take over what `state` gave."""
        self._learnt = {name: values.to(self.device, copy=True) for name, values in state.items()}

"""CLIP prototypes: how near a frame is to labelled ones, as embedded (paper section 3.3; Radford et al. 2021)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch

from vadlib.detectors.detector import LearnsFrom
from vadlib.detectors.embedding_detector import EmbeddingDetector, unit_rows
from vadlib.detectors.feature_cache import checked_embeddings, embed_labelled_frames
from vadlib.detectors.prototype_clusters import Prototypes, cluster, nearness
from vadlib.errors import ParameterError, ResultsError

MODES = ("two-class", "one-class")
SINGLE_SCORES = ("max", "topk", "distance")
SCORES = (*SINGLE_SCORES, "ensemble")
CLASS_NAMES = {0: "normal", 1: "anomalous"}
FRAMES_A_PROTOTYPE = 5  # fitted frames that each prototype takes at least, where k may be brought down
SMALLEST_SPREAD = 1e-6  # below it, a score's spread is float32's rounding of a constant


class ClipPrototypes(EmbeddingDetector):
    """Nearness to prototypes of labelled frames, in the space of an embedding network.

    With z a frame's embedding, N and A the normal and anomalous prototypes, all of length 1, the scores are

    - ``max``: max over A of z.p - max over N of z.p
    - ``topk``: the same with the mean of the ``top_k`` largest
    - ``distance``: min over N of |z - p| - min over A of |z - p|
    - ``ensemble``: weighted mean of the three, each standardised by the mean and (population) standard deviation it
      has on the *fit* frames.

    In mode ``one-class`` there are normal prototypes only, and the terms of A are left out.

    Parameters
    ----------
    network : network with `embed`
        The paper's is CLIP ViT-B/32; any embedding network serves (see `embed_frames`).
    k : int
        Prototypes of each class (paper: 100).
    seed : int
        Of K-Means: scikit-learn's, k-means++, one start (its default), on one thread, because the order in which
        threads add up would change the last bits from run to run.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` …
    top_k : int
        Prototypes that ``topk`` averages, at most ``k`` (the paper does not say).
    mode : {"two-class", "one-class"}
    score : {"ensemble", "max", "topk", "distance"}
        What `score` takes; `score_columns` gives all.
    weights : sequence of 3 floats
        Of ``max``, ``topk`` and ``distance`` in the ensemble (the paper does not say); only their ratios matter.
    cache : str or Path, optional
        See `EmbeddingDetector`.

    Raises
    ------
    ParameterError
        If a parameter is outside its rule; the message says which.

    Notes
    -----
    An embedding of zeros has no direction: its similarity to any prototype is 0 and its distance 1. A score with
    no spread over the fit frames counts 0 in the ensemble, with a warning. Nothing of this is ever NaN.
    """

    title = "Prototypes"
    colour = "#CC79A7"
    main_score = "ensemble"  # `score` of an instance
    learns_from = LearnsFrom.LABELLED_FRAMES
    variants: ClassVar = {
        "One-class prototypes": {
            "options": {"mode": "one-class"}, "learns_from": LearnsFrom.NORMAL, "colour": "#000000"
        }
    }  # fmt: skip
    chapter_options: ClassVar = {"k": "n_prototypes"}
    varied: ClassVar = {
        "k": (5, 10, 40),
        "top_k": (2, 10, 20),
        "score": SINGLE_SCORES,
        "weights": ("2 1 1", "1 2 1", "1 1 2"),
        "view": ("centre",),
        "mode": ("one-class",),
        "seed": (1, 2, 3, 4),
    }
    paper = "clip"

    def __init__(
        self,
        network,
        k: int = 100,
        seed: int = 0,
        device: str = "auto",
        *,
        top_k: int = 5,
        mode: str = "two-class",
        score: str = "ensemble",
        weights: Sequence[float] = (1, 1, 1),
        cache: str | Path | None = None,
    ):
        for name, value, allowed in (("mode", mode, MODES), ("score", score, SCORES)):
            if value not in allowed:
                raise ParameterError(f"{name}: expected one of {', '.join(allowed)}, found {value!r}")
        if k != int(k) or k < 1:
            raise ParameterError(f"k: expected prototypes of each class, a whole number of at least 1, found {k}")
        if top_k != int(top_k) or not 1 <= top_k <= k:
            raise ParameterError(f"top_k: expected 1 to {k}, the prototypes of each class (k), found {top_k}")
        if len(weights) != 3 or not all(math.isfinite(w) and w >= 0 for w in weights) or not any(weights):
            raise ParameterError(
                f"weights: expected three of {', '.join(SINGLE_SCORES)}, 0 or more and not all 0, found {list(weights)}"
            )
        super().__init__(network, device=device, cache=cache)
        self.k, self.seed, self.top_k = int(k), int(seed), int(top_k)
        self.mode, self.main_score, self.weights = mode, score, tuple(float(w) for w in weights)
        if mode == "one-class":
            self.learns_from = LearnsFrom.NORMAL
        self.prototypes: dict[int, Prototypes] = {}
        self.statistics: np.ndarray | None = None  # float64 (3, 2): a score's mean and spread on fit frames

    @classmethod
    def possible_options(cls, network, options: Mapping[str, Any], n_fit: int | None = None) -> dict[str, Any]:
        """At most a fifth of the frames as prototypes, and no more averaged than there are."""
        options = dict(options)
        if n_fit is not None:
            options["k"] = min(options.get("k", 100), max(1, n_fit // FRAMES_A_PROTOTYPE))
        if "k" in options:
            options["top_k"] = min(options.get("top_k", 5), options["k"])
        return options

    @property
    def classes(self) -> tuple[int, ...]:
        """Labels that have prototypes: 0 and 1, or 0 alone."""
        return (0, 1) if self.mode == "two-class" else (0,)

    def fit(self, reader: Iterable) -> Self:
        """Embed a reader's frames, and learn prototypes of each class by their labels."""
        embeddings, labels = embed_labelled_frames(self.network, reader, cache=self.cache)
        return self.fit_embeddings(embeddings, labels)

    def fit_embeddings(self, embeddings: np.ndarray, labels: np.ndarray) -> Self:
        """Learn from embeddings float32 (n, D) and labels (n,); a row of NaN, a skipped frame, takes no part."""
        embeddings, labels = np.asarray(embeddings), np.asarray(labels)
        readable = self.readable_rows(embeddings)
        rows = self._rows_by_class(labels, readable)
        unit = self.to_unit_rows(embeddings).cpu().numpy()
        found = {c: cluster(unit, rows[c], self.k, self.seed, self.device, CLASS_NAMES[c]) for c in self.classes}
        self.prototypes = found
        scores = self._single_scores(torch.from_numpy(unit[readable]).to(self.device))
        values = torch.stack([scores[name] for name in SINGLE_SCORES]).cpu().numpy().astype(np.float64)  # (3, n)
        self.statistics = np.column_stack([values.mean(axis=1), values.std(axis=1)])
        constant = [n for n, spread in zip(SINGLE_SCORES, self.statistics[:, 1], strict=True) if not _spreads(spread)]
        if constant:
            warnings.warn(
                f"fit: {', '.join(constant)} is the same for all {readable.sum()} fit frames, and counts 0 in the "
                "ensemble; fewer prototypes than frames give it a spread",
                stacklevel=2,
            )
        return self

    def _rows_by_class(self, labels: np.ndarray, readable: np.ndarray) -> dict[int, np.ndarray]:
        if labels.shape != readable.shape or not np.isin(labels, (0, 1)).all():
            raise ParameterError(
                f"labels: expected {len(readable)}, one an embedding, each 0 or 1, found shape {labels.shape} "
                f"with values {np.unique(labels)[:5].tolist()}"
            )
        rows = {c: np.flatnonzero(readable & (labels == c)) for c in CLASS_NAMES}
        counts = {c: len(rows[c]) for c in rows}
        if not readable.any():
            raise ParameterError("fit: the reader gave no frame; give it a table of labelled frames")
        if self.mode == "one-class" and counts[1]:
            raise ParameterError(
                f"fit: mode='one-class' learns from normal frames only, found {counts[1]} anomalous ones (label 1) of "
                f"{readable.sum()}; leave them out, or use mode='two-class'"
            )
        for c in self.classes:
            if not counts[c]:
                advice = "; add some, or use mode='one-class', which needs normal frames only" if c else "; add some"
                raise ParameterError(
                    f"fit: mode={self.mode!r} needs {CLASS_NAMES[c]} frames (label {c}), and of the {readable.sum()} "
                    f"there is none{advice}"
                )
            if counts[c] < self.k:
                raise ParameterError(
                    f"k: {self.k} prototypes of each class asked for, but there are {counts[c]} {CLASS_NAMES[c]} "
                    f"frames (label {c}); give k={counts[c]} or less, or more frames"
                )
        return rows

    def require_fitted(self) -> None:
        """Raise NotFittedError before `fit`."""
        self._require_fitted(self.statistics is not None)

    def _single_scores(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """``max``, ``topk`` and ``distance``, float32 (B,) each, of x float32 (B, D) of length 1."""
        near = {c: nearness(x, prototypes.centres, self.top_k) for c, prototypes in self.prototypes.items()}
        normal = near[0]
        if self.mode == "one-class":
            return {"max": -normal["max"], "topk": -normal["topk"], "distance": normal["distance"]}
        anomalous = near[1]
        return {
            "max": anomalous["max"] - normal["max"],
            "topk": anomalous["topk"] - normal["topk"],
            "distance": normal["distance"] - anomalous["distance"],
        }

    def score_unit_rows(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """The four scores, float32 (B,) each, of embeddings of length 1, float32 (B, D)."""
        scores = self._single_scores(x)
        total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        for name, weight, (mean, spread) in zip(SINGLE_SCORES, self.weights, self.statistics.tolist(), strict=True):
            if _spreads(spread):
                total += weight * (scores[name].double() - mean) / spread
        return scores | {"ensemble": (total / sum(self.weights)).float()}

    def prototype_frames(self, label: int) -> pd.DataFrame:
        """The frame nearest to each prototype of a class: ``prototype``, ``row``, ``n_frames``, ``similarity``."""
        self.require_fitted()
        if label not in self.classes:
            raise ParameterError(f"label: mode={self.mode!r} has prototypes of {list(self.classes)}, not of {label!r}")
        of = self.prototypes[label]
        numbers = np.arange(len(of.rows))
        return pd.DataFrame(
            {"prototype": numbers, "row": of.rows, "n_frames": of.n_frames, "similarity": of.similarity}
        )

    def nearest_prototypes(self, images: torch.Tensor, n: int = 1) -> pd.DataFrame:
        """The `n` prototypes of each class most similar to each frame, by rank, and the fit frame nearest to each."""
        self.require_fitted()
        if not 1 <= n <= min(len(of.rows) for of in self.prototypes.values()):
            raise ParameterError(f"n: expected 1 to the number of prototypes of a class (k={self.k}), found {n}")
        with torch.inference_mode():
            x = unit_rows(checked_embeddings(self.network, images))  # (B, D)
            tables = []
            for label, of in self.prototypes.items():
                similarity, numbers = (t.cpu().numpy() for t in (x @ of.centres.T).topk(n, dim=1))  # (B, n)
                image, rank = np.indices(numbers.shape)
                columns = {"image": image, "label": np.full_like(image, label), "rank": rank, "prototype": numbers}
                columns |= {"similarity": similarity, "row": of.rows[numbers]}
                tables.append(pd.DataFrame({name: values.ravel() for name, values in columns.items()}))
        return pd.concat(tables).sort_values(["image", "label", "rank"], ignore_index=True)

    def parameters(self) -> dict[str, Any]:
        """Constructor arguments, but for network, device and cache."""
        return {
            "k": self.k,
            "seed": self.seed,
            "top_k": self.top_k,
            "mode": self.mode,
            "score": self.main_score,
            "weights": list(self.weights),
        }

    def state(self) -> dict[str, torch.Tensor]:
        """Prototypes, their frames, and the statistics of the ensemble."""
        self.require_fitted()
        state = {"statistics": torch.from_numpy(self.statistics.copy())}
        for label, of in self.prototypes.items():
            state[f"centres_{label}"] = of.centres.cpu().contiguous()
            for name in ("rows", "n_frames", "similarity"):
                state[f"{name}_{label}"] = torch.from_numpy(getattr(of, name).copy())
        return state

    def set_state(self, state: dict[str, torch.Tensor]) -> None:
        """Take over what `state` gave; ResultsError where something of it is missing."""
        try:
            found = {
                c: Prototypes(
                    state[f"centres_{c}"].to(self.device, copy=True),
                    *(state[f"{name}_{c}"].numpy().copy() for name in ("rows", "n_frames", "similarity")),
                )
                for c in self.classes
            }
            statistics = state["statistics"].numpy().copy()
        except KeyError as error:
            raise ResultsError(f"load: the saved ClipPrototypes lacks {error}; fit and save it again") from error
        self.prototypes, self.statistics = found, statistics


def _spreads(spread: float) -> bool:
    return spread > SMALLEST_SPREAD

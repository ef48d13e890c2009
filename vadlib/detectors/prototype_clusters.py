"""Prototypes of one class by K-Means, and how near embeddings are to them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from vadlib.detectors.embedding_detector import unit_rows

SAME_SIMILARITY = 1e-5  # frames this close are equally near to a prototype


@dataclass(frozen=True)
class Prototypes:
    """Prototypes of one class, and the frame nearest to each.

    Attributes
    ----------
    centres : float32 (P, D)
        Of length 1, on the detector's device.
    rows : int64 (P,)
        Position in the fit table of the frame, of those in the prototype's cluster, that is most similar to it (to
        1e-5: the first of those).
    n_frames : int64 (P,)
        Frames in the cluster, at least 1.
    similarity : float32 (P,)
        Cosine of that frame to the prototype.
    """

    centres: torch.Tensor
    rows: np.ndarray
    n_frames: np.ndarray
    similarity: np.ndarray


def nearness(x: torch.Tensor, centres: torch.Tensor, top_k: int) -> dict[str, torch.Tensor]:
    """Best and mean of the best cosine similarities, and distance to the nearest, of x (B, D) to centres (P, D)."""
    similarity = x @ centres.T  # (B, P)
    best = similarity.topk(min(top_k, len(centres)), dim=1).values  # (B, top_k)
    nearest = (centres.square().sum(dim=1) - 2 * similarity).argmin(dim=1)  # a centre of zeros has another length
    # Not the root of 2 - 2 z.p: near 0 that turns a rounding of 1e-7 into a distance of 3e-4.
    distance = torch.linalg.vector_norm(x - centres[nearest], dim=1)
    return {"max": best[:, 0], "topk": best.mean(dim=1), "distance": distance}


def cluster(
    unit: np.ndarray, rows: np.ndarray, k: int, seed: int, device: torch.device, name: str, *, n_starts: int = 1
) -> Prototypes:
    """K-Means of the given rows of `unit` (n, D), the best of some starts; centres of length 1."""
    x = unit[rows]  # (n_class, D)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct points than k: said below, with numbers
        fitted = KMeans(k, n_init=n_starts, random_state=seed).fit(x)
    n_frames = np.bincount(fitted.labels_, minlength=k)
    used = np.flatnonzero(n_frames)
    if len(used) < k:
        warnings.warn(
            f"fit: the {len(rows)} {name} frames have fewer than {k} distinct embeddings, so there are {len(used)} "
            f"prototypes of them, not k={k}; draw frames further apart, or give a smaller k",
            stacklevel=4,
        )
    centres = unit_rows(torch.from_numpy(fitted.cluster_centers_))  # (k, D)
    similarity = np.einsum("nd,nd->n", x, centres.numpy()[fitted.labels_])
    best = np.full(k, -np.inf, np.float32)
    np.maximum.at(best, fitted.labels_, similarity)
    # The two frames of a pair are equally near to their mean: rounding must not choose between them, so the first is.
    nearest = np.flatnonzero(similarity >= best[fitted.labels_] - SAME_SIMILARITY)
    first = nearest[np.unique(fitted.labels_[nearest], return_index=True)[1]]
    return Prototypes(
        centres[used].to(device), rows[first].astype(np.int64), n_frames[used].astype(np.int64), similarity[first]
    )

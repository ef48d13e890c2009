"""Weights of an ensemble by a grid, chosen on the very frames that are tested, or on clips that are not."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
from scipy.stats import rankdata

from vadlib.errors import ParameterError
from vadlib.evaluation.metrics import check_labels_scores

STEPS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # of each weight: 1,296 combinations of four
VALUES_AT_ONCE = 2**22


def best_weights(labels, scores) -> np.ndarray:
    """The weights of the grid whose mean of the scores has the highest AUROC on these labels.

    As the paper's author chose the ensemble of CLIP's scores (notebook cell 50), on the frames that were then reported.
    What comes of it is no estimate of anything on other frames: it is the highest of as many as the grid has.

    Parameters
    ----------
    labels : (n,)
        0 and 1, both there.
    scores : (n, k)
        Finite.

    Returns
    -------
    float64 (k,)
        Their sum is 1; of equally good ones the first of the grid, in which the last weight changes fastest.
    """
    scores = np.asarray(scores, np.float64)
    if scores.ndim != 2 or not scores.shape[1]:
        raise ParameterError(f"scores: expected (frames, scores), found {scores.shape}")
    labels = check_labels_scores(labels, scores[:, 0])[0]
    for column in scores.T[1:]:
        check_labels_scores(labels, column)
    grid = _grid(scores.shape[1])
    n_rows = max(1, VALUES_AT_ONCE // len(scores))
    aurocs = [_aurocs(labels, rows @ scores.T) for rows in np.split(grid, range(n_rows, len(grid), n_rows))]
    return grid[np.concatenate(aurocs).argmax()]


def weights_from_other_clips(labels, scores, clips, *, n_folds: int = 5, seed: int = 0) -> np.ndarray:
    """For each frame the weights that are best on the clips of other folds, float64 (n, k): no frame chooses its own.

    Parameters
    ----------
    labels, scores
        As for `best_weights`.
    clips : (n,)
        Clip of each frame; clips are dealt to the folds by the seed, those with anomalous frames first.
    n_folds : int
        At most as many as there are clips.
    seed : int

    Raises
    ------
    ParameterError
        Fewer clips than folds, or clips outside a fold that have one class alone.
    """
    labels, scores = np.asarray(labels), np.asarray(scores, np.float64)
    names, of_frames = np.unique(np.asarray(clips).astype(str), return_inverse=True)
    if not 2 <= n_folds <= len(names):
        raise ParameterError(f"n_folds: expected 2 to {len(names)}, the clips there are, found {n_folds}")
    shuffled = np.random.default_rng(seed).permutation(len(names))
    anomalous = np.bincount(of_frames, weights=labels, minlength=len(names)) > 0
    dealt = shuffled[np.argsort(~anomalous[shuffled], kind="stable")]
    folds = np.empty(len(names), np.int64)
    folds[dealt] = np.arange(len(names)) % n_folds
    weights = np.empty(scores.shape)
    for fold in range(n_folds):
        own = folds[of_frames] == fold
        if len(np.unique(labels[~own])) < 2:
            raise ParameterError(f"clips: those outside fold {fold + 1} of {n_folds} have one class alone; use fewer")
        weights[own] = best_weights(labels[~own], scores[~own])
    return weights


@cache
def _grid(n_scores: int) -> np.ndarray:
    """All combinations but zeros, each divided by its sum, those that then are the same once: float64 (m, k)."""
    grid = np.array([weights for weights in product(STEPS, repeat=n_scores) if any(weights)])
    grid = grid / grid.sum(axis=1, keepdims=True)
    first = np.unique(grid.round(12), axis=0, return_index=True)[1]
    return grid[np.sort(first)]


def _aurocs(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """AUROC of each row of (m, n), by ranks."""
    n_anomalous = int(labels.sum())
    ranks = rankdata(scores, axis=1)[:, labels == 1].sum(axis=1)
    return (ranks - n_anomalous * (n_anomalous + 1) / 2) / (n_anomalous * (len(labels) - n_anomalous))

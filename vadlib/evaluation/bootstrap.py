"""Whole clips drawn again and again, and the AUROC of each draw with its standard error: what the intervals rest on.

A resample gives cluster c the weight w_c, the number of times that it was drawn, and its AUROC is exactly

    w' A w / ((w' p) (w' n)),   A[c, d] = sum of [s_i > s_j] + [s_i = s_j] / 2 over anomalous i in c, normal j in d,

with p and n the clusters' numbers of anomalous and normal frames. A is counted once; each resample then costs one
small quadratic form. With too many clusters for A, ranks are summed under the weights instead; same values.
The derivative of that quotient by w_c, cluster c's *influence*, comes with it at the cost of one more product, and
its weighted root sum of squares is the resample's standard error (Obuchowski 1997, Biometrics 53, in other words).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vadlib.errors import ParameterError
from vadlib.evaluation.metrics import auroc, check_labels_scores

MAX_PAIR_CLUSTERS = 512  # beyond this the pair matrix costs more than it saves
BLOCK_BYTES = 32 * 2**20  # weights held at once
ROWS_AT_ONCE = 512  # resamples whose influences are held at once
MAX_REDRAWS = 1000  # rounds of drawing again the resamples that held one class only


@dataclass(frozen=True)
class Resampled:
    """One contrast of AUROCs (one detector's own, or one minus another's) and its resamples."""

    estimate: float  # on the frames as they are
    # Its standard error by the jackknife that leaves out one cluster at a time; by the influences where a cluster holds
    # all frames of a class.
    error: float
    without: np.ndarray  # float64 (C,): the contrast without each cluster; NaN where only one class is left
    n_scarcer: int  # clusters that hold frames of the class which fewer clusters hold
    values: np.ndarray  # float64 (n_resamples,): the contrast on each resample
    errors: np.ndarray  # float64 (n_resamples,): its standard error there, by the influences


def resample(labels, columns, contrasts, *, clusters, n_resamples, seed) -> list[Resampled]:
    """Each contrast of the columns' AUROCs on the same resamples of the clusters.

    `contrasts` (m, k) weighs the AUROCs of the k columns of scores (n,): ``[[1]]`` is one detector's own, ``[[1, -1]]``
    a difference. `clusters` None takes each frame alone.
    """
    checked = [check_labels_scores(labels, scores)[1] for scores in columns]
    labels = check_labels_scores(labels, columns[0])[0]
    codes, p, n = cluster_sizes(labels, clusters)
    contrasts = np.asarray(contrasts, dtype=np.float64)  # (m, k)
    counter = PairMatrix if len(p) <= MAX_PAIR_CLUSTERS else PairRanks
    counters = [counter(labels, scores, codes, len(p)) for scores in checked]
    values, errors = [], []
    for block in resample_weights(p, n, n_resamples, seed):
        for weights in np.array_split(block, -(-len(block) // ROWS_AT_ONCE)):  # (b, C)
            at, influence = _at_weights(counters, weights, p, n)
            values.append(contrasts @ at)
            errors.append(_linear_errors(contrasts, influence, weights))
    values, errors = np.concatenate(values, axis=1), np.concatenate(errors, axis=1)  # (m, n_resamples)

    everything = np.ones((1, len(p)))
    linear = _linear_errors(contrasts, _at_weights(counters, everything, p, n)[1], everything)[:, 0]  # (m,)
    without = contrasts @ np.array([_leave_one_out(count, p, n) for count in counters])  # (m, C)
    spread = np.sqrt((len(p) - 1) * without.var(axis=1))
    exact = np.array([auroc(labels, scores) for scores in checked])
    return [
        Resampled(float(estimate), float(error), left, int(min((p > 0).sum(), (n > 0).sum())), *drawn)
        for estimate, error, left, *drawn in zip(
            contrasts @ exact, np.where(np.isfinite(spread), spread, linear), without, values, errors, strict=True
        )
    ]


def cluster_sizes(labels, clusters) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each frame's cluster as a number, and the clusters' anomalous and normal frames: (n,), (C,), (C,)."""
    if clusters is None:
        codes = np.arange(len(labels))
    else:
        clusters = np.asarray(clusters)
        if clusters.shape != labels.shape:
            raise ParameterError(f"clusters must name one cluster a frame, {labels.shape}; got {clusters.shape}.")
        codes, _ = pd.factorize(clusters, sort=True)
        if (codes < 0).any():
            raise ParameterError(f"clusters: {int((codes < 0).sum())} frames have none (NaN); name one for each.")
    anomalous = np.bincount(codes, weights=labels)
    if len(anomalous) < 2:
        raise ParameterError("clusters: all frames are in one, so resampling shows no spread; give at least two clips.")
    return codes, anomalous, np.bincount(codes) - anomalous


def resample_weights(p, n, n_resamples, seed) -> Iterator[np.ndarray]:
    """Weights of `n_resamples` resamples of the clusters, each with both classes: blocks of float64 (b, C)."""
    if n_resamples < 1:
        raise ParameterError(f"n_resamples must be at least 1; got {n_resamples!r}.")
    rng, size = np.random.default_rng(seed), len(p)
    per_block = max(1, BLOCK_BYTES // (16 * size))
    missing, rounds = n_resamples, 0
    while missing:
        rounds += 1
        if rounds > MAX_REDRAWS + n_resamples / per_block:
            raise ParameterError(
                f"clusters: after {rounds} rounds {missing} of {n_resamples} resamples still hold one class only; "
                f"{int((p > 0).sum())} clusters have anomalous frames and {int((n > 0).sum())} normal ones."
            )
        rows = min(per_block, missing)
        drawn = rng.integers(0, size, size=(rows, size)) + np.arange(rows)[:, None] * size
        weights = np.bincount(drawn.ravel(), minlength=rows * size).reshape(rows, size).astype(np.float64)
        weights = weights[(weights @ p > 0) & (weights @ n > 0)]
        missing -= len(weights)
        if len(weights):
            yield weights


class PairMatrix:
    """Pairs won between any two clusters, counted once: A (C, C)."""

    def __init__(self, labels, scores, codes, n_clusters):
        _, ranks = np.unique(scores, return_inverse=True)
        n_ranks = int(ranks.max()) + 1
        anomalous, from_cluster = ranks[labels], codes[labels]
        self.won = np.zeros((n_clusters, n_clusters))
        for d in np.unique(codes[~labels]):
            normal = np.bincount(ranks[~labels & (codes == d)], minlength=n_ranks)
            up_to = np.concatenate([[0], np.cumsum(normal)])  # up_to[r] = normal frames of d with a rank below r
            below_twice = up_to[anomalous] + up_to[anomalous + 1]  # a tie is in the second only: half
            self.won[:, d] = np.bincount(from_cluster, weights=below_twice, minlength=n_clusters) / 2
        self.inside = np.diag(self.won)  # (C,) pairs won within a cluster

    def __call__(self, weights) -> tuple[np.ndarray, np.ndarray]:
        """Pairs that each cluster's anomalous frames win, and that its normal frames lose: (b, C) each."""
        return weights @ self.won.T, weights @ self.won


class PairRanks:
    """As `PairMatrix`, by weighted ranks: any number of clusters, at the cost of a few passes over frames a row."""

    def __init__(self, labels, scores, codes, n_clusters):
        self.n_clusters = n_clusters
        order = np.argsort(scores, kind="stable")
        labels, scores, codes = labels[order], scores[order], codes[order]
        x, y = scores[labels], scores[~labels]
        self.anomalous, self.normal = codes[labels], codes[~labels]  # each frame's cluster, by rising score
        self.below = np.searchsorted(y, x, side="left"), np.searchsorted(y, x, side="right")  # normal: below, up to
        self.up_to = np.searchsorted(x, y, side="left"), np.searchsorted(x, y, side="right")  # anomalous likewise
        within = pd.Series(scores).groupby(codes).rank().to_numpy()
        p = np.bincount(self.anomalous, minlength=n_clusters)
        self.inside = np.bincount(self.anomalous, weights=within[labels], minlength=n_clusters) - p * (p + 1) / 2

    def __call__(self, weights) -> tuple[np.ndarray, np.ndarray]:
        """Pairs that each cluster's anomalous frames win, and that its normal frames lose: (b, C) each."""
        won, lost = np.empty_like(weights), np.empty_like(weights)
        for row, of_anomalous, of_normal in zip(weights, won, lost, strict=True):
            beaten = _half_ties(np.cumsum(row[self.normal]), self.below)  # weight that each anomalous frame beats
            anomalous = np.cumsum(row[self.anomalous])
            beating = anomalous[-1] - _half_ties(anomalous, self.up_to)  # weight that beats each normal frame
            of_anomalous[:] = np.bincount(self.anomalous, beaten, self.n_clusters)
            of_normal[:] = np.bincount(self.normal, beating, self.n_clusters)
        return won, lost


def _half_ties(cumulated, counts):
    """Weight of the other class below each frame, half of what equals it: (others,), two of (frames,) -> (frames,)."""
    through = np.concatenate([[0.0], cumulated])
    below = through[counts[0]]
    below += through[counts[1]]
    below /= 2
    return below


def _at_weights(counters, weights, p, n) -> tuple[np.ndarray, list[np.ndarray]]:
    """AUROC of each column under each row of weights, (k, b), and each cluster's influence on it, k of (b, C)."""
    anomalous, normal = (weights @ p)[:, None], (weights @ n)[:, None]  # (b, 1)
    shares = p / anomalous + n / normal  # (b, C)
    values, influences = [], []
    for count in counters:
        won, lost = count(weights)
        value = (won * weights).sum(axis=1) / (anomalous * normal)[:, 0]
        won += lost
        won /= anomalous * normal
        won -= value[:, None] * shares
        values.append(value)
        influences.append(won)
    return np.array(values), influences


def _linear_errors(contrasts, influences, weights) -> np.ndarray:
    """Standard error of each contrast under each row of weights, from the influences: (m, b)."""
    size = weights.shape[1]
    errors = []
    for contrast in contrasts:
        used = np.flatnonzero(contrast)
        influence = sum(contrast[i] * influences[i] for i in used)  # (b, C)
        errors.append(np.sqrt(size / (size - 1) * np.einsum("bc,bc,bc->b", weights, influence, influence)))
    return np.array(errors)


def _leave_one_out(count, p, n) -> np.ndarray:
    """AUROC without each cluster, (C,); NaN where one class is left."""
    won, lost = (half[0] for half in count(np.ones((1, len(p)))))
    pairs = (p.sum() - p) * (n.sum() - n)
    return np.divide(won.sum() - won - lost + count.inside, pairs, out=np.full(len(p), np.nan), where=pairs > 0)

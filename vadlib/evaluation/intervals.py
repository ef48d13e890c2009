"""Intervals for AUROC: how far the number would move had other clips been filmed.

Frames of one clip are not independent, so the bootstrap draws whole clips ("clusters"). A resample gives cluster c
the weight w_c, the number of times that it was drawn, and its AUROC is exactly

    w' A w / ((w' p) (w' n)),   A[c, d] = sum of [s_i > s_j] + [s_i = s_j] / 2 over anomalous i in c, normal j in d,

with p and n the clusters' numbers of anomalous and normal frames. A is counted once; each resample then costs one
small quadratic form. With too many clusters for A, ranks are summed under the weights instead; same values.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from vadlib.errors import ParameterError
from vadlib.evaluation.metrics import auroc, check_labels_scores

MAX_PAIR_CLUSTERS = 512  # beyond this the pair matrix costs more than it saves
BLOCK_BYTES = 32 * 2**20  # weights held at once
MAX_REDRAWS = 1000  # rounds of drawing again the resamples that held one class only


@dataclass(frozen=True)
class Interval:
    """An estimate and the interval around it; `f"{interval:.3f}"` reads `0.603 [0.551, 0.648]`."""

    estimate: float
    low: float
    high: float
    level: float = 0.95

    def __format__(self, spec: str) -> str:
        """The estimate by `spec` (three decimals if empty) and the bounds likewise."""
        spec = spec or ".3f"
        return f"{self.estimate:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"

    def __str__(self) -> str:
        """Three decimals."""
        return format(self, "")


@dataclass(frozen=True)
class RocBand:
    """A ROC curve with its pointwise interval: float64 (g,) each, `fpr` the common grid."""

    fpr: np.ndarray
    tpr: np.ndarray
    low: np.ndarray
    high: np.ndarray
    level: float = 0.95


def bootstrap_auroc(labels, scores, *, clusters=None, n_resamples=1000, level=0.95, seed=0) -> Interval:
    """AUROC with its percentile bootstrap interval over clusters.

    As many clusters as there are are drawn with replacement, `n_resamples` times, by
    `np.random.default_rng(seed).integers(0, C, size=(n_resamples, C))` over the clusters in sorted order. Resamples
    that hold one class only are drawn again, in order, by the same generator.

    Parameters
    ----------
    labels, scores : (n,)
        As in `vadlib.evaluation.metrics`.
    clusters : (n,), optional
        Each frame's clip. None takes each frame alone, which is too narrow for video.
    n_resamples : int
    level : float
        In (0, 1): the share of resamples inside the interval.
    seed : int or np.random.Generator

    Returns
    -------
    Interval

    Raises
    ------
    ParameterError
        As `auroc`; fewer than two clusters; `level` or `n_resamples` out of range; hardly a resample with both classes.

    References
    ----------
    Field and Welsh (2007), "Bootstrapping clustered data", J. R. Stat. Soc. B 69: the cluster bootstrap.
    """
    values = _bootstrap_values(labels, [scores], clusters, n_resamples, level, seed)[0]
    return _interval(auroc(labels, scores), values, level)


def bootstrap_difference(
    labels, scores_a, scores_b, *, clusters=None, n_resamples=1000, level=0.95, seed=0
) -> Interval:
    """AUROC of `scores_a` minus that of `scores_b`, both taken on the same resamples of the same frames.

    Parameters
    ----------
    labels, scores_a, scores_b : (n,)
    clusters, n_resamples, level, seed
        As in `bootstrap_auroc`.

    Returns
    -------
    Interval
        Above 0 where `a` is the better; an interval that holds 0 says that these clips do not tell them apart.

    Raises
    ------
    ParameterError
        As `bootstrap_auroc`.
    """
    a, b = _bootstrap_values(labels, [scores_a, scores_b], clusters, n_resamples, level, seed)
    return _interval(auroc(labels, scores_a) - auroc(labels, scores_b), a - b, level)


def bootstrap_roc_band(labels, scores, *, clusters=None, n_resamples=1000, level=0.95, seed=0, n_points=201) -> RocBand:
    """The ROC curve with a band: at each false-positive rate, the percentile interval of the true-positive rate.

    Parameters
    ----------
    labels, scores : (n,)
    clusters, n_resamples, level, seed
        As in `bootstrap_auroc`; the resamples are the same.
    n_points : int
        False-positive rates, spread evenly over [0, 1].

    Returns
    -------
    RocBand
        Pointwise: the whole curve leaves the band more often than one point of it does.

    Raises
    ------
    ParameterError
        As `bootstrap_auroc`.
    """
    labels, scores = check_labels_scores(labels, scores)
    codes, p, n = _clusters(labels, clusters)
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    labels, codes = labels[order], codes[order]
    grid = np.linspace(0, 1, n_points)

    def curve(frame_weights):  # (n,) -> (g,)
        tp = np.cumsum(frame_weights * labels)[last_of_tie]
        fp = np.cumsum(frame_weights)[last_of_tie] - tp
        # repeated abscissae: np.interp takes the last, the top of a vertical step
        return np.interp(grid, np.append(0, fp / fp[-1]), np.append(0, tp / tp[-1]))

    curves = [curve(weights[codes]) for block in _resamples(p, n, n_resamples, level, seed) for weights in block]
    low, high = np.quantile(curves, _tails(level), axis=0)
    return RocBand(grid, curve(np.ones(len(codes))), low, high, level)


def delong_auroc(labels, scores, *, level=0.95) -> Interval:
    """AUROC with DeLong's interval, which takes every frame as independent.

    Frames of a clip are not, so for video this is too narrow; it is here to show by how much.

    Parameters
    ----------
    labels, scores : (n,)
    level : float
        In (0, 1).

    Returns
    -------
    Interval
        Normal approximation, cut to [0, 1].

    Raises
    ------
    ParameterError
        As `auroc`; fewer than two frames of a class; `level` out of range.

    References
    ----------
    DeLong et al. (1988), Biometrics 44; Sun and Xu (2014), IEEE Signal Processing Letters 21: by midranks.
    """
    _tails(level)
    labels, scores = check_labels_scores(labels, scores)
    x, y = scores[labels], scores[~labels]
    if min(len(x), len(y)) < 2:
        raise ParameterError(
            f"labels: DeLong's variance needs two frames of each class; got {len(x)} anomalous and {len(y)} normal."
        )
    ranks = rankdata(scores)
    v10 = (ranks[labels] - rankdata(x)) / len(y)  # share of normal frames below each anomalous one
    v01 = 1 - (ranks[~labels] - rankdata(y)) / len(x)  # share of anomalous frames above each normal one
    spread = np.sqrt(v10.var(ddof=1) / len(x) + v01.var(ddof=1) / len(y))
    estimate, reach = float(v10.mean()), NormalDist().inv_cdf(0.5 + level / 2) * float(spread)
    return Interval(estimate, max(0.0, estimate - reach), min(1.0, estimate + reach), level)


def _bootstrap_values(labels, columns, clusters, n_resamples, level, seed) -> np.ndarray:
    """AUROC of each score column on each resample, the same resamples for all: float64 (columns, n_resamples)."""
    checked = [check_labels_scores(labels, scores)[1] for scores in columns]
    labels = check_labels_scores(labels, columns[0])[0]
    codes, p, n = _clusters(labels, clusters)
    wins = _pair_wins if len(p) <= MAX_PAIR_CLUSTERS else _rank_wins
    counters = [wins(labels, scores, codes, len(p)) for scores in checked]
    blocks = []
    for weights in _resamples(p, n, n_resamples, level, seed):  # (b, C)
        pairs = (weights @ p) * (weights @ n)  # (b,)
        blocks.append([count(weights) / pairs for count in counters])
    return np.concatenate(blocks, axis=1)


def _clusters(labels, clusters):
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


def _resamples(p, n, n_resamples, level, seed) -> Iterator[np.ndarray]:
    """Weights of `n_resamples` resamples of the clusters, each with both classes: blocks of float64 (b, C)."""
    _tails(level)
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


def _pair_wins(labels, scores, codes, n_clusters):
    """A function from weights (b, C) to the weighted number of pairs won (b,), by the pair matrix A (C, C)."""
    _, ranks = np.unique(scores, return_inverse=True)
    n_ranks = int(ranks.max()) + 1
    anomalous, from_cluster = ranks[labels], codes[labels]
    twice = np.zeros((n_clusters, n_clusters))
    for d in np.unique(codes[~labels]):
        normal = np.bincount(ranks[~labels & (codes == d)], minlength=n_ranks)
        up_to = np.concatenate([[0], np.cumsum(normal)])  # up_to[r] = normal frames of d with a rank below r
        below_twice = up_to[anomalous] + up_to[anomalous + 1]  # a tie is in the second only: half
        twice[:, d] = np.bincount(from_cluster, weights=below_twice, minlength=n_clusters)
    return lambda weights: ((weights @ twice) * weights).sum(axis=1) / 2


def _rank_wins(labels, scores, codes, n_clusters):
    """As `_pair_wins`, by weighted ranks: any number of clusters, at the cost of one pass over frames a resample."""
    # with ties counted for the anomalous frame, and against it; half the sum counts them half
    for_order = np.lexsort((labels, scores))
    against_order = np.lexsort((~labels, scores))
    has_ties = len(np.unique(scores)) < len(scores)
    orders = [for_order, against_order] if has_ties else [for_order]
    prepared = [(codes[order], labels[order]) for order in orders]

    def wins(frame_weights, anomalous):  # (n,), (n,)
        below = np.cumsum(np.where(anomalous, 0.0, frame_weights))
        return below[anomalous] @ frame_weights[anomalous]

    return lambda weights: np.array(
        [np.mean([wins(row[cluster], anomalous) for cluster, anomalous in prepared]) for row in weights]
    )


def _interval(estimate, values, level) -> Interval:
    low, high = np.quantile(values, _tails(level))
    return Interval(float(estimate), float(low), float(high), float(level))


def _tails(level) -> tuple[float, float]:
    if not 0 < level < 1:
        raise ParameterError(f"level must lie between 0 and 1, such as 0.95; got {level!r}.")
    return (1 - level) / 2, (1 + level) / 2

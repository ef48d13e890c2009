"""Several detectors on the same frames: which differ, and how much of a difference is the seed's.

Two kinds of chance are kept apart. *Clips*: had others been filmed, the AUROC would be another; an interval over clips
says by how much, and for two detectors on the same frames the interval of their difference is the narrower one.
*Seeds*: had the same method drawn other numbers, so would it; more clips do not mend that, and more seeds do not mend
the first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from vadlib.errors import ParameterError
from vadlib.evaluation.bootstrap import resample
from vadlib.evaluation.bootstrap_intervals import bounds, check_level, p_value
from vadlib.evaluation.intervals import Interval


def compare_all(labels, scores, *, clusters, n_resamples=5000, level=0.95, seed=0) -> pd.DataFrame:
    """Every pair of detectors on the same resamples of the same clips, with Holm's correction.

    Of ten comparisons of detectors that are all alike, two in five tables would show a difference at 95 % by chance.
    Holm's correction keeps the chance of *any* false verdict in the table at `1 - level`.

    Parameters
    ----------
    labels : (n,)
    scores : mapping of name to (n,), or DataFrame
        A column for each detector; at least two.
    clusters : (n,)
        Each frame's clip.
    n_resamples : int
        No p-value can be below 1 / (n_resamples + 1), so more pairs need more.
    level : float
        In (0, 1).
    seed : int or np.random.Generator

    Returns
    -------
    DataFrame
        A row for each pair, in the order of the columns: ``a``, ``b``; ``estimate``, ``low``, ``high`` of AUROC of a
        minus AUROC of b, the interval of that pair alone; ``p_value`` (by the same resamples: at most ``1 - level``
        exactly where that interval leaves 0 out) and ``p_adjusted`` (Holm); ``better``: the name of the better one
        where ``p_adjusted`` is at most ``1 - level``, else an empty text: these clips do not tell them apart.

    Raises
    ------
    ParameterError
        As `bootstrap_auroc`; fewer than two detectors; too few resamples for so many pairs.

    References
    ----------
    Holm (1979), "A simple sequentially rejective multiple test procedure", Scand. J. Stat. 6.
    """
    names = list(scores)
    if len(names) < 2:
        raise ParameterError(f"scores: a comparison needs at least two detectors; got {names}.")
    pairs = list(combinations(range(len(names)), 2))
    needed = int(np.ceil(len(pairs) / (1 - check_level(level)) - 1e-9)) - 1
    if n_resamples < needed:
        raise ParameterError(
            f"n_resamples: {len(pairs)} pairs at level {level} need at least {needed}, or no verdict can be reached; "
            f"got {n_resamples!r}."
        )
    contrasts = np.zeros((len(pairs), len(names)))
    for row, (a, b) in zip(contrasts, pairs, strict=True):
        row[a], row[b] = 1, -1
    columns = [np.asarray(scores[name]) for name in names]
    found = resample(labels, columns, contrasts, clusters=clusters, n_resamples=n_resamples, seed=seed)
    rows = []
    for (a, b), resampled in zip(pairs, found, strict=True):
        low, high = bounds(resampled, level=level, method="studentized", difference=True)
        rows.append((names[a], names[b], resampled.estimate, low, high, p_value(resampled)))
    table = pd.DataFrame(rows, columns=["a", "b", "estimate", "low", "high", "p_value"])
    table["p_adjusted"] = holm(table["p_value"])
    better = np.where(table["estimate"] > 0, table["a"], table["b"])
    table["better"] = np.where(table["p_adjusted"] <= 1 - level + 1e-12, better, "")
    return table


def holm(p_values) -> np.ndarray:
    """p-values (m,) adjusted for their number: where at most alpha is rejected, any false rejection has that chance.

    The hypotheses may depend on one another in any way. In the same order: the largest, over the i-th smallest up to
    its own, of (m - i + 1) p, at most 1. ParameterError where none is given, or one is outside [0, 1].
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    if p_values.ndim != 1 or not len(p_values) or not ((p_values >= 0) & (p_values <= 1)).all():
        raise ParameterError(f"p_values must be numbers in [0, 1], one a hypothesis; got {p_values}.")
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.maximum.accumulate(np.arange(len(p_values), 0, -1) * p_values[order])
    return np.minimum(adjusted, 1)


@dataclass(frozen=True)
class SeedSpread:
    """How far an AUROC moves with the seed, beside how far it moves with the clips."""

    estimates: tuple[float, ...]  # one a seed
    mean: float
    standard_deviation: float | None  # over seeds, with n - 1; None for a single seed
    low: float  # the smallest estimate
    high: float  # the largest
    clips: Interval  # over clips

    @property
    def n_seeds(self) -> int:
        """How many seeds there are."""
        return len(self.estimates)

    @property
    def share_of_clips(self) -> float | None:
        """The range over seeds as a part of the width of the interval over clips; None where that has no width."""
        width = self.clips.high - self.clips.low
        return (self.high - self.low) / width if width > 0 else None

    def __str__(self) -> str:
        """As `0.603 ± 0.004 over 5 seeds, 0.603 [0.551, 0.648] over clips`."""
        seeds = "one seed" if self.n_seeds == 1 else f"{self.n_seeds} seeds"
        spread = "" if self.standard_deviation is None else f" ± {self.standard_deviation:.3f}"
        return f"{self.mean:.3f}{spread} over {seeds}, {self.clips} over clips"


def spread_over_seeds(estimates: Sequence[float], clips: Interval) -> SeedSpread:
    """Estimates of several seeds, all on the same frames, beside an interval over clips that is already there.

    `clips` is the interval of one of the seeds, or of their mean (`auroc_over_seeds`). ParameterError where there is no
    estimate, or one is not a finite number.
    """
    values = np.asarray(list(estimates), dtype=np.float64)
    if not len(values) or not np.isfinite(values).all():
        raise ParameterError(f"estimates must be finite numbers, at least one; got {list(estimates)}.")
    deviation = float(values.std(ddof=1)) if len(values) > 1 else None
    return SeedSpread(
        tuple(values.tolist()), float(values.mean()), deviation, float(values.min()), float(values.max()), clips
    )


def auroc_over_seeds(labels, scores_by_seed: Mapping, *, clusters, n_resamples=1000, level=0.95, seed=0) -> SeedSpread:
    """AUROC of one method under several seeds, and the interval over clips of the mean of these AUROCs.

    Parameters
    ----------
    labels : (n,)
    scores_by_seed : mapping of seed to (n,), or DataFrame
        The same frames scored by the method under each seed; at least one.
    clusters, n_resamples, level, seed
        As in `bootstrap_auroc`; every seed's AUROC is taken on the same resamples.
    """
    columns = [np.asarray(scores_by_seed[name]) for name in scores_by_seed]
    if not columns:
        raise ParameterError("scores_by_seed is empty; give the scores of at least one seed.")
    n_seeds = len(columns)
    contrasts = np.vstack([np.full((1, n_seeds), 1 / n_seeds), np.eye(n_seeds)])
    mean, *own = resample(labels, columns, contrasts, clusters=clusters, n_resamples=n_resamples, seed=seed)
    interval = Interval(mean.estimate, *bounds(mean, level=level, method="studentized"), check_level(level))
    return spread_over_seeds([each.estimate for each in own], interval)

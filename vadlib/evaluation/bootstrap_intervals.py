"""From resamples to an interval: the methods that the coverage simulation compares, and the p-value of the one in use.

Why `studentized` is in use (`vadlib.evaluation.coverage_study` says how often each holds the truth): the
percentile interval takes the spread of the resamples for the spread of the estimate, which is too narrow for a dozen
clips, and ignores that an AUROC near 1 has a skewed spread, which makes it miss upwards at any number of clips.
Dividing each resample's deviation by its own standard error mends both; taking it on the scale of
arcsin(sqrt(AUROC)), on which a proportion's spread hardly depends on its value, keeps the interval inside [0, 1]
without making it needlessly wide.
"""

from statistics import NormalDist

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from vadlib.errors import ParameterError
from vadlib.evaluation.bootstrap import Resampled

NO_SPREAD = 1e-12  # a standard error below this is rounding, not spread
MIN_UNITS = 6  # clips or scenes: in the simulation, intervals over fewer no longer hold what the level says


def check_level(level) -> float:
    """The level as a float, or the error that says what is wrong with it."""
    if not 0 < level < 1:
        raise ParameterError(f"level must lie between 0 and 1, such as 0.95; got {level!r}.")
    return float(level)


def bounds(resampled: Resampled, *, level: float, method: str, difference: bool = False) -> tuple[float, float]:
    """Lower and upper bound by a key of `METHODS`; the estimate always lies between them.

    Fewer clips than `MIN_UNITS` bound nothing: the whole axis. An AUROC without a mistake, or of nothing else, has no
    spread to resample; what bounds it is how few clips were seen without one (the exact binomial bound, Clopper and
    Pearson 1934, of the clips that hold the scarcer class).
    """
    check_level(level)
    if method not in METHODS:
        raise ParameterError(f"method must be one of {', '.join(METHODS)}; got {method!r}.")
    if len(resampled.without) < MIN_UNITS:
        return (-1.0 if difference else 0.0), 1.0
    if not difference and resampled.error < NO_SPREAD and resampled.estimate in (0.0, 1.0):
        reach = 1 - (1 - level) ** (1 / resampled.n_scarcer)
        return (1 - reach, 1.0) if resampled.estimate else (0.0, reach)
    low, high = METHODS[method](resampled, level, difference)
    return min(float(low), resampled.estimate), max(float(high), resampled.estimate)


def p_value(resampled: Resampled) -> float:
    """Two-sided p-value of "the difference is 0", the level at which its `studentized` interval touches 0.

    At least 1 / (n_resamples + 1), which it also is where the difference is the same in every clip, and not 0; 1 where
    the two never differ. Davison and Hinkley (1997), "Bootstrap methods and their application", section 4.4.
    """
    if len(resampled.without) < MIN_UNITS:
        return 1.0
    if resampled.error < NO_SPREAD:
        return 1.0 if abs(resampled.estimate) < NO_SPREAD else 1 / (len(resampled.values) + 1)
    deviations = _deviations(resampled, difference=True)[0]
    beyond = (np.abs(deviations) >= abs(resampled.estimate) / resampled.error).sum()
    return float((beyond + 1) / (len(deviations) + 1))


def _percentile(resampled, level, difference):
    """Efron (1979): the middle of the resamples."""
    return np.quantile(resampled.values, _tails(level))


def _expanded(resampled, level, difference):
    """Hesterberg (2015), The American Statistician 69: percentiles pushed out as far as Student's t would be."""
    size = len(resampled.without)
    tail = norm.cdf(np.sqrt(size / (size - 1)) * student.ppf(_tails(level)[0], size - 1))
    return np.quantile(resampled.values, [tail, 1 - tail])


def _bca(resampled, level, difference):
    """Efron (1987), JASA 82: percentiles shifted for bias and for a spread that changes with the estimate."""
    values, estimate = resampled.values, resampled.estimate
    below = np.mean(values < estimate) + np.mean(values == estimate) / 2
    bias = norm.ppf(np.clip(below, 1 / (len(values) + 1), 1 - 1 / (len(values) + 1)))
    deviation = np.nanmean(resampled.without) - resampled.without[np.isfinite(resampled.without)]
    cubed = np.sum(deviation**2) ** 1.5
    acceleration = np.sum(deviation**3) / (6 * cubed) if cubed > NO_SPREAD**3 else 0.0
    z = bias + norm.ppf(_tails(level))
    return np.quantile(values, norm.cdf(bias + z / (1 - acceleration * z)))


def _studentized(resampled, level, difference):
    """Efron's bootstrap-t: how many standard errors off resamples are, each measured with its own standard error.

    For an AUROC the two tails are taken apart, since its spread is skewed. For a difference, whose spread is about
    even, they are taken together (Hall 1988, J. R. Stat. Soc. B 50: symmetric intervals, whose error is the smaller).
    """
    if resampled.error < NO_SPREAD:
        return resampled.estimate, resampled.estimate
    deviations, centre, error = _deviations(resampled, difference)
    # order statistics, so that the interval of a difference and `p_value` agree: 0 is outside where p <= 1 - level
    beyond = (len(deviations) + 1) * (1 - level) + 1e-9
    if difference:
        reach = error * np.sort(np.abs(deviations))[-max(1, int(beyond))]
        return max(centre - reach, -1.0), min(centre + reach, 1.0)
    rank = max(1, int(beyond / 2))
    ends = centre - error * np.sort(deviations)[[-rank, rank - 1]]
    return np.sin(np.clip(ends, 0, np.pi / 2)) ** 2


def _deviations(resampled, difference):
    """Each resample's distance from the estimate in its own standard errors, (b,), and the estimate and its error.

    On the scale of the difference itself, or of arcsin(sqrt(AUROC)). Some resamples of few clips hold hardly any spread
    of their own: one anomalous clip many times, or only clips without a mistake. Their standard error is taken as at
    least 1 / (2 sqrt(m)) of the estimate's, with m clips that hold the scarcer class, else they would push a bound to
    the end of the scale.
    """
    if difference:
        centre, values, error, errors = resampled.estimate, resampled.values, resampled.error, resampled.errors
    else:
        estimate = np.clip(resampled.estimate, 0, 1)
        aurocs = np.clip(resampled.values, 0, 1)  # rounding may leave [0, 1] by 1e-16
        centre, values = np.arcsin(np.sqrt(estimate)), np.arcsin(np.sqrt(aurocs))
        slope, slopes = (2 * np.sqrt(of * (1 - of)) for of in (estimate, aurocs))
        error = resampled.error / slope
        errors = np.divide(resampled.errors, slopes, out=np.zeros_like(slopes), where=slopes > NO_SPREAD)
    least = error / (2 * np.sqrt(resampled.n_scarcer))
    return (values - centre) / np.maximum(errors, least), centre, error


def _tails(level) -> np.ndarray:
    return np.array([(1 - level) / 2, (1 + level) / 2])


def normal_reach(level: float) -> float:
    """Standard errors on either side of a normal estimate."""
    return NormalDist().inv_cdf(0.5 + check_level(level) / 2)


METHODS = {"studentized": _studentized, "percentile": _percentile, "expanded": _expanded, "bca": _bca}

"""Thresholds from normal footage alone, for a promised rate of false alarms.

A rate is promised in one of two units: the share of normal frames that reach the threshold, or alarms an hour of normal
footage. Two methods answer it:

``quantile``
    The threshold just above the k-th highest of n normal scores is reached by new ones at an expected rate of
    k / (n + 1), if they come from the same footage (conformal prediction's argument; Laxhammar and Falkman 2011). A
    rate below 1 / (n + 1) cannot be had from n scores: an error says how many it takes.
``extreme-value``
    Peaks over threshold: what exceeds a high but still populated level follows a generalised Pareto distribution
    (Coles 2001, chapter 4), which is fitted with `scipy.stats.genpareto` and read beyond the highest score seen.

Neighbouring frames are alike, and the two units take that differently. The share of frames is a property of single
frames, whose distribution the dependence leaves as it is; it makes the estimate less certain, as if there were fewer
frames. Alarms are counted after declustering: what is counted, and fitted, is one peak for each candidate alarm, as
`find_events` forms them above the low threshold, so one long occurrence counts once, however many frames it has.

The frames must not be those that the detector was fitted on, which it finds more normal than any others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import genpareto

from vadlib.errors import ParameterError

METHODS = ("quantile", "extreme-value")
UNITS = ("frames", "alarms an hour")
LOW_RATE = 0.1  # share of normal frames at or above the low threshold, where the tail begins
MIN_EXCEEDANCES = 20  # below that a tail's shape is a guess
SHAPES = (-0.5, 1.0)  # below, maximum likelihood is not regular (Smith 1985); above, the tail has no mean


@dataclass(frozen=True)
class Threshold:
    """A pair of thresholds, as in `find_events`, and what was promised with them."""

    high: float  # a frame "reaches" a threshold where its score is at least that
    low: float
    method: str  # one of `METHODS`
    promised: float  # the rate asked for
    unit: str  # one of `UNITS`
    n: int  # normal scores, or peaks of candidate alarms, that it was chosen from
    shape: float | None = None  # of the generalised Pareto distribution above `low`
    scale: float | None = None  # likewise, in the score's unit


def low_threshold(scores: np.ndarray, *, rate: float = LOW_RATE) -> float:
    """The score that a share of normal frames reaches: where an alarm begins and ends, and the tail begins."""
    return frame_threshold(scores, rate, low_rate=rate).high


def frame_threshold(
    scores: np.ndarray, rate: float, *, method: str = "quantile", low_rate: float = LOW_RATE
) -> Threshold:
    """The threshold that a promised share of normal frames reaches.

    Parameters
    ----------
    scores : float (n,)
        Of normal frames that the detector was not fitted on.
    rate : float
        In (0, 1).
    method : str
        One of `METHODS`.
    low_rate : float
        Share of frames at or above the low threshold, at least ``rate``; the extreme-value fit is to these.

    Raises
    ------
    ParameterError
        A method, rate or score outside its rule; too few scores for the rate, or to fit a tail.
    """
    scores = _checked_scores(scores)
    check_choice("method", method, METHODS)
    for name, value in (("rate", rate), ("low_rate", low_rate)):
        if not 0 < value < 1:
            raise ParameterError(f"{name}: expected a share of frames between 0 and 1, found {value!r}")
    if rate > low_rate:
        raise ParameterError(f"low_rate: expected at least rate ({rate}), found {low_rate}")
    n = len(scores)
    low = _just_above(_kth_highest(scores, low_rate * (n + 1), low_rate, "frames"))
    if method == "quantile":
        high = _just_above(_kth_highest(scores, rate * (n + 1), rate, "frames"))
        return Threshold(high, low, method, rate, "frames", n)
    excesses = scores[scores >= low] - low
    shape, scale = _fit_tail(excesses)
    high = low + _excess_of_rate(rate, len(excesses) / n, shape, scale)
    return Threshold(high, low, method, rate, "frames", n, shape, scale)


def alarm_threshold(peaks: np.ndarray, hours: float, rate: float, *, low: float, method: str = "quantile") -> Threshold:
    """The high threshold that a promised number of candidate alarms an hour of normal footage reaches.

    Parameters
    ----------
    peaks : float (m,)
        Highest scores of the candidate alarms in normal footage: the column ``peak`` of `list_alarms` with ``low`` as
        both thresholds. There may be none.
    hours : float
        Length of that footage.
    rate : float
        Alarms an hour, above 0.
    low : float
        The low threshold, which stays as it is.
    method : str
        One of `METHODS`.

    Returns
    -------
    Threshold
        Its ``high`` is ``low`` itself where all candidates together are no more than was promised, and the footage is
        long enough for that to mean something: at least one promised alarm.

    Raises
    ------
    ParameterError
        A method, rate or peak outside its rule; footage shorter than the rate needs, or too few peaks to fit a tail.
    """
    peaks = np.asarray(peaks, np.float64)
    check_choice("method", method, METHODS)
    for name, value in (("rate", rate), ("hours", hours)):
        if not (math.isfinite(value) and value > 0):
            raise ParameterError(f"{name}: expected a number above 0, found {value!r}")
    if peaks.ndim != 1 or not np.isfinite(peaks).all() or (peaks < low).any():
        raise ParameterError(f"peaks: expected finite scores of at least low ({low}), one a candidate alarm")
    if method == "quantile" and rate * hours < 1:
        raise ParameterError(
            f"rate: {rate:g} alarms an hour cannot be read from {hours:.3g} hours of normal footage, which must last "
            f"{1 / rate:.3g} hours; hold out more footage, promise more alarms, or use method='extreme-value'"
        )
    if rate * hours >= max(1, len(peaks)):  # a new hour is expected to hold no more than was promised
        return Threshold(low, low, method, rate, "alarms an hour", len(peaks))
    if method == "quantile":
        high = _just_above(np.sort(peaks)[-math.floor(rate * hours + 1e-9)])
        return Threshold(max(low, high), low, method, rate, "alarms an hour", len(peaks))
    shape, scale = _fit_tail(peaks - low)
    high = low + _excess_of_rate(rate, len(peaks) / hours, shape, scale)
    return Threshold(high, low, method, rate, "alarms an hour", len(peaks), shape, scale)


def _checked_scores(scores) -> np.ndarray:
    scores = np.asarray(scores, np.float64)
    if scores.ndim != 1 or not len(scores):
        raise ParameterError(f"scores: expected scores of normal frames, (n,), found shape {scores.shape}")
    if not np.isfinite(scores).all():
        raise ParameterError(f"scores: expected finite numbers, found {int((~np.isfinite(scores)).sum())} that are not")
    return scores


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise ParameterError where the value is not one of those allowed."""
    if value not in allowed:
        raise ParameterError(f"{name}: expected one of {', '.join(allowed)}, found {value!r}")


def _kth_highest(scores: np.ndarray, k: float, rate: float, noun: str) -> float:
    k = math.floor(k + 1e-9)  # 0.07 * 100 is 7, whatever floating point makes of it
    if k < 1:
        raise ParameterError(
            f"rate: a share of {rate:g} cannot be read from {len(scores)} normal {noun}, it takes at least "
            f"{math.ceil(1 / rate - 1e-9) - 1}; hold out more, promise more, or use method='extreme-value'"
        )
    return float(np.sort(scores)[-k])


def _just_above(value: float) -> float:
    """The next number that float32 can hold: scores are float32, and a tie with `value` must not count as above."""
    above = np.nextafter(np.float32(value), np.float32(np.inf))
    return float(above if above > value else np.nextafter(above, np.float32(np.inf)))


def _fit_tail(excesses: np.ndarray) -> tuple[float, float]:
    """Shape and scale of the generalised Pareto distribution of excesses over a level, by maximum likelihood."""
    if len(excesses) < MIN_EXCEEDANCES or np.ptp(excesses) == 0:
        raise ParameterError(
            f"method: an extreme-value fit takes {MIN_EXCEEDANCES} different values above the low threshold, found "
            f"{len(np.unique(excesses))}; hold out more normal footage, or use method='quantile'"
        )
    unit = excesses.mean()  # so that the fit does not depend on the score's unit
    shape, _, scale = genpareto.fit(excesses / unit, 0.1, floc=0, scale=1.0)
    if not SHAPES[0] <= shape <= SHAPES[1]:
        shape, _, scale = genpareto.fit(excesses / unit, fc=float(np.clip(shape, *SHAPES)), floc=0, scale=1.0)
    return float(shape), float(scale * unit)


def _excess_of_rate(rate: float, rate_of_tail: float, shape: float, scale: float) -> float:
    """The excess that is exceeded at `rate`, where the level itself is at `rate_of_tail`."""
    return float(genpareto.isf(min(1.0, rate / rate_of_tail), shape, scale=scale))

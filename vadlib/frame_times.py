"""When frames are shown: at an even rate, or at times of their own.

A rate is a plain number of frames per second. Where frames come when the camera has them (phones, browsers, motion
recorders), it is an `UnevenRate`: the mean rate, which also knows each frame's time. `seconds` takes either.
"""

from __future__ import annotations

import numpy as np

from vadlib.errors import ParameterError

TICKS = 10**9  # per second


class UnevenRate(float):
    """The mean number of frames per second of a clip whose frames come unevenly.

    Parameters
    ----------
    times : float (n_frames + 1,)
        Seconds from the start of the first frame: when each frame begins, and when the last one ends; rising.

    Raises
    ------
    ParameterError
        Times that do not rise, or of fewer than two frames.
    """

    times: np.ndarray

    def __new__(cls, times):
        """Compute the mean rate, and keep the times."""
        times = np.asarray(times, np.float64)
        if times.ndim != 1 or len(times) < 3 or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
            raise ParameterError("times: expected rising seconds, one per frame and one for the end")
        rate = super().__new__(cls, (len(times) - 1) / (times[-1] - times[0]))
        rate.times = times - times[0]
        return rate

    def __getnewargs__(self):
        """What a copy is made of."""
        return (self.times,)


def seconds(rate: float, frames: np.ndarray | int) -> np.ndarray:
    """When frames begin, in seconds from the clip's start.

    Parameters
    ----------
    rate : float
        Frames per second, or an `UnevenRate`.
    frames : ints
        0-based; the number of frames stands for the clip's end.

    Returns
    -------
    float64, shaped as `frames`
    """
    return rate.times[np.asarray(frames)] if isinstance(rate, UnevenRate) else np.asarray(frames) / float(rate)


def ticks(rate: UnevenRate, frames: np.ndarray | int) -> np.ndarray:
    """When frames begin, in whole `TICKS` from the clip's start: int64, shaped as `frames`, no two alike."""
    every = np.round(rate.times * TICKS).astype(np.int64)
    bump = np.arange(len(every))  # two frames may share a tick
    return (np.maximum.accumulate(every - bump) + bump)[np.asarray(frames)]

"""Unbroken runs in a series, as (start, stop) pairs."""

import numpy as np


def runs_of_equal(values) -> np.ndarray:
    """Where each unbroken run of equal values starts and stops, int64 (runs, 2); no runs where there is no value."""
    values = np.asarray(values)
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    edges = np.concatenate([[0], changes, [len(values)]])
    return np.stack([edges[:-1], edges[1:]], axis=1)[: len(values)]


def runs_of_ones(labels) -> np.ndarray:
    """Where each unbroken run of 1 (or True) starts and stops, int64 (runs, 2); every other value is none."""
    ones = np.asarray(labels) == 1
    runs = runs_of_equal(ones)
    return runs[ones[runs[:, 0]]]

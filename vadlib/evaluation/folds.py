"""Folds as pairs of tables, checked, and where each tested frame's nearest fitted frames in time are."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype

from vadlib.errors import ParameterError

KEYS = ["clip", "frame"]


def fold_pairs(folds, *, columns: Iterable[str] = ()) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Folds as pairs (fit, test) of tables, or the error that says what would give a wrong number.

    Taken are pairs of DataFrames, objects with `.fit` and `.test`, or an object with `.folds`, such as
    `vadlib.data.draw` gives; `columns` are needed beside ``clip`` and ``frame``.
    """
    if isinstance(folds, pd.DataFrame):
        raise ParameterError("folds: a list of (fit, test) pairs of DataFrames is expected, not one DataFrame.")
    pairs = [_pair(fold, number) for number, fold in enumerate(getattr(folds, "folds", folds), start=1)]
    if not any(len(test) for _, test in pairs):
        raise ParameterError(f"folds: {len(pairs)} given, with no test frame in them. Give at least one test frame.")
    for number, pair in enumerate(pairs, start=1):
        for name, table in zip(("fit", "test"), pair, strict=True):
            check_frames(table, f"folds, {name} frames of fold {number}", columns=columns)
    tested = pd.concat([test[KEYS] for _, test in pairs])
    again = tested[tested.duplicated()]
    if len(again):
        raise ParameterError(
            f"folds: {len(again)} frames are tested in more than one fold, first clip {again['clip'].iloc[0]} frame "
            f"{again['frame'].iloc[0]}. Each frame is to be scored once, by one fold."
        )
    return pairs


def check_frames(table: pd.DataFrame, name: str, *, columns: Iterable[str] = ()) -> None:
    """Refuse a table that is not one row a frame, lacks one of the `columns`, or has labels other than 0 and 1."""
    missing = [column for column in (*KEYS, *columns) if column not in table.columns]
    if missing:
        raise ParameterError(f"{name}: column {missing[0]!r} is missing; pass rows of dataset.frame_table().")
    if len(table) and not (is_integer_dtype(table["frame"]) and table["frame"].min() >= 0):
        raise ParameterError(f"{name}: column 'frame' must hold whole numbers of at least 0, counted in each clip.")
    repeated = table[table.duplicated(KEYS)]
    if len(repeated):
        raise ParameterError(
            f"{name}: {len(repeated)} frames come more than once, first clip {repeated['clip'].iloc[0]} frame "
            f"{repeated['frame'].iloc[0]}. Give one row a frame."
        )
    if "label" in columns and not table["label"].isin((0, 1)).all():
        raise ParameterError(f"{name}: column 'label' must be 0 (normal) or 1 (anomalous) in every row.")


def fit_neighbours(fit: pd.DataFrame, test: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nearest fitted frames of each of n tested frames in its own clip, on either side in time.

    `positions`, int64 (n, 2): rows of `fit`, the last one at or before the tested frame and the first one at or after
    it, -1 for none; `distances`, float64 (n, 2): in frames, infinite for none; `nearest`, float64 (n,): the smaller.
    """
    positions = np.full((len(test), 2), -1, np.int64)
    distances = np.full((len(test), 2), np.inf)
    if len(fit) and len(test):
        clips, _ = pd.factorize(pd.concat([fit["clip"], test["clip"]], ignore_index=True))
        frames = np.concatenate([fit["frame"].to_numpy(np.int64), test["frame"].to_numpy(np.int64)])
        stride = int(frames.max()) + 1
        # One number line with the clips one after another, so that one search serves them all.
        fit_keys, test_keys = np.split(clips * stride + frames, [len(fit)])
        order = np.argsort(fit_keys)
        fit_keys = fit_keys[order]
        before = np.searchsorted(fit_keys, test_keys, side="right") - 1
        after = np.searchsorted(fit_keys, test_keys, side="left")
        for side, found in enumerate((before, after)):
            inside = (found >= 0) & (found < len(fit_keys))
            inside[inside] = fit_keys[found[inside]] // stride == test_keys[inside] // stride  # of the same clip
            positions[inside, side] = order[found[inside]]
            distances[inside, side] = np.abs(fit_keys[found[inside]] - test_keys[inside])
    return positions, distances, distances.min(axis=1)


def _pair(fold, number: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    if hasattr(fold, "fit") and hasattr(fold, "test") and not isinstance(fold, pd.DataFrame):
        pair = (fold.fit, fold.test)
    else:
        pair = tuple(fold) if isinstance(fold, tuple | list) else (fold,)
    if len(pair) != 2 or not all(isinstance(part, pd.DataFrame) for part in pair):
        raise ParameterError(
            f"folds: fold {number} must be a pair (fit, test) of DataFrames, or have them as .fit and .test; "
            f"got {type(fold).__name__}."
        )
    return pair

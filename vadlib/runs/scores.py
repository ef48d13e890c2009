"""Scores of frames as the table that a results folder holds."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from vadlib.errors import ParameterError

KEY_COLUMNS = ("clip", "frame", "label")
EXTRA_COLUMNS = ("scene", "split")


def scores_table(
    table: pd.DataFrame, columns: Mapping[str, np.ndarray], skipped: Iterable[int]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The frames that were scored, with float32 score columns, and those that were skipped; see `Experiment.scores`."""
    missing = [name for name in KEY_COLUMNS if name not in table.columns]
    if missing:
        raise ParameterError(f"scores: the table has no column {missing}; it has {list(table.columns)}.")
    if not columns:
        raise ParameterError("scores: no score column given; pass at least one, such as {'max': scores}.")
    kept = [*KEY_COLUMNS, *(name for name in EXTRA_COLUMNS if name in table.columns)]
    keep = np.ones(len(table), dtype=bool)
    keep[_positions(skipped, len(table))] = False
    scored = table.loc[keep, kept].reset_index(drop=True)
    for name, values in columns.items():
        scored[name] = _score_column(name, values, table, keep, kept)
    return scored, table.loc[~keep]


def _positions(skipped: Iterable[int], n_rows: int) -> np.ndarray:
    positions = np.asarray(list(skipped), dtype=np.int64)
    if len(positions) and not ((positions >= 0) & (positions < n_rows)).all():
        raise ParameterError(
            f"skipped must hold positions in the table of {n_rows} rows; got {positions.tolist()[:5]}."
        )
    return positions


def _score_column(name, values, table, keep, taken) -> np.ndarray:
    values = np.asarray(values)
    if not isinstance(name, str) or name in taken:
        raise ParameterError(f"scores: {name!r} cannot name a score; the table itself has {taken}.")
    if values.shape != (len(table),):
        raise ParameterError(f"scores: {name} must have one value a row, ({len(table)},); got {values.shape}.")
    with np.errstate(over="ignore"):  # what float32 cannot hold is not finite, and said below
        narrow = values.astype(np.float32)
    wrong = np.flatnonzero(keep & ~np.isfinite(narrow))
    if len(wrong):
        row = table.iloc[wrong[0]]
        raise ParameterError(
            f"scores: {name} is not finite for {len(wrong)} frames, first clip {row['clip']} frame {row['frame']} "
            f"({values[wrong[0]]}). Frames that could not be read belong in skipped=reader.skipped."
        )
    return narrow[keep]

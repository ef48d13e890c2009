"""Fitting and scoring by protocol on embeddings: each frame scored by the detector of its own fold."""

from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np
import pandas as pd

from vadlib.data.sampling import Split
from vadlib.errors import ParameterError


class FitsEmbeddings(Protocol):
    """What `score_split` needs of a detector, such as `ClipPrototypes`."""

    def fit_embeddings(self, embeddings: np.ndarray, labels: np.ndarray) -> "FitsEmbeddings":
        """Learn from embeddings float32 (n, D) and their labels (n,)."""

    def score_embeddings(self, embeddings: np.ndarray) -> dict[str, np.ndarray]:
        """Scores by name, float32 (n,) each."""


def frames_of(table: pd.DataFrame, splits: Iterable[Split]) -> pd.DataFrame:
    """Rows of a frame table that any fold of any split fits or tests on, each once, in the table's order.

    Parameters
    ----------
    table : DataFrame
        The one that the splits were drawn from.
    splits : iterable of Split
    """
    wanted: set = set()
    for split in splits:
        for fold in split.folds:
            wanted.update(fold.fit.index, fold.test.index)
    return table[table.index.isin(list(wanted))]


def score_split(
    split: Split, embeddings: pd.DataFrame, make: Callable[[], FitsEmbeddings]
) -> tuple[pd.DataFrame, dict[str, np.ndarray], list[FitsEmbeddings]]:
    """Fit one detector on each fold's frames, and score its test frames with it.

    Parameters
    ----------
    split : Split
    embeddings : DataFrame float32 (n, D)
        Indexed as the table that the split was drawn from. A row of NaN is a frame that could not be read: it is left
        out of the fit.
    make : callable
        Gives an unfitted detector.

    Returns
    -------
    table : DataFrame
        All test frames, in (clip, frame) order.
    columns : dict of str to float32 (n_test,)
        In the table's order; NaN for a frame that could not be read.
    detectors : list
        The fitted ones, a fold each.

    Raises
    ------
    ParameterError
        If a frame of the split has no embedding, or the detector cannot be fitted.
    """
    tables, columns, detectors = [], [], []
    for fold in split.folds:
        missing = fold.fit.index.union(fold.test.index).difference(embeddings.index)
        if len(missing):
            raise ParameterError(
                f"embeddings: {len(missing)} frames of the split have none; embed frames_of(...) first"
            )
        to_fit, to_test = embeddings.loc[fold.fit.index].to_numpy(), embeddings.loc[fold.test.index].to_numpy()
        readable, scoreable = np.isfinite(to_fit[:, 0]), np.isfinite(to_test[:, 0])  # (n_fit,), (n_test,)
        detector = make().fit_embeddings(to_fit[readable], fold.fit["label"].to_numpy()[readable])
        scores = pd.DataFrame(np.nan, index=fold.test.index, columns=[], dtype=np.float32)
        for name, values in detector.score_embeddings(to_test[scoreable]).items():
            column = np.full(len(to_test), np.nan, np.float32)
            column[scoreable] = values
            scores[name] = column
        tables.append(fold.test)
        columns.append(scores)
        detectors.append(detector)
    table = pd.concat(tables).sort_values(["clip", "frame"])
    ordered = pd.concat(columns).loc[table.index]
    return table, {name: ordered[name].to_numpy() for name in ordered.columns}, detectors

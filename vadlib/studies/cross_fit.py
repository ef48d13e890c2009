"""Fitting and scoring by protocol: each frame scored by the detector of its own fold."""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from vadlib.data.sampling import Split
from vadlib.detectors import LearnsFrom
from vadlib.detectors.feature_cache import EmbeddedFrames
from vadlib.errors import ParameterError


def frames_of(table: pd.DataFrame, splits: Iterable[Split]) -> pd.DataFrame:
    """Rows of a frame table that any fold of any of its splits fits or tests on, each once, in the table's order."""
    wanted = {row for split in splits for fold in split.folds for part in (fold.fit, fold.test) for row in part.index}
    return table[table.index.isin(list(wanted))]


def cross_fit(
    split: Split, make: Callable[[], object], open_reader: Callable[[pd.DataFrame], Iterable]
) -> tuple[pd.DataFrame, list]:
    """Fit one detector on each fold's frames, and score its test frames with it; gives the scores and the detectors.

    `make` gives an unfitted detector, or anything with its `fit`, `score_columns` and `learns_from`; what learns from
    normal frames gets no others. `open_reader` gives, for rows of the table that the split was drawn from, what these
    take: a reader, or embeddings (see `embedded_frames`). Scores are float32, a row a test frame with the table's
    index, in (clip, frame) order, a column a score; NaN for a frame that could not be read.
    """
    columns, detectors = [], []
    for fold in split.folds:
        detector = make()
        fit = fold.fit[fold.fit["label"] == 0] if detector.learns_from == LearnsFrom.NORMAL else fold.fit
        detectors.append(detector.fit(open_reader(fit)))
        columns.append(pd.DataFrame(detector.score_columns(open_reader(fold.test)), index=fold.test.index))
    order = pd.concat([fold.test for fold in split.folds]).sort_values(["clip", "frame"]).index
    return pd.concat(columns).loc[order], detectors


def embedded_frames(embeddings: pd.DataFrame) -> Callable[[pd.DataFrame], EmbeddedFrames]:
    """For `cross_fit`: gives of some frames their embeddings float32 (n, D), indexed as the table that they are of."""

    def open_reader(table: pd.DataFrame) -> EmbeddedFrames:
        missing = table.index.difference(embeddings.index)
        if len(missing):
            raise ParameterError(
                f"embeddings: {len(missing)} frames of the split have none; embed frames_of(...) first"
            )
        return EmbeddedFrames(embeddings.loc[table.index].to_numpy(), table["label"].to_numpy(np.int8))

    return open_reader

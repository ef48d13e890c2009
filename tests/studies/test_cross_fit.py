"""Cross-fitting with a detector that remembers what it was fitted on."""

import numpy as np
import pandas as pd
import pytest

from vadlib.data import draw
from vadlib.errors import ParameterError
from vadlib.studies.cross_fit import frames_of, score_split


class Remembers:
    """Scores a frame 1 where it was among the frames fitted on; embeddings are the frame's own row number."""

    def fit_embeddings(self, embeddings, labels):
        self.seen, self.labels = set(embeddings[:, 0]), labels
        return self

    def score_embeddings(self, embeddings):
        return {"seen": np.array([x in self.seen for x in embeddings[:, 0]], np.float32), "row": embeddings[:, 0]}


@pytest.fixture
def table():
    clips = np.repeat([f"c{i}" for i in range(6)], 20)
    frame = np.tile(np.arange(20), 6)
    rows = {"clip": clips, "split": "test", "scene": np.repeat(["s0", "s1"], 60), "frame": frame}
    return pd.DataFrame(rows | {"label": (frame >= 10).astype(np.int8)}).iloc[::-1]  # any order


@pytest.fixture
def embeddings(table):
    return pd.DataFrame(np.column_stack([table.index, table.index]).astype(np.float32), index=table.index)


def drawn(table, protocol):
    return draw(table, protocol, 6, 6, 30, 30, seed=1, n_folds=3)


def test_each_frame_is_scored_by_its_own_fold_in_clip_and_frame_order(table, embeddings):
    split = drawn(table, "disjoint-clips")
    tested, columns, detectors = score_split(split, embeddings, Remembers)
    assert len(detectors) == 3
    np.testing.assert_array_equal(columns["row"], tested.index)  # rows and scores stayed together
    assert (columns["seen"] == 0).all()
    assert tested.equals(tested.sort_values(["clip", "frame"]))
    reused = score_split(drawn(table, "reused-frames"), embeddings, Remembers)
    assert reused[1]["seen"].sum() == 12
    assert reused[0].index.equals(tested.index)


def test_frames_of_is_the_union_in_the_tables_order(table):
    splits = [drawn(table, "disjoint-clips"), drawn(table, "reused-frames")]
    found = frames_of(table, splits)
    expected = {i for s in splits for f in s.folds for i in [*f.fit.index, *f.test.index]}
    assert set(found.index) == expected
    assert found.equals(table.loc[[i for i in table.index if i in expected]])


def test_unreadable_frames_are_neither_fitted_nor_scored(table, embeddings):
    split = drawn(table, "reused-frames")
    broken = split.fit.index[0]
    embeddings.loc[broken] = np.nan
    tested, columns, (detector,) = score_split(split, embeddings, Remembers)
    assert len(detector.labels) == 11
    assert list(tested.index[np.isnan(columns["row"])]) == [broken]


def test_a_frame_without_embedding_is_an_error(table, embeddings):
    split = drawn(table, "reused-frames")
    with pytest.raises(ParameterError, match="1 frames of the split have none"):
        score_split(split, embeddings.drop(split.test.index[3]), Remembers)

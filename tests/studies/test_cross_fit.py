"""Cross-fitting with a detector that remembers what it was fitted on."""

import numpy as np
import pandas as pd
import pytest

from vadlib.data import draw
from vadlib.detectors import LearnsFrom
from vadlib.detectors.supervised_head import SupervisedHead
from vadlib.errors import ParameterError
from vadlib.studies.cross_fit import cross_fit, embedded_frames, frames_of


class Remembers:
    """Scores a frame 1 where it was among the frames fitted on; embeddings are the frame's own row number."""

    def __init__(self, learns_from=LearnsFrom.LABELLED_FRAMES):
        self.learns_from = learns_from

    def fit(self, frames):
        self.seen, self.labels = set(frames.embeddings[:, 0]), frames.labels
        return self

    def score_columns(self, frames):
        rows = frames.embeddings[:, 0]
        return {"seen": np.array([x in self.seen for x in rows], np.float32), "row": rows}


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
    scores, detectors = cross_fit(split, Remembers, embedded_frames(embeddings))
    assert len(detectors) == 3
    np.testing.assert_array_equal(scores["row"], scores.index)  # rows and scores stayed together
    assert (scores["seen"] == 0).all()
    tested = table.loc[scores.index]
    assert tested.equals(tested.sort_values(["clip", "frame"]))
    reused, _ = cross_fit(drawn(table, "reused-frames"), Remembers, embedded_frames(embeddings))
    assert reused["seen"].sum() == 12
    assert reused.index.equals(tested.index)


def test_what_learns_from_normal_frames_gets_no_others(table, embeddings):
    split = drawn(table, "disjoint-clips")
    _, detectors = cross_fit(split, lambda: Remembers(LearnsFrom.NORMAL), embedded_frames(embeddings))
    assert [(len(detector.labels), detector.labels.sum()) for detector in detectors] == [(6, 0)] * 3


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
    scores, _ = cross_fit(split, SupervisedHead, embedded_frames(embeddings))
    assert list(scores.index[np.isnan(scores["head"])]) == [broken]
    others = embedded_frames(embeddings.drop(broken))
    fit, test = split.fit.drop(broken), split.test.drop(broken)
    expected = SupervisedHead().fit(others(fit)).score_columns(others(test))["head"]
    np.testing.assert_array_equal(scores.loc[test.index, "head"], expected)


def test_a_frame_without_embedding_is_an_error(table, embeddings):
    split = drawn(table, "reused-frames")
    with pytest.raises(ParameterError, match="1 frames of the split have none"):
        cross_fit(split, Remembers, embedded_frames(embeddings.drop(split.test.index[3])))

import numpy as np
import pytest
import torch

from vadlib.data import Frames, Scores, Window, open_dataset
from vadlib.errors import ParameterError


@pytest.fixture(scope="module")
def dataset(shanghaitech_root):
    return open_dataset("shanghaitech", shanghaitech_root)


@pytest.fixture(scope="module")
def table(dataset):
    return dataset.frame_table().iloc[::5]


@pytest.mark.parametrize(
    ("inputs", "shape"),
    [
        (Frames(), (3, 12, 16)),
        (Frames(size=(20, 30)), (3, 20, 30)),
        (Frames(size=None), (3, 48, 64)),
        (Window(4), (4, 3, 12, 16)),
        (Window(2, stride=3, size=None), (2, 3, 48, 64)),
    ],
)
def test_images(dataset, table, inputs, shape):
    reader = inputs.open(dataset, table, size=(12, 16), batch_size=5, progress=False)
    assert (reader.window, reader.stride) == (inputs.window, inputs.stride)
    assert next(iter(reader)).images.shape == (5, *shape)


def test_inputs_are_compared_by_what_they_say():
    assert Window(4, 2) == Window(4, stride=2) != Window(4)
    assert hash(Frames()) == hash(Frames())


class TestScores:
    @pytest.fixture
    def scores(self, dataset):
        rows = dataset.frame_table().sample(frac=1, random_state=1)
        return rows.assign(padim=np.arange(len(rows)) / 7, spade=-np.arange(len(rows)))

    @pytest.mark.parametrize("columns", [["spade"], ["spade", "padim"], None])
    def test_by_clip_and_frame(self, dataset, table, scores, columns):
        rows = table.sample(frac=1, random_state=0)
        reader = Scores(columns).open(dataset, rows, scores=scores, size=(9, 9), batch_size=5, progress=False)
        assert reader.columns == (columns or ["padim", "spade"])
        joined = rows.merge(scores, on=["clip", "frame"])[reader.columns].to_numpy(np.float32)
        for batch in reader:
            assert batch.images.dtype == torch.float32
            np.testing.assert_array_equal(batch.images, joined[batch.rows])
            assert batch.scenes.tolist() == rows["scene"].iloc[batch.rows].tolist()

    def test_columns_of_the_table_itself(self, dataset, scores):
        (batch,) = Scores(["padim"]).open(dataset, scores, batch_size=100, progress=False)
        np.testing.assert_array_equal(batch.images[:, 0], scores["padim"].astype(np.float32).to_numpy()[batch.rows])

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            (lambda scores: scores.drop(columns="padim"), "'padim' is missing, or holds no numbers"),
            (lambda scores: scores.assign(padim="high"), "'padim' is missing, or holds no numbers"),
            (lambda scores: scores.drop(columns="clip"), "'clip' is missing"),
            (lambda scores: scores[scores["frame"] != 5], "frame 5 of clip 01_001 has none, nor have 2 more"),
            (lambda scores: scores.iloc[[*range(60), 3]], "twice"),
        ],
    )
    def test_refused(self, dataset, table, scores, change, match):
        with pytest.raises(ParameterError, match=match):
            Scores(["padim"]).open(dataset, table, scores=change(scores))

from pathlib import Path

import numpy as np
import pytest

from vadlib.data.dataset import Clip
from vadlib.data.labels.flat_labels import split_flat_labels
from vadlib.errors import LabelError

CLIPS = [Clip(name, "test", "s", Path(name), n, 25) for name, n in (("b", 3), ("a", 2), ("c", 1))]


@pytest.mark.parametrize("shape", [(6,), (1, 6)])
def test_clips_are_in_the_order_of_their_names(tmp_path, shape):
    np.save(tmp_path / "labels.npy", np.array([1, 0, 0, 1, 1, 0]).reshape(shape))
    found = split_flat_labels(tmp_path / "labels.npy", CLIPS)
    assert {name: labels.tolist() for name, labels in found.items()} == {"a": [1, 0], "b": [0, 1, 1], "c": [0]}


@pytest.mark.parametrize("shape", [(5,), (7,), (6, 1), (2, 3), ()])
def test_another_number_of_labels(tmp_path, shape):
    np.save(tmp_path / "labels.npy", np.zeros(shape))
    with pytest.raises(LabelError, match=r"labels\.npy has labels \(.*but the 3 test clips have 6 frames"):
        split_flat_labels(tmp_path / "labels.npy", CLIPS)


def test_pickles_are_refused(tmp_path):
    np.save(tmp_path / "labels.npy", np.array([None] * 6), allow_pickle=True)
    with pytest.raises(LabelError, match=r"labels\.npy is not a plain array"):
        split_flat_labels(tmp_path / "labels.npy", CLIPS)

"""The counts of the real data sets, where they are on the machine."""

import numpy as np
import pytest

from vadlib.data import FrameReader, draw, open_dataset


@pytest.fixture(scope="module")
def ped2(shared_data):
    return open_dataset("ucsd-ped2", shared_data / "UCSD_Anomaly_Dataset.v1p2")


@pytest.fixture(scope="module")
def shanghaitech(shared_data):
    return open_dataset("shanghaitech", shared_data / "shanghaitech", allow_missing=True)


@pytest.fixture(scope="module")
def tested(shanghaitech):
    """Frames of the test clips; a copy may or may not have training videos."""
    table = shanghaitech.frame_table()
    return table[table["split"] == "test"]


def test_ped2_counts(ped2):
    table = ped2.frame_table()
    train, test = table[table["split"] == "train"], table[table["split"] == "test"]
    assert (train["clip"].nunique(), len(train), train["label"].sum()) == (16, 2550, 0)
    assert (test["clip"].nunique(), len(test), test["label"].sum()) == (12, 2010, 1648)
    assert ped2.image_size() == (240, 360)


def test_ped2_masks_agree_with_the_labels(ped2):
    """The label file and the masks are two records of one thing: a frame is anomalous where its mask is set."""
    for clip_id in ("Test001", "Test006", "Test012"):
        n_frames = ped2.clip(clip_id).n_frames
        by_mask = [ped2.pixel_mask(clip_id, frame).any() for frame in range(n_frames)]
        assert np.mean(ped2.labels[clip_id] == by_mask) > 0.97


def test_shanghaitech_labels(tested):
    assert (tested["clip"].nunique(), len(tested)) == (107, 40_791)
    assert (tested["label"].sum(), (tested["label"] == 0).sum()) == (17_326, 23_465)
    counts = tested.drop_duplicates("clip")["scene"].value_counts().sort_index()
    assert counts.to_list() == [34, 3, 10, 9, 8, 6, 8, 12, 1, 5, 1, 10]


def test_shanghaitech_videos_decode_to_their_last_frame(shanghaitech, tested):
    rows = tested[tested["clip"].isin(["01_0014", "01_0015"])].groupby("clip").tail(2)
    assert sum(len(batch.rows) for batch in FrameReader(shanghaitech, rows, progress=False)) == 4


@pytest.mark.parametrize("protocol", ["same-clips", "reused-frames", "disjoint-clips", "disjoint-scenes"])
def test_the_papers_draw(tested, protocol):
    split = draw(tested, protocol)
    assert sum(len(fold.test) for fold in split.folds) == 8000
    assert {len(fold.fit) for fold in split.folds} == {4000}

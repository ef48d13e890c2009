import shutil
import threading
import warnings

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vadlib.data import FrameReader, open_dataset, read_frame, read_frames
from vadlib.data.reading import frames as frames_module
from vadlib.errors import LayoutError, ParameterError, UnreadableError

CLIP_NUMBERS = {"01_001": 0, "01_002": 1, "02_001": 2, "01_0014": 3, "01_0015": 4, "02_0001": 5}


def reader_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


@pytest.fixture(scope="module")
def dataset(shanghaitech_root):
    return open_dataset("shanghaitech", shanghaitech_root)


@pytest.fixture(scope="module")
def table(dataset):
    return dataset.frame_table()


def make_reader(dataset, table, **options) -> FrameReader:
    return FrameReader(dataset, table, **{"size": (24, 32), "batch_size": 7, "progress": False} | options)


def one_by_one(dataset, table, size):
    """Read every row on its own, the slow way: uint8 (n, 3, H, W)."""
    images = [
        cv2.resize(read_frame(dataset, row.clip, row.frame), size[::-1], interpolation=cv2.INTER_AREA)
        for row in table[["clip", "frame"]].itertuples()
    ]
    return np.stack(images).transpose(0, 3, 1, 2)


def collect(reader):
    """Everything a reader gives, in its table's order."""
    images = np.zeros((reader.n_frames, 3, *reader.size), np.uint8)
    rows = []
    for batch in reader:
        images[batch.rows] = batch.images.numpy()
        rows.extend(batch.rows.tolist())
    return images, rows


def test_batches(dataset, table):
    reader = make_reader(dataset, table)
    batches = list(reader)
    assert len(batches) == len(reader) == 9
    assert reader.n_frames == 60
    assert [len(batch.rows) for batch in batches] == [7] * 8 + [4]
    for batch in batches:
        assert batch.images.shape == (len(batch.rows), 3, 24, 32)
        assert batch.images.dtype == torch.uint8
        assert batch.images.is_contiguous(memory_format=torch.channels_last)
        assert (batch.rows.dtype, batch.labels.dtype) == (np.int64, np.int8)
        np.testing.assert_array_equal(batch.labels, table["label"].to_numpy()[batch.rows])
    assert reader.skipped.tolist() == []


def test_batches_do_not_share_memory(dataset, table):
    reader = make_reader(dataset, table)
    first, *_ = kept = list(reader)
    before = first.images.clone()
    kept[1].images.zero_()
    assert torch.equal(first.images, before)


def test_every_image_is_its_row(dataset, table, write):
    rows = table.sample(frac=1, random_state=3)
    images, _ = collect(make_reader(dataset, rows))
    for image, row in zip(images, rows[["clip", "frame"]].itertuples(), strict=True):
        assert write.identify(image.transpose(1, 2, 0)) == (row.frame, CLIP_NUMBERS[row.clip])


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_same_as_one_by_one(dataset, table, monkeypatch, data):
    """Whatever the rows, their order, the batches and the threads."""
    chosen = data.draw(st.lists(st.sampled_from(range(len(table))), min_size=1, max_size=25, unique=True))
    monkeypatch.setattr(frames_module, "FILES_PER_JOB", data.draw(st.integers(1, 5)))
    rows = table.iloc[chosen]
    reader = make_reader(
        dataset, rows, batch_size=data.draw(st.integers(1, 30)), n_threads=data.draw(st.integers(1, 4))
    )
    images, order = collect(reader)
    np.testing.assert_array_equal(images, one_by_one(dataset, rows, reader.size))
    assert rows.iloc[order].equals(rows.sort_values(["clip", "frame"]))


def test_it_can_be_iterated_again(dataset, table):
    reader = make_reader(dataset, table.iloc[::3])
    first, second = collect(reader), collect(reader)
    np.testing.assert_array_equal(first[0], second[0])
    assert first[1] == second[1]


def test_the_index_of_the_table_does_not_matter(dataset, table):
    rows = table.iloc[[5, 50, 20]]
    renamed = rows.set_index(pd.Index(["x", "x", "y"]))
    np.testing.assert_array_equal(collect(make_reader(dataset, rows))[0], collect(make_reader(dataset, renamed))[0])


def test_only_the_wanted_frames_are_decoded(dataset, table, monkeypatch):
    read = []
    monkeypatch.setattr(
        frames_module.videos,
        "read_image",
        lambda path, f=frames_module.videos.read_image, **options: read.append(path.name) or f(path, **options),
    )
    rows = table[(table["clip"] == "01_0014") & table["frame"].isin([2, 9])]
    collect(make_reader(dataset, rows))
    assert sorted(read) == ["002.jpg", "009.jpg"]


def test_a_video_is_not_read_beyond_the_last_wanted_frame(tmp_path, write, shanghaitech_root):
    root = shutil.copytree(shanghaitech_root, tmp_path / "shanghaitech")
    dataset = open_dataset("shanghaitech", root)
    write.cut(root / "training/videos/01_001.avi", 6)
    table = dataset.frame_table()
    images, _ = collect(make_reader(dataset, table[(table["clip"] == "01_001") & (table["frame"] < 2)]))
    assert [write.identify(image.transpose(1, 2, 0))[0] for image in images] == [0, 1]


def test_frames_at_their_own_size(dataset, write):
    images = read_frames(dataset, "02_0001", [7, 2, 7])
    assert [write.identify(image)[0] for image in images] == [7, 2, 7]
    assert images[0].shape == (*write.size, 3)
    with pytest.raises(ParameterError, match="Clip 02_0001 has frames 0 to 13, not 14"):
        read_frame(dataset, "02_0001", 14)


class TestLeaving:
    @pytest.fixture
    def endless(self, dataset, table):
        return make_reader(dataset, table, batch_size=1, n_threads=4)

    def test_break(self, endless):
        for _ in endless:
            assert reader_threads()
            break
        assert reader_threads() == []

    @staticmethod
    def interrupted(reader, error):
        for _ in reader:
            raise error

    @pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
    def test_an_exception_in_the_loop(self, endless, error):
        with pytest.raises(error):
            self.interrupted(endless, error)
        assert reader_threads() == []


class TestProgress:
    def test_bar_counts_frames(self, dataset, table, capsys):
        collect(make_reader(dataset, table, progress=True, description="Fitting"))
        error = capsys.readouterr().err
        assert "Fitting" in error
        assert "/60" in error


class TestUnreadable:
    @pytest.fixture
    def damaged(self, tmp_path, write, shanghaitech_root):
        """One corrupt picture, and a video that ends half-way."""
        root = shutil.copytree(shanghaitech_root, tmp_path / "shanghaitech")
        dataset = open_dataset("shanghaitech", root)
        (root / "testing/frames/01_0014/004.jpg").write_bytes(b"corrupt")
        write.cut(root / "training/videos/02_001.avi", 6)
        return dataset

    def test_skipped_frames_are_noted_once(self, damaged, write):
        table = damaged.frame_table().sample(frac=1, random_state=0)
        reader = make_reader(damaged, table, skip_unreadable=True)
        with pytest.warns(UserWarning, match=r"Left out, as skip_unreadable is set: .*004\.jpg") as caught:
            images, rows = collect(reader)
        assert len(caught) == 1
        assert sorted([*rows, *reader.skipped]) == list(range(60))
        left_out = table.iloc[reader.skipped]
        assert left_out[left_out["clip"] == "01_0014"]["frame"].tolist() == [4]
        of_video = left_out[left_out["clip"] == "02_001"]["frame"].tolist()
        assert 0 < len(of_video) < 9
        assert of_video == list(range(9 - len(of_video), 9))
        assert len(left_out) == 1 + len(of_video)
        for row in rows:
            clip_id, frame = table.iloc[row][["clip", "frame"]]
            assert write.identify(images[row].transpose(1, 2, 0)) == (frame, CLIP_NUMBERS[clip_id])

    def test_nothing_left(self, damaged):
        table = damaged.frame_table()
        reader = make_reader(damaged, table[(table["clip"] == "01_0014") & (table["frame"] == 4)], skip_unreadable=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert list(reader) == []
        assert reader.skipped.tolist() == [0]


class TestDamageInTheMiddle:
    """Of a video: the decoder drops frames and says nothing, so the next frames come under their numbers."""

    N_FRAMES = 40

    @pytest.fixture
    def root(self, tmp_path, write, shanghaitech_root):
        root = shutil.copytree(shanghaitech_root, tmp_path / "shanghaitech")
        write.video(root / "testing/videos/02_0001.avi", self.N_FRAMES, 5)
        write.video(root / "training/videos/02_001.avi", self.N_FRAMES, 2)
        write.array(root / "testing/test_frame_mask/02_0001.npy", np.arange(self.N_FRAMES) // 20)
        return root

    def rows(self, root, clip_id, n_frames):
        table = open_dataset("shanghaitech", root).frame_table()
        return table[(table["clip"] == clip_id) & (table["frame"] < n_frames)]

    @pytest.mark.parametrize("n_wanted", [2, 25, 40])
    def test_a_test_video_is_refused(self, root, write, n_wanted):
        rows, path = self.rows(root, "02_0001", n_wanted), root / "testing/videos/02_0001.avi"
        dataset = open_dataset("shanghaitech", root)
        assert len(collect(make_reader(dataset, rows))[1]) == n_wanted
        n_found = write.damage(path, self.N_FRAMES)
        reader = make_reader(open_dataset("shanghaitech", root), rows)
        counts = rf"40 frames expected, {n_found} can be decoded" if n_wanted < n_found else "of the 40 expected"
        with pytest.raises(UnreadableError, match=rf"02_0001\.avi: .*{counts}.*[Cc]opy the file again"):
            list(reader)

    def test_all_of_it_is_skipped_and_nothing_else(self, root, write):
        write.damage(root / "testing/videos/02_0001.avi", self.N_FRAMES)
        dataset = open_dataset("shanghaitech", root)
        table = dataset.frame_table()
        reader = make_reader(dataset, table, skip_unreadable=True)
        with pytest.warns(UserWarning, match=r"02_0001\.avi: 40 frames expected"):
            _, rows = collect(reader)
        assert table.iloc[reader.skipped]["frame"].tolist() == list(range(self.N_FRAMES))
        assert set(table.iloc[reader.skipped]["clip"]) == {"02_0001"}
        assert len(rows) == len(table) - self.N_FRAMES

    def test_of_a_training_video_only_missing_frames_are(self, root, write):
        n_found = write.damage(root / "training/videos/02_001.avi", self.N_FRAMES)
        dataset = open_dataset("shanghaitech", root)
        assert len(collect(make_reader(dataset, self.rows(root, "02_001", n_found)))[1]) == n_found
        with pytest.raises(UnreadableError, match="decoding ended"):
            list(make_reader(dataset, self.rows(root, "02_001", n_found + 1)))


class TestParameters:
    @pytest.mark.parametrize("name", ["batch_size", "n_threads"])
    def test_at_least_one(self, dataset, table, name):
        with pytest.raises(ParameterError, match=f"{name}: at least 1 is expected, not 0"):
            make_reader(dataset, table, **{name: 0})

    @pytest.mark.parametrize("size", [224, (224,), (0, 10), (224.5, 10), (3, 224, 224)])
    def test_size(self, dataset, table, size):
        with pytest.raises(ParameterError, match=r"size: \(height, width\)"):
            make_reader(dataset, table, size=size)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda table: table.iloc[:0], "table: no rows"),
            (lambda table: table.drop(columns="label"), "table: column 'label' is missing"),
            (lambda table: table.iloc[[1, 2, 2]], r"frame 2 of clip 01_001 is there twice \(as are 0 more\)"),
            (lambda table: table.head(1).assign(clip="99_0001"), "No clip '99_0001'"),
            (lambda table: table.head(1).assign(frame=-1), "Clip 01_001 has frames 0 to 9, not -1"),
            (lambda table: table.head(1).assign(frame=10), "Clip 01_001 has frames 0 to 9, not 10"),
        ],
    )
    def test_table(self, dataset, table, change, message):
        with pytest.raises(ParameterError, match=message):
            make_reader(dataset, change(table))

    def test_clips_of_which_only_labels_are_there(self, tmp_path, shanghaitech_root):
        root = shutil.copytree(shanghaitech_root, tmp_path / "shanghaitech")
        shutil.rmtree(root / "testing/frames")
        dataset = open_dataset("shanghaitech", root, allow_missing=True)
        with pytest.raises(LayoutError, match=r"2 clips \(01_0014, 01_0015\): labels only"):
            make_reader(dataset, dataset.frame_table())

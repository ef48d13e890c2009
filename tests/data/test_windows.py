import shutil

import numpy as np
import pytest
import torch
from films import number_in, write_film
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vadlib.data import FrameReader, open_dataset, read_frame
from vadlib.data.reading import frames as frames_module
from vadlib.data.reading import videos
from vadlib.data.reading.decoding import VideoDecoder
from vadlib.data.reading.views import resize
from vadlib.data.reading.windows import assemble_windows, window_frames
from vadlib.errors import ParameterError


@pytest.fixture(scope="module")
def dataset(shanghaitech_root):
    return open_dataset("shanghaitech", shanghaitech_root)


@pytest.fixture(scope="module")
def table(dataset):
    return dataset.frame_table()


def make_reader(dataset, table, window, stride=1, **options):
    options = {"size": (24, 32), "batch_size": 7, "progress": False} | options
    return FrameReader(dataset, table, window=window, stride=stride, **options)


def collect(reader):
    """Every window of a reader, by its (clip, frame)."""
    return {
        (reader.table["clip"].iloc[row], reader.table["frame"].iloc[row]): images
        for batch in reader
        for row, images in zip(batch.rows, batch.images.numpy(), strict=True)
    }


def naive(dataset, clip_id, frame, window, stride, size):
    """A window whose frames are read on their own, the slow way: uint8 (T, 3, H, W)."""
    wanted = [max(0, frame - stride * back) for back in reversed(range(window))]
    return np.stack([resize(read_frame(dataset, clip_id, f), size).transpose(2, 0, 1) for f in wanted])


def test_numbers_of_frames():
    np.testing.assert_array_equal(window_frames([0, 3, 9], 4, 2), [[0, 0, 0, 0], [0, 0, 1, 3], [3, 5, 7, 9]])
    np.testing.assert_array_equal(window_frames([5, 8], 1, 3), [[5], [8]])


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_same_as_one_by_one(dataset, table, monkeypatch, data):
    """Videos and folders; several clips; at a clip's start and across the batches' borders; in any order."""
    chosen = data.draw(st.lists(st.sampled_from(range(len(table))), min_size=1, max_size=12, unique=True))
    window, stride = data.draw(st.integers(2, 5)), data.draw(st.integers(1, 4))
    monkeypatch.setattr(frames_module, "FILES_PER_JOB", data.draw(st.integers(1, 5)))
    options = {"batch_size": data.draw(st.integers(1, 9)), "n_threads": data.draw(st.integers(1, 4))}
    reader = make_reader(dataset, table.iloc[chosen], window, stride, **options)
    windows = collect(reader)
    assert len(windows) == len(chosen)
    for (clip_id, frame), images in windows.items():
        np.testing.assert_array_equal(images, naive(dataset, clip_id, frame, window, stride, reader.size))


def test_batches(dataset, table):
    batches = list(make_reader(dataset, table, 3, 2))
    assert [len(batch.rows) for batch in batches] == [7] * 8 + [4]
    for batch in batches:
        assert batch.images.shape == (len(batch.rows), 3, 3, 24, 32)
        assert batch.images.dtype == torch.uint8
        assert all(part.is_contiguous(memory_format=torch.channels_last) for part in batch.images)
        rows = table.iloc[batch.rows]
        assert batch.scenes.tolist() == rows["scene"].tolist()
        np.testing.assert_array_equal(batch.labels, rows["label"])
        rates = [dataset.clip(clip).fps for clip in rows["clip"]]
        np.testing.assert_allclose(batch.seconds, rows["frame"] / rates)


def test_a_window_of_one_frame_is_the_frame(dataset, table):
    for alone, windowed in zip(make_reader(dataset, table, 1, 5), make_reader(dataset, table, 2), strict=True):
        assert torch.equal(alone.images, windowed.images[:, -1])


@pytest.mark.parametrize(("clip_id", "kind"), [("01_001", "video"), ("01_0014", "folder")])
def test_each_frame_is_decoded_once(dataset, table, monkeypatch, clip_id, kind):
    read = []
    monkeypatch.setattr(videos, "read_image", lambda path, f=videos.read_image, **o: read.append(path) or f(path, **o))
    monkeypatch.setattr(VideoDecoder, "picture", lambda *a, f=VideoDecoder.picture: read.append(a[1]) or f(*a))
    rows = table[(table["clip"] == clip_id) & (table["frame"] >= 5)]
    windows = collect(make_reader(dataset, rows, 4, 1, batch_size=2))
    assert len(windows) == len(rows)
    assert len(read) == rows["frame"].max() - 2 + 1  # 2 is the first frame of the first window


def test_frames_own_times(tmp_path):
    times_ms = [0, 40, 200, 210, 700, 1000, 1020, 1400]
    write_film(tmp_path / "a.mp4", range(8), times_ms=times_ms)
    dataset = open_dataset("folder", tmp_path, allow_missing=True)
    (batch,) = FrameReader(dataset, dataset.frame_table(), (64, 128), window=2, progress=False)
    np.testing.assert_allclose(batch.seconds, np.array(times_ms) / 1000, atol=2e-3)
    assert [[number_in(image.permute(1, 2, 0).numpy()) for image in pair] for pair in batch.images] == [
        [max(0, frame - 1), frame] for frame in range(8)
    ]


@pytest.mark.parametrize("window", [1, 3])
def test_at_their_own_size(tmp_path, write, window):
    for name, size in (("a", (32, 40)), ("b", (32, 40)), ("c", (20, 60))):
        write.frames(tmp_path / name, 4, size=size)
    dataset = open_dataset("folder", tmp_path, allow_missing=True)
    batches = list(make_reader(dataset, dataset.frame_table(), window, size=None, batch_size=5))
    assert [tuple(batch.images.shape[-2:]) for batch in batches] == [(32, 40), (32, 40), (20, 60)]
    assert np.concatenate([batch.rows for batch in batches]).tolist() == list(range(12))


class TestUnreadable:
    @pytest.fixture
    def damaged(self, tmp_path, write, shanghaitech_root):
        root = shutil.copytree(shanghaitech_root, tmp_path / "shanghaitech")
        dataset = open_dataset("shanghaitech", root)
        (root / "testing/frames/01_0014/004.jpg").write_bytes(b"corrupt")
        write.cut(root / "training/videos/02_001.avi", 6)
        return dataset

    def test_windows_with_it_are_left_out_and_counted(self, damaged):
        reader = make_reader(damaged, damaged.frame_table(), 3, 2, skip_unreadable=True)
        with pytest.warns(UserWarning, match=r"Left out, as skip_unreadable is set: .*004\.jpg") as caught:
            windows = collect(reader)
        assert len(caught) == 1
        left_out = reader.table.iloc[reader.skipped]
        assert left_out[left_out["clip"] == "01_0014"]["frame"].tolist() == [4, 6, 8]
        lost = left_out[left_out["clip"] == "02_001"]["frame"].tolist()
        assert lost == list(range(9 - len(lost), 9)) != []
        assert set(left_out["clip"]) == {"01_0014", "02_001"} == set(reader.why_skipped)
        assert len(windows) + len(left_out) == reader.n_frames
        np.testing.assert_array_equal(windows["01_0014", 7], naive(damaged, "01_0014", 7, 3, 2, reader.size))


def test_few_pictures_are_held_however_long_the_clip():
    """At most a window's span of them, and of each window no more than it needs is taken."""
    span, alive, most = 4 * 3 + 1, set(), 0

    class Picture:
        def __init__(self, number):
            self.number = number
            alive.add(number)

        def __del__(self):
            alive.discard(self.number)

    windows = window_frames(np.arange(2000), 5, 3)
    for last, parts in enumerate(assemble_windows(windows, (Picture(number) for number in range(2000)))):
        most = max(most, len(alive))
        assert [part.number for part in parts] == windows[last].tolist()
        assert max(alive) == last
    assert most <= span + 2


@pytest.mark.parametrize("name", ["window", "stride"])
@pytest.mark.parametrize("value", [0, -2, 1.5])
def test_parameters(dataset, table, name, value):
    with pytest.raises(ParameterError, match=f"{name}: at least 1 is expected"):
        make_reader(dataset, table, **{"window": 2, name: value})

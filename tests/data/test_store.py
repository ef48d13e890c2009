"""Frames that a build keeps: the same as decoded, to the bit, whatever happens to what is kept."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from vadlib.data import FrameReader, open_dataset
from vadlib.data.reading import store, videos
from vadlib.data.reading.scanning import CACHE
from vadlib.errors import UnreadableError

SIZE = (24, 32)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE, str(tmp_path / "kept"))
    return tmp_path / "kept" / "frames"


@pytest.fixture
def dataset(shanghaitech_root, tmp_path):
    """A copy of its own, with clips of both kinds: videos and folders of frames."""
    return open_dataset("shanghaitech", shutil.copytree(shanghaitech_root, tmp_path / "set"))


def read(dataset, table=None, size=SIZE, **options):
    """A reader, iterated, and its frames uint8 (n, 3, H, W) in the table's order."""
    table = dataset.frame_table() if table is None else table
    reader = FrameReader(dataset, table, size, 7, progress=False, **options)
    images = np.zeros((len(table), 3, *size), np.uint8)
    for batch in reader:
        images[batch.rows] = batch.images.numpy()
    return reader, images


def shards(kept):
    return sorted(kept.rglob("*.safetensors"))


@pytest.fixture
def decoded(dataset):
    return read(dataset)[1]


def test_outside_a_build_nothing_is_kept(dataset, monkeypatch):
    monkeypatch.delenv(CACHE, raising=False)
    assert store.build_store(SIZE) is None
    assert read(dataset)[0].n_recalled == 0


def test_the_second_reader_decodes_nothing_and_gives_the_same(dataset, decoded, kept, monkeypatch):
    first, images = read(dataset)
    assert first.n_recalled == 0
    np.testing.assert_array_equal(images, decoded)
    monkeypatch.setattr(videos, "VideoDecoder", None)
    monkeypatch.setattr(videos, "read_image", None)
    second, images = read(dataset, skip_unreadable=True)
    assert second.n_recalled == len(decoded)
    np.testing.assert_array_equal(images, decoded)


@pytest.mark.parametrize("n", [1, 2, 3, 64])
def test_what_is_not_kept_is_decoded(dataset, decoded, kept, monkeypatch, n):
    monkeypatch.setattr(store, "SHARD_FRAMES", n)
    table = dataset.frame_table()
    read(dataset, table.iloc[::3])
    reader, images = read(dataset)
    assert reader.n_recalled == len(table.iloc[::3])
    np.testing.assert_array_equal(images, decoded)
    assert read(dataset, table.iloc[1::2])[0].n_recalled == len(table.iloc[1::2])


def test_fresh_frames_are_decoded_and_not_kept(dataset, decoded, kept):
    assert read(dataset, fresh=True)[0].n_recalled == 0
    assert not kept.exists()
    read(dataset)
    reader, images = read(dataset, fresh=True)
    assert reader.n_recalled == 0
    np.testing.assert_array_equal(images, decoded)


def test_another_size_and_another_state_of_a_file_are_others(dataset, decoded, kept):
    read(dataset)
    assert read(dataset, size=(12, 16))[0].n_recalled == 0
    clips = [clip for clip in dataset.clips if clip.path.is_file()]
    os.utime(clips[0].path, ns=(1, 1))
    assert read(dataset)[0].n_recalled == len(decoded) - clips[0].n_frames


def test_another_revision_decodes_anew(dataset, kept, monkeypatch):
    read(dataset)
    monkeypatch.setattr(store, "code_digest", lambda *_: "another")
    assert read(dataset)[0].n_recalled == 0


@pytest.mark.parametrize("damage", ["changed", "cut", "empty", "removed"])
def test_what_is_damaged_is_decoded_again(dataset, decoded, kept, damage):
    read(dataset)
    for path in shards(kept):
        content = bytearray(path.read_bytes())
        if damage == "changed":
            content[-1000:] = bytes(1000)
        path.write_bytes(content[: {"cut": len(content) // 2, "empty": 0}.get(damage)])
        if damage == "removed":
            path.unlink()
    np.testing.assert_array_equal(read(dataset)[1], decoded)
    np.testing.assert_array_equal(read(dataset)[1], decoded)


def test_a_test_video_with_frames_missing_is_an_error_each_time(dataset, kept, monkeypatch):
    clip = next(clip for clip in dataset.clips if clip.path.is_file() and clip.split == "test")
    table = dataset.frame_table().query(f"clip == '{clip.id}'")
    check = videos._check_count
    monkeypatch.setattr(videos, "_check_count", lambda path, n_found, n_frames: check(path, n_found, n_frames + 1))
    for _ in range(2):
        with pytest.raises(UnreadableError, match="frames expected"):
            read(dataset, table)
        assert not shards(kept)


def test_a_loop_left_early_keeps_no_part_of_a_clip(dataset, kept):
    table = dataset.frame_table().query("clip == '01_001'")
    assert len(table) > 1
    batches = iter(FrameReader(dataset, table, SIZE, 1, progress=False, n_threads=1))
    next(batches)
    batches.close()
    left = [path for path in kept.rglob("*") if path.is_file() and path.suffix != ".safetensors"]
    assert not left


def test_what_was_used_longest_ago_goes_first(dataset, kept):
    read(dataset)
    places = sorted(kept.iterdir())
    for age, place in enumerate(places):
        os.utime(place, (1000 - age, 1000 - age))
    n_bytes = sum(path.stat().st_size for path in shards(kept))
    store.FrameStore(kept, SIZE, n_bytes - 1)
    left = set(kept.iterdir())
    assert places[0] in left
    assert places[-1] not in left
    assert sum(path.stat().st_size for path in shards(kept)) <= 0.75 * n_bytes


def test_without_room_nothing_is_kept(dataset, decoded, kept, monkeypatch):
    monkeypatch.setattr(store, "LEFT_FREE", 2**62)
    np.testing.assert_array_equal(read(dataset)[1], decoded)
    assert not shards(kept)


def test_a_folder_that_cannot_be_written_is_no_error(dataset, decoded, kept):
    kept.parent.mkdir(parents=True)
    kept.write_text("a file")
    np.testing.assert_array_equal(read(dataset)[1], decoded)


def test_several_processes_share_it(dataset, decoded, kept):
    code = (
        "import sys, numpy as np\nfrom vadlib.data import FrameReader, open_dataset\n"
        "videos = open_dataset('shanghaitech', sys.argv[1])\n"
        f"reader = FrameReader(videos, videos.frame_table(), {SIZE}, 7, progress=False)\n"
        "print(sum(int(batch.images.long().sum()) for batch in reader))"
    )
    command = [sys.executable, "-c", code, str(dataset.root)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert {process.communicate()[0].strip() for process in processes} == {str(decoded.sum(dtype=np.int64))}
    reader, images = read(dataset)
    assert reader.n_recalled == len(decoded)
    np.testing.assert_array_equal(images, decoded)

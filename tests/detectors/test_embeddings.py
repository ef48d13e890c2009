import json
import os
import shutil
import time
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vadlib.data import Clip, FrameReader, VideoDataset
from vadlib.detectors import ClipPrototypes, embed_frames
from vadlib.detectors import feature_cache as embeddings
from vadlib.errors import ParameterError, ResultsError, UnreadableError, WeightsError
from vadlib.networks import WeightsRecord, resnet18

D, SIDE = 6, 16
LENGTHS = {"a": 7, "b": 5, "c": 6}


class CountingNetwork:
    """Embeds a frame as a projection of its mean colours, and counts the frames that it embedded."""

    def __init__(self, seed=0, *, sha256=None, precision="float32", embedding_size=D):
        self.embedding_size, self.precision, self.device = embedding_size, precision, torch.device("cpu")
        self.record = WeightsRecord("stub", "random", "stub weights", sha256, seed, trained=False)
        self.matrix = torch.randn(12, embedding_size, generator=torch.Generator().manual_seed(seed or 0))
        self.n_embedded, self.on_batch = 0, lambda: None

    def to(self, device):
        return self

    def embed(self, images):
        self.on_batch()
        self.n_embedded += len(torch.unique(images.flatten(1), dim=0))  # what fills a last batch up is there already
        pooled = torch.nn.functional.adaptive_avg_pool2d(images.float(), 2).flatten(1)  # (B, 12)
        return (pooled / 255 - 0.5) @ self.matrix


def write_dataset(root, name="tiny"):
    """Three test clips, folders of random pictures; odd frames are anomalous."""
    rng = np.random.default_rng(0)
    clips = []
    for clip_id, n_frames in LENGTHS.items():
        folder = root / clip_id
        folder.mkdir(parents=True)
        for frame in range(n_frames):
            cv2.imwrite(str(folder / f"{frame:03d}.png"), rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))
        clips.append(Clip(clip_id, "test", "s", folder, n_frames, 25.0))
    labels = {clip.id: np.arange(clip.n_frames, dtype=np.int8) % 2 for clip in clips}
    return VideoDataset(name, root, tuple(clips), labels)


@pytest.fixture
def dataset(tmp_path):
    return write_dataset(tmp_path / "data")


def read(dataset, rows=None, *, seed=None, batch_size=4, size=(SIDE, SIDE), **options):
    """A reader of some rows of the frame table, or of all, in any order."""
    table = dataset.frame_table()
    table = table if rows is None else table.iloc[rows]
    table = table if seed is None else table.sample(frac=1, random_state=seed)
    return FrameReader(dataset, table, size, batch_size, progress=False, n_threads=1, **options)


def one_at_a_time(network, dataset, table):
    """Each row of a table read and embedded by itself."""
    rows = []
    for row in table.itertuples():
        picture = cv2.imread(str(dataset.clip(row.clip).path / f"{row.frame:03d}.png"))[:, :, ::-1].copy()
        rows.append(network.embed(torch.from_numpy(picture).permute(2, 0, 1)[None])[0].numpy())
    return np.array(rows)


@pytest.mark.parametrize("cached", [False, True])
def test_rows_are_those_of_the_table_whatever_its_order(dataset, tmp_path, cached):
    network, cache = CountingNetwork(), tmp_path / "cache" if cached else None
    for seed in (None, 1, 2):
        reader = read(dataset, seed=seed)
        found = embed_frames(network, reader, cache=cache)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, one_at_a_time(CountingNetwork(), dataset, reader.table), atol=1e-5)
    assert network.n_embedded == (18 if cached else 54)


def test_readers_without_a_data_set_serve_without_a_cache(array_reader, make_frames):
    network, images = CountingNetwork(), make_frames(9, 0)
    found = embed_frames(network, array_reader(images, 4))
    np.testing.assert_allclose(found, network.embed(images), atol=1e-5)


class TestCache:
    @settings(max_examples=15)
    @given(asked=st.lists(st.sets(st.integers(0, 17), min_size=1), min_size=1, max_size=4))
    def test_each_frame_is_embedded_once(self, asked, tmp_path_factory):
        root = tmp_path_factory.mktemp("cache")
        dataset, network, seen = write_dataset(root / "data"), CountingNetwork(), set()
        whole = embed_frames(CountingNetwork(), read(dataset))
        for rows in asked:
            found = embed_frames(network, read(dataset, sorted(rows), seed=1), cache=root / "cache")
            seen |= rows
            order = read(dataset, sorted(rows), seed=1).table.index
            np.testing.assert_allclose(found, whole[order], atol=1e-5)
            assert network.n_embedded == len(seen)

    def test_only_what_is_missing_is_read(self, dataset, tmp_path):
        network = CountingNetwork()
        embed_frames(network, read(dataset, range(7)), cache=tmp_path / "cache")
        first = embed_frames(network, read(dataset, range(12)), cache=tmp_path / "cache")
        for picture in dataset.root.rglob("*.png"):  # same names and sizes, nothing to see in them
            picture.write_bytes(bytes(picture.stat().st_size))
        again = embed_frames(network, read(dataset, range(12)), cache=tmp_path / "cache")
        np.testing.assert_array_equal(again, first)
        with pytest.raises(UnreadableError):
            embed_frames(network, read(dataset, range(13)), cache=tmp_path / "cache")

    @pytest.mark.parametrize(
        ("changes", "n_more"),
        [
            ({}, 0),
            ({"network": CountingNetwork(1)}, 18),
            ({"network": CountingNetwork(None, sha256="f" * 64)}, 18),
            ({"network": CountingNetwork(precision="bfloat16")}, 18),
            ({"size": (SIDE, 2 * SIDE)}, 18),
            ({"view": "inner"}, 18),
            ({"batch_size": 7}, 0),
            ({"name": "another"}, 18),
        ],
    )
    def test_another_identity_finds_nothing(self, tmp_path, changes, n_more):
        dataset = write_dataset(tmp_path / "data")
        embed_frames(CountingNetwork(), read(dataset), cache=tmp_path / "cache")
        changes = dict(changes)
        network = changes.pop("network", None) or CountingNetwork()
        if "name" in changes:
            dataset = write_dataset(tmp_path / "other", changes.pop("name"))
        before = network.n_embedded
        found = embed_frames(network, read(dataset, **changes), cache=tmp_path / "cache")
        assert network.n_embedded - before == n_more
        np.testing.assert_allclose(found, embed_frames(network, read(dataset, **changes)), atol=1e-5)

    def test_a_moved_data_set_is_the_same(self, dataset, tmp_path):
        embed_frames(CountingNetwork(), read(dataset), cache=tmp_path / "cache")
        network = CountingNetwork()
        embed_frames(network, read(write_dataset(tmp_path / "elsewhere")), cache=tmp_path / "cache")
        assert network.n_embedded == 0

    def test_the_folder_says_what_it_holds(self, dataset, tmp_path):
        embed_frames(CountingNetwork(5), read(dataset), cache=tmp_path / "cache")
        (folder,) = (tmp_path / "cache").iterdir()
        identity = json.loads((folder / "identity.json").read_text())
        assert identity["dataset"] == dataset.fingerprint
        assert (identity["architecture"], identity["seed"], identity["image_size"]) == ("stub", 5, [SIDE, SIDE])

    def test_skipped_frames_are_nan_and_are_tried_again(self, dataset, tmp_path):
        picture = dataset.clip("b").path / "002.png"  # row 9
        sound = picture.read_bytes()
        picture.write_bytes(bytes(len(sound)))
        network = CountingNetwork()
        for n_embedded in (17, 17):
            reader = read(dataset, seed=3, skip_unreadable=True)
            with pytest.warns(UserWarning, match="Left out"):
                found = embed_frames(network, reader, cache=tmp_path / "cache")
            assert network.n_embedded == n_embedded
            assert reader.table.index[reader.skipped].tolist() == [9]
            assert np.flatnonzero(np.isnan(found).any(axis=1)).tolist() == reader.skipped.tolist()
        picture.write_bytes(sound)
        reader = read(dataset, skip_unreadable=True)
        assert np.isfinite(embed_frames(network, reader, cache=tmp_path / "cache")).all()
        assert network.n_embedded == 18
        assert len(reader.skipped) == 0


class TestInterruption:
    def test_a_killed_run_goes_on_where_it_was(self, dataset, tmp_path, monkeypatch):
        """What is on disk at any moment is what a kill at that moment would leave."""
        monkeypatch.setattr(embeddings, "SHARD_FRAMES", 1)
        network, left = CountingNetwork(), []

        def snapshot():
            left.append(tmp_path / f"left_{network.n_embedded}")
            if (tmp_path / "cache").exists():
                shutil.copytree(tmp_path / "cache", left[-1])

        network.on_batch = snapshot
        whole = embed_frames(network, read(dataset), cache=tmp_path / "cache")
        n_again = []
        for folder in left:
            for key in folder.iterdir():
                (key / ".half.1.partial").write_bytes(b"half")  # killed inside a write
            again = CountingNetwork()
            found = embed_frames(again, read(dataset), cache=folder)
            np.testing.assert_allclose(found, whole, atol=1e-5)
            n_again.append(again.n_embedded)
        assert n_again == [
            18,
            18,
            11,
            11,
            6,
        ]  # batches of 4: clip a is known to be whole with the second, b with the fourth

    def test_a_clip_in_progress_is_not_kept_after_an_error(self, tmp_path):
        """A test video is known to be damaged only at its end: nothing of it may stay."""
        dataset = write_dataset(tmp_path / "data")
        path = tmp_path / "data" / "d.avi"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (SIDE, SIDE))
        for _ in range(6):
            writer.write(np.zeros((SIDE, SIDE, 3), np.uint8))
        writer.release()
        labels = {**dataset.labels, "d": np.zeros(8, np.int8)}  # two frames are gone
        dataset = VideoDataset("tiny", dataset.root, (*dataset.clips, Clip("d", "test", "s", path, 8, 25.0)), labels)
        network = CountingNetwork()
        wanted = [*range(18), 18, 19, 20, 21]
        with pytest.raises(UnreadableError, match="8 frames expected, 6 can be decoded"):
            embed_frames(network, read(dataset, wanted, batch_size=1), cache=tmp_path / "cache")
        assert network.n_embedded == 21, "frames of d were embedded before the error"
        known = embeddings.EmbeddingCache(tmp_path / "cache", network, read(dataset)).fill(np.empty((26, D)))
        assert np.flatnonzero(known).tolist() == list(range(18))

    def test_an_interrupt_keeps_the_clips_that_are_done(self, dataset, tmp_path):
        network = CountingNetwork()

        def interrupt():
            if network.n_embedded >= 16:
                raise KeyboardInterrupt

        network.on_batch = interrupt
        with pytest.raises(KeyboardInterrupt):
            embed_frames(network, read(dataset), cache=tmp_path / "cache")
        again = CountingNetwork()
        embed_frames(again, read(dataset), cache=tmp_path / "cache")
        assert again.n_embedded == 6  # clip c

    def test_two_runs_at_once_do_not_disturb_each_other(self, dataset, tmp_path, monkeypatch):
        monkeypatch.setattr(embeddings, "SHARD_FRAMES", 1)
        network, other, inner = CountingNetwork(), CountingNetwork(), []
        network.on_batch = lambda: inner.append(embed_frames(other, read(dataset, seed=1), cache=tmp_path / "cache"))
        found = embed_frames(network, read(dataset), cache=tmp_path / "cache")
        whole = embed_frames(CountingNetwork(), read(dataset))
        np.testing.assert_allclose(found, whole, atol=1e-5)
        for rows in inner:
            np.testing.assert_allclose(rows, whole[read(dataset, seed=1).table.index], atol=1e-5)
        assert other.n_embedded == 18
        assert not list((tmp_path / "cache").rglob(".*"))

    def test_partial_files_go_once_they_are_nobodys(self, dataset, tmp_path):
        embed_frames(CountingNetwork(), read(dataset, [0]), cache=tmp_path / "cache")
        (folder,) = (tmp_path / "cache").iterdir()
        fresh, stale = folder / ".x.1.partial", folder / ".y.2.partial"
        for path in (fresh, stale):
            path.touch()
        os.utime(stale, (time.time() - 2 * embeddings.ABANDONED_S,) * 2)
        embed_frames(CountingNetwork(), read(dataset, [0]), cache=tmp_path / "cache")
        assert (fresh.exists(), stale.exists()) == (True, False)


class TestDamage:
    @pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
    def test_a_damaged_file_is_embedded_again_with_a_warning(self, dataset, tmp_path, damage):
        whole = embed_frames(CountingNetwork(), read(dataset, range(7)), cache=tmp_path / "cache")
        embed_frames(CountingNetwork(), read(dataset, range(7, 18)), cache=tmp_path / "cache")
        (path,) = [
            p
            for p in (tmp_path / "cache").rglob("*.safetensors")
            if len(embeddings.load(p.read_bytes())["frames"]) == 7
        ]
        content = bytearray(path.read_bytes())
        content[-9] ^= 1
        path.write_bytes({"flip": content, "cut": content[:-9], "empty": b""}[damage])
        network = CountingNetwork()
        with pytest.warns(UserWarning, match=f"{path.name} was damaged and is removed"):
            found = embed_frames(network, read(dataset), cache=tmp_path / "cache")
        assert network.n_embedded == 7
        np.testing.assert_allclose(found[:7], whole, atol=1e-5)
        network = CountingNetwork()
        embed_frames(network, read(dataset), cache=tmp_path / "cache")
        assert network.n_embedded == 0

    def test_a_folder_that_cannot_be_used_is_named(self, dataset, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(ResultsError, match="cache: .*file cannot be used"):
            embed_frames(CountingNetwork(), read(dataset), cache=tmp_path / "file")

    def test_a_full_disk_leaves_no_half_file(self, dataset, tmp_path, monkeypatch):
        def full(descriptor):
            raise OSError("No space left on device")

        monkeypatch.setattr(embeddings.os, "fsync", full)
        network = CountingNetwork()
        monkeypatch.setattr(embeddings, "write_atomically", lambda path, text: path.write_text(text))
        with pytest.raises(ResultsError, match="cannot be written .No space left.* make room"):
            embed_frames(network, read(dataset), cache=tmp_path / "cache")
        assert [p.name for p in (tmp_path / "cache").rglob("*") if p.is_file()] == ["identity.json"]


class TestBadInput:
    def test_weights_that_cannot_be_told_apart(self, dataset, tmp_path):
        with pytest.raises(
            ParameterError, match="cache: the weights 'stub weights' of stub have neither digest nor seed"
        ):
            embed_frames(CountingNetwork(None), read(dataset), cache=tmp_path)

    def test_a_reader_that_does_not_know_its_frames(self, array_reader, make_frames, tmp_path):
        with pytest.raises(ParameterError, match="cache: a FrameReader is expected, .* not a ArrayReader"):
            embed_frames(CountingNetwork(), array_reader(make_frames(2, 0)), cache=tmp_path)

    def test_a_network_without_embeddings(self, dataset):
        with pytest.raises(ParameterError, match="network: blind has no embed"):
            embed_frames(SimpleNamespace(record=SimpleNamespace(architecture="blind")), read(dataset))

    @pytest.mark.parametrize("cached", [False, True])
    def test_embeddings_that_are_not_what_they_should_be(self, dataset, tmp_path, cached):
        cache = tmp_path / "cache" if cached else None
        network = CountingNetwork()
        network.matrix = network.matrix * float("nan")
        with pytest.raises(WeightsError, match="stub weights .float32. gives NaN or infinity for 4 of 4 frames"):
            embed_frames(network, read(dataset), cache=cache)
        network = CountingNetwork()
        network.embedding_size = D + 1
        with pytest.raises(WeightsError, match=r"promises embeddings of shape \(4, 7\) and gives \(4, 6\)"):
            embed_frames(network, read(dataset), cache=cache)
        assert not list(tmp_path.rglob("*.safetensors"))


def test_prototypes_of_another_k_or_mode_embed_nothing_again(dataset, tmp_path):
    network, cache = CountingNetwork(), tmp_path / "cache"
    options = {"device": "cpu", "top_k": 2, "cache": cache}
    first = ClipPrototypes(network, 3, **options).fit(read(dataset))
    scores = first.score_columns(read(dataset))
    assert network.n_embedded == 18
    normal = np.flatnonzero(dataset.frame_table()["label"] == 0)
    ClipPrototypes(network, 4, **options).fit(read(dataset)).score(read(dataset, seed=1))
    ClipPrototypes(network, 4, mode="one-class", **options).fit(read(dataset, normal)).score(read(dataset))
    assert network.n_embedded == 18
    without = ClipPrototypes(network, 3, device="cpu", top_k=2).fit(read(dataset)).score_columns(read(dataset))
    for name, values in scores.items():
        np.testing.assert_allclose(without[name], values, atol=1e-4, err_msg=name)
    shuffled = ClipPrototypes(network, 3, **options).fit(read(dataset)).score(read(dataset, seed=1))
    np.testing.assert_array_equal(shuffled, scores["ensemble"][read(dataset, seed=1).table.index])


class LastBitsNetwork(CountingNetwork):
    """Last bits depend on the size of the batch, as those of real networks do, and on nothing else."""

    def embed(self, images):
        self.n_embedded += len(torch.unique(images.flatten(1), dim=0))
        exact = torch.stack([image.double().flatten()[:D] / 255 for image in images])  # (B, D)
        return (exact * (1 + 2.0**-20 * len(images))).float()


@pytest.mark.parametrize("n_cached", [1, 6, 7, 12, 17])
def test_what_an_interrupted_run_left_changes_no_bit(dataset, tmp_path, n_cached):
    whole = embed_frames(LastBitsNetwork(), read(dataset), cache=tmp_path / "whole")
    embed_frames(LastBitsNetwork(), read(dataset, range(n_cached)), cache=tmp_path / "cache")
    network = LastBitsNetwork()
    np.testing.assert_array_equal(embed_frames(network, read(dataset), cache=tmp_path / "cache"), whole)
    assert network.n_embedded == 18 - n_cached
    np.testing.assert_array_equal(embed_frames(LastBitsNetwork(), read(dataset)), whole)


def test_real_networks_give_the_same_bits_in_any_company():
    """What the above rests on: only the size of a batch matters, not who is in it."""
    network = resnet18("random", seed=0)
    images = torch.randint(0, 256, (24, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    first = network.embed(images[:8])
    for start in (1, 3, 7):
        assert torch.equal(network.embed(images[start : start + 8])[: 8 - start], first[start:])
    filled = torch.cat([images[:3], images[:1].expand(5, -1, -1, -1)])
    assert torch.equal(network.embed(filled)[:3], first[:3])

import os
import shutil

import numpy as np
import pytest

from vadlib.data import Clip, VideoDataset, open_dataset
from vadlib.errors import LabelError, LayoutError, ParameterError, UnreadableError


@pytest.fixture(scope="module")
def dataset(shanghaitech_root):
    return open_dataset("shanghaitech", shanghaitech_root)


def test_clip_lookup(dataset):
    assert dataset.clip("01_0014").n_frames == 12
    with pytest.raises(ParameterError, match=r"No clip '01_0041' in shanghaitech: it has 6.*Nearest: .*01_0014"):
        dataset.clip("01_0041")


@pytest.mark.parametrize("frame", [-1, 12])
def test_mask_of_a_frame_that_is_not_there(dataset, frame):
    with pytest.raises(ParameterError, match=f"Clip 01_0014 has frames 0 to 11, not {frame}"):
        dataset.pixel_mask("01_0014", frame)


def test_image_size_of_videos_and_folders(dataset, write):
    assert dataset.image_size() == dataset.image_size("01_0014") == dataset.image_size("02_001") == write.size


def test_two_clips_of_one_id(tmp_path, shanghaitech_root):
    root = shutil.copytree(shanghaitech_root, tmp_path / "shanghaitech")
    (root / "training/videos/01_001.avi").rename(root / "training/videos/01_0014.avi")
    with pytest.raises(LayoutError, match="Two clips are called 01_0014"):
        open_dataset("shanghaitech", root)


class TestFingerprint:
    @pytest.fixture
    def copy(self, tmp_path, shanghaitech_root):
        return shutil.copytree(shanghaitech_root, tmp_path / "elsewhere")

    def test_place_and_time_do_not_matter(self, dataset, copy):
        for path in copy.rglob("*"):
            os.utime(path, (1, 1))
        (copy / "testing/frames/01_0014/.DS_Store").write_bytes(b"stray")
        fingerprint = open_dataset("shanghaitech", copy).fingerprint
        assert fingerprint == dataset.fingerprint
        assert int(fingerprint, 16) > 0

    def test_labels_matter(self, dataset, copy, write):
        labels = write.labels["01_0014"].copy()
        labels[0] = 1 - labels[0]
        write.array(copy / "testing/test_frame_mask/01_0014.npy", labels)
        assert open_dataset("shanghaitech", copy).fingerprint != dataset.fingerprint

    @pytest.mark.parametrize("file", ["training/videos/01_001.avi", "testing/frames/01_0014/003.jpg"])
    def test_sizes_matter(self, dataset, copy, file):
        with (copy / file).open("ab") as stream:
            stream.write(b"\0")
        assert open_dataset("shanghaitech", copy).fingerprint != dataset.fingerprint

    def test_clips_and_masks_matter(self, dataset, copy):
        (copy / "testing/test_pixel_mask/01_0014.npy").unlink()
        without_masks = open_dataset("shanghaitech", copy).fingerprint
        (copy / "training/videos/01_002.avi").unlink()
        without_clip = open_dataset("shanghaitech", copy).fingerprint
        assert len({dataset.fingerprint, without_masks, without_clip}) == 3


def test_a_clip_whose_name_is_no_text(tmp_path):
    clip = Clip(os.fsdecode(b"\xff"), "test", "s", tmp_path / os.fsdecode(b"\xff"), 1, 25.0)
    with pytest.raises(LayoutError, match=r"\\udcff: the name is not text in UTF-8") as caught:
        VideoDataset("x", tmp_path, (clip,), {clip.id: np.zeros(1)})
    str(caught.value).encode()  # the message can be printed


def test_fingerprint_of_a_folder_with_a_link_to_nothing(tmp_path, write):
    folder = write.frames(tmp_path / "clip", 2)
    (folder / "readme").symlink_to("nowhere")
    clip = Clip("clip", "test", "s", folder, 2, 25.0)
    dataset = VideoDataset("x", tmp_path, (clip,), {"clip": np.zeros(2)})
    assert len(dataset.fingerprint) == 32


def test_fingerprint_of_a_video_that_went_missing(tmp_path):
    clip = Clip("clip", "test", "s", tmp_path / "clip.avi", 2, 25.0)
    with pytest.raises(UnreadableError, match=r"clip\.avi cannot be read: No such file"):
        VideoDataset("x", tmp_path, (clip,), {"clip": np.zeros(2)}).fingerprint  # noqa: B018


@pytest.mark.parametrize("name", ["", ".", "..", "a/b"])
def test_a_clip_whose_name_is_no_folder(tmp_path, name):
    clip = Clip(name, "test", "s", tmp_path / "x.avi", 1, 25.0)
    with pytest.raises(LayoutError, match=r"x\.avi: a clip cannot be called"):
        VideoDataset("x", tmp_path, (clip,), {clip.id: np.zeros(1)})


@pytest.mark.parametrize(("split", "allowed"), [("test", True), ("test", False), ("train", True)])
def test_frames_without_a_label_are_allowed_only_in_test_clips_of_sets_that_may_lack_them(tmp_path, split, allowed):
    clip = Clip("a", split, "s", tmp_path, 3, 25.0)
    options = {"may_lack_labels": allowed}
    if split == "test" and allowed:
        dataset = VideoDataset("mine", tmp_path, (clip,), {"a": np.array([-1, -1, -1])}, **options)
        assert not dataset.labelled
        assert dataset.frame_table()["label"].tolist() == [-1] * 3
        assert VideoDataset("mine", tmp_path, (clip,), {"a": np.array([-1, 0, 1])}, **options).labelled
    else:
        with pytest.raises(LabelError, match=r"Clip a: labels are 0 or 1, found \[-1\]"):
            VideoDataset("mine", tmp_path, (clip,), {"a": np.array([-1, -1, -1])}, **options)

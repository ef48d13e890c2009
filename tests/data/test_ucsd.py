import os
import shutil

import cv2
import numpy as np
import pytest

from vadlib.data import open_dataset, read_frame
from vadlib.data.layouts import ucsd
from vadlib.data.published.check import check_datasets, guess_names, report
from vadlib.errors import LabelError, LayoutError


@pytest.fixture
def home(tmp_path, ucsd_root):
    """A copy to damage."""
    return shutil.copytree(ucsd_root / "UCSD_Anomaly_Dataset.v1p2/UCSDped2", tmp_path / "UCSDped2")


@pytest.mark.parametrize("suffix", [".tif", ".jpg", ".png"])
@pytest.mark.parametrize(("name", "folder"), [("ucsd-ped1", "UCSDped1"), ("ucsd-ped2", "UCSDped2")])
def test_clips_and_labels(tmp_path, write, suffix, name, folder):
    write.ucsd(tmp_path / folder, folder, suffix)
    dataset = open_dataset(name, tmp_path)
    assert [(clip.id, clip.split, clip.n_frames) for clip in dataset.clips] == [
        ("Test001", "test", 10),
        ("Test002", "test", 12),
        ("Test003", "test", 7),
        ("Train001", "train", 6),
        ("Train002", "train", 8),
    ]
    assert {clip.scene for clip in dataset.clips} == {folder[4:]}
    assert {clip.fps for clip in dataset.clips} == {10.0}
    assert dataset.labels["Test001"].tolist() == [0, 0, 0, 0, 1, 1, 1, 0, 0, 0]  # 5:7, from 1, ends included
    assert dataset.labels["Test002"].tolist() == [1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1]
    assert dataset.labels["Test003"].tolist() == [0] * 7
    assert write.identify(read_frame(dataset, "Test002", 4)) == (4, 4)


@pytest.mark.parametrize("clip_id", ["Test001", "Test002"])  # masks called 001.bmp, and frame001.bmp
def test_masks(ucsd_root, write, clip_id):
    dataset = open_dataset("ucsd-ped2", ucsd_root)
    for frame in range(10):
        mask = dataset.pixel_mask(clip_id, frame)
        assert mask.dtype == bool
        assert mask.shape == write.size
        assert np.flatnonzero(mask.any(axis=0)).tolist() == [frame]
    assert dataset.pixel_mask("Test003", 0) is None
    assert dataset.pixel_mask("Train001", 0) is None
    assert dataset.facts == {"labels": "Test/UCSDped2.m"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("T{end+1}.gt_frame = [61:180];", {1: [(61, 180)]}),
        ("gt_frame=[5:90, 140:200]\ngt_frame = [ 1 : 3 ]", {1: [(5, 90), (140, 200)], 2: [(1, 3)]}),
        ("gt_frame = [5:90 140:200];", {1: [(5, 90), (140, 200)]}),
        ("gt_frame = [7];\r\ngt_frame = [];", {1: [(7, 7)], 2: []}),
        ("gt_frame = 5:9;", {1: [(5, 9)]}),
        ("% gt_frame = [1:2];\ngt_frame = [3:4]; % gt_frame = [9:9]", {1: [(3, 4)]}),
        ("gt_frame = [1:2, ...\n 5:6];", {1: [(1, 2), (5, 6)]}),
    ],
)
def test_parse_ranges(tmp_path, text, expected):
    path = tmp_path / "UCSDped2.m"
    path.write_text(text)
    assert ucsd.parse_ranges(path) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *((f"gt_frame = [1:2];\ngt_frame = [{ranges}];", "entry 2: '.*' is not a range") for ranges in
          ("0:5", "9:3", "a:b", "1:2:9", "-3:4", "9" * 5000, "1" + " " * 300_000 + "x", "1:2 \u00b2")),
        ("TestVideoFile = {};", "no line like"),
    ],
)  # fmt: skip
def test_what_are_no_ranges(tmp_path, text, message):
    path = tmp_path / "UCSDped2.m"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(LabelError, match=rf"UCSDped2\.m: {message}") as caught:
        ucsd.parse_ranges(path)
    assert len(str(caught.value)) < 400


def remove(*paths):
    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (
            lambda home: (
                remove(home / "Test/Test001/010.tif")
                or (home / "Test/UCSDped2.m").write_text("gt_frame = [8:10];\ngt_frame = [];\ngt_frame = [];")
            ),
            LabelError,
            r"Clip Test001 has 9 frames .* labels frames 8 to 10 of it",
        ),
        (
            lambda home: remove(home / "Test/Test002_gt/frame012.bmp"),
            LabelError,
            "Clip Test002 has 12 frames but 11 masks",
        ),
        (
            lambda home: remove(home / "Test/UCSDped2.m", *home.glob("Test/*_gt"), home / "Train"),
            LayoutError,
            r"no training clips .*; no labels \(Test/UCSDped2\.m, or masks in Test",
        ),
        (
            lambda home: shutil.copytree(home / "Test/Test002", home / "Test/Test2"),
            LayoutError,
            "Test002 and Test2 are both clip 2",
        ),
        (
            lambda home: remove(home / "Test/UCSDped2.m") or (home / "Test/UCSDped2.m").symlink_to("/dev/zero"),
            LabelError,
            r"UCSDped2\.m cannot be read: .* is no file",
        ),
        (
            lambda home: os.truncate(home / "Test/UCSDped2.m", 2**40),  # sparse: takes no room
            LabelError,
            r"UCSDped2\.m has 1,099,511,627,776 bytes; label files have at most",
        ),
    ],
)
def test_refused(home, damage, error, message):
    damage(home)
    with pytest.raises(error, match=message):
        open_dataset("ucsd-ped2", home)


def test_missing_test_clip(home):
    shutil.rmtree(home / "Test/Test002")
    with pytest.raises(LayoutError, match=r"1 clip \(Test002\) with labels in UCSDped2\.m but no folder"):
        open_dataset("ucsd-ped2", home)
    dataset = open_dataset("ucsd-ped2", home, allow_missing=True)
    assert [clip.id for clip in dataset.clips if clip.split == "test"] == ["Test001", "Test003"]
    assert [dataset.labels[name].sum() for name in ("Test001", "Test003")] == [3, 0]


class TestWithoutTheFileOfLabels:
    def test_masks_say_which_frames_are_anomalous(self, home):
        (home / "Test/UCSDped2.m").unlink()
        with pytest.raises(LayoutError, match=r"1 clip \(Test003\) without labels: neither UCSDped2\.m nor masks of"):
            open_dataset("ucsd-ped2", home)
        dataset = open_dataset("ucsd-ped2", home, allow_missing=True)
        assert {clip.id: dataset.labels[clip.id].tolist() for clip in dataset.clips if clip.split == "test"} == {
            "Test001": [1] * 10,
            "Test002": [1] * 12,
        }
        assert dataset.facts == {
            "labels": "masks beside the clips: frames with any pixel of their mask set (UCSDped2.m is not there)"
        }

    def test_all_clips_with_masks_make_a_whole_copy(self, home):
        (home / "Test/UCSDped2.m").unlink()
        shutil.rmtree(home / "Test/Test003")
        path = home / "Test/Test001_gt/004.bmp"
        cv2.imwrite(str(path), np.zeros_like(cv2.imread(str(path))))
        dataset = open_dataset("ucsd-ped2", home)
        assert dataset.labels["Test001"].tolist() == [1] * 3 + [0] + [1] * 6
        (found,) = check_datasets(home, "ucsd-ped2", progress=False)
        text = report(found)
        assert "no labels" not in text
        assert text.count("UCSDped2.m") == 1


@pytest.mark.parametrize(
    ("gone", "left", "missing"),
    [
        ("Train", ["Test001", "Test002", "Test003"], "no training clips (Train/Train001 ...)"),
        ("Test", ["Train001", "Train002"], "no test clips (Test/Test001 ...)"),
    ],
)
def test_one_split_alone(home, gone, left, missing):
    shutil.rmtree(home / gone)
    with pytest.raises(LayoutError, match="ALLOW_MISSING=1 with make, --allow-missing, allow_missing=True"):
        open_dataset("ucsd-ped2", home)
    dataset = open_dataset("ucsd-ped2", home, allow_missing=True)
    assert [clip.id for clip in dataset.clips] == left
    assert dataset.missing == (missing,)


def in_lower_case(home, called):
    """The same copy as some archivers unpack it."""
    home = home.rename(home.with_name(called))
    for path in sorted(home.rglob("*"), key=lambda path: -len(path.parts)):
        path.rename(path.with_name(path.name.lower()))
    return home


def test_unpacked_in_lower_case(home, write):
    expected = open_dataset("ucsd-ped2", home)
    home = in_lower_case(home, "whatever")
    assert guess_names(home) == ["ucsd-ped2"]
    dataset = open_dataset("ucsd-ped2", home)
    assert [clip.id for clip in dataset.clips] == [clip.id for clip in expected.clips]
    for clip in dataset.clips:
        assert dataset.labels[clip.id].tolist() == expected.labels[clip.id].tolist()
    assert dataset.pixel_mask("Test001", 3).any()


@pytest.mark.parametrize(("size", "name"), [((158, 238), "ucsd-ped1"), ((240, 360), "ucsd-ped2")])
def test_without_names_the_size_of_pictures_tells_the_sets_apart(tmp_path, size, name):
    for folder in ("train/train001", "test/test001", "test/test001_gt"):
        (tmp_path / folder).mkdir(parents=True)
        for frame in (1, 2):
            cv2.imwrite(str(tmp_path / folder / f"{frame:03d}.png"), np.full(size, 100, np.uint8))
    assert guess_names(tmp_path) == [name]
    assert len(open_dataset(name, tmp_path).clips) == 2


def test_masks_are_no_clips_of_ones_own(tmp_path, write):
    write.frames(tmp_path / "normal", 3)
    write.frames(tmp_path / "Test001", 3)
    write.frames(tmp_path / "Test001_gt", 3)
    write.frames(tmp_path / "other_gt", 3)
    dataset = open_dataset("folder", tmp_path)
    assert [clip.id for clip in dataset.clips] == ["Test001", "normal", "other_gt"]
    assert dataset.facts["not looked at"] == "1 folder of masks (Test001_gt beside Test001)"


def test_a_clip_that_does_not_open_is_left_out(home):
    for path in (home / "Test/Test002").glob("*.tif"):
        path.unlink()
    with pytest.raises(LayoutError, match="Test002 has no frames"):
        open_dataset("ucsd-ped2", home)
    dataset = open_dataset("ucsd-ped2", home, skip_unreadable=True)
    assert [clip.id for clip in dataset.clips if clip.split == "test"] == ["Test001", "Test003"]
    assert [(clip.clip, clip.split) for clip in dataset.left_out] == [("Test/Test002", "test")]
    assert dataset.facts["left out"].startswith("1 clip that does not open: Test/Test002 has no frames")


def test_a_mask_that_went_missing(home):
    dataset = open_dataset("ucsd-ped2", home)
    (home / "Test/Test001_gt/010.bmp").unlink()
    with pytest.raises(LabelError, match="Clip Test001 has 10 frames but 9 masks"):
        dataset.pixel_mask("Test001", 9)


class TestOtherLayout:
    """Copies made for the frame-prediction code, and code built on it."""

    @pytest.fixture(params=["{:02d}", "Test{:03d}"])
    def copy(self, request, tmp_path, ucsd_root):
        """The small Ped2, laid out like that; without labels."""
        original = ucsd_root / "UCSD_Anomaly_Dataset.v1p2/UCSDped2"
        for split, folder in (("Train", "training"), ("Test", "testing")):
            for path in (original / split).glob(f"{split}???"):
                called = request.param.replace("Test", split).format(int(path.name[-3:]))
                shutil.copytree(path, tmp_path / "ped2" / folder / "frames" / called)
        return tmp_path / "ped2"

    def check(self, copy, ucsd_root, write):
        expected, dataset = open_dataset("ucsd-ped2", ucsd_root), open_dataset("ucsd-ped2", copy)
        for clip, original in zip(dataset.clips, expected.clips, strict=True):
            assert (clip.id, clip.split, clip.scene, clip.n_frames) == (
                original.id,
                original.split,
                original.scene,
                original.n_frames,
            )
            assert dataset.labels[clip.id].tolist() == expected.labels[clip.id].tolist()
            assert write.identify(read_frame(dataset, clip.id, 4)) == write.identify(read_frame(expected, clip.id, 4))
        assert dataset.pixel_mask("Test001", 4) is None
        return dataset

    def test_intervals(self, copy, ucsd_root, write):
        labels = open_dataset("ucsd-ped2", ucsd_root).labels
        write.intervals(copy / "ped2.mat", {number: labels[f"Test{number:03d}"] for number in (1, 2, 3)})
        assert self.check(copy, ucsd_root, write).facts == {"labels": "ped2.mat"}

    def test_labels_in_a_row(self, copy, ucsd_root, write):
        labels = open_dataset("ucsd-ped2", ucsd_root).labels
        row = np.concatenate([labels[f"Test{number:03d}"] for number in (1, 2, 3)])
        write.array(copy / "frame_labels_ped2.npy", row[None])
        assert self.check(copy, ucsd_root, write).facts == {"labels": "frame_labels_ped2.npy"}

    def test_the_other_set(self, copy, write):
        write.intervals(copy / "ped1.mat", {number: np.zeros(20) for number in (1, 2, 3)})
        copy = copy.rename(copy.with_name("ped1"))
        assert {clip.scene for clip in open_dataset("ucsd-ped1", copy).clips} == {"ped1"}
        with pytest.raises(LayoutError, match="is not ucsd-ped2"):
            open_dataset("ucsd-ped2", copy)

    def test_without_labels(self, copy):
        with pytest.raises(LayoutError, match=r"incomplete: no labels \(ped2\.mat or frame_labels_ped2\.npy\)"):
            open_dataset("ucsd-ped2", copy)
        dataset = open_dataset("ucsd-ped2", copy, allow_missing=True)
        assert {clip.split for clip in dataset.clips} == {"train"}

import shutil

import numpy as np
import pytest
import scipy.io

from vadlib.data import FrameReader, open_dataset, read_frame
from vadlib.data.labels.label_files import read_intervals
from vadlib.data.layouts import avenue
from vadlib.errors import LabelError, LayoutError, UnreadableError


@pytest.fixture(scope="module")
def published(tmp_path_factory, write):
    """As published; read only."""
    return write.avenue(tmp_path_factory.mktemp("avenue"))


@pytest.fixture
def home(tmp_path, published):
    """A copy to damage."""
    return shutil.copytree(published.parent, tmp_path / "a") / "Avenue Dataset"


@pytest.fixture
def frames(tmp_path, write):
    """As the frame-prediction code lays it out, with avenue.mat."""
    return write.avenue(tmp_path, frames=True)


CLIPS = [
    ("test_01", "test", 9),
    ("test_02", "test", 6),
    ("test_10", "test", 11),
    ("train_01", "train", 8),
    ("train_02", "train", 5),
]


def check(dataset, write):
    assert [(clip.id, clip.split, clip.n_frames) for clip in dataset.clips] == CLIPS
    assert {(clip.scene, clip.fps) for clip in dataset.clips} == {("avenue", 25.0)}
    for number, labels in write.avenue_labels.items():
        assert dataset.labels[f"test_{number:02d}"].tolist() == labels.tolist()
    for clip, number in zip(dataset.clips, (3, 4, 5, 1, 2), strict=True):
        assert write.identify(read_frame(dataset, clip.id, 4)) == (4, number)


@pytest.mark.parametrize("root", ["..", "."])
def test_as_published(published, write, root):
    dataset = open_dataset("avenue", (published / root).resolve())
    check(dataset, write)
    assert dataset.facts == {"labels": "ground_truth_demo/testing_label_mask: frames with any pixel of their mask set"}
    assert (dataset.missing, dataset.labelled) == ((), True)


def test_folders_of_frames_and_intervals(frames, write):
    dataset = open_dataset("avenue", frames)
    check(dataset, write)
    assert dataset.facts == {"labels": "avenue.mat: intervals of frames, no masks"}
    assert dataset.pixel_mask("test_01", 2) is None
    assert dataset.fingerprint == open_dataset("avenue", frames).fingerprint


def test_labels_in_a_row(frames, write):
    (frames / "avenue.mat").unlink()
    row = np.concatenate(list(write.avenue_labels.values()))
    np.save(frames / "frame_labels_avenue.npy", row[None])
    dataset = open_dataset("avenue", frames)
    check(dataset, write)
    assert dataset.facts == {"labels": "frame_labels_avenue.npy: labels of frames in a row, no masks"}


def test_masks_count_before_intervals(home, write):
    labels = {number: 1 - labels for number, labels in write.avenue_labels.items()}
    write.intervals(home / "avenue.mat", labels)
    check(open_dataset("avenue", home), write)
    shutil.rmtree(home.parent / "ground_truth_demo")
    dataset = open_dataset("avenue", home)
    assert {number: dataset.labels[f"test_{number:02d}"].tolist() for number in labels} == {
        number: values.tolist() for number, values in labels.items()
    }


MASKS = "ground_truth_demo/testing_label_mask"


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ([np.zeros((48, 64))] * 8, r"Clip test_01 has 9 frames .*01\.avi.*1_label\.mat has 8 masks"),
        ([np.zeros((48, 64))] * 10, "1_label\\.mat has 10 masks"),
        (
            [*[np.zeros((48, 64))] * 8, np.zeros((3, 3))],
            r"1_label\.mat: masks \(H, W\) of one size are expected, found \(48, 64\) and \(3, 3\)",
        ),
    ],
)
def test_masks_that_do_not_fit(home, write, masks, message):
    scipy.io.savemat(home.parent / MASKS / "1_label.mat", {"volLabel": write.cells(masks)})
    with pytest.raises(LabelError, match=message):
        open_dataset("avenue", home)


def test_masks_of_another_size(home, write):
    write.mask_volume(home.parent / MASKS / "1_label.mat", np.zeros((9, 5, 4), np.uint8))
    with pytest.raises(LabelError, match=r"Clip test_01: masks are \(5, 4\), frames \(48, 64\)"):
        open_dataset("avenue", home).pixel_mask("test_01", 0)


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([[5], [10]], "Clip test_01 has 9 frames .*avenue\\.mat labels frames 5 to 10"),
        ([[5], [4]], "labels frames 5 to 4"),
        ([[0], [4]], "intervals \\(2, n\\) of frames numbered from 1 are expected of clip 1"),
        ([[1.5], [4]], "intervals"),
        ([[float("nan")], [4]], "intervals"),
        ([[1, 2, 3]], "found an array \\(1, 3\\)"),
    ],
)
def test_intervals_that_do_not_fit(frames, write, spans, message):
    scipy.io.savemat(frames / "avenue.mat", {"gt": write.cells([np.array(spans), *[np.zeros((2, 0))] * 9])})
    with pytest.raises(LabelError, match=message):
        open_dataset("avenue", frames)


def test_intervals_of_one_clip_may_be_no_cell(tmp_path):
    scipy.io.savemat(tmp_path / "avenue.mat", {"gt": np.array([[3.0], [7.0]])})
    assert read_intervals(tmp_path / "avenue.mat")[1].tolist() == [[3], [7]]


class TestIncompleteCopy:
    def test_no_labels(self, home):
        shutil.rmtree(home.parent / "ground_truth_demo")
        with pytest.raises(LayoutError, match=r"incomplete: no labels \(ground_truth_demo/testing_label_mask"):
            open_dataset("avenue", home)
        dataset = open_dataset("avenue", home, allow_missing=True)
        assert {clip.split for clip in dataset.clips} == {"train"}

    def test_no_training_videos_and_one_test_video_too_few(self, home):
        shutil.rmtree(home / "training_videos")
        (home / "testing_videos/10.avi").unlink()
        message = (
            r"no training videos .*; 1 clip \(test_10\) with masks in testing_label_mask but neither video nor frames"
        )
        with pytest.raises(LayoutError, match=message):
            open_dataset("avenue", home)
        dataset = open_dataset("avenue", home, allow_missing=True)
        assert (dataset.clip("test_10").n_frames, dataset.clip("test_10").path) == (11, None)
        assert dataset.labels["test_10"].tolist() == [0] * 11
        assert dataset.pixel_mask("test_10", 3).sum() == 0

    def test_masks_only(self, home):
        shutil.rmtree(home)
        with pytest.raises(LayoutError, match="is not avenue"):
            open_dataset("avenue", home.parent / "ground_truth_demo", allow_missing=True)

    @pytest.mark.parametrize(
        ("called", "message"),
        [("1", r"are both clip 1\. Keep one"), ("02 (copy)", r"02 \(copy\)\.avi: clips are called by their number")],
    )
    def test_names_of_clips(self, home, called, message):
        shutil.copy(home / "testing_videos/01.avi", home / f"testing_videos/{called}.avi")
        with pytest.raises(LayoutError, match=message):
            open_dataset("avenue", home)


def test_other_sets_are_not_avenue(shanghaitech_root, ucsd_root, published, frames):
    assert not avenue.matches(shanghaitech_root, "avenue")
    assert not avenue.matches(ucsd_root / "UCSD_Anomaly_Dataset.v1p2/UCSDped2", "avenue")
    for home in (published, frames):
        with pytest.raises(LayoutError, match="It looks like avenue"):
            open_dataset("ucsd-ped2", home)


class TestOneArrayForEachClip:
    """`avenue.mat` as talreiss/Accurate-Interpretable-VAD has it."""

    def write(self, path, labels):
        scipy.io.savemat(path, {f"{number:02d}": values[None].astype(np.int32) for number, values in labels.items()})

    @pytest.mark.parametrize("transposed", [False, True])
    def test_labels(self, frames, write, transposed):
        labels = write.avenue_labels
        arrays = {
            f"{number:02d}": (values[None].T if transposed else values[None]) for number, values in labels.items()
        }
        scipy.io.savemat(frames / "avenue.mat", arrays, do_compression=transposed)
        dataset = open_dataset("avenue", frames)
        check(dataset, write)
        assert dataset.facts == {"labels": "avenue.mat: an array of labels for each clip, no masks"}

    def test_another_number_of_labels_than_frames(self, frames, write):
        self.write(frames / "avenue.mat", write.avenue_labels | {2: np.zeros(7)})
        with pytest.raises(LabelError, match=r"Clip test_02 has 6 frames .*avenue\.mat has an array \(1, 7\) of it"):
            open_dataset("avenue", frames)

    def test_a_clip_without_an_array(self, frames, write):
        self.write(frames / "avenue.mat", {1: write.avenue_labels[1], 2: write.avenue_labels[2]})
        with pytest.raises(LayoutError, match=r"1 clip \(test_10\) without labels in avenue\.mat"):
            open_dataset("avenue", frames)


class TestPartialCopies:
    def test_some_of_the_videos(self, home):
        (home / "testing_videos/02.avi").unlink()
        (home / "training_videos/01.avi").unlink()
        with pytest.raises(LayoutError, match=r"1 clip \(test_02\) with masks .*ALLOW_MISSING=1 with make"):
            open_dataset("avenue", home)
        dataset = open_dataset("avenue", home, allow_missing=True)
        assert [clip.id for clip in dataset.clips if clip.path is None] == ["test_02"]
        usable = dataset.with_pictures()
        assert [clip.id for clip in usable.clips] == ["test_01", "test_10", "train_02"]
        assert usable.missing == dataset.missing
        assert usable.labels["test_01"].tolist() == dataset.labels["test_01"].tolist()
        table = usable.frame_table()
        batches = FrameReader(usable, table, (24, 32), progress=False)
        assert sum(len(batch.rows) for batch in batches) == len(table)

    def test_some_of_the_masks(self, home):
        (home.parent / "ground_truth_demo/testing_label_mask/1_label.mat").unlink()
        with pytest.raises(LayoutError, match=r"1 clip \(test_01\) without masks"):
            open_dataset("avenue", home)
        dataset = open_dataset("avenue", home, allow_missing=True)
        assert sorted(clip.id for clip in dataset.clips if clip.split == "test") == ["test_02", "test_10"]


def test_a_video_that_does_not_open_is_left_out_with_its_labels(home):
    (home / "testing_videos/02.avi").write_bytes(b"")
    with pytest.raises(UnreadableError, match=r"02\.avi"):
        open_dataset("avenue", home)
    dataset = open_dataset("avenue", home, skip_unreadable=True)
    assert [clip.id for clip in dataset.clips] == ["test_01", "test_10", "train_01", "train_02"]
    assert [clip.clip for clip in dataset.left_out] == ["testing_videos/02.avi"]

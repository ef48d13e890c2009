import shutil

import numpy as np
import pytest

from vadlib.data import open_dataset, read_frame
from vadlib.data.layouts import shanghaitech
from vadlib.errors import LabelError, LayoutError


@pytest.fixture
def root(tmp_path, shanghaitech_root):
    """A copy to damage."""
    return shutil.copytree(shanghaitech_root, tmp_path / "shanghaitech")


def test_clips(shanghaitech_root):
    dataset = open_dataset("shanghaitech", shanghaitech_root)
    assert [(clip.id, clip.split, clip.scene, clip.n_frames) for clip in dataset.clips] == [
        ("01_001", "train", "01", 10),
        ("01_0014", "test", "01", 12),
        ("01_0015", "test", "01", 8),
        ("01_002", "train", "01", 7),
        ("02_0001", "test", "02", 14),
        ("02_001", "train", "02", 9),
    ]
    assert {clip.fps for clip in dataset.clips} == {20.0}  # the videos' own, which folders of frames borrow
    assert dataset.missing == ()
    assert len(dataset.events) == 0


def test_frame_table_has_the_masks_labels(shanghaitech_root, write):
    table = open_dataset("shanghaitech", shanghaitech_root).frame_table()
    assert list(table.columns) == ["clip", "split", "scene", "frame", "label"]
    assert table["frame"].dtype == np.int64
    assert table["label"].dtype == np.int8
    assert isinstance(table["clip"].iloc[0], str)
    for clip_id, labels in write.labels.items():
        rows = table[table["clip"] == clip_id]
        assert rows["frame"].tolist() == list(range(len(labels)))
        assert rows["label"].tolist() == labels.tolist()
    assert table.loc[table["split"] == "train", "label"].sum() == 0
    assert table.index.equals(table.sort_values(["clip", "frame"]).index)


def test_pixel_masks_in_both_axis_orders(shanghaitech_root, write):
    dataset = open_dataset("shanghaitech", shanghaitech_root)
    for clip_id in ("01_0014", "01_0015"):  # written as (T, H, W) and as (H, W, T)
        expected = write.masks_for(write.labels[clip_id]) == 1
        for frame in range(len(expected)):
            mask = dataset.pixel_mask(clip_id, frame)
            assert mask.dtype == bool
            np.testing.assert_array_equal(mask, expected[frame])
    assert dataset.pixel_mask("02_0001", 0) is None
    assert dataset.pixel_mask("01_001", 0) is None


@pytest.mark.parametrize(
    ("shape", "n_frames", "size", "frames_first"),
    [
        ((9, 4, 5), 9, (4, 5), True),
        ((4, 5, 9), 9, (4, 5), False),
        ((9, 4, 9), 9, (4, 9), True),  # as many frames as columns: the frames' size decides
        ((9, 4, 9), 9, (9, 4), False),
        ((9, 4, 5), 9, None, True),
        ((4, 5, 9), 9, None, False),
    ],
)
def test_mask_axes(tmp_path, shape, n_frames, size, frames_first):
    assert shanghaitech.mask_axes(shape, n_frames, size, tmp_path) is frames_first


@pytest.mark.parametrize(
    ("shape", "n_frames", "size", "message"),
    [
        ((9, 9, 9), 9, (9, 9), "fit both"),
        ((9, 4, 9), 9, None, "9 frames of unknown size fit both"),
        ((9, 4, 5), 9, (8, 10), r"9 frames of 8x10 \(height x width\) fit neither"),
        ((8, 4, 5), 9, (4, 5), "fit neither"),
    ],
)
def test_ambiguous_mask_axes(tmp_path, shape, n_frames, size, message):
    with pytest.raises(LabelError, match=message):
        shanghaitech.mask_axes(shape, n_frames, size, tmp_path)


FRAME_MASK, PIXEL_MASK = "testing/test_frame_mask/01_0014.npy", "testing/test_pixel_mask/01_0014.npy"


@pytest.mark.parametrize(
    ("file", "array", "message"),
    [
        (FRAME_MASK, np.zeros(11), r"Clip 01_0014 has 12 frames .* but 11 labels"),
        (FRAME_MASK, np.zeros(13), "but 13 labels"),
        (FRAME_MASK.replace("01_0014", "02_0001"), np.zeros(13), r"Clip 02_0001 has 14 frames .* but 13 labels"),
        (PIXEL_MASK, np.zeros((11, 48, 64)), r"Clip 01_0014 has 12 frames, but .* is \(11, 48, 64\)"),
        *((FRAME_MASK, np.array(values), "Clip 01_0014: labels are 0 or 1, found")
          for values in ([0, 2] * 6, [0.5] * 12, [-1] * 12, [np.nan] * 12)),
        (FRAME_MASK, np.zeros((12, 1)), r"an array \(T,\), not \(12, 1\)"),
    ],
)  # fmt: skip
def test_labels_that_do_not_fit(root, write, file, array, message):
    write.array(root / file, array)
    with pytest.raises(LabelError, match=message):
        open_dataset("shanghaitech", root)


def test_a_line_break_in_a_name(root, write):
    """It is a clip like any other, not one that is left out in silence."""
    write.video(root / "training/videos/03\n001.avi", 5)
    assert open_dataset("shanghaitech", root).clip("03\n001").n_frames == 5


class TestIncompleteCopy:
    @pytest.fixture
    def partial_root(self, root):
        """Labels of all test clips, frames of one, and no training videos."""
        shutil.rmtree(root / "training")
        shutil.rmtree(root / "testing/frames")
        return root

    def test_it_is_refused(self, partial_root):
        message = (
            r"shanghaitech in .* is incomplete: no training videos .*; 2 clips \(01_0014, 01_0015\) with labels but neither "
            r"frames nor video\. .*allow_missing=True"
        )
        with pytest.raises(LayoutError, match=message):
            open_dataset("shanghaitech", partial_root)

    def test_allow_missing_keeps_all_labels(self, partial_root, write):
        dataset = open_dataset("shanghaitech", partial_root, allow_missing=True)
        assert len(dataset.missing) == 2
        table = dataset.frame_table()
        assert table["clip"].unique().tolist() == sorted(write.labels)
        assert table["label"].sum() == sum(labels.sum() for labels in write.labels.values())
        assert [clip.id for clip in dataset.clips if clip.path is None] == ["01_0014", "01_0015"]
        assert dataset.image_size() == write.size
        np.testing.assert_array_equal(
            dataset.pixel_mask("01_0014", 7), write.masks_for(write.labels["01_0014"])[7].astype(bool)
        )

    def test_reading_what_is_not_there_names_the_clips(self, partial_root):
        dataset = open_dataset("shanghaitech", partial_root, allow_missing=True)
        with pytest.raises(LayoutError, match=r"1 clip \(01_0015\): labels only, no video or frames"):
            read_frame(dataset, "01_0015", 0)

    def test_test_clips_without_labels_are_left_out(self, root):
        (root / "testing/test_frame_mask/01_0015.npy").unlink()
        with pytest.raises(LayoutError, match=r"1 clip \(01_0015\) without labels"):
            open_dataset("shanghaitech", root)
        dataset = open_dataset("shanghaitech", root, allow_missing=True)
        assert "01_0015" not in {clip.id for clip in dataset.clips}
        assert "without labels" in dataset.missing[0]


class TestEvents:
    def test_they_are_read(self, root):
        (root / "events.csv").write_text("clip,first,last,event\n01_0014,2,3,bicycle\n02_0001,0,4,running\n")
        events = open_dataset("synthcampus", root).events
        assert events.to_dict("records") == [
            {"clip": "01_0014", "first": 2, "last": 3, "event": "bicycle"},
            {"clip": "02_0001", "first": 0, "last": 4, "event": "running"},
        ]

    def test_where_they_are_seen_is_read_and_leaves_the_fingerprint_alone(self, root):
        (root / "events.csv").write_text("clip,first,last,event\n01_0014,2,3,bicycle\n02_0001,0,4,running\n")
        before = open_dataset("synthcampus", root)
        rows = "01_0014,2,3,bicycle,appearance\n02_0001,0,4,running,\n"
        (root / "events.csv").write_text("clip,first,last,event,seen_in\n" + rows)
        after = open_dataset("synthcampus", root)
        assert after.events["seen_in"].tolist() == ["appearance", ""]
        assert after.fingerprint == before.fingerprint

    @pytest.mark.parametrize("row", ["01_0014,2,12,bicycle", "09_0001,0,1,bicycle", "01_0014,3,2,bicycle"])
    def test_events_outside_of_their_clip(self, root, row):
        (root / "events.csv").write_text(f"clip,first,last,event\n{row}\n")
        with pytest.raises(LabelError, match=r"events\.csv(: bicycle in frames|, line 2: )"):
            open_dataset("synthcampus", root)

    @pytest.mark.parametrize(
        "text",
        [
            "clip,start,end\n",
            f"clip,first,last,event\n01_0014,2,{10**30},bicycle\n",
            "clip,first,last,event\n01_0014,2,3.0,bicycle\n",
            "clip,first,last,event\n01_0014,-2,3,bicycle\n",
            "clip,first,last,event\n01_0014,,,bicycle\n",
            "clip,first,last,event\n,2,3,bicycle\n",
            "clip,first,last,event\nx,01_0014,2,3,bicycle\n",
            "clip,first,last,event,seen_in\n01_0014,2,3,bicycle,hearsay\n",
            'clip,first,last,event\n01_0014,2,3,"bicycle\n',
            "clip,first,last,event\n01_0014,2,3,bi\0cycle\n" + "x" * 200_000,
        ],
    )
    def test_rows_that_fight_back(self, root, text):
        (root / "events.csv").write_text(text)
        with pytest.raises(LabelError, match=r"events\.csv(, line \d)?: ") as caught:
            open_dataset("synthcampus", root)
        assert len(str(caught.value)) < 600

    def test_names_that_look_like_nothing_are_names(self, root):
        (root / "events.csv").write_text("event,clip,first,last\nNA,01_0014,2,3\n", encoding="utf-8-sig")
        events = open_dataset("synthcampus", root).events
        assert events.to_dict("records") == [{"clip": "01_0014", "first": 2, "last": 3, "event": "NA"}]


class TestCopiesInCirculation:
    """One data set in the layouts that users' code asks for: the same clips, labels and masks come out of each."""

    @pytest.fixture
    def expected(self, shanghaitech_root):
        return open_dataset("shanghaitech", shanghaitech_root)

    @staticmethod
    def check(expected, root, write, *, masks=True):
        dataset = open_dataset("shanghaitech", root)
        facts = [(clip.id, clip.split, clip.scene, clip.n_frames) for clip in expected.clips]
        assert [(clip.id, clip.split, clip.scene, clip.n_frames) for clip in dataset.clips] == facts
        assert {name: labels.tolist() for name, labels in dataset.labels.items()} == {
            name: labels.tolist() for name, labels in expected.labels.items()
        }
        for clip in dataset.clips:
            seen = [write.identify(read_frame(data, clip.id, 5)) for data in (dataset, expected)]
            assert seen[0] == seen[1]
        found = dataset.pixel_mask("01_0014", 2)
        if masks:
            np.testing.assert_array_equal(found, expected.pixel_mask("01_0014", 2))
        return dataset

    @pytest.mark.parametrize(
        ("name", "start"), [("{:03d}.jpg", 0), ("{:04d}.jpg", 1), ("{}.jpg", 1), ("frame_{}.png", 0)]
    )
    def test_frames_for_videos_in_both_splits(self, root, write, expected, name, start):
        for split in ("training", "testing"):
            shutil.rmtree(root / split / "videos")
        numbers = {"01_001": 0, "01_002": 1, "02_001": 2, "01_0014": 3, "01_0015": 4, "02_0001": 5}
        shutil.rmtree(root / "testing/frames")
        for clip in expected.clips:
            folder = root / ("training" if clip.split == "train" else "testing") / "frames" / clip.id
            write.frames(folder, clip.n_frames, numbers[clip.id], name=name, start=start)
        dataset = self.check(expected, root, write)
        assert {clip.fps for clip in dataset.clips} == {24.0}

    @pytest.mark.parametrize("suffix", [".avi", ".mp4"])
    def test_videos_for_frames(self, root, write, expected, suffix):
        shutil.rmtree(root / "testing/frames")
        for clip_id, number in (("01_0014", 3), ("01_0015", 4)):
            write.video(root / f"testing/videos/{clip_id}{suffix}", expected.clip(clip_id).n_frames, number, fps=20)
        self.check(expected, root, write)

    @pytest.mark.parametrize("folder", ["converted_videos", "converted", "."])
    def test_converted_videos(self, root, write, expected, folder):
        for path in list((root / "training/videos").iterdir()):
            (root / "training" / folder).mkdir(exist_ok=True)
            path.rename(root / "training" / folder / path.name)
        (root / "training/videos").rmdir()
        self.check(expected, root, write)

    def test_a_clip_of_another_name_is_not_passed_over(self, root):
        (root / "training/videos/01_002.avi").rename(root / "training/videos/later copy.avi")
        assert open_dataset("shanghaitech", root).clip("later copy").split == "train"

    @pytest.mark.parametrize("direct", [False, True])
    def test_splits_called_train_and_test(self, root, write, expected, direct):
        for split in ("train", "test"):
            (root / f"{split}ing").rename(root / split)
            if direct:  # the clips in the split's own folder
                for folder in (root / split / "videos", root / split / "frames"):
                    for path in list(folder.glob("*")):
                        path.rename(root / split / path.name)
        self.check(expected, root, write)

    @pytest.mark.parametrize("folder", ["gt", ".", "testing/gt"])
    def test_labels_elsewhere(self, root, write, expected, folder):
        (root / folder).mkdir(exist_ok=True)
        for part in ("test_frame_mask", "test_pixel_mask"):
            (root / "testing" / part).rename(root / folder / part)
        dataset = self.check(expected, root, write)
        assert dataset.facts == {"labels": f"{folder}/test_frame_mask".removeprefix("./")}

    def test_labels_in_a_row_need_all_clips(self, root, write):
        shutil.rmtree(root / "testing/test_frame_mask")
        write.array(root / "frame_labels_shanghai.npy", np.zeros(34))
        clip = sorted((root / "testing/frames").iterdir())[1]
        sorted(clip.iterdir())[1].unlink()
        with pytest.raises(LabelError, match=rf"in one array, .*testing/frames/{clip.name}: .*filed by clip"):
            open_dataset("shanghaitech", root, skip_unreadable=True)

    @pytest.mark.parametrize("file", ["frame_labels_shanghai.npy", "data/frame_labels_shanghaitech.npy"])
    def test_labels_in_a_row(self, root, write, expected, file):
        shutil.rmtree(root / "testing/test_frame_mask")
        row = np.concatenate([write.labels[name] for name in sorted(write.labels)])
        write.array(root / file, row[None].astype(float))
        dataset = self.check(expected, root, write)
        assert dataset.facts == {"labels": file}
        write.array(root / file, row[:-1])
        with pytest.raises(LabelError, match=r"has labels \(33,\), but the 3 test clips have 34 frames"):
            open_dataset("shanghaitech", root)

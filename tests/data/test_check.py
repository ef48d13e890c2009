import shutil
from pathlib import Path

import numpy as np
import pytest

from vadlib.data.published.check import check_datasets, guess_names, report
from vadlib.data.published.official import COUNTS, Counts
from vadlib.errors import LayoutError, ParameterError, UnreadableError

# What the small copies of `conftest.py` hold.
SMALL = {
    "shanghaitech": Counts(3, 26, 3, 34, {12: "masks"}, 2, (2, 1), (2, 1)),
    "ucsd-ped2": Counts(2, 14, 3, 29, {10: "UCSDped2.m"}, 2),
    "avenue": Counts(2, 13, 3, 26, {5: "masks", 6: "avenue.mat"}, 3),
}


@pytest.fixture
def small(monkeypatch):
    """The small copies are complete ones."""
    for name, counts in SMALL.items():
        monkeypatch.setitem(COUNTS, name, counts)


@pytest.fixture
def shanghaitech(tmp_path, shanghaitech_root):
    return shutil.copytree(shanghaitech_root, tmp_path / "shanghaitech")


@pytest.fixture
def lock(monkeypatch):
    """Nobody may look into a folder, or read a file: whoever tests as root could."""

    def lock(locked):
        def refuse_below(real):
            def refuse(path, *arguments, **options):
                if locked in Path(path).parents or (path == locked and real is not stat):
                    raise PermissionError(13, "Permission denied", str(path))
                return real(path, *arguments, **options)

            return refuse

        stat = Path.stat
        for name in ("stat", "iterdir", "open"):
            monkeypatch.setattr(Path, name, refuse_below(getattr(Path, name)))

    return lock


def only(root, name=None, **options):
    (check,) = check_datasets(root, name, progress=False, **options)
    return check


@pytest.mark.usefixtures("small")
class TestCompleteCopies:
    @pytest.fixture(params=["shanghaitech", "ucsd-ped2", "avenue"])
    def copy(self, request, tmp_path, write):
        if request.param == "shanghaitech":
            write.shanghaitech(tmp_path / "shanghaitech")
        elif request.param == "avenue":
            write.avenue(tmp_path)
        else:
            write.ucsd(tmp_path / "UCSDped2")
        return request.param, tmp_path / "UCSDped2" if request.param == "ucsd-ped2" else tmp_path

    @pytest.mark.parametrize("named", [True, False])
    def test_they_are_complete(self, copy, named):
        name, root = copy
        check = only(root, name if named else None, decode=True)
        assert (check.name, check.complete, check.problems) == (name, True, ())
        assert (check.counts["found"] == check.counts["official"]).all()
        assert "  complete" in report(check)
        assert "differs" not in report(check)


@pytest.mark.usefixtures("small")
class TestWhatIsWrongIsSaid:
    def test_a_training_clip_too_few(self, shanghaitech):
        (shanghaitech / "training/videos/01_002.avi").unlink()
        check = only(shanghaitech)
        assert check.problems == (
            "training clips: 2 instead of 3",
            "training frames: 19 instead of 26",
            "train clips differ in 1 scene(s): 01 (1 instead of 2)",
        )
        assert not check.complete
        text = report(check)
        assert "training clips                    2           3  differs" in text
        assert text.endswith("NOT complete")

    def test_labels_without_pictures(self, shanghaitech):
        shutil.rmtree(shanghaitech / "testing/frames")
        check = only(shanghaitech)
        assert check.counts.loc["test clips", "found"] == 1
        assert check.counts.loc["test frames with labels", "found"] == 34
        assert check.problems[0] == "missing: 2 clips (01_0014, 01_0015) with labels but neither frames nor video"

    def test_headers_may_be_off_by_a_frame_or_two(self, shanghaitech, write):
        write.video(shanghaitech / "training/videos/01_001.avi", 12, 0)
        assert only(shanghaitech).complete
        write.video(shanghaitech / "training/videos/01_001.avi", 20, 0)
        assert only(shanghaitech).problems == ("training frames: 36 instead of 26",)

    def test_other_labels(self, shanghaitech, write):
        write.array(shanghaitech / "testing/test_frame_mask/01_0015.npy", np.zeros(8, np.uint8))
        assert only(shanghaitech).problems == ("anomalous frames: 8 instead of 12",)

    def test_labels_that_do_not_fit_are_a_problem_not_an_error(self, shanghaitech, write):
        write.array(shanghaitech / "testing/test_frame_mask/01_0015.npy", np.zeros(9, np.uint8))
        check = only(shanghaitech)
        assert check.problems[0].startswith("Clip 01_0015 has 8 frames")
        assert "NOT complete" in report(check)

    def test_masks_that_are_not_there_are_a_note(self, shanghaitech):
        shutil.rmtree(shanghaitech / "testing/test_pixel_mask")
        check = only(shanghaitech)
        assert check.complete
        assert check.notes[0].startswith("pixel masks of 0 of 2 clips")

    def test_which_labels(self, tmp_path, write):
        labels = write.avenue_labels | {1: 1 - write.avenue_labels[1]}
        home = write.avenue(tmp_path, frames=True)
        write.intervals(home / "avenue.mat", labels)
        check = only(home)
        assert check.counts.loc["anomalous frames"].tolist() == [8, 5]
        assert check.problems == ("anomalous frames: 8 instead of 5",)
        labels[10] = labels[10].copy()
        labels[10][0] = 0
        labels[1][:2] = 0
        write.intervals(home / "avenue.mat", labels)
        assert only(home).counts.loc["anomalous frames"].tolist() == [6, 6], "the other record of the labels"
        assert "labels: avenue.mat: intervals of frames, no masks" in only(home).notes

    def test_damage_is_found_by_decoding(self, shanghaitech, write):
        (shanghaitech / "testing/frames/01_0014/004.jpg").write_bytes(b"corrupt")
        write.cut(shanghaitech / "training/videos/02_001.avi", 5)
        assert only(shanghaitech).complete
        problems = only(shanghaitech, decode=True).problems
        assert len(problems) == 2
        assert "damaged: clip 01_0014: " in problems[0]
        assert "004.jpg" in problems[0]
        assert "damaged: clip 02_001: " in problems[1]
        assert "9 frames expected" in problems[1]


class TestGuess:
    def test_several_in_one_folder(self, tmp_path, write):
        write.ucsd(tmp_path / "UCSD_Anomaly_Dataset.v1p2/UCSDped1", "UCSDped1")
        write.ucsd(tmp_path / "UCSD_Anomaly_Dataset.v1p2/UCSDped2")
        write.shanghaitech(tmp_path / "shanghaitech")
        write.avenue(tmp_path)
        assert guess_names(tmp_path) == ["shanghaitech", "ucsd-ped1", "ucsd-ped2", "avenue"]
        assert [check.name for check in check_datasets(tmp_path)] == guess_names(tmp_path)

    def test_a_world_is_one(self, tiny_world):
        assert guess_names(tiny_world) == ["synthcampus"]
        check = only(tiny_world)
        assert check.complete
        assert check.counts["official"].tolist() == [None] * 7

    def test_ones_own_videos(self, tmp_path, write):
        write.folder(tmp_path / "mine")
        check = only(tmp_path / "mine")
        assert (check.name, check.complete) == ("folder", True)
        assert check.counts["found"].tolist() == [2, 17, 4, 26, 0, 0, 0]
        assert check.notes[0].startswith("labels: none (labels.csv is not there); unlabelled: 4 clips")

    def test_inside_and_above(self, shanghaitech):
        downloads = shanghaitech.parent / "downloads"
        downloads.mkdir()
        shanghaitech = shanghaitech.rename(downloads / "shanghaitech")
        for root in (shanghaitech / "testing", downloads.parent):
            with pytest.raises(LayoutError, match="but shanghaitech is in .*: give that as root"):
                guess_names(root)

    def test_nothing(self, tmp_path):
        with pytest.raises(LayoutError, match="holds no data set that is known: nothing is there"):
            guess_names(tmp_path)
        with pytest.raises(LayoutError, match="is not there"):
            guess_names(tmp_path / "gone")

    def test_a_name_that_is_wrong(self, shanghaitech):
        with pytest.raises(ParameterError, match="dataset: one of shanghaitech"):
            check_datasets(shanghaitech, "shanghai")
        with pytest.raises(LayoutError, match="It looks like shanghaitech"):
            check_datasets(shanghaitech, "ucsd-ped2")


class TestWhatMayNotBeRead:
    def test_a_folder_beside_is_no_home(self, shanghaitech, lock):
        top = shanghaitech.parent
        (top / "lost+found").mkdir()
        (top / "xyz").mkdir()
        shanghaitech.rename(top / "xyz/shanghaitech")
        lock(top / "lost+found")
        with pytest.raises(LayoutError, match="but shanghaitech is in .*xyz: give that as root"):
            guess_names(top)
        assert only(top / "xyz").name == "shanghaitech"

    @pytest.mark.parametrize("name", [None, "ucsd-ped2"])
    def test_the_root_itself(self, tmp_path, lock, name):
        root = tmp_path / "locked"
        root.mkdir()
        lock(root)
        with pytest.raises(UnreadableError, match="locked.* cannot be read: Permission denied. Check its permissions"):
            check_datasets(root, name)


def test_official_counts_add_up():
    for counts in COUNTS.values():
        for clips, scenes in ((counts.train_clips, counts.train_scenes), (counts.test_clips, counts.test_scenes)):
            assert not scenes or sum(scenes) == clips
        assert all(0 < anomalous < counts.test_frames for anomalous in counts.anomalous)


PED1 = """60:152|50:175|91:200|31:168|5:90 140:200|1:100 110:200|1:175|1:94|1:48|1:140|70:165|130:200|1:156|1:200|138:200|
123:200|1:47|54:120|64:138|45:175|31:200|16:107|8:165|50:171|40:135|77:144|10:122|105:200|1:15 45:113|175:200|1:180|
1:52 65:115|5:165|1:121|86:200|15:108"""  # UCSDped1.m


def test_the_count_of_ped1_is_that_of_its_label_file():
    clips = [[span.split(":") for span in clip.split()] for clip in PED1.split("|")]
    assert len(clips) == COUNTS["ucsd-ped1"].test_clips
    assert [sum(int(last) - int(first) + 1 for clip in clips for first, last in clip)] == list(
        COUNTS["ucsd-ped1"].anomalous
    )


class TestOnesOwnFolderBesideADataSet:
    @pytest.fixture
    def data(self, tmp_path, ucsd_root, write):
        shutil.copytree(ucsd_root / "UCSD_Anomaly_Dataset.v1p2", tmp_path / "UCSD_Anomaly_Dataset.v1p2")
        write.video(tmp_path / "my_videos/normal/a.avi", 3)
        write.video(tmp_path / "my_videos/b.avi", 3)
        return tmp_path

    def test_the_folder_itself_comes_first(self, data):
        assert guess_names(data / "my_videos") == ["folder"]
        assert [check.name for check in check_datasets(data / "my_videos", progress=False)] == ["folder"]

    def test_a_folder_inside_a_data_set_is_still_told_where_it_is(self, data):
        with pytest.raises(LayoutError, match="Test001 is not a data set's folder, but ucsd-ped2 is in .*UCSDped2"):
            guess_names(data / "UCSD_Anomaly_Dataset.v1p2/UCSDped2/Test/Test001")

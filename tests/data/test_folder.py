import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from vadlib.data import FrameReader, draw, extract_frames, open_dataset, read_frame
from vadlib.data.layouts import folder
from vadlib.data.layouts.folder import open_videos
from vadlib.data.published.check import check_datasets
from vadlib.errors import LabelError, LayoutError, ParameterError, UnreadableError


def test_files_and_folders_become_unlabelled_test_clips(write, tmp_path):
    film = write.video(tmp_path / "b.avi", 9, 2, fps=20)
    folder = write.frames(tmp_path / "a.day", 5, 1, name="{}.jpg", start=7)  # a dot in a folder's name is no ending
    dataset = open_videos([film, folder], fps=12.5)
    assert [(c.id, c.split, c.n_frames, c.fps) for c in dataset.clips] == [
        ("a.day", "test", 5, 12.5),
        ("b", "test", 9, 20.0),
    ]
    table = dataset.frame_table()
    assert table["label"].tolist() == [-1] * 14
    assert not dataset.labelled
    seen = {}
    for batch in FrameReader(dataset, table, size=write.size, batch_size=4, progress=False):
        for image, row in zip(batch.images, batch.rows, strict=True):
            seen[int(row)] = write.identify(image.permute(1, 2, 0).numpy())
    expected = zip(table["frame"], [1] * 5 + [2] * 9, strict=True)
    assert [seen[row] for row in range(14)] == list(expected)


def written(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (lambda to, write: [to / "gone.mp4"], LayoutError, "gone.mp4 does not exist"),
        (
            lambda to, write: [
                written(to / "notes.txt", b"hello" * 300)
            ],  # the decoder would draw it as a film of text
            UnreadableError,
            "notes.txt is not a video that can be opened, but text",
        ),
        (lambda to, write: [write.frames(to / "empty", 0)], LayoutError, "empty has no frames"),
        (
            lambda to, write: [write.video(to / "films/x.avi", 2).parent],
            LayoutError,
            "films holds videos, not frames: give the files themselves .*x.avi",
        ),
        (
            lambda to, write: [write.video(to / "a/x.avi", 2), write.video(to / "b/X.avi", 2)],
            LayoutError,
            r"a/x.avi and .*b/X.avi are both called X",
        ),
        (lambda to, write: [write.video(to / "a/x.avi", 2), to / "b/../a/x.avi"], LayoutError, "given twice"),
        (lambda to, write: [], ParameterError, "none given"),
        (
            lambda to, write: [write.video(to / "...avi", 3)],  # without its ending: two dots
            LayoutError,
            r"\.\.\.avi: a clip cannot be called '\.\.'\. Rename it",
        ),
    ],
)
def test_videos_that_are_refused(write, tmp_path, given, error, message):
    with pytest.raises(error, match=message):
        open_videos(given(tmp_path, write))


@pytest.mark.parametrize("fps", [0, -1, float("nan"), 1001])
def test_rates(write, tmp_path, fps):
    with pytest.raises(ParameterError, match="fps: frames a second"):
        open_videos([write.frames(tmp_path / "f", 2)], fps=fps)


@pytest.fixture
def root(tmp_path, write):
    """Two cameras with normal footage, one without; a copy to damage."""
    return write.folder(tmp_path / "my videos")


def test_a_folder_of_ones_own(root, write):
    dataset = open_dataset("folder", root)
    assert [(clip.id, clip.split, clip.scene, clip.n_frames, clip.fps) for clip in dataset.clips] == [
        ("gate_Mittag größer", "test", "gate", 11, 20.0),
        ("march_yard_day.1", "test", "yard", 6, 20.0),  # its camera is that of a folder, not the first
        ("normal_gate_a", "train", "gate", 9, 20.0),
        ("normal_yard_b", "train", "yard", 8, 20.0),  # a folder of frames: the median rate of the videos
        ("pond_deep_e", "test", "pond", 5, 20.0),
        ("top", "test", "unknown", 4, 20.0),
    ]
    for clip, number in zip(dataset.clips, (3, 4, 1, 2, 5, 6), strict=True):
        assert write.identify(read_frame(dataset, clip.id, 3)) == (3, number)
    assert (dataset.missing, dataset.root) == ((), root)
    assert dataset.pixel_mask("top", 0) is None


def test_without_labels_nothing_is_known_of_the_clips_to_score(root):
    dataset = open_dataset("folder", root)
    table = dataset.frame_table()
    assert set(table.loc[table["split"] == "train", "label"]) == {0}
    assert set(table.loc[table["split"] == "test", "label"]) == {-1}
    assert table["label"].dtype == np.int8
    assert not dataset.labelled
    assert dataset.facts["labels"] == (
        "none (labels.csv is not there); unlabelled: 4 clips (gate_Mittag größer, march_yard_day.1, pond_deep_e, top)"
    )


def test_labels_of_some_clips(root):
    (root / "labels.csv").write_text("clip,first,last,event\npond/deep/e.avi,1,2,swan\npond/deep/e,2,3,\ntop,,\n")
    dataset = open_dataset("folder", root)
    assert dataset.labelled
    assert dataset.labels["pond_deep_e"].tolist() == [0, 1, 1, 1, 0]
    assert dataset.labels["top"].tolist() == [0] * 4
    assert set(dataset.labels["march_yard_day.1"]) == {-1}
    assert dataset.facts["labels"].startswith("labels.csv; unlabelled: 2 clips (gate_Mittag")
    assert dataset.events.to_dict("records") == [
        {"clip": "pond_deep_e", "first": 1, "last": 2, "event": "swan"},
        {"clip": "pond_deep_e", "first": 2, "last": 3, "event": "anomaly"},
    ]
    split = draw(dataset.frame_table(), "official-split", 5, 0, None, None)
    assert split.test["label"].value_counts().to_dict() == {0: 6, 1: 3}


def test_where_an_event_is_seen(root):
    (root / "labels.csv").write_text("clip,first,last,event,seen_in\ntop,0,1,swan,motion\ntop,2,2,swan\n")
    assert open_dataset("folder", root).events["seen_in"].tolist() == ["motion", ""]
    (root / "labels.csv").write_text("clip,first,last,event,seen_in\ntop,0,1,swan,ear\n")
    with pytest.raises(LabelError, match=r"labels\.csv, line 2: seen_in is appearance, motion or empty, not 'ear'"):
        open_dataset("folder", root)


def test_extraction_keeps_unlabelled_frames_apart(root, tmp_path):
    (root / "labels.csv").write_text("clip,first,last\ntop,0,0\n")
    index = extract_frames(open_dataset("folder", root), tmp_path / "out", progress=False)
    written = {path.relative_to(index.parent).parts[:3] for path in index.parent.rglob("*.jpg")}
    assert ("test", "pond_deep_e", "unlabelled") in written
    assert {part[2] for part in written if part[1] == "top"} == {"normal", "abnormal"}
    assert "unlabelled/" in index.read_text()


def test_one_camera(write, tmp_path):
    write.video(tmp_path / "Normal/a.avi", 5)
    write.frames(tmp_path / "monday/noon", 4, 1)
    dataset = open_dataset("folder", tmp_path)
    assert [(clip.id, clip.split, clip.scene) for clip in dataset.clips] == [
        ("Normal_a", "train", "unknown"),
        ("monday_noon", "test", "unknown"),
    ]


def test_normal_may_itself_be_a_clip(write, tmp_path):
    write.frames(tmp_path / "normal", 5, name="img {}.png", start=8)
    write.video(tmp_path / "a.avi", 4)
    clips = open_dataset("folder", tmp_path).clips
    assert [(clip.id, clip.split, clip.fps) for clip in clips] == [("a", "test", 25.0), ("normal", "train", 25.0)]


def test_what_is_no_clip_is_left_out(root, write):
    strays = (".DS_Store", "gate/._a.avi", "__MACOSX/x.avi", "gate/Thumbs.db", "notes.txt", "plan.png", "gate/p.jpg")
    for stray in (*strays, "#recycle/e.dav", ".f.flv", "folder.vob/h.txt"):
        written(root / stray, b"\0stray")
    for number, name in enumerate(("@eaDir", "gate/#snapshot", "System Volume Information", "normal/lost+found")):
        write.video(root / name / f"{number}.avi", 3)
    (root / "empty").mkdir()
    assert len(open_dataset("folder", root).clips) == 6


def test_what_is_known_of_each_camera(root, write):
    facts = open_dataset("folder", root).facts
    assert facts["clips of each camera"] == (
        "gate (1 normal, 1 to score), pond (0 normal, 1 to score), unknown (0 normal, 1 to score), "
        "yard (1 normal, 1 to score)"
    )
    assert facts["camera pond"] == "no normal footage of this camera; it is judged by that of the others"
    assert {key for key in facts if key.startswith("camera ")} == {"camera pond", "camera unknown"}
    write.video(root / "normal/pond/p.avi", 3)
    assert "camera pond" not in open_dataset("folder", root).facts


def test_many_cameras_without_normal_footage(root, write):
    for day in range(12):
        write.video(root / f"{day:02d}/x.avi", 2)
    facts = open_dataset("folder", root).facts
    assert facts["clips of each camera"].endswith(", 09 (0 normal, 1 to score) and 6 more")
    assert len([key for key in facts if key.startswith("camera ")]) == 10
    assert facts["other cameras"] == "no normal footage of 4 more, either"


def test_cameras_are_known_whatever_their_case(root):
    (root / "gate").rename(root / "Gate")
    (root / "march/yard").rename(root / "march/YARD")
    dataset = open_dataset("folder", root)
    assert [dataset.clip(name).scene for name in ("Gate_Mittag größer", "march_YARD_day.1")] == ["gate", "yard"]


class TestBadFolder:
    def test_without_normal_footage(self, root):
        shutil.rmtree(root / "normal")
        message = r"incomplete: no footage to fit on \(videos or folders of frames in normal/\)\. Put footage"
        with pytest.raises(LayoutError, match=message):
            open_dataset("folder", root)
        dataset = open_dataset("folder", root, allow_missing=True)
        assert {clip.split for clip in dataset.clips} == {"test"}
        assert {clip.scene for clip in dataset.clips} == {"unknown"}
        assert len(dataset.missing) == 1

    def test_nothing_to_score(self, root):
        for name in ("gate", "march", "pond", "top.avi"):
            path = root / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        with pytest.raises(LayoutError, match=r"nothing to score \(.*there is normal\)"):
            open_dataset("folder", root)
        dataset = open_dataset("folder", root, allow_missing=True)
        assert dataset.labelled, "there is nothing that lacks a label"

    @pytest.mark.parametrize("allow_missing", [False, True])
    def test_empty(self, tmp_path, allow_missing):
        with pytest.raises(LayoutError, match="no footage to fit on.*; nothing to score .*there is nothing"):
            open_dataset("folder", tmp_path, allow_missing=allow_missing)

    @pytest.mark.parametrize(
        ("damage", "error", "message"),
        [
            (
                lambda root, write: (root / "normal").rename(root / "Train"),
                LayoutError,
                "Is Train the footage to fit on\\? Rename it to normal",
            ),
            (
                lambda root, write: (root / "gate/again").symlink_to(root),
                LayoutError,
                r"gate/again is the same folder as .*my videos, by a link",
            ),
            (
                lambda root, write: os.link(root / "normal/gate/a.avi", root / "gate/copy.avi"),
                LayoutError,
                r"copy.avi is the same file as .*a.avi, by a link.*fitted on it",
            ),
            (lambda root, write: write.video(root / "POND/deep/E.avi", 3), LayoutError, "are both called"),
            (lambda root, write: (root / "Normal").mkdir(), LayoutError, "has Normal and normal. Keep one"),
            (
                lambda root, write: [
                    written(root / name, b"clip,first,last\n") for name in ("labels.csv", "Labels.csv")
                ],
                LayoutError,
                "has Labels.csv and labels.csv. Keep one",
            ),
            (
                lambda root, write: [write.frames(root / "pond", 3), write.frames(root / "pond/frames", 3)],
                LayoutError,
                r"pond holds pictures \(000.jpg …\) and also 2 clips \(e.avi, frames\) in",
            ),
            (lambda root, write: written(root / "gate/cut.mp4", b""), UnreadableError, "cut.mp4 is not a video"),
            (
                lambda root, write: written(root / "normal/gate/d.h264", b"\0stream"),
                UnreadableError,
                r"d\.h264 is not a video that can be opened",
            ),
            (
                lambda root, write: os.mkfifo(root / "camera.mp4"),  # reading it would wait for ever
                UnreadableError,
                "camera.mp4 is neither a file nor a folder",
            ),
            (lambda root, write: (root / "a.mp4").symlink_to("nowhere"), LayoutError, "a.mp4 does not exist"),
            (
                lambda root, write: written(root / "labels.csv", b"clip,first,last\ntop,0,4\n"),
                LabelError,
                r"labels.csv, line 2: frames 0 to 4 of top, which has frames 0 to 3",
            ),
        ],
    )
    def test_refused(self, root, write, damage, error, message):
        damage(root, write)
        with pytest.raises(error, match=message):
            open_dataset("folder", root)

    def test_root_above(self, root):
        with pytest.raises(LayoutError, match="my videos has a folder normal: give that as root"):
            open_dataset("folder", root.parent)

    def test_linked_folders_and_files_are_clips(self, root, tmp_path):
        (root / "gate").rename(tmp_path / "gate")
        (root / "gate").symlink_to(tmp_path / "gate")
        (root / "top.avi").rename(tmp_path / "x.avi")
        (root / "top.avi").symlink_to(tmp_path / "x.avi")
        assert len(open_dataset("folder", root).clips) == 6


def refusing_inside(real, name):
    """A method of paths, as it is in a folder whose files may be listed and no more."""

    def refuse(path, *arguments, **options):
        if path.parent.name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **options)

    return refuse


class TestClipsThatDoNotOpen:
    BROKEN = ("gate/cut.mp4", "gate/empty.avi", "normal/gate/cut.mkv")

    @pytest.fixture
    def broken(self, root):
        for name in self.BROKEN:
            (root / name).write_bytes(b"" if "empty" in name else b"\0\0\0\x18ftypmp42" + bytes(300))
        (root / "pond/deep/hole").mkdir()
        (root / "pond/deep/hole/frames.txt").write_text("none")
        return root

    def test_are_left_out_and_named(self, broken):
        dataset = open_dataset("folder", broken, skip_unreadable=True)
        assert len(dataset.clips) == 6
        assert [(clip.clip, clip.split) for clip in sorted(dataset.left_out)] == [
            (name, "train" if name.startswith("normal") else "test") for name in self.BROKEN
        ]
        for clip in dataset.left_out:
            assert clip.why.startswith(clip.clip)
            assert str(broken) not in clip.why
        assert dataset.facts["left out"].startswith("3 clips that do not open: ")
        assert dataset.missing == ()

    def test_check_lists_all_of_them(self, broken):
        (check,) = check_datasets(broken, "folder", progress=False)
        assert len([problem for problem in check.problems if problem.startswith("does not open: ")]) == 3
        assert check.counts.loc["test clips", "found"] == 4

    @pytest.mark.parametrize("name", ["deep", "normal"])
    def test_a_folder_that_may_be_listed_but_not_entered(self, root, monkeypatch, name):
        for what in ("stat", "is_dir", "is_file"):
            monkeypatch.setattr(Path, what, refusing_inside(getattr(Path, what), name))
        with pytest.raises(
            UnreadableError, match=rf"{name} cannot be looked into: Permission denied.*SKIP_UNREADABLE=1"
        ):
            open_dataset("folder", root)
        if name == "normal":
            with pytest.raises(UnreadableError, match="normal cannot be looked into: Permission denied"):
                open_dataset("folder", root, skip_unreadable=True)
            return
        dataset = open_dataset("folder", root, skip_unreadable=True)
        assert [clip.why for clip in dataset.left_out] == ["pond/deep cannot be looked into: Permission denied"]
        assert "pond_deep_e" not in [clip.id for clip in dataset.clips]

    def test_a_file_without_rights(self, root, monkeypatch):
        real = folder.scan_video

        def refuse(path):
            if path.name == "top.avi":
                raise PermissionError(13, "Permission denied", str(path))
            return real(path)

        monkeypatch.setattr(folder, "scan_video", refuse)
        with pytest.raises(UnreadableError, match=r"top.avi cannot be read: Permission denied.*SKIP_UNREADABLE=1"):
            open_dataset("folder", root)
        dataset = open_dataset("folder", root, skip_unreadable=True)
        assert [clip.why for clip in dataset.left_out] == ["top.avi cannot be read: Permission denied"]

    @pytest.mark.parametrize(("part", "words"), [("normal", "the footage to fit on"), ("", "the clips to score")])
    def test_everything_is_too_much(self, tmp_path, write, part, words):
        write.video(tmp_path / "normal/a.avi", 4)
        write.video(tmp_path / "b.avi", 4)
        (tmp_path / ("normal/a.avi" if part else "b.avi")).write_bytes(b"")
        with pytest.raises(UnreadableError, match=f"none of {words} can be read: "):
            open_dataset("folder", tmp_path, skip_unreadable=True)

    def test_labels_of_a_clip_left_out_are_passed_over(self, root):
        (root / "gone.mp4").write_bytes(b"")
        (root / "labels.csv").write_text("clip,first,last\ngone.mp4,3,5\ngone,7,7\ntop,0,1\n")
        with pytest.raises(UnreadableError):
            open_dataset("folder", root)
        dataset = open_dataset("folder", root, skip_unreadable=True)
        assert dataset.labels["top"].tolist() == [1, 1, 0, 0]
        assert dataset.events["clip"].tolist() == ["top"]

    def test_videos_to_score(self, root, tmp_path):
        (root / "gone.mp4").write_bytes(b"")
        dataset = open_videos([root / "gone.mp4", root / "top.avi"], skip_unreadable=True)
        assert [clip.id for clip in dataset.clips] == ["top"]
        assert dataset.left_out[0].clip == "gone.mp4"
        with pytest.raises(UnreadableError, match="none of the clips to score can be read: "):
            open_videos([root / "gone.mp4"], skip_unreadable=True)
        (root / "gone.avi").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(300))
        with pytest.raises(UnreadableError) as caught:
            open_videos([root / "gone.mp4", root / "gone.avi"], skip_unreadable=True)
        assert "Copy them again; a recording that goes on, once it is finished" in str(caught.value)
        assert "SKIP_UNREADABLE" not in str(caught.value)  # it is what was done
        with pytest.raises(LayoutError, match="typo.mp4 does not exist"):
            open_videos([root / "typo.mp4", root / "top.avi"], skip_unreadable=True)


def test_cameras_that_look_like_hours(tmp_path, write):
    for camera in "12":
        write.video(tmp_path / f"normal/2024-01-01/{camera}/a.avi", 2)
        write.video(tmp_path / f"2024-01-02/{camera}/a.avi", 2)
    dataset = open_dataset("folder", tmp_path)
    assert {clip.scene for clip in dataset.clips} == {"unknown"}
    assert "(1, 2) were taken for times" in dataset.facts["camera"]
    for folder_of_camera in [*tmp_path.glob("normal/*/*"), *tmp_path.glob("2024*/*")]:  # as it says
        folder_of_camera.rename(folder_of_camera.with_name(f"camera{folder_of_camera.name}"))
    dataset = open_dataset("folder", tmp_path)
    assert {clip.scene for clip in dataset.clips} == {"camera1", "camera2"}
    assert "camera" not in dataset.facts


def test_names_in_any_script(tmp_path, write):
    composed, apart = "Gart\u00e9", "Garte\u0301"
    write.video(tmp_path / f"normal/{composed}/\u0938\u0941\u092c\u0939.avi", 2)
    write.video(tmp_path / "normal/\u9580/\u671d.avi", 2)
    write.video(tmp_path / f"{apart}/\U0001f6b2.avi", 2)
    write.video(tmp_path / "\u9580/\u0627\u0644\u0645\u0633\u0627\u0621.avi", 2)
    dataset = open_dataset("folder", tmp_path)
    assert len(dataset.clips) == 4
    assert {clip.scene for clip in dataset.clips} == {composed, "\u9580"}
    write.video(tmp_path / f"{composed}/\U0001f6b2.avi", 2)
    with pytest.raises(LayoutError, match="are both called"):  # some file systems take them for one
        open_dataset("folder", tmp_path)

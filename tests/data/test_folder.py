import shutil

import numpy as np
import pytest

from vadlib.data import FrameReader, videos
from vadlib.data.folder import open_videos
from vadlib.errors import LayoutError, ParameterError, UnreadableError


def test_files_and_folders_become_unlabelled_test_clips(write, tmp_path):
    film = write.video(tmp_path / "b.avi", 9, 2, fps=20)
    folder = write.frames(tmp_path / "a.day", 5, 1, name="{}.jpg", start=7)  # a dot in a folder's name is no ending
    dataset = open_videos([film, folder], fps=12.5)
    assert [(c.id, c.split, c.n_frames, c.fps) for c in dataset.clips] == [
        ("a.day", "test", 5, 12.5),
        ("b", "test", 9, 20.0),
    ]
    table = dataset.frame_table()
    assert (len(table), table["label"].sum()) == (14, 0)
    seen = {}
    for batch in FrameReader(dataset, table, size=write.size, batch_size=4, progress=False):
        for image, row in zip(batch.images, batch.rows, strict=True):
            seen[int(row)] = write.identify(image.permute(1, 2, 0).numpy())
    expected = zip(table["frame"], [1] * 5 + [2] * 9, strict=True)
    assert [seen[row] for row in range(14)] == list(expected)


def test_a_video_of_one_frame(write, tmp_path):
    dataset = open_videos([write.video(tmp_path / "one.avi", 1)])
    assert dataset.clips[0].n_frames == 1
    (batch,) = FrameReader(dataset, dataset.frame_table(), size=write.size, progress=False)
    assert batch.images.shape == (1, 3, *write.size)


def test_headers_that_only_estimate_are_not_believed(write, tmp_path, monkeypatch):
    film = write.video(tmp_path / "film.mkv", 8)
    real = videos.probe_video
    monkeypatch.setattr(videos, "probe_video", lambda path: real(path)._replace(n_frames=9, fps=90_000.0))
    clip = open_videos([film], fps=30).clips[0]
    assert (clip.n_frames, clip.fps) == (8, 30.0)
    counting = tmp_path / "film.avi"
    shutil.copy(film, counting)
    assert open_videos([counting]).clips[0].n_frames == 9, "a header that counts is compared while reading"


def test_same_videos_same_fingerprint(write, tmp_path):
    first, second = (write.video(tmp_path / folder / "x.avi", 4) for folder in ("p", "q"))
    assert open_videos([first]).fingerprint == open_videos([second]).fingerprint
    assert open_videos([first]).fingerprint != open_videos([write.video(tmp_path / "y.avi", 4)]).fingerprint


class TestBadInput:
    def test_missing(self, tmp_path):
        with pytest.raises(LayoutError, match="gone.mp4 does not exist"):
            open_videos([tmp_path / "gone.mp4"])

    @pytest.mark.parametrize("name", ["notes.txt", "still.jpg", "noending"])
    def test_not_a_video_by_its_ending(self, tmp_path, name):
        (tmp_path / name).write_text("hello\n" * 300)  # the decoder would draw a .txt as a film of text
        with pytest.raises(UnreadableError, match=f"{name} is no video: .avi"):
            open_videos([tmp_path / name])

    @pytest.mark.parametrize("content", [b"", b"hello" * 100])
    def test_not_a_video_inside(self, tmp_path, content):
        (tmp_path / "film.mp4").write_bytes(content)
        with pytest.raises(UnreadableError, match="film.mp4 is not a video"):
            open_videos([tmp_path / "film.mp4"])

    def test_folders_without_frames(self, write, tmp_path):
        (tmp_path / "empty").mkdir()
        with pytest.raises(LayoutError, match="empty has no frames"):
            open_videos([tmp_path / "empty"])
        write.video(tmp_path / "films/x.avi", 2)
        with pytest.raises(LayoutError, match="films holds videos, not frames: give the files themselves .*x.avi"):
            open_videos([tmp_path / "films"])

    def test_two_of_one_name(self, write, tmp_path):
        first, second = write.video(tmp_path / "a/x.avi", 2), write.video(tmp_path / "b/X.avi", 2)
        with pytest.raises(LayoutError, match=r"a/x.avi and .*b/X.avi are both called X"):
            open_videos([first, second])
        with pytest.raises(LayoutError, match="given twice"):
            open_videos([first, tmp_path / "b/../a/x.avi"])

    @pytest.mark.parametrize("fps", [0, -1, float("nan"), 1001])
    def test_rates(self, write, tmp_path, fps):
        with pytest.raises(ParameterError, match="fps: frames a second"):
            open_videos([write.frames(tmp_path / "f", 2)], fps=fps)

    def test_none(self):
        with pytest.raises(ParameterError, match="none given"):
            open_videos([])

    def test_truncated_is_found_while_reading(self, write, tmp_path):
        film = write.video(tmp_path / "cut.avi", 12)
        write.cut(film, 7)
        dataset = open_videos([film])
        with pytest.raises(UnreadableError, match=r"cut.avi"):
            np.concatenate([b.rows for b in FrameReader(dataset, dataset.frame_table(), (24, 32), progress=False)])

    def test_a_name_that_would_write_elsewhere(self, write, tmp_path):
        film = write.video(tmp_path / "...avi", 3)  # without its ending: two dots
        with pytest.raises(LayoutError, match=r"\.\.\.avi: a clip cannot be called '\.\.'\. Rename it"):
            open_videos([film])

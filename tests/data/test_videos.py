import os
import shutil
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from vadlib.data.reading import videos
from vadlib.errors import LayoutError, UnreadableError


def frames_of(path, frames, n_frames, **options):
    return list(videos.iterate_frames(path, frames, n_frames, **options))


def test_stray_files_are_skipped(tmp_path, write):
    folder = write.frames(tmp_path / "clip", 3)
    for name in (".DS_Store", "._001.jpg", "Thumbs.db", "notes.txt", "002.jpg~"):
        (folder / name).write_bytes(b"stray")
    assert [path.name for path in videos.list_numbered(folder)] == ["000.jpg", "001.jpg", "002.jpg"]


def test_a_name_without_a_number_is_an_error(tmp_path, write):
    folder = write.frames(tmp_path / "clip", 1, name="background.jpg")
    with pytest.raises(LayoutError, match=r"background\.jpg.*has none"):
        videos.list_numbered(folder)


@pytest.mark.parametrize("frames", [[0], [0, 1, 2], [3, 7, 19], [19], list(range(20))])
def test_video_frames_equal_reading_all_of_it(tmp_path, write, frames):
    path = write.video(tmp_path / "clip.avi", 20)
    capture = cv2.VideoCapture(str(path))
    everything = [capture.read()[1][..., ::-1] for _ in range(20)]
    for frame, image in zip(frames, frames_of(path, frames, 20), strict=True):
        np.testing.assert_array_equal(image, everything[frame])
        assert write.identify(image)[0] == frame


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (np.full((4, 5), 90, np.uint8), (90, 90, 90)),  # grey
        (np.full((4, 5, 4), (10, 20, 30, 128), np.uint8), (30, 20, 10)),  # with transparency, BGRA
        (np.full((4, 5), 90 * 256, np.uint16), (90, 90, 90)),  # 16 bits
        (np.full((4, 5, 3), (10, 20, 30), np.uint8), (30, 20, 10)),
    ],
)
def test_pictures_become_rgb_of_8_bits(tmp_path, picture, expected):
    path = tmp_path / "1.png"
    cv2.imwrite(str(path), picture)
    image = videos.read_image(path)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, np.broadcast_to(np.array(expected, np.uint8), (4, 5, 3)))


def test_truncated_video_names_file_frame_and_count(tmp_path, write):
    path = write.video(tmp_path / "01_001.avi", 40)
    write.cut(path, 20)
    images = frames_of(path, range(40), 40)
    errors = [image for image in images if isinstance(image, UnreadableError)]
    n_read = 40 - len(errors)
    assert 18 <= n_read <= 20  # FFmpeg holds the last frame or two back when the file breaks off
    assert [write.identify(image)[0] for image in images[:n_read]] == list(range(n_read))
    assert f"01_001.avi: decoding ended at frame {n_read} of the 40 expected" in str(errors[0])


def test_exact_counts_to_the_end(tmp_path, write):
    path = write.video(tmp_path / "01_0001.avi", 40)
    assert len(frames_of(path, [0, 5], 40, exact=True)) == 2
    videos.check_whole(path, 40)
    for n_frames in (39, 41):  # more frames than the data set says are as wrong as fewer
        message = rf"01_0001\.avi: {n_frames} frames expected, 40 can be decoded\. .*copy the file again"
        first, last = frames_of(path, [0, 5], n_frames, exact=True)
        assert write.identify(first)[0] == 0
        with pytest.raises(UnreadableError, match=message):
            raise last
        with pytest.raises(UnreadableError, match=message):
            videos.check_whole(path, n_frames)
        assert all(isinstance(image, np.ndarray) for image in frames_of(path, [0, 5], n_frames))


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100])
def test_what_is_no_video_is_an_error(tmp_path, content):
    path = tmp_path / "01_001.avi"
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match=r"01_001\.avi is not a video that can be opened"):
        videos.probe_video(path)
    assert all(isinstance(image, UnreadableError) for image in frames_of(path, [0, 3], 5))


def test_a_folder_that_changed_is_an_error(tmp_path, write):
    folder = write.frames(tmp_path / "clip", 4)
    with pytest.raises(UnreadableError, match="has 4 frames, 5 when the data set was opened"):
        frames_of(folder, [0], 5)


def test_a_number_far_off_takes_no_memory(tmp_path, write):
    folder = write.frames(tmp_path / "clip", 3)
    (folder / "002.jpg").rename(folder / f"{10**30}.jpg")
    with pytest.raises(LayoutError, match=rf"frames 0 to {10**30} with {10**30 - 2} missing, first 2"):
        videos.list_numbered(folder)


def test_frames_of_two_sizes(tmp_path, write):
    folder = write.frames(tmp_path / "clip", 6)
    cv2.imwrite(str(folder / "004.jpg"), np.zeros((20, 30, 3), np.uint8))
    images = frames_of(folder, [1, 4, 5], 6)
    assert [write.identify(images[index])[0] for index in (0, 2)] == [1, 5]
    with pytest.raises(UnreadableError, match=r"004\.jpg is 20 x 30 pixels .* but 000\.jpg beside it 48 x 64"):
        raise images[1]
    (folder / "000.jpg").write_bytes(b"corrupt")  # then the next one is what the others are compared with
    images = frames_of(folder, [0, 1, 4], 6)
    assert [isinstance(image, UnreadableError) for image in images] == [True, False, True]


def lie_about(path, n_frames=None, rate=None):
    """Change what the headers of an AVI file promise: the number of frames, and the frames a second."""
    content = bytearray(path.read_bytes())
    main, stream = content.index(b"avih") + 8, content.index(b"strh") + 8
    if n_frames is not None:
        struct.pack_into("<I", content, main + 16, n_frames)
        struct.pack_into("<I", content, stream + 32, n_frames)
    if rate is not None:
        struct.pack_into("<II", content, stream + 20, *rate)
    path.write_bytes(content)


def test_more_frames_than_a_file_can_hold(tmp_path, write):
    path = write.video(tmp_path / "01_001.avi", 9)
    lie_about(path, n_frames=10)
    assert videos.probe_video(path).n_frames == 10  # not seen before the frames are read
    lie_about(path, n_frames=10**9)
    assert videos.probe_video(path).n_frames == 9


def test_no_size_of_frames(tmp_path):
    """An MP4 file of which nothing can be decoded."""
    path = tmp_path / "film.mp4"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"mp4v"), 25, (64, 48))
    for _ in range(4):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    content = bytearray(path.read_bytes())
    sizes = content.index(b"stsz") + 4
    struct.pack_into(">II", content, sizes + 4, 1, 4)  # each frame of one byte
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match=r"film\.mp4: not one of its mpeg4 pictures can be decoded"):
        videos.probe_video(path)


def test_a_rate_that_cannot_be_is_none(tmp_path, write):
    path = write.video(tmp_path / "01_001.avi", 9)
    lie_about(path, rate=(1, 2**31 - 1))
    assert videos.probe_video(path) == (9, 0.0, *write.size)


@pytest.mark.parametrize("content", [b"#EXTM3U\n#EXTINF:10,\nfilm.mp4\n", b"ffconcat version 1.0\nfile film.mkv\n"])
def test_a_play_list_opens_no_other_file(tmp_path, write, content):
    write.video(tmp_path / "film.mkv", 4)
    path = tmp_path / "list.mkv"
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match=r"list\.mkv is not a video that can be opened, but text"):
        videos.probe_video(path)
    assert all(isinstance(image, UnreadableError) for image in frames_of(path, [0, 3], 4))


def test_a_relative_path_is_no_protocol(tmp_path, write, monkeypatch):
    write.video(tmp_path / "concat:x/film.avi", 4)
    monkeypatch.chdir(tmp_path)
    assert videos.probe_video(Path("concat:x/film.avi")).n_frames == 4


def test_a_name_that_is_no_text(tmp_path, write):
    """OpenCV 5.0 ends the process at such a name."""
    plain, path = write.video(tmp_path / "plain.avi", 3), tmp_path / os.fsdecode(b"\xff.avi")
    shutil.copy(plain, path)
    with pytest.raises(UnreadableError, match=r"\\udcff\.avi: the name is not text in UTF-8"):
        videos.probe_video(path)


def test_a_damaged_video_is_the_same_every_time(tmp_path, write):
    """Several threads of the codec would conceal the damage in one of several ways."""
    path = tmp_path / "film.mp4"
    rng = np.random.default_rng(0)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"mp4v"), 25, (64, 48))
    for _ in range(12):
        writer.write(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    writer.release()
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 4
    for position in range(start + 3000, len(content) - 3000, 3000):
        content[position] ^= 16
    path.write_bytes(content)
    first = np.stack([image for image in frames_of(path, range(12), 12) if not isinstance(image, UnreadableError)])
    assert len(first) > 3
    for _ in range(10):
        again = [image for image in frames_of(path, range(12), 12) if not isinstance(image, UnreadableError)]
        np.testing.assert_array_equal(again, first)

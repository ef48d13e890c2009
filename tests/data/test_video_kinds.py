"""Videos as cameras, recorders, phones and browsers write them: the picture is the one that was filmed, or an error."""

import av
import cv2
import films
import numpy as np
import pytest
from films import number_in, remux, write_av1, write_film

from vadlib.data import open_dataset
from vadlib.data.layouts.folder import open_videos
from vadlib.data.reading import videos
from vadlib.data.reading.scanning import scan_video
from vadlib.errors import LabelError, UnreadableError
from vadlib.frame_times import UnevenRate, seconds, ticks

INTERLACED = {"x264-params": "tff=1"}
FIELDS = {"flags": "+ildct+ilme"}
GAP = [40 * frame for frame in range(20)] + [100_000 + 40 * frame for frame in range(20)]  # ms
SLOW_THEN_FAST = [200 * frame for frame in range(20)] + [4000 + 33 * frame for frame in range(40)]  # ms


def numbers(path):
    """What the frames show, read in one go; the scan and the reader have to agree on how many there are."""
    n_frames = scan_video(path).n_frames
    images = list(videos.iterate_frames(path, range(n_frames), n_frames, exact=True))
    assert all(isinstance(image, np.ndarray) for image in images), images[-1]
    return [number_in(image) for image in images]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("h264.mp4", {"options": INTERLACED}),
        ("h264_422.mkv", {"options": INTERLACED, "pixels": "yuv422p"}),
        ("mpeg2.ts", {"codec": "mpeg2video", "options": FIELDS}),
        ("mpeg2.mpg", {"codec": "mpeg2video", "options": FIELDS}),
        ("mpeg4.avi", {"codec": "mpeg4", "options": FIELDS}),
        ("mjpeg.avi", {"codec": "mjpeg", "pixels": "yuvj420p"}),
        ("av1.mp4", None),
        ("hevc_10_bit.mp4", {"codec": "libx265", "pixels": "yuv420p10le", "options": {"x265-params": "log-level=0"}}),
        ("vp8.webm", {"codec": "libvpx"}),
        ("h264.avi", {}),
        ("b_frames.avi", {"codec": "mpeg4", "options": {"bf": "2", "g": "20"}}),
    ],
)
def test_every_frame_is_the_one_filmed(tmp_path, name, options):
    path = write_av1(tmp_path / name, 24) if options is None else write_film(tmp_path / name, range(24), **options)
    assert numbers(path) == list(range(24))
    scan = scan_video(path)
    assert (scan.n_frames, scan.height, scan.width) == (24, films.HEIGHT, films.WIDTH)
    assert scan.rate == 25
    assert not scan.damage
    assert not scan.notes
    sparse = videos.iterate_frames(path, [3, 17, 22], 24)
    assert [number_in(image) for image in sparse] == [3, 17, 22]


def test_progressive_pictures_are_those_of_opencv(tmp_path):
    """A second decoder, independent of the first; scores on progressive video stay as they were, to the bit."""
    for name, options in (
        ("a.mp4", {}),
        ("b.avi", {"codec": "mpeg4"}),
        ("c.avi", {"codec": "mjpeg", "pixels": "yuvj420p"}),
    ):
        path = write_film(tmp_path / name, range(12), **options)
        capture = cv2.VideoCapture(str(path))
        for image in videos.iterate_frames(path, range(12), 12):
            np.testing.assert_array_equal(image, capture.read()[1][..., ::-1])


def test_interlaced_in_the_middle_of_a_stream(tmp_path):
    parts = [
        write_film(tmp_path / f"{first}.ts", range(first, first + 10), options=options).read_bytes()
        for first, options in ((0, {}), (10, INTERLACED), (20, {}))
    ]
    path = tmp_path / "mixed.ts"
    path.write_bytes(b"".join(parts))
    assert numbers(path) == list(range(30))
    assert scan_video(path).rate == 25
    assert any("clock jumps back" in note for note in scan_video(path).notes)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_sound_that_goes_on_without_a_picture(tmp_path, suffix):
    path = write_film(tmp_path / f"gap{suffix}", range(40), times_ms=GAP, sound_s=101)
    assert numbers(path) == list(range(40))
    rate = scan_video(path).rate
    assert isinstance(rate, UnevenRate)
    assert seconds(rate, [19, 20, 39]) == pytest.approx([0.76, 100.0, 100.76], abs=0.01)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_cut_without_encoding_has_the_frames_that_are_shown(tmp_path, suffix):
    whole = write_film(tmp_path / "whole.mp4", range(100), options={"g": "25"})
    path = remux(whole, tmp_path / f"cut{suffix}", from_s=1.4)
    first = 25 if suffix == ".mkv" else 35  # the other two hide what was before the cut
    assert numbers(path) == list(range(first, 100))
    if suffix != ".mkv":
        assert videos.probe_video(path).n_frames == 75, "the header counts the hidden ones, or this tests nothing"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_recording_that_does_not_begin_with_a_key_frame(tmp_path, suffix):
    path = write_film(tmp_path / f"late{suffix}", range(100), options={"g": "25"}, keep=lambda packet: packet >= 10)
    assert numbers(path) == list(range(25, 100))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("phone.mp4", {}),
        ("fragmented.mp4", {"container": {"movflags": "frag_keyframe+empty_moov"}}),
        ("renamed.avi", {"format": "mp4"}),
        ("recorder.mkv", {}),
        ("recorder.ts", {}),
        ("renamed.mp4", {"format": "mpegts"}),
        ("browser.webm", {"codec": "libvpx"}),
    ],
)
def test_uneven_times_are_the_frames_own(tmp_path, name, options):
    path = write_film(tmp_path / name, range(60), times_ms=SLOW_THEN_FAST, **options)
    assert numbers(path) == list(range(60))
    dataset = open_videos([path])
    (clip,) = dataset.clips
    assert seconds(clip.fps, np.arange(60)) == pytest.approx(np.array(SLOW_THEN_FAST) / 1000, abs=0.002)
    assert float(clip.fps) == pytest.approx(60 / 5.32, rel=0.01)
    assert dataset.facts["times"] == f"frames come unevenly in {name}; their own times are used"


def test_a_rate_that_the_header_has_wrong(tmp_path):
    """Frames keep an even rate, another one than the header's."""
    path = write_film(
        tmp_path / "fifteen.webm", range(45), times_ms=[66 * frame for frame in range(45)], codec="libvpx"
    )
    (clip,) = open_videos([path]).clips
    assert clip.fps == pytest.approx(1000 / 66, rel=0.01)
    assert not isinstance(clip.fps, UnevenRate)


def test_an_early_end_is_noticed(tmp_path):
    for name in ("cut.mkv", "cut.avi"):
        path = write_film(tmp_path / name, range(100), codec="mpeg4", options={"g": "10"})
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        scan = scan_video(path)
        assert 10 < scan.n_frames < 80
        assert any("of the 4.0 seconds that it states" in words for words in scan.damage), scan
        dataset = open_videos([path])
        assert dataset.clips[0].n_frames == scan.n_frames, "what decodes is what there is"
        assert dataset.facts["damage"].startswith(f"{name}: ")


def test_damaged_pictures_are_noticed(tmp_path):
    path = write_film(tmp_path / "film.avi", range(30), codec="mjpeg", pixels="yuvj420p")
    content = bytearray(path.read_bytes())
    scan_start = content.index(b"\xff\xda", len(content) // 2)
    content[scan_start + 2 : scan_start + 14] = b"\xff" * 12
    path.write_bytes(content)
    scan = scan_video(path)
    assert scan.n_frames == 29
    assert "a picture that cannot be decoded" in scan.damage


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg4"])
def test_pictures_that_a_decoder_drops_are_noticed(tmp_path, codec):
    path = write_film(
        tmp_path / "film.mp4", range(60), codec=codec, options={"g": "20", "x265-params": "keyint=20:log-level=0"}
    )
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat") + 4
    middle = start + (content.rindex(b"moov") - start) // 2
    content[middle : middle + 60] = bytes(60)
    path.write_bytes(content)
    assert scan_video(path).damage


def test_a_stream_that_begins_in_the_middle(tmp_path):
    first, second = (
        write_film(
            tmp_path / f"{pid}.ts",
            range(20),
            container={"mpegts_start_pid": str(pid), "mpegts_pmt_start_pid": str(pid + 4096)},
        )
        for pid in (256, 512)
    )
    path = tmp_path / "restarted.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    assert numbers(path)[:20] == list(range(20))


def test_what_is_mostly_undecodable_is_no_video(tmp_path):
    path = write_film(tmp_path / "locked.mp4", range(40), codec="mjpeg", pixels="yuvj420p")
    content = bytearray(path.read_bytes())
    for at in [at for at in range(len(content)) if content[at : at + 2] == b"\xff\xda"][4:]:
        content[at + 2 : at + 14] = b"\xff" * 12
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match=r"36 of its 40 mjpeg pictures cannot be decoded; .* encrypted"):
        scan_video(path)


def test_sound_that_outlasts_the_pictures_is_no_damage(tmp_path):
    for suffix in (".mkv", ".ts", ".mp4"):
        path = write_film(tmp_path / f"film{suffix}", range(20), sound_s=6)
        assert not scan_video(path).damage, suffix
    assert scan_video(tmp_path / "film.ts").notes[0].endswith("sound or subtitles go on, or it was cut short")


def test_a_hole_is_noticed(tmp_path):
    path = write_film(tmp_path / "gap.mkv", range(40), times_ms=GAP)
    assert scan_video(path).notes == ("no picture for 99.2 s from 0.8 s on",)
    assert scan_video(write_film(tmp_path / "slow.mkv", range(60), times_ms=SLOW_THEN_FAST)).notes == ()


def test_a_picture_that_stands_still_is_noticed(tmp_path):
    moving = write_film(tmp_path / "moving.mp4", range(200))
    assert not scan_video(moving).notes
    stuck = write_film(
        tmp_path / "stuck.mp4", [*range(10), *[10] * 150, *range(11, 20)], codec="ffv1", format="matroska"
    )
    assert scan_video(stuck).notes == ("the very same picture for 6.0 s from 0.4 s on",)
    dead = write_film(tmp_path / "dead.mkv", [7] * 20, codec="ffv1")
    assert open_videos([dead]).facts["videos"] == "dead.mkv: all its 20 frames show the very same picture"


def test_a_codec_without_a_decoder_is_named(tmp_path):
    for suffix, code in ((".mp4", b"avc1"), (".avi", b"FMP4")):
        path = write_film(tmp_path / f"film{suffix}", codec="libx264" if suffix == ".mp4" else "mpeg4")
        path.write_bytes(path.read_bytes().replace(code, b"ZZZ1"))
        for opened in (scan_video, videos.probe_video, lambda path: open_videos([path])):
            with pytest.raises(
                UnreadableError, match=rf"film\{suffix}: its pictures are coded as ZZZ1.* Export it as H"
            ):
                opened(path)


def test_what_holds_no_pictures(tmp_path):
    with av.open(str(tmp_path / "sound.mp4"), "w") as out:
        stream = out.add_stream("aac", rate=8000)
        for packet in films.sound_packets(stream, np.zeros(films.SOUND_HZ, np.float32)):
            out.mux(packet)
    with pytest.raises(UnreadableError, match=r"sound\.mp4 has sound or data, but no video"):
        scan_video(tmp_path / "sound.mp4")
    unfinished = write_film(tmp_path / "unfinished.mp4")
    unfinished.write_bytes(unfinished.read_bytes()[:600])
    with pytest.raises(UnreadableError, match=r"unfinished\.mp4 .* still being recorded"):
        scan_video(unfinished)
    (tmp_path / "still.jpg").write_bytes(cv2.imencode(".jpg", films.picture(1))[1].tobytes())
    with pytest.raises(UnreadableError, match=r"still\.jpg is a picture, and no video"):
        scan_video(tmp_path / "still.jpg")


def test_content_decides_which_files_are_videos(tmp_path):
    root = tmp_path / "my_videos"
    write_film(root / "normal/export", range(30), format="mp4")
    write_film(root / "clip.trp", range(30), format="mpegts")
    write_film(root / "phone.3gp", range(30), format="mp4")
    write_film(root / "film.download", range(30), format="matroska")
    for name, content in (
        ("notes.txt", b"a" * 900),
        ("thumb.db", bytes(900)),
        ("paper.pdf", b"%PDF-1.4\n\x00\x01" * 99),
    ):
        (root / name).write_bytes(content)
    dataset = open_dataset("folder", root)
    assert [clip.id for clip in dataset.clips] == ["clip", "film", "normal_export", "phone"]
    assert {clip.n_frames for clip in dataset.clips} == {30}


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_camera_held_sideways(tmp_path, turn):
    upright = write_film(tmp_path / "upright.mp4", range(4))
    with av.open(str(upright)) as film, av.open(str(tmp_path / "turned.mp4"), "w") as out:
        copied = out.add_stream_from_template(film.streams.video[0])
        copied.set_display_rotation(turn)
        for packet in film.demux(video=0):
            if packet.dts is not None:
                packet.stream = copied
                out.mux(packet)
    turned, plain = (next(videos.iterate_frames(path, [2], 4)) for path in (tmp_path / "turned.mp4", upright))
    np.testing.assert_array_equal(turned, np.rot90(plain, turn // 90))
    capture = cv2.VideoCapture(str(tmp_path / "turned.mp4"))
    images = [capture.read()[1] for _ in range(3)]
    np.testing.assert_array_equal(turned, images[2][..., ::-1])
    assert scan_video(tmp_path / "turned.mp4")[2:4] == turned.shape[:2]


def test_tags_in_another_encoding(tmp_path):
    path = write_film(tmp_path / "film.avi", range(9), codec="mpeg4", metadata={"title": "K#che"})
    path.write_bytes(path.read_bytes().replace(b"K#che", b"K\xfcche"))
    assert numbers(path) == list(range(9))


def test_raw_pictures_behind_a_line_of_text(tmp_path):
    path = tmp_path / "film.y4m"
    path.write_bytes(b"YUV4MPEG2 W64 H64 F25:1 C420jpeg\n" + (b"FRAME\n" + bytes([200]) * 64 * 96) * 5)
    assert scan_video(path)[:4] == (5, 25, 64, 64)
    path.write_bytes(b"a text about YUV4MPEG2\n" * 99)
    with pytest.raises(UnreadableError, match="but text"):
        scan_video(path)


def test_dropped_frames(tmp_path):
    """Recorders leave packets out where nothing moves; the header of an AVI file counts them all the same."""
    kept = [frame for frame in range(60) if frame % 7]
    path = write_film(
        tmp_path / "drop.avi", kept, times_ms=[40 * frame for frame in kept], codec="mjpeg", pixels="yuvj420p"
    )
    assert numbers(path) == kept
    assert not scan_video(path).damage
    assert float(scan_video(path).rate) == pytest.approx(25 * 6 / 7, rel=0.05)


def test_times_closer_than_a_tick():
    rate = UnevenRate([0, 0.04, 0.04 + 1e-12, 0.1, 0.2, 0.6])
    assert np.all(np.diff(ticks(rate, np.arange(6))) > 0)


def write_trimmed_test_clip(root):
    """ShanghaiTech's layout with a test video of which 65 frames are shown; its header counts 75."""
    write_film(root / "training/videos/01_001.avi", range(30), codec="mpeg4")
    whole = write_film(root / "whole.mp4", range(100), options={"g": "25"})
    for folder in ("videos", "test_frame_mask"):
        (root / "testing" / folder).mkdir(parents=True)
    remux(whole, root / "testing/videos/01_0014.mp4", from_s=1.4)
    whole.unlink()
    return root / "testing/test_frame_mask/01_0014.npy"


def test_a_labelled_clip_whose_header_counts_wrongly(tmp_path):
    labels = write_trimmed_test_clip(tmp_path / "shanghaitech")
    np.save(labels, np.zeros(65, np.uint8))
    dataset = open_dataset("shanghaitech", tmp_path / "shanghaitech", allow_missing=True)
    assert dataset.clip("01_0014").n_frames == 65
    np.save(labels, np.zeros(64, np.uint8))
    with pytest.raises(LabelError, match=r"Clip 01_0014 has 65 frames .* but 64 labels"):
        open_dataset("shanghaitech", tmp_path / "shanghaitech", allow_missing=True)

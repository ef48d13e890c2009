import av
import cv2
import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from vadlib.apps import overlay
from vadlib.apps.overlay import OverlayLimits, OverlayWriter, blend, score_strip
from vadlib.errors import ResultsError
from vadlib.figures import ANOMALOUS, HEAT, NORMAL

LIMITS = OverlayLimits((0.0, 10.0), (0.0, 1.0), 6.0)


def slow_blend(image, heat, low, high):
    """Pixel by pixel, as heatmap_sheet has matplotlib do it; heat of the image's own size."""
    colours = mpl.colormaps[HEAT]
    out = np.empty(image.shape)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            level = min(max((heat[row, column] - low) / (high - low), 0), 1)
            alpha = 0.25 + 0.6 * level
            colour = 255 * np.array(colours(float(level))[:3])
            out[row, column] = (1 - alpha) * grey[row, column] + alpha * colour
    return out


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), low=st.floats(-5, 5), width=st.floats(0.1, 9))
def test_blend_equals_the_slow_one(seed, low, width):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    heat = rng.normal(low + width / 2, width, (5, 7)).astype(np.float32)
    expected = slow_blend(image, heat, low, low + width)
    step = np.abs(np.diff(255 * mpl.colormaps[HEAT](np.arange(256))[:, :3], axis=0)).max()  # levels are 256, not more
    np.testing.assert_allclose(blend(image, heat, (low, low + width)), expected, atol=1 + step)


def test_blend_stretches_and_survives_a_scale_of_no_width():
    image = np.full((40, 60, 3), 80, np.uint8)
    flat = blend(image, np.zeros((4, 6), np.float32), (0.0, 0.0))
    assert np.ptp(flat.reshape(-1, 3), axis=0).max() == 0
    half = blend(image, np.repeat([[0.0, 1.0]], 2, axis=0).astype(np.float32), (0.0, 1.0))
    assert half[:, :10].sum() < half[:, -10:].sum()


def bar_end(strip, colour):
    """Last column in which the bar has a colour."""
    hits = (np.abs(strip.astype(int) - [round(255 * part) for part in to_rgb(colour)]).max(axis=2) < 3).sum(axis=0)
    columns = np.flatnonzero(hits > 3)
    return columns.max() if len(columns) else None


def test_bar_grows_with_the_score_and_changes_colour_above_the_threshold():
    ends = [bar_end(score_strip(600, "x", score, LIMITS), NORMAL) for score in (1.0, 3.0, 5.0, 6.0)]
    assert ends == sorted(ends)
    assert len(set(ends)) >= 3
    assert bar_end(score_strip(600, "x", 3.0, LIMITS), ANOMALOUS) is None
    above = score_strip(600, "x", 8.0, LIMITS)
    assert bar_end(above, NORMAL) is None
    assert abs(bar_end(above, ANOMALOUS) - (10 + 0.8 * 580)) <= 2
    assert bar_end(score_strip(600, "x", 99.0, LIMITS), ANOMALOUS) <= 590
    assert bar_end(score_strip(600, "x", float("nan"), LIMITS), NORMAL) is None
    assert bar_end(score_strip(600, "x", 8.0, LIMITS._replace(threshold=None)), NORMAL) is not None


@pytest.mark.parametrize("width", [480, 1280])
def test_long_or_foreign_names_stay_inside(width):
    strip = score_strip(width, "камера " * 40, 1.0, LIMITS)
    assert (strip[:, -width // 100 :] == 255).all(), "nothing runs over the right edge"
    assert strip.shape[0] % 2 == 0


def frames_of(path):
    capture, frames = cv2.VideoCapture(str(path)), []
    while True:
        more, frame = capture.read()
        if not more:
            return frames, capture.get(cv2.CAP_PROP_FPS)
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))


@pytest.mark.parametrize(
    ("shape", "picture"),
    [((48, 64), (360, 480)), ((33, 1001), (32, 1000)), ((1080, 1920), (720, 1280)), ((200, 10), (1280, 480))],
)
def test_every_frame_arrives_at_its_rate_and_shape(tmp_path, shape, picture):
    heat = np.zeros((6, 8), np.float32)
    with OverlayWriter(tmp_path / "o.mp4", 12.5, name="x", score_name="max", limits=LIMITS) as writer:
        for value in (0, 120, 240):
            writer.write(np.full((*shape, 3), value, np.uint8), value / 30, heat)
        writer.write_missing(shape)
    frames, fps = frames_of(tmp_path / "o.mp4")
    assert (len(frames), fps) == (4, 12.5)
    height, width = frames[0].shape[:2]
    assert height % 2 == width % 2 == 0
    assert (height, width) == (picture[0] + score_strip(width, "", 0, LIMITS).shape[0], picture[1])
    middle = slice(width // 2 - 8, width // 2 + 8)
    seen = [frame[4 : height // 3, middle].mean() for frame in frames]
    np.testing.assert_allclose(seen, [0, 90, 180, 0], atol=4)  # 3/4 of the grey


def test_without_heatmaps_the_frame_keeps_its_colours(tmp_path):
    image = np.zeros((48, 64, 3), np.uint8)
    image[..., 0] = 200
    with OverlayWriter(tmp_path / "o.mp4", 25, name="x", score_name="max", limits=LIMITS) as writer:
        writer.write(image, 3.0)
    (frame,), _ = frames_of(tmp_path / "o.mp4")
    np.testing.assert_allclose(frame[10:200].reshape(-1, 3).mean(axis=0), [200, 0, 0], atol=6)


def draw(path, disturb):
    with OverlayWriter(path, 25, name="x", score_name="max", limits=LIMITS) as writer:
        for _ in range(2):
            writer.write(np.zeros((48, 64, 3), np.uint8), 3.0)
        disturb(writer)


def lose_one(writer):
    writer.n_frames += 1


def lose_all(writer):
    writer.path = writer.path.parent / "empty/o.mp4"
    writer.path.parent.mkdir()
    writer.path.touch()


@pytest.mark.parametrize(("disturb", "telling"), [(lose_one, "3 frames .* 2 arrived"), (lose_all, "2 .* 0 arrived")])
def test_frames_lost_on_the_way_are_noticed(tmp_path, disturb, telling):
    with pytest.raises(ResultsError, match=f"o.mp4: {telling} .* disk full"):
        draw(tmp_path / "o.mp4", disturb)


def test_an_error_in_between_is_not_hidden(tmp_path):
    def fail(writer):
        lose_one(writer)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        draw(tmp_path / "o.mp4", fail)


def test_a_file_that_cannot_be_written_says_what_to_do(tmp_path):
    with pytest.raises(ResultsError, match=r"o.mp4: the overlay cannot be written .* --no-overlay"):
        draw(tmp_path / "gone/o.mp4", lose_one)


def test_a_browser_plays_it(tmp_path):
    draw(tmp_path / "o.mp4", lambda writer: None)
    with av.open(str(tmp_path / "o.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec.name, stream.pix_fmt, float(stream.duration * stream.time_base)) == (
            "h264",
            "yuv420p",
            2 / 25,
        )
    assert (tmp_path / "o.mp4").read_bytes().index(b"moov") < 100, "what it is comes first, for pages"


def test_without_that_codec_another_writes_it(tmp_path, monkeypatch):
    monkeypatch.setattr(overlay, "CODECS", ("none of this name", "mpeg4"))
    draw(tmp_path / "o.mp4", lambda writer: None)
    assert len(frames_of(tmp_path / "o.mp4")[0]) == 2

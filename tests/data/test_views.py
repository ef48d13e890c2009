"""Parts of frames: against slices of plainly resized pictures, and back again."""

import cv2
import numpy as np
import pytest

from vadlib.data import FrameReader, open_dataset, read_frame
from vadlib.data.reading.inputs import Frames, Scores, Window
from vadlib.data.reading.scanning import CACHE
from vadlib.data.reading.views import VIEWS, heatmap_in_frame, mask_in_view, picture_in_view, resize
from vadlib.errors import ParameterError

PICTURE = np.random.default_rng(0).integers(0, 256, (48, 80, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("size", "interpolation"),
    [((24, 32), cv2.INTER_AREA), ((48, 64), None), ((96, 128), cv2.INTER_LINEAR), ((24, 128), cv2.INTER_LINEAR)],
)
def test_resize(size, interpolation):
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    expected = image if interpolation is None else cv2.resize(image, size[::-1], interpolation=interpolation)
    np.testing.assert_array_equal(resize(image, size), expected)


def test_shrinking_averages():
    """A one-pixel pattern becomes its mean, where sampling would give one of its two values."""
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, ::4] = 200
    np.testing.assert_array_equal(resize(image, (12, 16)), np.full((12, 16, 3), 50, np.uint8))


def test_inner_is_the_middle_224_of_256_pixels():
    big = cv2.resize(PICTURE, (256, 256), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(picture_in_view(PICTURE, (224, 224), "inner"), big[16:240, 16:240])


def test_centre_is_the_middle_of_the_shorter_side_scaled():
    scaled = cv2.resize(PICTURE, (40, 24), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(picture_in_view(PICTURE, (24, 24), "centre"), scaled[:, 8:32])
    upright = np.ascontiguousarray(PICTURE.transpose(1, 0, 2))
    scaled = cv2.resize(upright, (24, 40), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(picture_in_view(upright, (24, 24), "centre"), scaled[8:32])


def test_whole_is_resized_only_and_other_proportions_fit_too():
    np.testing.assert_array_equal(picture_in_view(PICTURE, (24, 32)), resize(PICTURE, (24, 32)))
    for view in VIEWS:
        assert picture_in_view(PICTURE, (35, 28), view).shape == (35, 28, 3)


@pytest.mark.parametrize("view", VIEWS)
def test_a_heatmap_lies_where_the_mask_was(view):
    """The mask of a view, put back into the frame, covers what of the frame's mask the view has, to a pixel's width."""
    mask = np.zeros((480, 856), bool)
    mask[200:300, 380:520] = True
    seen = mask_in_view(mask, (224, 224), view)
    placed = heatmap_in_frame(seen.astype(np.float32), mask.shape, view)
    in_frame = cv2.resize(placed, mask.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    assert (in_frame & mask).sum() / (in_frame | mask).sum() > 0.93


def test_around_a_heatmap_is_its_minimum():
    placed = heatmap_in_frame(np.full((14, 14), 3.0, np.float32), (480, 856), "inner")
    assert placed.shape == (16, 16)
    assert (placed == 3).all()
    heat = np.arange(4, dtype=np.float32).reshape(2, 2)
    assert heatmap_in_frame(heat, (10, 20), "centre").tolist() == [[0, 0, 1, 0], [0, 2, 3, 0]]
    assert heatmap_in_frame(heat, (10, 20), "whole") is heat


@pytest.fixture(scope="module")
def videos(tiny_world):
    return open_dataset("synthcampus", tiny_world)


@pytest.fixture(scope="module")
def table(videos):
    return videos.frame_table().iloc[::97]


@pytest.mark.parametrize("view", VIEWS)
def test_a_reader_gives_each_frame_in_its_view(videos, table, view, monkeypatch, tmp_path):
    """Read, read again from what a build has kept, and read as windows."""
    expected = [
        picture_in_view(read_frame(videos, row.clip, row.frame), (32, 32), view).transpose(2, 0, 1)
        for row in table.itertuples()
    ]
    monkeypatch.setenv(CACHE, str(tmp_path))
    for inputs in (Frames(), Frames(), Window(2)):
        for batch in inputs.open(videos, table, size=(32, 32), view=view, progress=False):
            for row, image in zip(batch.rows, batch.images.numpy(), strict=True):
                np.testing.assert_array_equal(image[-1] if inputs == Window(2) else image, expected[row])


def test_views_do_not_share_what_is_kept(videos, table, monkeypatch, tmp_path):
    monkeypatch.setenv(CACHE, str(tmp_path))
    for view in VIEWS:
        reader = FrameReader(videos, table, (32, 32), view=view, progress=False)
        for n_recalled in (0, len(table)):
            list(reader)
            assert reader.n_recalled == n_recalled


def test_what_cannot_be_is_refused(videos, table):
    with pytest.raises(ParameterError, match="view: expected one of whole, centre, inner, found 'left'"):
        FrameReader(videos, table, (32, 32), view="left")
    with pytest.raises(ParameterError, match="view: 'centre' cuts a frame to a size, and size is None"):
        FrameReader(videos, table, None, view="centre")


def test_scores_have_no_view(videos, table):
    scores = table[["clip", "frame"]].assign(score=1.0)
    for batch in Scores().open(videos, table, scores=scores, view="inner", size=(32, 32), progress=False):
        assert (batch.images == 1).all()

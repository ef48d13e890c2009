import numpy as np
import pytest

from vadlib import figures
from vadlib.figures import GalleryRow, gallery, heat_opacity


def shown_axes(figure):
    return [axis for axis in figure.axes if axis.images]


def test_contact_sheet_shows_every_frame_and_outlines_its_mask(frames):
    mask = np.zeros((48, 80), dtype=bool)
    mask[10:20, 10:20] = True
    figure = figures.contact_sheet(frames, list("abcde"), masks=[mask, None, mask, None, None], n_columns=2)
    axes = shown_axes(figure)
    assert [axis.get_title(loc="left") for axis in axes] == list("abcde")
    assert [bool(axis.collections) for axis in axes] == [True, False, True, False, False]


def test_heatmaps_share_one_scale_that_holds_all_values(frames):
    heat = [np.full((6, 10), 1.0), np.linspace(0, 9, 60).reshape(6, 10)]
    figure = figures.heatmap_sheet(frames[:2], heat, ["a", "b"], label="distance")
    limits = {axis.images[1].get_clim() for axis in shown_axes(figure)[:2]}
    assert limits == {(0.0, 9.0)}
    assert any(axis.get_ylabel() == "distance" for axis in figure.axes)


def test_map_grid_gives_each_row_its_scale(frames):
    maps = {"map": [np.zeros((4, 4)), np.ones((4, 4))], "similarity": [np.ones((4, 4)), np.zeros((4, 4))]}
    limits = {"map": (0, 1), "similarity": (-1, 1)}
    figure = figures.map_grid(
        maps, ["layer2", "layer3"], limits=limits, labels={n: n for n in limits}, backgrounds={"map": frames[0]}
    )
    axes = shown_axes(figure)
    assert [axis.images[-1].get_clim() for axis in axes[:4]] == [(0, 1)] * 2 + [(-1, 1)] * 2
    assert [len(axis.images) for axis in axes[:4]] == [2, 2, 1, 1]


def test_gallery_rows_share_one_scale_and_may_lack_neighbours(frames):
    mask = np.zeros((48, 80), bool)
    mask[5:20, 5:20] = True
    rows = [
        GalleryRow("hit: a", frames[0], np.full((6, 10), 1.0), [(frames[1], "n1"), (frames[2], "n2")], mask),
        GalleryRow("miss: b", frames[3], np.full((6, 10), 3.0), [(frames[1], "n1")]),
    ]
    figure = gallery(rows, label="distance")
    drawn = [axis for axis in figure.axes if axis.images]
    assert [axis.get_title(loc="left") for axis in drawn] == ["hit: a", "", "n1", "n2", "miss: b", "", "n1"]
    np.testing.assert_array_equal(drawn[0].images[0].get_array(), frames[0])
    assert {drawn[1].images[1].get_clim(), drawn[5].images[1].get_clim()} == {(1.0, 3.0)}
    assert [bool(axis.collections) for axis in drawn] == [True, True] + [False] * 5


def test_large_frames_are_drawn_small_and_their_masks_with_them():
    image = np.random.default_rng(0).integers(0, 256, (480, 856, 3), dtype=np.uint8)
    mask = np.zeros((480, 856), bool)
    mask[120:360, 214:642] = True
    axis = gallery([GalleryRow("a", image, np.ones((6, 10)), [], mask)], label="x").axes[0]
    assert axis.images[0].get_array().shape == (168, 300, 3)
    (x0, y0), (x1, y1) = axis.collections[0].get_paths()[0].get_extents().get_points()
    np.testing.assert_allclose([x0, y0, x1, y1], [74.5, 41.5, 224.5, 125.5], atol=1)


def test_heat_covers_a_frame_the_more_the_hotter_it_is():
    assert heat_opacity(np.array([1.0, 3.0, 5.0]), 1.0, 5.0) == pytest.approx([0.25, 0.55, 0.85])
    assert heat_opacity(2.0, 2.0, 2.0) == 0.25  # one value is the lowest there is

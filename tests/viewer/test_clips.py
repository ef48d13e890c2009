"""Clips of a data set as the viewer takes them."""

import numpy as np
import pandas as pd
import pytest
import torch

from vadlib.data import open_dataset, read_frame
from vadlib.viewer.clips import clips_to_show
from vadlib.viewer.page import write_viewer


class Brightness:
    """A detector whose heatmap is the frame's brightness."""

    def heatmap(self, images: torch.Tensor, *, scenes=None) -> np.ndarray:
        return images.float().mean(dim=1).numpy()


@pytest.fixture(scope="module")
def videos(tiny_world):
    return open_dataset("synthcampus", tiny_world)


@pytest.fixture(scope="module")
def scores(videos):
    table = videos.frame_table().query("split == 'test'")
    table = table[(table["frame"] % 5 == 2) & table["clip"].isin(sorted(table["clip"].unique())[:3])]
    rng = np.random.default_rng(0)
    return table.assign(Brightness=rng.random(len(table), dtype=np.float32)).sample(frac=1, random_state=0)


def test_every_scored_frame_has_its_own_picture_and_heat(videos, scores):
    clips, limits = clips_to_show(videos, scores, {"Brightness": Brightness()}, size=(64, 64), batch_size=7)
    assert [clip.id for clip in clips] == sorted(scores["clip"].unique())
    low, high = limits["Brightness"]
    for clip in clips:
        wanted = sorted(scores.loc[scores["clip"] == clip.id, "frame"])
        assert clip.frames.tolist() == wanted
        pictures = list(clip.images)
        assert len(pictures) == len(wanted) == len(clip.heat["Brightness"])
        height, width = pictures[0].shape[:2]
        assert width == 320
        assert height / width == pytest.approx(np.divide(*videos.image_size(clip.id)), abs=0.01)
        for frame, picture, heat in zip(wanted, pictures, clip.heat["Brightness"], strict=True):
            original = read_frame(videos, clip.id, frame)
            assert picture.mean(axis=(0, 1)) == pytest.approx(original.mean(axis=(0, 1)), abs=1.5)
            left, right = np.array_split(original.mean(axis=2), 2, axis=1)
            levels = [np.clip((half.mean() - low) / (high - low) * 255, 0, 255) for half in (left, right)]
            found = [half.mean() for half in np.array_split(heat.astype(float), 2, axis=1)]
            assert np.subtract(*found) == pytest.approx(np.subtract(*levels), abs=40)
        assert heat.shape == (round(28 * height / width), 28)


def test_what_is_given_goes_into_a_viewer(videos, scores, tmp_path):
    clips, limits = clips_to_show(videos, scores, {"Brightness": Brightness()}, size=(64, 64))
    found = write_viewer(tmp_path / "viewer.html", clips, scores, ["Brightness"], heat_limits=limits)
    assert (found["n_clips"], found["n_frames"], found["every"]) == (3, len(scores), 1)
    assert (tmp_path / "viewer.html").is_file()


def test_no_heat_asked_for_no_pass_over_the_frames(videos, scores, tmp_path):
    clips, limits = clips_to_show(videos, scores, {}, size=(64, 64))
    assert limits == {}
    assert all(clip.heat == {} for clip in clips)
    assert isinstance(clips[0].frames, np.ndarray)
    assert len(list(clips[0].images)) == len(clips[0].frames)


def test_heat_that_is_the_same_everywhere_has_limits_all_the_same(videos, scores):
    class Nothing:
        def heatmap(self, images, *, scenes=None):
            return np.full((len(images), *images.shape[2:]), 3.0, np.float32)

    clips, limits = clips_to_show(videos, pd.DataFrame(scores.head(2)), {"Nothing": Nothing()}, size=(64, 64))
    assert limits["Nothing"][0] < limits["Nothing"][1]
    assert all((clip.heat["Nothing"] == 0).all() for clip in clips)

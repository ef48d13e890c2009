"""Motion with nothing learnt: values by the definition, on made frames."""

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from vadlib.data import open_dataset
from vadlib.detectors import FlowSpeed, FrameDifference
from vadlib.errors import ParameterError
from vadlib.studies.motion import blurred_maxima

KINDS = (FrameDifference, FlowSpeed)


def moving_square(n=5, step=3, size=(64, 96)):
    """Pairs uint8 (n, 2, 3, H, W): a textured square moves to the right by `step` pixels per frame over a still scene."""
    rng = np.random.default_rng(0)
    scene = cv2.GaussianBlur(rng.integers(0, 256, (*size, 3), dtype=np.uint8), (0, 0), 2)
    square = cv2.GaussianBlur(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8), (0, 0), 1)
    frames = [scene.copy() for _ in range(n + 1)]
    for i, frame in enumerate(frames):
        frame[20:40, 10 + step * i : 30 + step * i] = square
    return torch.from_numpy(np.stack([[frames[i], frames[i + 1]] for i in range(n)])).permute(0, 1, 4, 2, 3)


def test_difference_is_the_definition():
    pairs = moving_square()
    detector = FrameDifference(sigma=2.0).fit()
    before, now = (pairs[:, i].numpy().astype(np.float64) for i in (0, 1))
    expected = np.stack([gaussian_filter(np.abs(b - a).mean(axis=0), 2.0) for a, b in zip(before, now, strict=True)])
    np.testing.assert_allclose(detector.heatmap(pairs), expected, rtol=1e-4, atol=1e-4)
    scores = detector.score_batch(pairs)
    np.testing.assert_allclose(scores["max"], expected.max(axis=(1, 2)), rtol=1e-4)
    np.testing.assert_allclose(scores["mean"], expected.mean(axis=(1, 2)), rtol=1e-4)


@pytest.mark.parametrize("step", [2, 4])
def test_flow_is_as_fast_as_what_moves_and_only_there(step):
    heat = FlowSpeed(sigma=0).fit().heatmap(moving_square(step=step))
    for i, speed in enumerate(heat):
        inside = speed[24:36, 14 + step * (i + 1) : 26 + step * (i + 1)]
        assert np.median(inside) == pytest.approx(step, rel=0.3)
        assert np.median(speed[50:, :]) < 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_the_hottest_pixel_is_on_what_moves_and_a_still_scene_is_cold(kind):
    pairs = moving_square()
    heat = kind().fit().heatmap(pairs)
    for i, frame in enumerate(heat):
        y, x = np.unravel_index(frame.argmax(), frame.shape)
        assert 15 <= y <= 45
        assert 5 + 3 * i <= x <= 38 + 3 * i
    still = pairs[:, :1].expand(-1, 2, -1, -1, -1).contiguous()
    assert kind().fit().score_batch(still)["max"].max() < 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_pair_is_refused(kind):
    with pytest.raises(ParameterError, match="sigma: expected pixels, 0 or more, found -1"):
        kind(sigma=-1)
    for images in (moving_square()[:, 0], moving_square().float(), moving_square()[:, :, :1]):
        with pytest.raises(ParameterError, match=r"images: expected uint8 \(B, 2, 3, H, W\), found"):
            kind().fit().score_batch(images)


def test_a_clips_first_frame_scores_nothing_and_one_pass_gives_what_the_detectors_do(tiny_world):
    videos = open_dataset("synthcampus", tiny_world)
    table = videos.frame_table()
    table = table[table["split"] == "test"].groupby("clip").head(4)

    def reader(batch_size=5):
        return FrameDifference.reads.open(videos, table, size=(48, 64), batch_size=batch_size, progress=False)

    columns = blurred_maxima(reader(), (0.0, 8.0), 4.0)
    assert set(columns) == {"flow", *(f"{kind}, sigma {s}" for kind in ("difference", "flow") for s in (0, 8))}
    np.testing.assert_array_equal(columns["flow"], FlowSpeed().fit().score(reader(7)))
    np.testing.assert_array_equal(columns["difference, sigma 8"], FrameDifference(sigma=8).fit().score(reader(7)))
    first = (table["frame"] == 0).to_numpy()
    assert first.sum() == table["clip"].nunique()
    assert (columns["difference, sigma 0"][first] == 0).all()
    assert (columns["difference, sigma 0"][~first] > 0).any()


def test_on_ped2_they_give_what_was_measured_once(shared_data):
    """A hundred frames of two real clips: AUROC near the value on all 2,010, and above PaDiM's 0.57."""
    from vadlib.evaluation import auroc

    videos = open_dataset("ucsd-ped2", shared_data / "UCSD_Anomaly_Dataset.v1p2")
    table = videos.frame_table()
    table = table[table["split"] == "test"].iloc[::20]
    reader = FrameDifference.reads.open(videos, table, size=(224, 224), batch_size=16, progress=False)
    columns = blurred_maxima(reader, (), 4.0)
    assert auroc(table["label"], columns["flow"]) == pytest.approx(0.917, abs=0.05)
    assert auroc(table["label"], FrameDifference().fit().score(reader)) == pytest.approx(0.856, abs=0.06)

"""Grad-CAM + SSIM against scikit-image and a mean of maps computed at once."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from skimage.metrics import structural_similarity

from vadlib.detectors import GradCamSsim
from vadlib.detectors.gradcam import grad_cam
from vadlib.errors import ParameterError, WeightsError
from vadlib.networks import resnet18

SIZE = (48, 64)


@pytest.fixture
def network(make_network):
    return make_network()


@pytest.fixture
def readers(make_frames, array_reader):
    fit, test = array_reader(make_frames(11, 0, SIZE)), array_reader(make_frames(6, 1, SIZE))
    fit.table = pd.DataFrame({"scene": ["a"] * 5 + ["b"] * 6})
    test.table = pd.DataFrame({"scene": ["b", "a"] * 3})
    return fit, test


def similarity(a, b):
    return structural_similarity(
        a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0, full=True
    )


@pytest.mark.parametrize("reference", ["dataset", "scene"])
def test_scores_and_heatmaps_equal_the_definition(network, readers, reference):
    fit, test = readers
    detector = GradCamSsim(network, reference=reference).fit(fit)
    normal = grad_cam(network, fit.images, detector.layers, SIZE).double().numpy()  # (L, B, H, W)
    maps = grad_cam(network, test.images, detector.layers, SIZE).double().numpy()
    scenes, expected, heat = fit.table["scene"].to_numpy(), [], []
    for i, scene in enumerate(test.table["scene"]):
        own = normal if reference == "dataset" else normal[:, scenes == scene]
        pairs = [similarity(m, r) for m, r in zip(maps[:, i], own.mean(axis=1), strict=True)]
        expected.append([1 - value for value, _ in pairs])
        heat.append(1 - np.mean([local for _, local in pairs], axis=0))
    columns = detector.score_columns(test)
    for j, layer in enumerate(detector.layers):
        np.testing.assert_allclose(columns[f"ssim_{layer}"], np.array(expected)[:, j], atol=2e-5)
    np.testing.assert_allclose(columns["ssim"], np.mean(expected, axis=1), atol=2e-5)
    np.testing.assert_array_equal(columns["ssim"], detector.score(test))
    found = detector.heatmap(test.images, scenes=test.table["scene"])
    np.testing.assert_allclose(found, heat, atol=1e-4)
    steps = detector.steps(test.images, scenes=test.table["scene"])
    np.testing.assert_allclose(1 - steps.similarity.mean(axis=0), found, atol=1e-6)
    np.testing.assert_allclose(steps.cams, maps, atol=1e-6)
    np.testing.assert_array_equal(detector.cams(test.images), steps.cams)
    for i, scene in enumerate(test.table["scene"]):
        name = "all" if reference == "dataset" else f"scene {scene}"
        np.testing.assert_array_equal(steps.references[:, i], detector.references[name])
    np.testing.assert_allclose(detector.reference_variance, normal.var(axis=1), atol=1e-6)


def test_references_do_not_depend_on_the_batches_of_the_fit(network, readers, array_reader):
    fit, _ = readers
    detector, other = GradCamSsim(network).fit(fit), GradCamSsim(network).fit(array_reader(fit.images, 3))
    np.testing.assert_allclose(other.references["all"], detector.references["all"], atol=1e-5)


def test_maps_of_zeros_give_numbers(network, readers, monkeypatch):
    fit, test = readers
    zeros = lambda _, images, layers, size, **__: torch.zeros(len(layers), len(images), *size)  # noqa: E731
    monkeypatch.setattr("vadlib.detectors.gradcam_ssim.grad_cam", zeros)
    np.testing.assert_allclose(GradCamSsim(network).fit(fit).score(test), 0, atol=1e-6)


def test_the_target_class_is_that_of_the_maps(network, readers):
    fit, test = readers
    detector = GradCamSsim(network, target=np.int64(2)).fit(fit)
    expected = grad_cam(network, test.images, detector.layers, SIZE, target=2)
    np.testing.assert_array_equal(detector.cams(test.images), expected)
    assert not np.array_equal(detector.score(test), GradCamSsim(network, target=3).fit(fit).score(test))


def test_maps_are_compared_at_a_size_of_their_own(network, readers, array_reader, make_frames):
    fit, test = readers
    detector = GradCamSsim(network, map_size=16).fit(fit)
    normal = grad_cam(network, fit.images, detector.layers, (16, 16)).double().numpy().mean(axis=1)
    maps = grad_cam(network, test.images, detector.layers, (16, 16)).double().numpy()
    expected = [np.mean([1 - similarity(m, r)[0] for m, r in zip(maps[:, i], normal, strict=True)]) for i in range(6)]
    np.testing.assert_allclose(detector.score(test), expected, atol=2e-5)
    assert detector.references["all"].shape == (3, 16, 16)
    heat, local = detector.heatmap(test.images), 1 - detector.steps(test.images).similarity.mean(axis=0)
    assert heat.shape == (6, *SIZE)
    expected = torch.nn.functional.interpolate(torch.from_numpy(local)[:, None], size=SIZE, mode="bilinear")[:, 0]
    np.testing.assert_allclose(heat, expected, atol=1e-5)
    other = array_reader(make_frames(2, 0, (32, 32)))  # another frame size gives maps of the same size
    assert np.isfinite(detector.score(other)).all()
    for size in (10, 16.5, True):
        with pytest.raises(ParameterError, match="map_size: expected a whole number of pixels, at least 11"):
            GradCamSsim(network, map_size=size)


def test_a_scene_that_was_not_fitted_is_compared_with_all_and_said_once(network, readers):
    fit, test = readers
    by_scene, by_all = (GradCamSsim(network, reference=name).fit(fit) for name in ("scene", "dataset"))
    expected = by_all.score_batch(test.images)["ssim"]
    with pytest.warns(UserWarning, match="of scene z, on which nothing was fitted, are compared with the mean map"):
        mixed = by_scene.score_batch(test.images, scenes=["z", "a", "b", "z", "a", "b"])["ssim"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = by_scene.score_batch(test.images, scenes=["z", "a", "b", "z", "a", "b"])["ssim"]
    np.testing.assert_array_equal(mixed, again)
    np.testing.assert_allclose(mixed[[0, 3]], expected[[0, 3]], atol=1e-6)
    assert (abs(mixed - expected)[[1, 2, 4, 5]] > 1e-6).all()
    with pytest.warns(UserWarning, match="frames without a scene are compared"):
        heatmap = by_scene.heatmap(test.images)
    np.testing.assert_allclose(heatmap, by_all.heatmap(test.images), atol=1e-6)


def test_what_a_fit_keeps_does_not_grow_with_its_frames(network, make_frames, array_reader):
    def kept(n):
        state = GradCamSsim(network).fit(array_reader(make_frames(n, 0, SIZE))).state()
        return {name: tuple(tensor.shape) for name, tensor in state.items()}

    assert kept(3) == kept(40) == {"reference all": (3, *SIZE), "variance": (3, *SIZE)}


@pytest.mark.parametrize("reference", ["dataset", "scene"])
def test_saved_and_loaded_it_scores_the_same(network, readers, tmp_path, reference):
    fit, test = readers
    for reader in readers:  # names that a file may not like
        reader.table["scene"] = reader.table["scene"].map({"a": "all", "b": "Straße 3/ä "})
    detector = GradCamSsim(network, 3, reference=reference, target=1, layers=["layer3", "layer2"], map_size=20).fit(fit)
    detector.save(tmp_path / "d")
    again = GradCamSsim.load(tmp_path / "d", network=network)
    assert again.parameters() == detector.parameters()
    assert again.references.keys() == detector.references.keys()
    np.testing.assert_array_equal(again.score(test), detector.score(test))
    np.testing.assert_array_equal(again.reference_variance, detector.reference_variance)


def test_bad_input(network, readers, make_frames, array_reader, weights_without_layer4):
    fit, test = readers
    with pytest.raises(ParameterError, match="reference: expected one of dataset, scene"):
        GradCamSsim(network, reference="clip")
    with pytest.raises(ParameterError, match="target: expected 'top1' or a class's number, found 'best'"):
        GradCamSsim(network, target="best")
    with pytest.raises(ParameterError, match="target: expected classes 0 to 6, found .7."):
        GradCamSsim(network, target=7).fit(fit)
    with pytest.raises(ParameterError, match="at least 11 pixels a side"):
        GradCamSsim(network).fit(array_reader(make_frames(2, 0, (8, 32))))
    with pytest.raises(ParameterError, match=r"48x64 pixels, as at fit, found 32x32"):
        GradCamSsim(network).fit(fit).score(array_reader(make_frames(2, 0, (32, 32))))
    by_scene = GradCamSsim(network, reference="scene").fit(fit)
    with pytest.raises(ParameterError, match="scenes: expected one for each of 6 frames, found 1"):
        by_scene.heatmap(test.images, scenes=["a"])
    with pytest.raises(ParameterError, match="a reader that names scenes"):
        by_scene.score(array_reader(test.images))
    with pytest.raises(WeightsError, match="layer4"):
        GradCamSsim(resnet18(weights_without_layer4))

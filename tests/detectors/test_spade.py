"""SPADE against loops over frames and positions."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vadlib.detectors import SpadeKnn
from vadlib.detectors.nearest_positions import nearest_position_distances
from vadlib.errors import ParameterError, WeightsError
from vadlib.networks import resnet18

SIZE = (32, 64)


@pytest.fixture
def network(make_network):
    return make_network()


@pytest.fixture
def readers(make_frames, array_reader):
    return array_reader(make_frames(9, 0, SIZE)), array_reader(make_frames(5, 1, SIZE))


def embed(network, images, pooled):
    if pooled is None:
        return network.embed(images).double().numpy()
    return network.features(images, [pooled])[pooled].double().mean(dim=(2, 3)).numpy()


def positions(layers):
    """All layers (C, h, w) on the finest grid, concatenated: float64 (H * W, C)."""
    height, width = layers[0].shape[1:]
    repeated = [x.repeat(height // x.shape[1], axis=1).repeat(width // x.shape[2], axis=2) for x in layers]
    return np.concatenate(repeated).reshape(-1, height * width).T.astype(np.float64)


def nearest(query, gallery):
    """Distance of each of some rows to the nearest of others, one at a time."""
    return np.array([np.linalg.norm(gallery - row, axis=1).min() for row in query])


@pytest.mark.parametrize("pooled", [None, "layer3"])
def test_score_is_the_mean_distance_to_the_nearest_frames(network, readers, pooled):
    fit, test = readers
    normal, found = embed(network, fit.images, pooled), embed(network, test.images, pooled)
    expected = [np.sort(np.linalg.norm(normal - x, axis=1))[:4].mean() for x in found]
    scores = SpadeKnn(network, 4, pooled=pooled).fit(fit).score(test)
    np.testing.assert_allclose(scores, expected, rtol=1e-4)


def test_heatmap_is_the_distance_to_the_nearest_position_of_the_nearest_frames(network, readers):
    fit, test = readers
    detector = SpadeKnn(network, 2, heatmap_k=3, sigma=0).fit(fit)
    taps, other = (list(network.features(x, detector.layers).values()) for x in (fit.images, test.images))
    normal, found = embed(network, fit.images, None), embed(network, test.images, None)
    heatmaps = detector.heatmap(test.images)
    assert heatmaps.dtype == np.float32
    for i, heatmap in enumerate(heatmaps):
        rows = np.argsort(np.linalg.norm(normal - found[i], axis=1))[:3]
        gallery = np.concatenate([positions([tap[row].numpy() for tap in taps]) for row in rows])
        distances = nearest(positions([tap[i].numpy() for tap in other]), gallery)
        grid = torch.tensor(distances.reshape(1, 1, *taps[0].shape[2:]))
        expected = torch.nn.functional.interpolate(grid, size=SIZE, mode="bilinear")[0, 0]
        np.testing.assert_allclose(heatmap, expected, rtol=1e-4)


@settings(max_examples=25)
@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.lists(st.sampled_from([(1, 1), (2, 2), (3, 1), (2, 4)]), max_size=2),
)
def test_nearest_positions_on_any_pyramid(seed, coarsest, steps):
    rng = np.random.default_rng(seed)
    grids = [coarsest]
    for down, right in steps:
        grids.append((grids[-1][0] * down, grids[-1][1] * right))
    query, gallery = ([rng.normal(50, 1, (*grid, 2 + grid[0])).astype(np.float32) for grid in grids] for _ in range(2))
    tensors = [[torch.from_numpy(x) for x in side] for side in (query, gallery)]
    found = nearest_position_distances(*tensors)
    expected = nearest(*(positions([x.transpose(2, 0, 1) for x in side[::-1]]) for side in (query, gallery)))
    np.testing.assert_allclose(found.flatten(), expected, rtol=1e-3, atol=1e-3)
    assert (nearest_position_distances(tensors[0], tensors[0]) == 0).all()


def test_a_fitted_frame_is_at_distance_zero(network, readers):
    fit, test = readers
    detector = SpadeKnn(network, 1).fit(fit)
    scores, heatmaps = detector.score(test), detector.heatmap(test.images)
    assert detector.score(fit).max() < 1e-4 * scores.min()
    assert detector.heatmap(fit.images).max() < 1e-4 * heatmaps.mean()


def test_a_strange_patch_is_hot_where_it_is(network, readers):
    fit, test = readers
    strange = test.images[:1].clone()
    strange[0, :, 8:20, 40:56] = torch.tensor([255, 0, 0], dtype=torch.uint8)[:, None, None]
    detector = SpadeKnn(network, 3, sigma=1).fit(fit)
    assert detector.score_batch(strange)["knn"] > detector.score_batch(test.images[:1])["knn"]
    row, column = np.unravel_index(detector.heatmap(strange)[0].argmax(), SIZE)
    assert 6 <= row < 22
    assert 38 <= column < 58


def test_the_frames_kept_are_drawn_by_seed(network, readers):
    fit, test = readers
    kept = [SpadeKnn(network, 2, seed, max_fit_frames=4).fit(fit) for seed in (0, 0, 1)]
    frames = [{frame.numpy().tobytes() for frame in detector.state()["frames"]} for detector in kept]
    assert [len(x) for x in frames] == [4, 4, 4]
    assert frames[0] == frames[1] != frames[2]
    assert frames[0] <= {frame.numpy().tobytes() for frame in fit.images}
    np.testing.assert_array_equal(kept[0].score(test), kept[1].score(test))
    everything = SpadeKnn(network, 2, max_fit_frames=100).fit(fit)
    np.testing.assert_array_equal(everything.score(test), SpadeKnn(network, 2).fit(fit).score(test))


def test_bad_input(network, readers, make_frames, array_reader, weights_without_layer4):
    fit, _ = readers
    with pytest.raises(ParameterError, match="k: 10 nearest normal frames asked for, 9 fitted on"):
        SpadeKnn(network, 10).fit(fit)
    with pytest.raises(ParameterError, match="heatmap_k: expected a whole number, at least 1, found 0"):
        SpadeKnn(network, heatmap_k=0)
    with pytest.raises(ParameterError, match="max_fit_frames: expected at least k = 50, found 40"):
        SpadeKnn(network, max_fit_frames=40)
    with pytest.raises(ParameterError, match="sigma: expected pixels"):
        SpadeKnn(network, sigma=-1)
    fitted = SpadeKnn(network, 1).fit(fit)
    for use in (fitted.heatmap, fitted.score_batch):
        with pytest.raises(ParameterError, match="32x64 pixels, as at fit, found .32, 32.; read frames in the size"):
            use(make_frames(1, 0, (32, 32)))
    odd = SpadeKnn(network, 1).fit(array_reader(make_frames(2, 0, (36, 64))))
    with pytest.raises(ParameterError, match="found 3x4 and 5x8; choose an image size that is a multiple"):
        odd.heatmap(make_frames(1, 0, (36, 64)))


def test_weights_that_end_early_need_a_layer_to_pool(readers, weights_without_layer4):
    network = resnet18(weights_without_layer4)
    with pytest.raises(WeightsError, match="embed: .* lacks layer4.0.conv1.weight.* pooled='layer3' does that"):
        SpadeKnn(network)
    fit, test = readers
    assert np.isfinite(SpadeKnn(network, 2, pooled="layer3").fit(fit).score(test)).all()

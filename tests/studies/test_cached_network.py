"""A network that remembers gives what the network gives, and asks it once."""

import numpy as np
import pytest
import torch

from vadlib.detectors.gradcam import raw_grad_cam
from vadlib.errors import ParameterError
from vadlib.networks import resnet18
from vadlib.studies.memory import ArrayFile, CachedNetwork, shared_networks

LAYERS = ["layer1", "layer3"]


@pytest.fixture(scope="module")
def network():
    return resnet18("random", precision="float32")


@pytest.fixture(scope="module")
def images():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (5, 3, 32, 32), dtype=np.uint8))


@pytest.fixture
def asked(network, monkeypatch):
    """How many frames the network itself was asked for."""
    counts = []
    for name in ("features", "embed", "embed_after", "activations_and_logits"):
        own = getattr(network, name)
        monkeypatch.setattr(
            network, name, lambda x, *a, own=own: counts.append(len(a[0] if isinstance(x, str) else x)) or own(x, *a)
        )
    return counts


def test_features_are_the_networks_own_and_computed_once(network, images, asked):
    remembering = CachedNetwork(network)
    expected = network.features(images, LAYERS)
    embedded = network.embed(images)
    asked.clear()
    for _ in range(2):
        found = remembering.features(images, LAYERS)
        assert list(found) == LAYERS
        for name in LAYERS:
            torch.testing.assert_close(found[name], expected[name], rtol=0, atol=0)
            assert found[name].is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(remembering.embed(images), embedded, rtol=0, atol=0)
    assert asked == [5, 5]
    assert list(remembering.features(images[[3, 1]], ["layer3"])) == ["layer3"]
    assert asked == [5, 5]
    remembering.features(images, ["layer2", "layer3"])  # one that it lacks
    assert asked == [5, 5, 5]


def test_only_frames_not_seen_are_computed_and_order_is_kept(network, images, asked):
    remembering = CachedNetwork(network)
    remembering.embed(images[:2])
    mixed = images[[4, 1, 3, 0]]
    found = remembering.embed(mixed)
    assert asked == [2, 2]
    torch.testing.assert_close(found, network.embed(mixed), rtol=1e-5, atol=1e-6)


def test_maps_are_kept_by_class_and_layer(network, images, asked):
    remembering = CachedNetwork(network)
    for target, n_asked in (("top1", [5, 5]), (3, [5])):  # features of the first layer serve every class
        expected = raw_grad_cam(network, images, LAYERS, target=target)
        asked.clear()
        for layers in (LAYERS, LAYERS[::-1], LAYERS[:1]):
            found = remembering.raw_grad_cam(images, layers, target)
            for layer, one in zip(layers, found, strict=True):
                torch.testing.assert_close(one, expected[LAYERS.index(layer)], rtol=0, atol=0)
        assert asked == n_asked


def test_networks_of_the_same_weights_are_one(network):
    found = shared_networks(
        {"backbone": network, "classifier": resnet18("random"), "other": resnet18("random", seed=1)}
    )
    assert found["backbone"] is found["classifier"]
    assert found["other"].network is not found["backbone"].network
    assert found["other"].record.seed == 1


def test_without_room_it_computes_again_and_is_still_right(network, images, asked):
    remembering = CachedNetwork(network, most_bytes=3 * 512 * 4, most_file_bytes=0)
    first, second = remembering.embed(images), remembering.embed(images)
    assert asked == [5, 2]
    assert remembering.n_bytes == 3 * 512 * 4
    torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-6)
    remembering.forget()
    assert remembering.n_bytes == 0
    remembering.embed(images)
    assert asked == [5, 2, 5]


@pytest.mark.parametrize("most_bytes", [0, 3 * 512 * 4])
def test_what_memory_should_not_hold_is_kept_in_a_file(network, images, asked, most_bytes):
    remembering = CachedNetwork(network, most_bytes=most_bytes)
    features, embedded = network.features(images, LAYERS), network.embed(images)
    asked.clear()
    for _ in range(2):
        found = remembering.features(images, LAYERS)
        for name in LAYERS:
            torch.testing.assert_close(found[name], features[name], rtol=0, atol=0)
        torch.testing.assert_close(remembering.embed(images), embedded, rtol=0, atol=0)
    assert asked == [5, 5]
    assert remembering.n_bytes <= most_bytes
    remembering.forget()
    assert remembering.embed(images).shape == (5, 512)
    assert asked == [5, 5, 5]


def test_a_disk_without_room_means_computing_again(network, images, asked, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ArrayFile, "put", full)
    remembering = CachedNetwork(network, most_bytes=0)
    first, second = remembering.embed(images), remembering.embed(images)
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert asked == [5, 5]


def test_an_embedding_goes_on_from_the_last_layer_that_is_kept(network, images, monkeypatch):
    embedded = network.embed(images)
    remembering = CachedNetwork(network)
    remembering.features(images[:2], ["layer1"])
    remembering.features(images[1:4], ["layer3", "layer2"])
    from_layers = []
    own = network.embed_after
    monkeypatch.setattr(network, "embed_after", lambda layer, x: from_layers.append((layer, len(x))) or own(layer, x))
    # of so small pictures, single frames are computed by another kernel
    torch.testing.assert_close(remembering.embed(images), embedded, rtol=1e-4, atol=1e-5)
    assert from_layers == [("layer1", 1), ("layer3", 3)]


def test_frames_of_the_same_bytes_in_another_arrangement_are_others(network, asked):
    remembering = CachedNetwork(network)
    wide = torch.arange(3 * 32 * 64, dtype=torch.int64).remainder(251).to(torch.uint8).reshape(1, 3, 32, 64)
    remembering.embed(wide)
    remembering.embed(wide.reshape(1, 3, 64, 32))
    assert asked == [1, 1]


def test_everything_else_is_the_networks(network):
    remembering = CachedNetwork(network)
    assert remembering.to("cpu") is remembering
    assert remembering.record is network.record
    assert remembering.channels == network.channels
    with pytest.raises(ParameterError, match="layers: expected some of"):
        remembering.features(torch.zeros(1, 3, 32, 32, dtype=torch.uint8), ["layer9"])
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = remembering.nothing_like_it

"""Embeddings, and activations with gradients, of a network."""

import numpy as np
import pytest
import torch

from vadlib.errors import ParameterError, WeightsError
from vadlib.networks import resnet18

LAYERS = ("layer2", "layer3", "layer4")


@pytest.fixture(scope="module")
def network():
    return resnet18("random", seed=1, precision="float32")


@pytest.fixture(scope="module")
def images():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 3, 64, 96), dtype=np.uint8))


@pytest.fixture
def saved_without(network, tmp_path):
    """A ResNet-18 from a file that lacks the parameters whose names begin so."""

    def make(*beginnings):
        import torchvision

        state = torchvision.models.resnet18().state_dict()
        torch.save({k: v for k, v in state.items() if not k.startswith(beginnings)}, tmp_path / "short.pth")
        return resnet18(tmp_path / "short.pth", precision="float32")

    return make


class TestEmbedding:
    def test_it_is_what_the_classifier_reads(self, network, images):
        embedding = network.embed(images)
        assert embedding.shape == (3, network.embedding_size) == (3, 512)
        assert embedding.dtype == torch.float32
        layer4 = network.features(images, ["layer4"])["layer4"]
        torch.testing.assert_close(embedding, layer4.double().mean(dim=(2, 3)).float(), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(network.head[-1](embedding), network.logits(images), rtol=1e-4, atol=1e-5)

    def test_it_does_not_depend_on_the_batch(self, network, images):
        alone = torch.cat([network.embed(image[None]) for image in images])
        torch.testing.assert_close(network.embed(images), alone, rtol=1e-4, atol=1e-5)

    def test_in_bfloat16_it_is_averaged_in_float32(self, network, images):
        rounded = resnet18("random", seed=1, precision="bfloat16")
        embedding = rounded.embed(images)
        assert embedding.dtype == torch.float32
        layer4 = rounded.features(images, ["layer4"])["layer4"]  # of bfloat16 digits, in float32
        torch.testing.assert_close(embedding, layer4.mean(dim=(2, 3)), rtol=1e-5, atol=1e-6)

    def test_weights_without_the_last_layer_are_enough(self, saved_without, images):
        network = saved_without("fc")
        assert not network.has_logits
        assert network.embed(images).shape == (3, network.embedding_size)

    def test_weights_that_end_earlier_are_refused(self, saved_without, images):
        network = saved_without("layer4.1.conv2")
        for use in (lambda: network.embed(images), lambda: network.embedding_size):
            with pytest.raises(WeightsError, match="embed: .*short.pth lacks layer4.1.conv2.weight.* average a layer"):
                use()


def test_parameters_are_counted(network):
    assert network.n_parameters == 11_689_512 - 4_800  # torchvision's, less the shifts that folding took out


class TestActivationsAndLogits:
    def test_they_are_the_taps_and_the_logits(self, network, images):
        activations, logits = network.activations_and_logits(images, ["layer4", "layer2"])
        assert list(activations) == ["layer4", "layer2"]
        for name, tap in network.features(images, ["layer2", "layer4"]).items():
            torch.testing.assert_close(activations[name].detach(), tap, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(logits.detach(), network.logits(images), rtol=1e-5, atol=1e-6)

    def test_gradients_are_the_slopes_of_the_logits(self, network, images):
        activations, logits = network.activations_and_logits(images[:1], LAYERS)
        gradients = torch.autograd.grad(logits[0, 5], list(activations.values()))
        for name, gradient in zip(LAYERS, gradients, strict=True):
            step = 1e-2 * gradient / gradient.norm()
            x = activations[name].detach() + step
            for stage in list(network.stages)[list(network.stages).index(name) + 1 :]:
                x = network.stages[stage](x)
            rise = (network.head(x)[0, 5] - logits[0, 5]).item()
            assert rise == pytest.approx((gradient * step).sum().item(), rel=0.03)

    def test_nothing_before_the_first_layer_is_recorded_and_no_weight_is(self, network, images):
        activations, logits = network.activations_and_logits(images, ["layer3", "layer4"])
        assert activations["layer3"].is_leaf
        assert not activations["layer4"].is_leaf
        logits.sum().backward()
        assert activations["layer3"].grad is not None
        assert all(parameter.grad is None for parameter in network.parameters())

    def test_the_callers_mode_does_not_matter(self, network, images):
        for mode in (torch.inference_mode(), torch.no_grad()):
            with mode:
                activations, logits = network.activations_and_logits(images, ["layer4"])
            assert torch.autograd.grad(logits.sum(), activations["layer4"])[0].abs().sum() > 0

    def test_gradients_are_those_of_float32_whatever_the_precision(self, images):
        def gradient(precision):
            activations, logits = resnet18("random", precision=precision).activations_and_logits(images, ["layer3"])
            return torch.autograd.grad(logits.sum(), activations["layer3"])[0]

        assert torch.equal(gradient("bfloat16"), gradient("float32"))

    def test_what_is_not_there_is_refused(self, network, saved_without, images):
        with pytest.raises(ParameterError, match="layers: expected some of"):
            network.activations_and_logits(images, ["layer9"])
        with pytest.raises(WeightsError, match="lacks fc.weight, fc.bias, so there is no classifier"):
            saved_without("fc").activations_and_logits(images, ["layer2"])

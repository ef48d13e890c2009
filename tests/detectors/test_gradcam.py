"""Grad-CAM against a reference with hooks and one backward pass a layer, on the network as torchvision builds it."""

import cv2
import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st

from vadlib.detectors.gradcam import grad_cam, raw_grad_cam
from vadlib.errors import ParameterError, WeightsError
from vadlib.networks import resnet18
from vadlib.networks.resnet import IMAGENET_MEAN, IMAGENET_STD

LAYERS = ("layer2", "layer3", "layer4")


@pytest.fixture(scope="module")
def model():
    """torchvision's network with the seed's weights, batch normalisation and all."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = torchvision.models.resnet18()
        for module in model.modules():  # running statistics other than those of a new network
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
                torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def network(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "w.pth"
    torch.save(model.state_dict(), path)
    return resnet18(path, precision="float32")


@pytest.fixture
def frames():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 3, 64, 64), dtype=np.uint8))


def reference_maps(model, frames, layer, target=None):
    """As the paper of Grad-CAM says it, frame by frame: hooks, one backward pass, mean gradients as weights."""
    kept = {}
    stage = getattr(model, layer)
    handles = [
        stage.register_forward_hook(lambda _, __, output: kept.update(activation=output)),
        stage.register_full_backward_hook(lambda _, __, gradient: kept.update(gradient=gradient[0])),
    ]
    maps = []
    for i, frame in enumerate(frames):
        x = (frame.float() / 255 - torch.tensor(IMAGENET_MEAN)[:, None, None]) / torch.tensor(IMAGENET_STD)[
            :, None, None
        ]
        logits = model(x[None].requires_grad_())
        logits[0, logits.argmax() if target is None else target[i]].backward()
        weights = kept["gradient"][0].mean(dim=(1, 2))
        maps.append(torch.relu((weights[:, None, None] * kept["activation"][0]).sum(dim=0)).detach())
    for handle in handles:
        handle.remove()
    return torch.stack(maps)


@pytest.mark.parametrize("target", [None, [3, 999, 0]])
def test_maps_of_all_layers_equal_one_pass_each(model, network, frames, target):
    chosen = "top1" if target is None else torch.tensor(target)
    for layer, found in zip(LAYERS, raw_grad_cam(network, frames, LAYERS, target=chosen), strict=True):
        expected = reference_maps(model, frames, layer, target)
        assert expected.max() > 0
        np.testing.assert_allclose(found, expected, atol=1e-4 * float(expected.max()))


def test_raw_maps_equal_the_grad_cam_packages(model, network, frames):
    package = pytest.importorskip("pytorch_grad_cam", reason="needs the package grad-cam to compare with")
    mean, std = (torch.tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
    x = ((frames.float() / 255 - mean) / std).requires_grad_()
    for layer, found in zip(LAYERS, raw_grad_cam(network, frames, LAYERS), strict=True):
        with package.GradCAM(model, [getattr(model, layer)]) as cam:
            cam(x, None)  # fills what the next two lines read
            activation = cam.activations_and_grads.activations[0].numpy()
            gradient = cam.activations_and_grads.gradients[0].numpy()
            expected = cam.get_cam_image(x, getattr(model, layer), None, activation, gradient).clip(min=0)
        np.testing.assert_allclose(found, expected, atol=1e-4 * expected.max())


def test_one_class_for_all_frames(network, frames):
    one, same = (raw_grad_cam(network, frames, ["layer4"], target=t)[0] for t in (7, torch.full((3,), 7)))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, raw_grad_cam(network, frames, ["layer4"], target=8)[0])


def test_maps_are_scaled_and_then_resized(network, frames):
    found = grad_cam(network, frames, LAYERS, (40, 50)).numpy()
    for layer, raw in enumerate(raw_grad_cam(network, frames, LAYERS)):
        for i, one in enumerate(raw.numpy()):
            # OpenCV's bilinear resizing aligns the centres of pixels, too
            expected = cv2.resize(one / one.max() if one.max() > 0 else one, (50, 40), interpolation=cv2.INTER_LINEAR)
            np.testing.assert_allclose(found[layer, i], expected, atol=1e-3)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 40), st.floats(1e-30, 1e30))
def test_maps_stay_within_zero_and_one(seed, side, size, scale):
    raw = np.random.default_rng(seed).choice([0.0, 0.5, 1.0], (3, side, side)) * scale
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vadlib.detectors.gradcam.raw_grad_cam", lambda *_, **__: [torch.from_numpy(raw).float()])
        maps = grad_cam(None, None, ["layer4"], (size, size + 3))
    assert 0 <= maps.min() <= maps.max() <= 1


def test_maps_reach_one_and_a_frame_does_not_depend_on_its_batch(network, frames):
    maps = grad_cam(network, frames, LAYERS, (64, 64))
    assert maps.shape == (3, 3, 64, 64)
    assert maps.min() >= 0
    assert maps.max() <= 1
    assert maps.amax(dim=(2, 3)).max() > 0.9
    alone = torch.cat([grad_cam(network, frame[None], LAYERS, (64, 64)) for frame in frames], dim=1)
    np.testing.assert_allclose(maps, alone, atol=1e-4)
    np.testing.assert_array_equal(maps, grad_cam(network, frames, LAYERS, (64, 64)))


def test_weights_get_no_gradient_and_no_graph_stays(network, frames):
    maps = grad_cam(network, frames, ["layer3"], (64, 64))
    assert not maps.requires_grad
    assert all(parameter.grad is None for parameter in network.parameters())
    with torch.inference_mode():  # a caller's mode does not break it
        np.testing.assert_array_equal(maps, grad_cam(network, frames, ["layer3"], (64, 64)))


def test_a_map_of_zeros_stays_zeros(network, frames, monkeypatch):
    monkeypatch.setattr("vadlib.detectors.gradcam.raw_grad_cam", lambda *_, **__: [torch.zeros(3, 4, 6)])
    assert (grad_cam(network, frames, ["layer4"], (8, 8)) == 0).all()


def test_bad_input(network, frames, model, tmp_path):
    with pytest.raises(ParameterError, match="expected 'top1'"):
        grad_cam(network, frames, LAYERS, (8, 8), target="best")
    with pytest.raises(ParameterError, match="or 3 class numbers, one a frame"):
        grad_cam(network, frames, LAYERS, (8, 8), target=torch.tensor([1, 2]))
    with pytest.raises(ParameterError, match="expected classes 0 to 999"):
        grad_cam(network, frames, LAYERS, (8, 8), target=torch.full((3,), 1000))
    with pytest.raises(ParameterError, match="or 3 class numbers, one a frame, found torch.float32"):
        grad_cam(network, frames, LAYERS, (8, 8), target=torch.zeros(4))
    with pytest.raises(ParameterError, match="layers: expected some of"):
        grad_cam(network, frames, ["layer9"], (8, 8))
    headless = {k: v for k, v in model.state_dict().items() if not k.startswith("fc")}
    torch.save(headless, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="no classifier"):
        grad_cam(resnet18(tmp_path / "w.pth"), frames, LAYERS, (8, 8))

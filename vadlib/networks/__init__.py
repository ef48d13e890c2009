"""Pretrained networks, frozen, with taps."""

from vadlib.networks.resnet import resnet18
from vadlib.networks.tapped import TappedNetwork, resolve_device
from vadlib.networks.weights import WeightsRecord

__all__ = ["TappedNetwork", "WeightsRecord", "resnet18", "resolve_device"]

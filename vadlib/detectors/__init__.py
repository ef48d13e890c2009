"""Detectors: fit on frames, score frames; higher scores are more anomalous."""

from vadlib.detectors.detector import Detector
from vadlib.detectors.padim import Padim

__all__ = ["Detector", "Padim"]

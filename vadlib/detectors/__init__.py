"""Detectors: fit on frames, score frames; higher scores are more anomalous."""

from vadlib.detectors.detector import Detector
from vadlib.detectors.embeddings import embed_frames
from vadlib.detectors.gradcam_ssim import GradCamSsim
from vadlib.detectors.loading import load_detector
from vadlib.detectors.padim import Padim
from vadlib.detectors.prototypes import ClipPrototypes
from vadlib.detectors.spade import SpadeKnn
from vadlib.detectors.zero_shot import ZeroShotText

__all__ = [
    "ClipPrototypes",
    "Detector",
    "GradCamSsim",
    "Padim",
    "SpadeKnn",
    "ZeroShotText",
    "embed_frames",
    "load_detector",
]

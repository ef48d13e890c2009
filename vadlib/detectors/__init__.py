"""Detectors: fit on frames, score frames; higher scores are more anomalous."""

from vadlib.detectors.as_run import PadimAsRun, PrototypesAsRun, SpadeAsRun
from vadlib.detectors.catalogue import entries, load_detector, make
from vadlib.detectors.detector import Detector, LearnsFrom
from vadlib.detectors.feature_cache import embed_frames
from vadlib.detectors.gradcam_ssim import GradCamSsim
from vadlib.detectors.motion import FlowSpeed, FrameDifference
from vadlib.detectors.padim import Padim
from vadlib.detectors.prototypes import ClipPrototypes
from vadlib.detectors.spade import SpadeKnn
from vadlib.detectors.zero_shot import ZeroShotText

__all__ = [
    "ClipPrototypes",
    "Detector",
    "FlowSpeed",
    "FrameDifference",
    "GradCamSsim",
    "LearnsFrom",
    "Padim",
    "PadimAsRun",
    "PrototypesAsRun",
    "SpadeAsRun",
    "SpadeKnn",
    "ZeroShotText",
    "embed_frames",
    "entries",
    "load_detector",
    "make",
]

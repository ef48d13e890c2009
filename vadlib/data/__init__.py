"""Data sets, frames, and the draws of frames that an experiment fits and tests on."""

from vadlib.data.dataset import Clip, VideoDataset
from vadlib.data.extraction import extract_frames
from vadlib.data.layouts.catalogue import open_dataset
from vadlib.data.reading.frames import Batch, FrameReader, read_frame, read_frames
from vadlib.data.reading.inputs import Frames, Inputs, Scores, Sound, Window
from vadlib.data.sampling import PROTOCOLS, Fold, Split, draw

__all__ = [
    "PROTOCOLS",
    "Batch",
    "Clip",
    "Fold",
    "FrameReader",
    "Frames",
    "Inputs",
    "Scores",
    "Sound",
    "Split",
    "VideoDataset",
    "Window",
    "draw",
    "extract_frames",
    "open_dataset",
    "read_frame",
    "read_frames",
]

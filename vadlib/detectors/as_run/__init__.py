"""The paper's detectors as its author's notebook ran them, each difference from the paper's text an argument.

Source: github.com/cheredi/anomal-y, commit db5afd88, AMUGOTATYANA_CAPSTONE_PYTORCH.ipynb; cells are counted from 0.
"""

from vadlib.detectors.as_run.frame_prototypes import PrototypesAsRun
from vadlib.detectors.as_run.merged_maps import SpadeAsRun
from vadlib.detectors.as_run.pooled_gaussian import PadimAsRun

__all__ = ["PadimAsRun", "PrototypesAsRun", "SpadeAsRun"]

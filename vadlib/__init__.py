"""Video anomaly detection with simple detectors, measured honestly."""

import warnings

__version__ = "0.1.0"

# tqdm says so in every notebook without ipywidgets, with the path it was loaded from, and then works without them.
warnings.filterwarnings("ignore", message="IProgress not found")

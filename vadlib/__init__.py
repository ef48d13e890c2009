"""Video anomaly detection with simple detectors, measured honestly."""

__version__ = "0.1.0"

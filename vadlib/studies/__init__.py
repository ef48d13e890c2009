"""Experiments made of detectors, splits and evaluation; no folder of results, no prose."""

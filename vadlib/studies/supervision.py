"""The same information for all detectors: without labels of anomalies, and with the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vadlib.detectors import LearnsFrom, catalogue
from vadlib.errors import ParameterError
from vadlib.studies.runner import LABELLED, DetectorSpec

NOBODY, SAME_FOR_ALL = "no labels", "labels"  # who sees labels of anomalies


def specs_by_supervision(
    trials: Mapping[str, DetectorSpec], heads: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, DetectorSpec]]:
    """Each detector as it is without any labelled anomaly, and with the labelled frames of the prototypes.

    Parameters
    ----------
    trials : mapping of str to DetectorSpec
        By the detector's name. One that learns from labelled anomalies becomes, where nobody sees a label, the entry of
        the catalogue of the same class that does without.
    heads : mapping of str to mapping
        The detectors that a logistic regression on their heatmaps gives labels to, and its options (see
        `DetectorSpec`).
        A detector without a heatmap gets one on its embeddings. One with neither head nor labels has no place where
        all see labels.

    Returns
    -------
    dict of str to dict of str to DetectorSpec
        By `NOBODY` and `SAME_FOR_ALL`, then by what to call it.

    Raises
    ------
    ParameterError
        For a head of a detector that is not there.
    """
    strange = sorted(set(heads) - set(trials))
    if strange:
        raise ParameterError(f"heads: no detector {strange[0]!r}; there are {', '.join(trials)}")
    without: dict[str, DetectorSpec] = {}
    informed: dict[str, DetectorSpec] = {}
    for name, trial in trials.items():
        headed = replace(trial, head=dict(heads[name])) if name in heads else None
        entry = catalogue.entry(trial.detector)
        if entry.learns_from not in LABELLED:
            without[name] = trial
        else:
            informed[name] = trial
            for other in catalogue.entries(learns_from=LearnsFrom.NORMAL):
                if other.cls is entry.cls:
                    without[other.title] = replace(trial, detector=other.title)
        if headed:
            on_embeddings = entry.cls.heat_label is None
            informed["Embeddings with a head" if on_embeddings else f"{name} with a head"] = headed
    return {NOBODY: without, SAME_FOR_ALL: informed}


def without_labels(by_supervision: Mapping[str, Mapping[str, DetectorSpec]]) -> dict[str, str]:
    """By what sees labels (of `specs_by_supervision`): the same detector where nobody sees any."""
    return {
        name: other
        for name, spec in by_supervision[SAME_FOR_ALL].items()
        for other, plain in by_supervision[NOBODY].items()
        if catalogue.entry(plain.detector).cls is catalogue.entry(spec.detector).cls
    }

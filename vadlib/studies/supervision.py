"""The same information for all detectors: without labels of anomalies, and with the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vadlib.errors import ParameterError
from vadlib.studies.runner import DetectorSpec

NOBODY, SAME_FOR_ALL = "no labels", "labels"  # who sees labels of anomalies


def specs_by_supervision(
    trials: Mapping[str, DetectorSpec], heads: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, DetectorSpec]]:
    """Each detector as it is without any labelled anomaly, and with the labelled frames of the prototypes.

    Parameters
    ----------
    trials : mapping of str to DetectorSpec
        By the detector's name: those that see no anomaly, and two-class prototypes, which become one-class where nobody
        sees a label.
    heads : mapping of str to mapping
        The detectors that a logistic regression on their heatmaps gives labels to, and its options (see
        `DetectorSpec`).
        For ``Prototypes`` it is one on the same embeddings, beside the prototypes. A detector without a head and
        without classes has no place where all see labels.

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
        if trial.detector == "Prototypes":
            without[f"One-class {name.lower()}"] = replace(trial, options=dict(trial.options) | {"mode": "one-class"})
            informed[name] = trial
            if headed:
                informed["Embeddings with a head"] = headed
        else:
            without[name] = trial
            if headed:
                informed[f"{name} with a head"] = headed
    return {NOBODY: without, SAME_FOR_ALL: informed}


def without_labels(by_supervision: Mapping[str, Mapping[str, DetectorSpec]]) -> dict[str, str]:
    """By what sees labels (of `specs_by_supervision`): the same detector where nobody sees any."""
    return {
        name: other
        for name, spec in by_supervision[SAME_FOR_ALL].items()
        for other, plain in by_supervision[NOBODY].items()
        if catalogue.entry(plain.detector).cls is catalogue.entry(spec.detector).cls
    }

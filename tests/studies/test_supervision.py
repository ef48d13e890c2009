"""The same information both ways."""

from dataclasses import replace

import pytest

from vadlib.errors import ParameterError
from vadlib.studies.runner import DetectorSpec
from vadlib.studies.supervision import NOBODY, SAME_FOR_ALL, specs_by_supervision, without_labels

DETECTORS = {
    "PaDiM": DetectorSpec("PaDiM", "resnet18:random", 64),
    "SPADE": DetectorSpec("SPADE", "resnet18:random", 64),
    "Prototypes": DetectorSpec("Prototypes", "clip_vision:random", 64, options={"k": 3}),
}
HEAD = {"grid": 2, "inverse_regularisation": 1.0}


def test_each_detector_sees_no_label_and_then_all_of_them():
    informed = specs_by_supervision(DETECTORS, {"PaDiM": HEAD, "Prototypes": HEAD})
    assert informed[NOBODY] == {
        "PaDiM": DETECTORS["PaDiM"],
        "SPADE": DETECTORS["SPADE"],
        "One-class prototypes": replace(DETECTORS["Prototypes"], detector="One-class prototypes"),
    }
    assert informed[SAME_FOR_ALL] == {
        "PaDiM with a head": replace(DETECTORS["PaDiM"], head=HEAD),
        "Prototypes": DETECTORS["Prototypes"],
        "Embeddings with a head": replace(DETECTORS["Prototypes"], head=HEAD),
    }
    with pytest.raises(ParameterError, match="heads: no detector 'Grad-CAM'"):
        specs_by_supervision(DETECTORS, {"Grad-CAM": HEAD})


def test_what_sees_labels_is_held_against_itself_without():
    by_supervision = specs_by_supervision(DETECTORS, {"PaDiM": HEAD, "Prototypes": HEAD})
    assert without_labels(by_supervision) == {
        "PaDiM with a head": "PaDiM",
        "Prototypes": "One-class prototypes",
        "Embeddings with a head": "One-class prototypes",
    }

"""Scores of several detectors in one table."""

from types import SimpleNamespace

import pandas as pd
import pytest

from vadlib.errors import ResultsError
from vadlib.runs.results import join_scores


def result(scores, **detectors):
    table = pd.DataFrame({"clip": ["a", "a", "b"], "frame": [0, 1, 0], "label": [0, 1, 1], "scene": "s"} | scores)
    return SimpleNamespace(scores=table, metrics={"detectors": detectors}, path=SimpleNamespace(parent="somewhere"))


def test_scores_are_joined_by_clip_and_frame():
    padim = result({"max": [1.0, 2, 3], "mean": 0.0}, PaDiM="max")
    clip = result({"ensemble": [0.1, 0.2, 0.3], "one": [3.0, 2, 1]}, Prototypes="ensemble", One="one")
    clip.scores = clip.scores.iloc[[2, 0, 1]].query("clip == 'a'")
    scores, titles = join_scores([padim, clip])
    assert titles == ("PaDiM", "Prototypes", "One")
    assert list(scores.columns) == ["clip", "frame", "label", "scene", *titles]
    assert scores[["clip", "frame", *titles]].to_numpy().tolist() == [["a", 0, 1.0, 0.1, 3.0], ["a", 1, 2.0, 0.2, 2.0]]


def test_nothing_in_common_is_said():
    padim, other = result({"max": [1.0, 2, 3]}, PaDiM="max"), result({"max": [1.0, 2, 3]}, Other="max")
    other.scores["frame"] = [7, 8, 9]
    with pytest.raises(ResultsError, match="somewhere: .*no test frame in common"):
        join_scores([padim, other])
    with pytest.raises(ResultsError, match="no results of detectors"):
        join_scores([])

"""The same information both ways, and words that follow from the paired differences."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from vadlib.errors import ParameterError
from vadlib.evaluation import bootstrap_auroc, bootstrap_difference
from vadlib.studies.runner import DetectorSpec
from vadlib.studies.supervision import (
    WITH,
    WITHOUT,
    paired_differences,
    ranking_in_words,
    specs_by_supervision,
    table_of_pairs,
    verdict,
)

DETECTORS = {
    "PaDiM": DetectorSpec("PaDiM", "resnet18:random", 64),
    "SPADE": DetectorSpec("SPADE", "resnet18:random", 64),
    "Prototypes": DetectorSpec("Prototypes", "clip_vision:random", 64, options={"k": 3}),
}
HEAD = {"grid": 2, "inverse_regularisation": 1.0}


def test_each_detector_sees_no_label_and_then_all_of_them():
    informed = specs_by_supervision(DETECTORS, {"PaDiM": HEAD, "Prototypes": HEAD})
    assert informed[WITHOUT] == {
        "PaDiM": DETECTORS["PaDiM"],
        "SPADE": DETECTORS["SPADE"],
        "One-class prototypes": replace(DETECTORS["Prototypes"], detector="One-class prototypes"),
    }
    assert informed[WITH] == {
        "PaDiM with a head": replace(DETECTORS["PaDiM"], head=HEAD),
        "Prototypes": DETECTORS["Prototypes"],
        "Embeddings with a head": replace(DETECTORS["Prototypes"], head=HEAD),
    }
    with pytest.raises(ParameterError, match="heads: no detector 'Grad-CAM'"):
        specs_by_supervision(DETECTORS, {"Grad-CAM": HEAD})


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1], 60)
    table = pd.DataFrame({"clip": np.repeat([f"c{i}" for i in range(12)], 10), "label": labels})
    noise = rng.normal(size=120)
    for name, signal in (("low", 0.3), ("high", 3.0), ("middle", 0.35)):
        table[name] = signal * labels + noise + 0.05 * rng.normal(size=120)
    return table


def found(scores, names):
    pairs = paired_differences(scores, {name: name for name in names}, n_resamples=200)
    drawn = {"clusters": scores["clip"], "n_resamples": 200}
    return {name: bootstrap_auroc(scores["label"], scores[name], **drawn) for name in names}, pairs


def test_pairs_are_paired_and_the_better_is_first(scores):
    merit, pairs = found(scores, ["low", "high", "middle"])
    assert len(pairs) == 3
    estimates = [difference.estimate for difference in pairs["difference"]]
    assert estimates == sorted(estimates, reverse=True)
    for row in pairs.itertuples():
        assert merit[row.first].estimate >= merit[row.second].estimate
        assert row.difference.estimate >= 0
        expected = bootstrap_difference(
            scores["label"], scores[row.first], scores[row.second], clusters=scores["clip"], n_resamples=1000
        )
        assert row.difference.estimate == pytest.approx(expected.estimate)
        assert row.difference.low == pytest.approx(expected.low, abs=1e-9)
        assert row.apart == (row.p_adjusted <= 0.05)
    with pytest.raises(ParameterError, match="at least two scores"):
        paired_differences(scores, {"low": "low"})


def test_words_follow_from_the_pairs(scores):
    merit, pairs = found(scores, ["low", "high", "middle"])
    pairs["apart"] = [True, True, False]  # whatever the noise: the words follow from this column
    told = 2
    assert ranking_in_words(merit, pairs).startswith(f"high {merit['high'].estimate:.3f}, ")
    assert ranking_in_words(merit, pairs).endswith(f"({told} of 3 pairs told apart after Holm's correction)")
    table = table_of_pairs({WITHOUT: pairs})
    assert (table["told apart"] == "yes").sum() == told
    both = {WITHOUT: merit, WITH: merit}, {WITHOUT: pairs, WITH: pairs}
    leads = verdict({WITHOUT: "high", WITH: "high"}, *both)
    assert (
        "Without labels for anyone the highest AUROC is the prototypes'; the prototypes are above low and middle."
        in leads
    )
    trails = verdict({WITHOUT: "high", WITH: "low"}, *both)
    assert "for all the highest AUROC is that of high; the prototypes are below high" in trails
    _, close = found(scores, ["low", "middle"])
    apart = close.iloc[0]["difference"].low > 0
    undecided = verdict({WITHOUT: "low", WITH: "low"}, both[0], {WITHOUT: close, WITH: close})
    assert ("below middle" in undecided) == apart
    assert ("not told apart from middle" in undecided) == (not apart)

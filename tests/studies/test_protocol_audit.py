"""The audit's runs under protocols equal plain fits, and its words follow from its numbers."""

import numpy as np
import pandas as pd
import pytest

from vadlib.data import FrameReader, draw, open_dataset
from vadlib.detectors import ClipPrototypes, Padim
from vadlib.errors import ParameterError
from vadlib.evaluation import Interval, auroc
from vadlib.networks import clip_vision, resnet18
from vadlib.report.records.recorded import recorded_or_none
from vadlib.studies.draws import ProtocolDraws
from vadlib.studies.protocol_audit import (
    beside,
    comparison_sentence,
    lost_without_leakage,
    precisions,
    processed,
    quality_sentence,
    require_protocols,
    scores_by_protocol,
    within_folds,
)
from vadlib.studies.runner import DetectorRunner, DetectorSpec

TESTING = {"test_normal": 12, "test_abnormal": 12, "seed": 1, "n_folds": 2}


@pytest.fixture(scope="module")
def videos(tiny_world):
    return open_dataset("synthcampus", tiny_world)


@pytest.fixture(scope="module")
def splits(videos):
    table = videos.frame_table()
    fits = {"official-split": (10, 0), "reused-frames": (8, 8), "disjoint-clips": (10, 10)}
    return {name: draw(table, name, *counts, **TESTING) for name, counts in fits.items()}


@pytest.fixture(scope="module")
def trials(videos, splits):
    return DetectorRunner(videos, splits["official-split"], splits["disjoint-clips"], others=list(splits.values()))


def plain_scores(make, videos, split, column, *, normal_only):
    """The same by hand: one reader and one detector a fold."""
    parts = []
    for fold in split.folds:
        fit = fold.fit[fold.fit["label"] == 0] if normal_only else fold.fit
        detector = make().fit(FrameReader(videos, fit, (64, 64), 32))
        values = detector.score_columns(FrameReader(videos, fold.test, (64, 64), 32))[column]
        parts.append(pd.Series(values, index=fold.test.index))
    return pd.concat(parts).sort_index()


def test_each_fold_is_scored_by_a_detector_of_its_own_frames(videos, splits, trials):
    wanted = {
        "PaDiM": DetectorSpec("PaDiM", "resnet18:random", 64, options={"n_components": 12}),
        "Prototypes": DetectorSpec("Prototypes", "clip_vision:random", 64, options={"k": 3}),
    }
    found = scores_by_protocol(trials, wanted, splits)
    assert "Prototypes" not in found["official-split"]  # no label of an anomaly there
    for protocol, split in splits.items():
        expected = plain_scores(
            lambda: Padim(resnet18("random"), n_components=12), videos, split, "max", normal_only=True
        )
        np.testing.assert_allclose(found[protocol]["PaDiM"], expected, rtol=1e-4)
        assert found[protocol]["PaDiM"].index.equals(expected.index)
    expected = plain_scores(
        lambda: ClipPrototypes(clip_vision("random"), k=3, top_k=3),
        videos,
        splits["disjoint-clips"],
        "ensemble",
        normal_only=False,
    )
    np.testing.assert_allclose(found["disjoint-clips"]["Prototypes"], expected, rtol=1e-3, atol=1e-4)
    embedded = trials.embeddings("clip_vision:random", 64)
    assert set(splits["reused-frames"].test.index) <= set(embedded.index)


def test_a_trial_with_frames_of_its_own_is_refused(trials, splits):
    with pytest.raises(ParameterError, match="no head and no n_fit"):
        trials.run_under(DetectorSpec("PaDiM", "resnet18:random", 64, n_fit=3), splits["official-split"])


def test_what_is_done_to_a_number_by_hand():
    scores = pd.DataFrame(
        {
            "clip": ["a"] * 4 + ["b"] * 4 + ["c"] * 2,
            "frame": [0, 1, 2, 3, 0, 1, 2, 3, 0, 1],
            "label": [0, 0, 1, 1, 0, 1, 0, 1, 0, 0],
            "score": [0.1, 0.2, 0.3, 0.4, 10, 12, 11, 13, 5, 6],
        }
    )
    found = processed(scores, "score")
    assert found["micro"] == auroc(scores["label"], scores["score"])
    assert found["macro"] == 1.0  # a and b; c has one class
    assert found["normalised"] == pytest.approx(21 / 24)  # each clip's highest frame ties with that of c
    assert found["padded"] == pytest.approx((1 + 1 + 2.5 / 3) / 3)  # c: all but perfect, without an anomaly
    assert found["smoothed"] >= found["micro"]
    assert found["both"] >= found["normalised"]
    rare = precisions(scores["label"], scores["score"], 0.01)
    assert rare["share"] == 0.4
    assert rare["rare"] < rare["here"]


def entry(*values):
    return dict(zip(("estimate", "low", "high"), values, strict=True))


METRICS = {
    "by_protocol": {
        "official-split": {"PaDiM": entry(0.6, 0.5, 0.7)},
        "reused-frames": {"Prototypes": entry(0.9, 0.8, 0.95)},
    },
    "blind_by_protocol": {"reused-frames": entry(0.95, 0.9, 1.0), "official-split": entry(0.5, 0.4, 0.6)},
    "comparisons": [
        {
            "a": "Grad-CAM + SSIM",
            "b": "PaDiM",
            "estimate": -0.1,
            "low": -0.2,
            "high": 0.05,
            "p_adjusted": 0.3,
            "better": "",
        }
    ],
}


def test_words_follow_from_the_metrics():
    assert quality_sentence(METRICS) == (
        "Prototypes: 0.900 [0.800, 0.950] under reused-frames, where the fit frames' labels alone get "
        "0.950 [0.900, 1.000]."
    )
    assert comparison_sentence(METRICS) == (
        "PaDiM minus Grad-CAM + SSIM: +0.100 [-0.050, +0.200], p = 0.300 after Holm: these clips do not tell them apart."
    )
    better = {"comparisons": [METRICS["comparisons"][0] | {"better": "PaDiM"}]}
    assert comparison_sentence(better).endswith("PaDiM is the better.")
    assert comparison_sentence({"comparisons": []}) == "PaDiM and Grad-CAM + SSIM were not compared."
    against = {"same-clips": {"PaDiM": Interval(0.1, 0.0, 0.2)}, "official-split": {}}
    assert lost_without_leakage(against, "PaDiM") == "+0.100 [+0.000, +0.200] under same-clips"
    assert lost_without_leakage(against, "SPADE") == "not measured here"
    elsewhere = {"disjoint-scenes": {"PaDiM": Interval(0.1, 0.0, 0.2)}}  # shares no clip
    assert lost_without_leakage(elsewhere, "PaDiM") == "not measured here"
    blind = {"micro_auroc_interval": entry(0.7, 0.65, 0.75)}
    assert beside(blind, 0.797, "CLIP") == "0.700 [0.650, 0.750] (below CLIP's 0.797)"
    assert beside(blind, 0.71, "CLIP") == "0.700 [0.650, 0.750] (not told apart from CLIP's 0.710)"
    with pytest.raises(ParameterError, match="those of an audit"):
        quality_sentence({"blind": {}})


def test_pairs_within_folds_alone(splits):
    folds = splits["disjoint-clips"].folds
    tables = [fold.test.assign(score=fold.test["label"] + 10.0 * i) for i, fold in enumerate(folds)]
    scores = pd.concat(tables)
    assert auroc(scores["label"], scores["score"]) < 1  # the folds' scales differ
    assert within_folds(scores, "score", folds) == 1
    with pytest.raises(ParameterError, match="frames of both classes"):
        within_folds(scores.assign(label=1), "score", [])


def test_a_protocol_that_is_needed_and_lacking_is_named(splits):
    draws = ProtocolDraws(splits, (), {"disjoint-scenes": "all test frames are of one scene"})
    assert require_protocols(draws, ["disjoint-clips"]) == splits
    with pytest.raises(ParameterError, match="disjoint-scenes is needed here, but all test frames are of one scene"):
        require_protocols(draws, ["disjoint-scenes"])
    with pytest.raises(ParameterError, match="same-clips is needed here, but it is not among audited_protocols"):
        require_protocols(draws, ["same-clips"])


def test_a_record_that_is_not_there_is_none():
    assert recorded_or_none("nowhere-23_protocols") is None

"""The audit's runs under protocols equal plain fits, and its words follow from its numbers."""

import numpy as np
import pandas as pd
import pytest

from vadlib.data import FrameReader, draw, open_dataset
from vadlib.detectors import ClipPrototypes, Padim
from vadlib.errors import ParameterError
from vadlib.evaluation import BLIND_BASELINES, auroc, nearest_fit_label
from vadlib.networks import clip_vision, resnet18
from vadlib.report.records.recorded import recorded_or_none
from vadlib.studies.draws import ProtocolDraws
from vadlib.studies.protocol_audit import (
    auroc_after_postprocessing,
    aurocs_within_folds,
    blind_columns,
    require_protocols,
    score_columns,
    scores_by_protocol,
    scores_by_seed,
    spread_over_seeds,
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
    found = auroc_after_postprocessing(scores, "score")
    assert found["micro"] == auroc(scores["label"], scores["score"])
    assert found["macro"] == 1.0  # a and b; c has one class
    assert found["normalised"] == pytest.approx(21 / 24)  # each clip's highest frame ties with that of c
    assert found["padded"] == pytest.approx((1 + 1 + 2.5 / 3) / 3)  # c: all but perfect, without an anomaly
    assert found["smoothed"] >= found["micro"]
    assert found["both"] >= found["normalised"]


def test_scores_of_all_protocols_lie_in_one_table(splits):
    tested = splits["official-split"].test.sort_values(["clip", "frame"])
    column = pd.Series(np.arange(len(tested), dtype=np.float32), index=tested.index)
    shuffled = column.sample(frac=1, random_state=0)
    lacking = column.mask(np.arange(len(tested)) == 3)
    columns, skipped = score_columns({"a": {"PaDiM": shuffled}, "b": {"PaDiM": lacking, "SPADE": column}}, tested)
    assert list(columns) == ["PaDiM, a", "PaDiM, b", "SPADE, b"]
    np.testing.assert_array_equal(columns["PaDiM, a"], column)
    assert skipped.tolist() == [3]


def test_each_seed_is_a_fit_of_its_own(splits, trials):
    spec = DetectorSpec("PaDiM", "resnet18:random", 64, options={"n_components": 12})
    split = splits["official-split"]
    by_seed = scores_by_seed(trials, {"PaDiM": spec}, split, [0, 1])
    plain = scores_by_protocol(trials, {"PaDiM": spec}, {"official-split": split})["official-split"]["PaDiM"]
    np.testing.assert_array_equal(by_seed["PaDiM"][0], plain)
    assert not by_seed["PaDiM"][1].equals(plain)
    spread = spread_over_seeds(by_seed, split.test.iloc[1:], n_resamples=200, seed=0)["PaDiM"]
    tested = split.test.iloc[1:]
    assert spread.estimates == tuple(auroc(tested["label"], by_seed["PaDiM"][k].loc[tested.index]) for k in (0, 1))


def test_blind_scores_and_what_each_protocol_gives_away(videos, splits):
    table, draws = videos.frame_table(), ProtocolDraws(splits, (), {})
    columns, titles = blind_columns(table, draws)
    assert set(columns) == set(titles)
    assert titles["middle"] == BLIND_BASELINES["middle"]
    assert titles["nearest_fit_label_disjoint_clips"] == "nearest fit frame's label, disjoint-clips"
    expected = nearest_fit_label(splits["disjoint-clips"], draws.tested)
    np.testing.assert_array_equal(columns["nearest_fit_label_disjoint_clips"], expected)
    part = draws.tested.iloc[::2]
    np.testing.assert_array_equal(nearest_fit_label(splits["disjoint-clips"], part), expected[::2])


def test_pairs_within_folds_alone(splits):
    folds = splits["disjoint-clips"].folds
    tables = [fold.test.assign(**{"a, p": fold.test["label"] + 10.0 * i}) for i, fold in enumerate(folds)]
    scores = pd.concat(tables)
    assert auroc(scores["label"], scores["a, p"]) < 1  # the folds' scales differ
    assert aurocs_within_folds(scores, ["a"], "p", folds) == {"a": 1}
    with pytest.raises(ParameterError, match="frames of both classes"):
        aurocs_within_folds(scores.assign(label=1), ["a"], "p", folds)


def test_a_protocol_that_is_needed_and_lacking_is_named(splits):
    draws = ProtocolDraws(splits, (), {"disjoint-scenes": "all test frames are of one scene"})
    assert require_protocols(draws, ["disjoint-clips"]) == splits
    with pytest.raises(ParameterError, match="disjoint-scenes is needed here, but all test frames are of one scene"):
        require_protocols(draws, ["disjoint-scenes"])
    with pytest.raises(ParameterError, match="same-clips is needed here, but it is not among protocols"):
        require_protocols(draws, ["same-clips"])


def test_a_record_that_is_not_there_is_none():
    assert recorded_or_none("nowhere-23_protocols") is None

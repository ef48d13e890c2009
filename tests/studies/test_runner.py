"""Trials: the same scores as the detectors give on their own readers, and honest comparisons."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from vadlib.data import FrameReader, draw, open_dataset, read_frame
from vadlib.detectors import GradCamSsim, Padim, embed_frames
from vadlib.detectors.supervised_head import SupervisedHead, pooled_heatmaps
from vadlib.errors import ParameterError
from vadlib.evaluation import Interval, auroc, bootstrap_difference
from vadlib.networks import resnet18
from vadlib.report.words.studies import trained_sentence, undecided_sentence
from vadlib.studies.networks import (
    gains_by_kind,
    network_trials,
    random_bases,
    table_of_trials,
)
from vadlib.studies.runner import DetectorRunner, DetectorSpec, KeptFrames, compare_trials, main_score, main_scores

TESTING = {"test_normal": 20, "test_abnormal": 20, "seed": 1}


@pytest.fixture(scope="module")
def videos(tiny_world):
    return open_dataset("synthcampus", tiny_world)


@pytest.fixture(scope="module")
def trials(videos):
    table = videos.frame_table()
    normal = draw(table, "official-split", 16, 0, **TESTING)
    return DetectorRunner(videos, normal, draw(table, "disjoint-clips", 8, 8, n_folds=2, **TESTING), batch_size=7)


def test_scores_are_those_of_the_detector_on_its_own_reader(videos, trials):
    """Memory in place of decoding changes nothing, bit for bit."""
    split = trials.normal
    wanted = {
        "padim": DetectorSpec("PaDiM", "resnet18:random", 64, options={"n_components": 20}),
        "gradcam": DetectorSpec("Grad-CAM + SSIM", "resnet18:random", 64),
    }
    found = trials.run(wanted)
    own = {"padim": Padim(resnet18("random"), 20), "gradcam": GradCamSsim(resnet18("random"))}
    for name, detector in own.items():
        detector.fit(FrameReader(videos, split.fit, (64, 64), 7, progress=False))
        expected = detector.score_columns(FrameReader(videos, split.test, (64, 64), 7, progress=False))
        assert found[name].keys() == expected.keys()
        for column, values in expected.items():
            np.testing.assert_array_equal(found[name][column], values)
    assert set(main_scores(wanted, found)) == {"padim", "gradcam"}


def test_prototypes_come_in_the_order_of_the_tested_frames(trials):
    setting = DetectorSpec("Prototypes", "clip_vision:random", 64, options={"k": 3, "top_k": 2})
    first, second = (trials.run({"a": setting})["a"]["ensemble"] for _ in range(2))
    assert first.shape == (len(trials.tested),)
    np.testing.assert_array_equal(first, second)
    fold = trials.labelled.folds[0]
    frames = trials._held(64)
    detector = trials.detector(setting).fit(frames.select(fold.fit))
    expected = detector.score(frames.select(fold.test))
    positions = trials.tested.index.get_indexer(fold.test.index)
    np.testing.assert_allclose(first[positions], expected, atol=1e-5)


def test_components_are_brought_down_to_the_channels_of_fewer_layers(trials):
    options = {"n_components": 300, "layers": ["layer1"]}
    assert trials.detector(DetectorSpec("PaDiM", "resnet18:random", 64, options=options)).n_components == 64


def test_fewer_fit_frames_are_spread_over_those_held(trials):
    settings = {n: DetectorSpec("PaDiM", "resnet18:random", 64, n_fit=n, options={"n_components": 6}) for n in (4, 16)}
    all_frames = trials.run({"all": DetectorSpec("PaDiM", "resnet18:random", 64, options={"n_components": 6})})["all"]
    found = trials.run({str(n): setting for n, setting in settings.items()})
    np.testing.assert_allclose(found["16"]["max"], all_frames["max"], rtol=1e-4)  # features of other batches
    assert not np.allclose(found["4"]["max"], all_frames["max"])


def test_more_fit_frames_than_held_are_refused(trials):
    with pytest.raises(ParameterError, match="n_fit: expected 1 to 16, the frames held, found 17"):
        trials.run({"a": DetectorSpec("PaDiM", "resnet18:random", 64, n_fit=17, options={"n_components": 6})})


def test_one_class_prototypes_are_fitted_on_the_normal_frames(trials):
    setting = DetectorSpec("Prototypes", "clip_vision:random", 64, options={"k": 3, "mode": "one-class"})
    frames = trials._held(64)
    expected = trials.detector(setting).fit(frames.select(trials.normal.fit)).score(frames.select(trials.tested))
    np.testing.assert_array_equal(trials.run({"a": setting})["a"]["ensemble"], expected)
    assert trials.detector(setting).top_k == 3  # brought down to k


def test_trials_that_differ_in_their_score_alone_are_run_once(trials, monkeypatch):
    own, runs = DetectorRunner._run, []
    monkeypatch.setattr(DetectorRunner, "_run", lambda self, trial: runs.append(trial) or own(self, trial))
    setting = DetectorSpec("PaDiM", "resnet18:random", 64, options={"n_components": 6})
    wanted = {"max": setting, "mean": replace(setting, score="mean"), "other": replace(setting, n_fit=8)}
    found = trials.run(wanted)
    assert len(runs) == 2
    columns = main_scores(wanted, found)
    np.testing.assert_array_equal(columns["max"], found["max"]["max"])
    np.testing.assert_array_equal(columns["mean"], found["max"]["mean"])


def test_features_are_shared_by_trials_of_a_network_and_then_forgotten(trials, monkeypatch):
    network = trials.network("resnet18:random").network
    own, asked = network.features, []
    monkeypatch.setattr(network, "features", lambda images, layers: asked.append(len(images)) or own(images, layers))
    setting = DetectorSpec("PaDiM", "resnet18:random", 64, options={"n_components": 6})
    trials.run({str(e): replace(setting, options={"n_components": 6, "epsilon": e}) for e in (0.1, 0.2, 0.3)})
    assert sum(asked) == len(trials.normal.fit) + len(trials.tested)
    assert trials.network("resnet18:random").n_bytes == 0


def test_the_centre_is_the_middle_square_of_the_frame(videos, trials):
    held = trials._held(48, "centre").select(trials.tested)
    row = trials.tested.iloc[0]
    whole = read_frame(videos, row["clip"], int(row["frame"]))
    height, width = whole.shape[:2]
    assert width > height
    size = (48, round(48 * width / height))
    read = next(iter(FrameReader(videos, trials.tested.iloc[:1], size, 1, progress=False))).images
    left = (size[1] - 48) // 2
    np.testing.assert_array_equal(next(iter(held)).images[0], read[0, :, :, left : left + 48])
    with pytest.raises(ParameterError, match="view: expected one of whole, centre"):
        trials.run({"a": DetectorSpec("PaDiM", "resnet18:random", 64, view="left")})


@pytest.mark.parametrize("detector", ["PaDiM", "Prototypes"])
def test_a_head_sees_the_labelled_frames_of_the_other_clips_only(trials, detector):
    """By hand on each fold: features of the detector fitted on normal frames, and a regression on labelled ones."""
    name, options = ("resnet18:random", {"n_components": 6}) if detector == "PaDiM" else ("clip_vision:random", {})
    plain = DetectorSpec(detector, name, 64, options=options)
    scores = trials.run({"a": replace(plain, head={"grid": 2, "inverse_regularisation": 1.0})})["a"]
    assert list(scores) == ["head"]
    assert main_score(replace(plain, head={})) == "head"
    frames, network = trials._held(64), trials.network(name)
    fitted = trials.detector(plain).fit(frames.select(trials.normal.fit)) if detector == "PaDiM" else None

    def features(table):
        reader = frames.select(table)
        if fitted is None:
            return embed_frames(network, reader)
        return np.concatenate([pooled_heatmaps(fitted.heatmap(batch.images), 2) for batch in reader])

    for fold in trials.labelled.folds:
        assert not set(fold.fit["clip"]) & set(fold.test["clip"])
        head = SupervisedHead(1.0).fit_embeddings(features(fold.fit), fold.fit["label"].to_numpy())
        positions = trials.tested.index.get_indexer(fold.test.index)
        expected = head.score_embeddings(features(fold.test))["head"]
        np.testing.assert_allclose(scores["head"][positions], expected, rtol=1e-3, atol=1e-4)


def test_a_head_on_maps_by_scene_knows_the_scenes(trials):
    setting = DetectorSpec("Grad-CAM + SSIM", "resnet18:random", 64, options={"reference": "scene"}, head={"grid": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a frame without a scene is compared with all, with a warning
        found = trials.run({"scene": setting, "all": replace(setting, options={})})
    assert not np.allclose(found["scene"]["head"], found["all"]["head"])


def test_the_commonest_class_is_that_of_most_normal_frames(trials):
    logits = [trials.network("resnet18:random").logits(b.images) for b in trials._held(64).select(trials.normal.fit)]
    chosen = np.concatenate([part.argmax(dim=1) for part in logits])
    values, counts = np.unique(chosen, return_counts=True)
    assert trials.commonest_class("resnet18:random", 64) == values[counts.argmax()]


def test_a_frame_that_cannot_be_read_is_left_out_of_every_batch(videos, trials):
    reader = FrameReader(videos, trials.normal.test, (16, 16), 8, progress=False)
    held = KeptFrames(reader)
    held._read[3] = False
    selected = held.select(trials.normal.test)
    rows = np.concatenate([batch.rows for batch in selected])
    assert 3 not in rows
    assert len(rows) == len(trials.normal.test) - 1
    assert selected.skipped.tolist() == [3]
    with pytest.raises(ParameterError, match="not among the frames held"):
        held.select(trials.normal.fit)


def test_splits_that_test_on_other_frames_are_refused(videos, trials):
    other = draw(videos.frame_table(), "disjoint-clips", 8, 8, n_folds=2, **TESTING | {"seed": 2})
    with pytest.raises(ParameterError, match="same seed and test counts"):
        DetectorRunner(videos, trials.normal, other)


@pytest.mark.parametrize("name", ["resnet18", "resnet19:random", ":random"])
def test_a_network_that_is_none_is_named(trials, name):
    with pytest.raises(ParameterError, match="ARCHITECTURE:WEIGHTS"):
        trials.run({"a": DetectorSpec("PaDiM", name, 64)})


def test_what_is_not_on_this_machine_is_left_out_with_the_reason(trials):
    wanted, left_out = network_trials(
        trials,
        {"backbone": ["resnet18:random", "resnet18:no/such/file.pth"], "embedder": ["clip_vision:random"]},
        64,
        {"n_prototypes": 5},
    )
    assert list(wanted) == [
        "PaDiM, resnet18:random",
        "Grad-CAM + SSIM, resnet18:random",
        "SPADE, resnet18:random",
        "Prototypes, clip_vision:random",
    ]
    assert list(left_out) == ["resnet18:no/such/file.pth"]
    assert random_bases(wanted)["PaDiM, resnet18:random"] == "PaDiM, resnet18:random"


def make_scores(rng):
    labels = np.tile([0, 1], 40)
    scores = pd.DataFrame({"clip": np.repeat([f"c{i}" for i in range(8)], 10), "frame": range(80), "label": labels})
    scores["PaDiM, resnet18:random"] = rng.normal(size=80)
    scores["PaDiM, resnet18:bundled"] = labels + 0.1 * rng.normal(size=80)
    return scores


def test_gains_are_paired_differences_and_words_follow_from_them():
    scores = make_scores(np.random.default_rng(0))
    names = ["PaDiM, resnet18:random", "PaDiM, resnet18:bundled"]
    merit = compare_trials(scores, dict.fromkeys(names, names[0]), n_resamples=200)
    assert merit.loc[names[1], "estimate"] == auroc(scores["label"], scores[names[1]])
    assert merit.loc[names[0], "gain"] is None
    expected = bootstrap_difference(
        scores["label"], scores[names[1]], scores[names[0]], clusters=scores["clip"], n_resamples=200
    )
    assert merit.loc[names[1], "gain"] == expected
    wanted = {name: DetectorSpec("PaDiM", name.split(", ")[1]) for name in names}
    assert "Of 1 pairings" in trained_sentence(merit, wanted)
    assert "in 1 by more" in trained_sentence(merit, wanted)
    kinds = np.where(scores["label"] == 1, "appearance", "")
    table = table_of_trials(merit, scores, kinds, n_resamples=100)
    assert table.loc[names[0], "gain over random weights [95 %]"] == ""
    assert table.loc[names[1], "appearance only"].startswith(table.loc[names[1], "AUROC [95 %]"][:5])
    by_kind = gains_by_kind(scores, kinds, dict.fromkeys(names, names[0]), n_resamples=200)
    assert by_kind.loc[names[1], "appearance"] == expected
    assert undecided_sentence(merit, by_kind, wanted).startswith("Every pairing is raised")
    weak = merit.assign(gain=[None, Interval(0.1, -0.1, 0.2)])
    assert "PaDiM (+0.100 [-0.100, +0.200] in all; +0." in undecided_sentence(weak, by_kind, wanted)
    alone = np.where((scores["label"] == 1) & (scores["clip"] == "c0"), "motion", "")
    assert table_of_trials(merit, scores, alone, n_resamples=100)["motion only"].str.endswith("(one clip)").all()
    with pytest.raises(ParameterError, match="no column 'absent'"):
        compare_trials(scores, {names[0]: "absent"})

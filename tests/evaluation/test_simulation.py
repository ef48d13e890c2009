import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from vadlib.errors import ParameterError
from vadlib.evaluation import auroc
from vadlib.evaluation.simulation import ScoreModel, Shapes, draw_data_set


def label_table(n_clips=30, n_scenes=4, seed=0):
    """Clips of 40 to 120 frames with one event each, in scenes of unequal size."""
    rng = np.random.default_rng(seed)
    parts = []
    for i in range(n_clips):
        length = int(rng.integers(40, 121))
        start, stop = np.sort(rng.integers(0, length + 1, 2))
        label = (np.arange(length) >= start) & (np.arange(length) < stop)
        scene = min(int(rng.integers(0, 2 * n_scenes)), n_scenes - 1) if i >= n_scenes else i
        parts.append(
            pd.DataFrame({"clip": f"c{i:02d}", "scene": f"s{scene}", "frame": range(length), "label": label * 1})
        )
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def shapes():
    return Shapes.of_table(label_table())


def test_shapes_are_the_tables_whatever_the_order_of_its_rows():
    table = label_table()
    shapes, shuffled = (Shapes.of_table(t) for t in (table, table.sample(frac=1, random_state=0)))
    assert len(shapes.labels) == table["clip"].nunique()
    for (_, clip), labels, again in zip(table.groupby("clip"), shapes.labels, shuffled.labels, strict=True):
        np.testing.assert_array_equal(labels, clip["label"])
        np.testing.assert_array_equal(again, labels)
    anomalous, normal = shapes.frames_by_scene()
    np.testing.assert_array_equal(anomalous, table.groupby("scene")["label"].sum())
    np.testing.assert_array_equal(anomalous + normal, table.groupby("scene").size())
    assert Shapes.of_table(table.drop(columns="scene")).n_scenes == 1


def test_truth_is_that_of_a_very_large_sample(shapes):
    """The definition: draw very many clips once, pool their frames, count pairs."""
    rng = np.random.default_rng(0)
    strong = ScoreModel(shift=2.0, shift_sd=1.0, clip_sd=0.5, scene_sd=1.5, noise_correlation=0.3)
    large = draw_data_set(shapes, [ScoreModel(), strong], rng, n_clips=20_000)
    for scores, truth in zip(large.scores, large.truth, strict=True):
        assert auroc(large.labels, scores) == pytest.approx(truth, abs=0.006)
    assert large.truth[1] != pytest.approx(strong.auroc, abs=0.01)  # that of these scenes, not of all


def test_truth_over_scenes_is_that_of_very_many_scenes(shapes):
    many = Shapes(shapes.labels * 100, np.arange(100 * len(shapes.labels)) // 3)
    model = ScoreModel(scene_sd=1.0)
    large = draw_data_set(many, [model], np.random.default_rng(1), unit="scenes")
    assert large.truth[0] == model.auroc
    assert auroc(large.labels, large.scores[0]) == pytest.approx(model.auroc, abs=0.01)


def test_scores_have_the_stated_moments():
    shapes = Shapes((np.zeros(200, dtype=bool), np.ones(200, dtype=bool)), np.array([0, 0]))
    model = ScoreModel(shift=3.0, shift_sd=1.0, clip_sd=2.0, scene_sd=0.0, noise_correlation=0.9)
    data = draw_data_set(shapes, [model, model], np.random.default_rng(0), n_clips=4000, shared=0.6)
    clips = data.scores.reshape(2, 4000, 200)
    anomalous = data.labels.reshape(4000, 200)[:, 0]
    assert clips[0, ~anomalous].mean() == pytest.approx(0, abs=0.2)
    assert clips[0, anomalous].mean() == pytest.approx(3, abs=0.2)
    assert clips[0, ~anomalous][:, 0].var() == pytest.approx(1 + 4, rel=0.1)
    assert clips[0, anomalous][:, 7].var() == pytest.approx(1 + 4 + 1, rel=0.1)
    steps = np.diff(clips[0, ~anomalous], axis=1)
    assert steps.var() == pytest.approx(2 * (1 - 0.9), rel=0.05)  # of a process of variance 1 and correlation 0.9
    levels = clips[:, ~anomalous].mean(axis=2)
    assert np.corrcoef(levels)[0, 1] == pytest.approx(0.6, abs=0.05)


def test_scenes_are_drawn_whole(shapes):
    data = draw_data_set(shapes, [ScoreModel()], np.random.default_rng(3), unit="scenes")
    sizes = np.bincount(shapes.scenes, weights=[len(labels) for labels in shapes.labels])
    assert set(np.bincount(data.clusters)) <= set(sizes)


@pytest.mark.parametrize("target", [0.5, 0.7, 0.97])
def test_a_model_with_a_wanted_auroc(target):
    model = ScoreModel(scene_sd=0.7).with_auroc(target)
    assert model.auroc == pytest.approx(target)
    alone = ScoreModel(shift_sd=0, clip_sd=0, scene_sd=0).with_auroc(target)
    assert alone.shift == pytest.approx(np.sqrt(2) * norm.ppf(target))  # the textbook's binormal case
    effects = np.array([0.0, 0.0])
    assert alone.auroc_given_scenes(effects, np.array([3, 1]), np.array([1, 2])) == pytest.approx(target)


def test_bad_models_and_designs(shapes):
    rng = np.random.default_rng(0)
    with pytest.raises(ParameterError, match="clip_sd is a standard deviation, at least 0; got -1"):
        ScoreModel(clip_sd=-1)
    with pytest.raises(ParameterError, match=r"noise_correlation must lie in \[0, 1\)"):
        ScoreModel(noise_correlation=1.0)
    with pytest.raises(ParameterError, match=r"auroc must lie in \(0, 1\)"):
        ScoreModel().with_auroc(1.0)
    with pytest.raises(ParameterError, match="unit must be one of clips, scenes"):
        draw_data_set(shapes, [ScoreModel()], rng, unit="frames")
    with pytest.raises(ParameterError, match="n_clips must be at least 2"):
        draw_data_set(shapes, [ScoreModel()], rng, n_clips=1)
    with pytest.raises(ParameterError, match=r"no column \['label'\]"):
        Shapes.of_table(pd.DataFrame({"clip": ["a"]}))
    with pytest.raises(ParameterError, match="with frames of both"):
        Shapes.of_table(pd.DataFrame({"clip": ["a", "b"], "label": [0, 0]}))

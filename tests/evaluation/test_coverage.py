import re

import numpy as np
import pandas as pd
import pytest

from vadlib.errors import ParameterError
from vadlib.evaluation import ScoreModel, Shapes, bootstrap_auroc, coverage, coverage_study, delong_auroc
from vadlib.evaluation.simulation import draw_data_set


@pytest.fixture(scope="module")
def shapes():
    """Thirty short clips with an event each, in seven scenes."""
    rng = np.random.default_rng(0)
    edges = np.sort(rng.integers(0, 41, (30, 2)), axis=1)
    labels = (np.arange(40) >= edges[:, :1]) & (np.arange(40) < edges[:, 1:])
    return Shapes(tuple(labels), np.arange(30) % 7)


@pytest.fixture(scope="module")
def as_table(shapes):
    parts = [
        pd.DataFrame({"clip": i, "scene": shapes.scenes[i], "frame": range(40), "label": labels * 1})
        for i, labels in enumerate(shapes.labels)
    ]
    return pd.concat(parts)


def test_counts_are_those_of_the_intervals_one_by_one(shapes):
    model, rng = ScoreModel(), np.random.default_rng(4)
    table = coverage(shapes, model, n_clips=8, n_data_sets=20, n_resamples=60, seed=4)
    held, widths, below = {"studentized": 0, "percentile": 0, "delong": 0}, [], 0
    for i in range(20):
        data = draw_data_set(shapes, [model], rng, n_clips=8)
        labels, scores, truth = data.labels, data.scores[0], data.truth[0]
        for method in ("studentized", "percentile"):
            found = bootstrap_auroc(labels, scores, clusters=data.clusters, n_resamples=60, seed=i, method=method)
            held[method] += found.low <= truth <= found.high
        widths.append(found.high - found.low)
        below += truth < found.low
        delong = delong_auroc(labels, scores)
        held["delong"] += delong.low <= truth <= delong.high
    for method, count in held.items():
        assert table.loc[method, "coverage"] == pytest.approx(count / 20)
    assert table.loc["percentile", "width"] == pytest.approx(np.median(widths))
    assert table.loc["percentile", "truth_below"] == pytest.approx(below / 20)


def test_the_interval_in_use_covers_and_the_others_do_not(shapes):
    """The small version of what `coverage_study` does; the bounds are about three Monte-Carlo errors wide."""
    table = coverage(shapes, ScoreModel().with_auroc(0.7), n_clips=12, n_data_sets=500, n_resamples=300)
    assert 0.92 < table.loc["studentized", "coverage"] < 0.98
    assert table.loc["delong", "coverage"] < 0.7
    assert table.loc["percentile", "coverage"] < table.loc["studentized", "coverage"] - 0.01
    assert table.loc["studentized", "standard_error"] == pytest.approx(0.01, abs=0.003)
    strong = coverage(shapes, ScoreModel().with_auroc(0.95), n_clips=24, n_data_sets=200, n_resamples=300)
    assert strong.loc["studentized", "coverage"] > 0.91
    assert strong.loc["percentile", "coverage"] < 0.90


def test_the_interval_of_a_difference_covers(shapes):
    model = ScoreModel().with_auroc(0.7)
    table = coverage(shapes, model, against=ScoreModel().with_auroc(0.8), n_clips=12, n_data_sets=300, n_resamples=300)
    assert 0.92 < table.loc["studentized", "coverage"] < 0.985
    assert table.loc["studentized", "truth"] == pytest.approx(-0.1, abs=0.02)
    assert "delong" not in table.index


def test_without_clip_effects_delong_covers_too():
    """The check of the check: on frames that are independent, one a clip, DeLong's interval is right."""
    singles = Shapes(tuple(np.array([label]) for label in [True, False] * 40), np.zeros(80, dtype=int))
    model = ScoreModel(shift_sd=0, clip_sd=0, scene_sd=0, noise_correlation=0).with_auroc(0.7)
    table = coverage(singles, model, n_data_sets=400, n_resamples=10)  # only DeLong is looked at
    assert 0.91 < table.loc["delong", "coverage"] < 0.98


def test_study_has_a_row_for_every_design_and_method(as_table):
    table = coverage_study(
        as_table, n_clips=(None, 6, 30), aurocs=(0.6,), n_data_sets=3, n_resamples=20, progress=False
    )
    designs = table.groupby(["quantity", "unit", "n_units"])["method"].apply(len).to_dict()
    assert designs == {
        ("AUROC", "clips", 30): 5,
        ("AUROC", "clips", 6): 5,
        ("AUROC", "scenes", 7): 5,
        ("difference", "clips", 30): 4,
        ("difference", "clips", 6): 4,
    }
    assert table["coverage"].between(0, 1).all()


def test_bad_studies(shapes):
    with pytest.raises(ParameterError, match="n_data_sets must be at least 1"):
        coverage(shapes, ScoreModel(), n_data_sets=0)
    with pytest.raises(ParameterError, match="level must lie between 0 and 1"):
        coverage(shapes, ScoreModel(), level=95)
    with pytest.raises(ParameterError, match=re.escape("unit must be one of clips, scenes")):
        coverage(shapes, ScoreModel(), unit="frames")


@pytest.mark.long
def test_coverage_on_the_labels_of_shanghaitech(shared_data):
    """107 clips and 12 scenes as they are: the interval in use holds the truth in 93 to 97 of 100 data sets."""
    folder = shared_data / "shanghaitech" / "testing" / "test_frame_mask"
    masks = {path.stem: np.load(path) for path in sorted(folder.glob("*.npy"))}
    parts = [pd.DataFrame({"clip": n, "scene": n[:2], "frame": range(len(m)), "label": m}) for n, m in masks.items()]
    table = coverage(Shapes.of_table(pd.concat(parts)), ScoreModel().with_auroc(0.7), n_data_sets=600)
    assert 0.93 <= table.loc["studentized", "coverage"] <= 0.97
    assert table.loc["delong", "coverage"] < 0.4

"""What is varied differs in one thing, nothing runs twice, and words and ranks follow from the numbers."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from vadlib.errors import ParameterError
from vadlib.evaluation import Interval, auroc, bootstrap_difference
from vadlib.report.study_tables import effect_table, merit_rows, span_table, table_of_choices
from vadlib.report.words.studies import beyond_chance_sentence, effect_sentence, importance_sentence, luck_sentence
from vadlib.runs.results import plain
from vadlib.studies.ablation import LUCK, ablation_settings, choice_title, default_text, default_value, rank_choices
from vadlib.studies.runner import DetectorSpec, compare_trials

PADIM = DetectorSpec("PaDiM", "resnet18:random", 64, options={"n_components": 20})
PROTOTYPES = DetectorSpec("Prototypes", "clip_vision:random", 64, options={"k": 8})
DEFAULTS = {"PaDiM": PADIM, "Prototypes": PROTOTYPES}


def test_each_setting_differs_from_the_default_in_one_thing():
    settings = ablation_settings(
        DEFAULTS,
        {
            "PaDiM": {
                "score": ["mean", "max"],
                "layers": ["layer1", "layer1 layer2 layer3", ["layer1"]],
                "epsilon": [0.01, 0.1],
                "image_size": [64, 96],
                "n_fit": [4],
                "n_components": [20, 10],
            },
            "Prototypes": {"weights": ["1 1 1", "2 1 1"], "mode": ["one-class"], "view": ["centre"], "seed": [1]},
        },
    )
    assert list(settings) == [
        "PaDiM",
        "PaDiM, frame score: mean",
        "PaDiM, layers: 1",
        "PaDiM, epsilon: 0.1",
        "PaDiM, picture size: 96 px",
        "PaDiM, frames fitted: 4",
        "PaDiM, dimensions: 10",
        "Prototypes",
        "Prototypes, ensemble's weights: 2 : 1 : 1",
        "Prototypes, classes learnt: one-class",
        "Prototypes, part of the frame: centre",
        "Prototypes, luck of the draw: seed 1",
    ]
    trials = {name: setting.trial for name, setting in settings.items()}
    assert trials["PaDiM"] == PADIM
    assert trials["PaDiM, frame score: mean"] == PADIM  # the same run, read by another score
    assert trials["PaDiM, frame score: mean"].score == "mean"
    assert trials["PaDiM, layers: 1"] == replace(PADIM, options={"n_components": 20, "layers": ("layer1",)})
    assert trials["PaDiM, picture size: 96 px"] == replace(PADIM, image_size=96)
    assert trials["PaDiM, frames fitted: 4"] == replace(PADIM, n_fit=4)
    assert trials["Prototypes, part of the frame: centre"] == replace(PROTOTYPES, view="centre")
    weighted = trials["Prototypes, ensemble's weights: 2 : 1 : 1"]
    assert weighted.options == {"k": 8, "weights": (2.0, 1.0, 1.0)}
    assert {settings[name].base for name in settings if name.startswith("PaDiM")} == {"PaDiM"}


def test_defaults_are_the_trials_or_the_detectors_own():
    assert default_value(PADIM, "score") == "max"
    assert default_value(PADIM, "n_components") == 20
    assert default_value(PADIM, "epsilon") == 0.01
    assert default_value(PADIM, "layers") == ("layer1", "layer2", "layer3")
    assert default_value(PROTOTYPES, "top_k") == 5
    settings = ablation_settings({"Grad-CAM + SSIM": DetectorSpec("Grad-CAM + SSIM", "resnet18:random")}, {})
    texts = {"size of maps": "as the frames", "class explained": "top1", "layers": "2, 3, 4", "picture size": "224 px"}
    assert {choice: default_text(settings["Grad-CAM + SSIM"], choice) for choice in texts} == texts
    assert default_text(settings["Grad-CAM + SSIM"], "frames fitted") == "all held"


def test_what_cannot_be_varied_is_named():
    with pytest.raises(ParameterError, match="varied: PaDiM has no 'gamma'; it has network, n_components"):
        ablation_settings(DEFAULTS, {"PaDiM": {"gamma": [1]}})
    with pytest.raises(ParameterError, match="varied: PaDiM has no 'top_k'"):
        ablation_settings(DEFAULTS, {"PaDiM": {"top_k": [1]}})
    with pytest.raises(ParameterError, match="no default of 'SPADE'"):
        ablation_settings(DEFAULTS, {"SPADE": {"k": [1]}})


@pytest.fixture
def settings():
    varied = {"PaDiM": {"score": ["mean", "top1%"], "epsilon": [0.1], "seed": [1]}, "Prototypes": {"k": [2, 4]}}
    return ablation_settings(DEFAULTS, varied)


def make_scores(settings, signal, seed=0):
    """Forty clips of ten frames; a setting's score is the label times its signal, and noise."""
    rng = np.random.default_rng(seed)
    labels = np.tile([0, 1], 200)
    scores = pd.DataFrame({"clip": np.repeat([f"c{i}" for i in range(40)], 10), "frame": range(400), "label": labels})
    noise = rng.normal(size=400)
    for name in settings:
        scores[name] = signal.get(name, 1.0) * labels + noise + 0.01 * rng.normal(size=400)
    return scores


def judged(settings, signal, n_resamples=200):
    scores = make_scores(settings, signal)
    merit = compare_trials(scores, {name: s.base for name, s in settings.items()}, n_resamples=n_resamples)
    return scores, merit, rank_choices(scores, settings, merit, n_resamples=n_resamples)


def test_choices_are_ranked_by_the_range_of_their_settings(settings):
    scores, _, ranked = judged(settings, {"PaDiM, frame score: mean": 4.0, "PaDiM, epsilon: 0.1": 1.5})
    assert ranked[["detector", "choice"]].apply(tuple, axis=1).tolist()[0] == ("PaDiM", "frame score")
    assert len(ranked) == 4
    for row in ranked.itertuples():
        names = ["PaDiM" if row.detector == "PaDiM" else "Prototypes"]
        names += [n for n, s in settings.items() if (s.detector, s.choice) == (row.detector, row.choice)]
        values = {name: auroc(scores["label"], scores[name]) for name in names}
        assert row.n_settings == len(names)
        assert (row.best, row.worst) == (max(values, key=values.get), min(values, key=values.get))
        assert row.highest == max(values.values())
        assert row.lowest == min(values.values())
        assert row.base == values[names[0]]
        expected = bootstrap_difference(
            scores["label"], scores[row.best], scores[row.worst], clusters=scores["clip"], n_resamples=200
        )
        assert row.span == expected
        assert row.span.estimate == pytest.approx(row.highest - row.lowest)
    spans = ranked["highest"] - ranked["lowest"]
    assert (spans.diff().dropna() <= 0).all()


def test_the_corrected_interval_is_bonferronis_over_all_pairs(settings):
    _, _, ranked = judged(settings, {"PaDiM, frame score: mean": 4.0})
    n_pairs = sum(len(list(combinations(range(n), 2))) for n in ranked["n_settings"])
    assert n_pairs == 3 + 1 + 1 + 3
    for row in ranked.itertuples():
        assert row.corrected.level == pytest.approx(1 - 0.05 / n_pairs)
        assert row.corrected.estimate == row.span.estimate
    first = ranked.iloc[0]
    assert first["corrected"].high - first["corrected"].low > first["span"].high - first["span"].low


def test_words_follow_from_the_intervals(settings):
    _, merit, ranked = judged(settings, {"PaDiM, frame score: mean": 4.0})
    words = importance_sentence(ranked, settings)
    assert words.startswith("The choice that moves the AUROC most is “frame score” (PaDiM): from ")
    assert f"to {ranked.iloc[0]['highest']:.3f} with mean" in words
    assert "even after a correction" in words
    alone = ranked.copy()
    alone.at[0, "corrected"] = Interval(0.2, -0.1, 0.4)
    assert "taken alone; corrected for having looked" in importance_sentence(alone, settings)
    alone.at[0, "span"] = Interval(0.2, -0.01, 0.4)
    assert "holds zero" in importance_sentence(alone, settings)
    gains = [row.gain for row in merit.itertuples() if row.gain is not None]
    n_better = sum(g.low > 0 for g in gains)
    assert f"{n_better} raise the AUROC" in beyond_chance_sentence(merit, settings)
    assert "Of 5 settings" in beyond_chance_sentence(merit, settings)  # the seed's is none


def test_luck_is_a_yardstick_and_never_the_answer(settings):
    _, _, ranked = judged(settings, {"PaDiM, luck of the draw: seed 1": -3.0})
    assert ranked.iloc[0]["choice"] == "luck of the draw"
    assert "luck" not in importance_sentence(ranked[ranked["choice"] != LUCK], settings)
    assert f"moves the AUROC of PaDiM by {ranked.iloc[0]['span'].estimate:.3f}." in luck_sentence(ranked)
    assert luck_sentence(ranked.iloc[1:]) == "No seed was varied."


def test_tables_hold_every_setting(settings):
    _, merit, ranked = judged(settings, {"PaDiM, frame score: mean": 4.0, "PaDiM, epsilon: 0.1": 0.2})
    effects = effect_table(merit, settings)
    assert effects["label"].tolist() == ["mean", "top1%", "0.1", "seed 1", "2", "4"]
    assert effects["estimate"].tolist() == [merit.loc[n, "gain"].estimate for n, s in settings.items() if s.choice]
    spans = span_table(ranked, settings, merit)
    assert len(spans.loc["PaDiM: frame score", "values"]) == 3
    assert spans.loc["PaDiM: frame score", "values"].max() == ranked.iloc[0]["highest"]
    assert merit_rows(merit.loc[["PaDiM", "Prototypes"]], settings)["colour"].tolist() == ["#009E73", "#CC79A7"]
    table = table_of_choices(ranked.to_dict("records"), settings)
    assert table.loc["PaDiM: epsilon", "lowest AUROC"].endswith(", 0.1")
    assert table.loc["PaDiM: epsilon", "highest AUROC"].endswith(", 0.01 (default)")


def test_recorded_choices_are_those_of_the_metrics(settings):
    _, _, ranked = judged(settings, {"PaDiM, frame score: mean": 4.0})
    entries = plain(ranked.to_dict("records"), "choices")
    table = table_of_choices(entries, n=1)
    assert list(table.index) == ["PaDiM: frame score"]
    assert table["lowest AUROC"].iloc[0] == f"{ranked['lowest'].iloc[0]:.3f}"
    assert table["difference [95 %]"].iloc[0] == effect_sentence(ranked, "PaDiM", "frame score")
    assert len(table_of_choices(entries)) == len(table_of_choices(entries, n=9)) + 1  # luck
    assert effect_sentence(ranked, "PaDiM", "colour") == "not varied in this build"


def test_nothing_varied_is_an_error():
    settings = ablation_settings(DEFAULTS, {})
    scores = make_scores(settings, {})
    merit = compare_trials(scores, {name: s.base for name, s in settings.items()}, n_resamples=20)
    with pytest.raises(ParameterError, match="nothing is varied"):
        rank_choices(scores, settings, merit)


def test_an_argument_goes_by_what_it_counts_in_its_detector():
    assert choice_title("SPADE", "k") == "number of neighbours"
    assert choice_title("Prototypes", "k") == "number of prototypes"
    assert choice_title("PaDiM", "n_components") == "dimensions"

"""Tables that several chapters show, from results made up so that their contents are known."""

from types import SimpleNamespace

import pandas as pd
import pytest

from vadlib.errors import ResultsError
from vadlib.evaluation import Interval
from vadlib.report import load_paper_values
from vadlib.report.tables import (
    blind_ticks,
    compare_detectors,
    cost_table,
    frame_scores_of,
    frames_used,
    table_of_merit,
    whole_workload,
)

LOCATED = {name: {"estimate": 0.25, "low": 0.2, "high": 0.3} for name in ("pixel_auroc", "pointing", "mask_share")}


def result(scores, *, stages, metrics, **run):
    table = pd.DataFrame({"clip": ["a", "a", "b"], "frame": [0, 1, 0], "label": [0, 1, 1], "scene": "s"} | scores)
    run = {"stages": {name: {"seconds": s} for name, s in stages.items()}, "peak_host_bytes": 2_500_000_000} | run
    return SimpleNamespace(scores=table, metrics={"n_frames": 3, "n_anomalous": 2} | metrics, run=run, path=None)


@pytest.fixture
def results():
    return {
        "02_padim": result(
            {"max": [1.0, 2, 3]}, stages={"fit": 8, "score": 6}, parameters={"frame_score": "max"},
            metrics={"n_fit_frames": 4, "n_parameters": 11_200_000, "localisation": LOCATED},
        ),
        "03_gradcam_ssim": result(
            {"ssim": [1.0, 2, 3], "knn": [3.0, 2, 1]},
            stages={"fit": 1, "score": 3, "fit SPADE": 2, "score SPADE": 9},
            metrics={"n_fit_frames": 2, "n_parameters": 11_700_000, "localisation": {"ssim": LOCATED, "knn": None}},
        ),
        "04_clip_prototypes": result(
            {"ensemble": [0.0, 0, 1], "one_class_ensemble": [0.5, 0, 1]},
            stages={"fit and score": 5, "embed without cache": 4}, n_timed=8,
            metrics={"n_fit_frames": 6, "n_fit_anomalous": 3, "n_parameters": 5_000_000},
        ),
    }  # fmt: skip


def by_short_name(results):
    return dict(zip(("padim", "gradcam", "clip"), results.values(), strict=True))


def test_scores_of_all_detectors_are_joined_by_clip_and_frame(results):
    shuffled = results["03_gradcam_ssim"].scores.iloc[[2, 0, 1]]
    results["03_gradcam_ssim"].scores = shuffled[shuffled["clip"] == "a"]
    scores, detectors = frame_scores_of(results)
    assert scores[["clip", "frame", "Grad-CAM + SSIM", "SPADE", "PaDiM"]].to_numpy().tolist() == [
        ["a", 0, 1.0, 3.0, 1.0],
        ["a", 1, 2.0, 2.0, 2.0],
    ]
    assert detectors == list(scores.columns[4:])
    results["03_gradcam_ssim"].scores = shuffled.assign(frame=[7, 8, 9])
    results["02_padim"].path = SimpleNamespace(parent="somewhere")
    with pytest.raises(ResultsError, match="no test frame in common"):
        frame_scores_of(results)


def test_costs_are_seconds_over_frames(results):
    names = ("PaDiM", "Grad-CAM + SSIM", "SPADE", "Prototypes")
    table = cost_table(dict.fromkeys(names, Interval(0.6, 0.5, 0.7)), by_short_name(results), load_paper_values())
    assert table.loc["a frame, ms"].tolist() == ["2000", "1000", "3000", "500"]
    assert table.loc["fit, s"].tolist() == ["8.0", "1.0", "2.0", "8.0"]  # the last: 5 s and six frames embedded
    assert table.loc["AUROC, paper"].tolist() == ["0.603", "0.509", "none", "0.797"]
    assert table.loc["hottest pixel in the mask [95 %]"].tolist() == [
        "0.25 [0.20, 0.30]", "0.25 [0.20, 0.30]", "no masks", "no heatmap",
    ]  # fmt: skip


def test_workload_is_the_papers_frames_at_the_measured_rates(results):
    minutes = whole_workload(results)["minutes"]
    assert minutes["PaDiM"] == pytest.approx((2000 * 2 + 8000 * 2) / 60)
    assert minutes["Grad-CAM + SSIM"] == pytest.approx((100 * 1 + 8000 * 1) / 60)
    assert minutes["Prototypes"] == pytest.approx((4000 * 8 / 6 + 8000 * 0.5) / 60)


def test_blind_ticks_are_those_that_a_protocol_allows():
    names = ("middle", "position", "clip_rate_oracle", "nearest_fit_label_same_clips")
    metrics = {"blind": {name: {"micro_auroc_interval": {"estimate": i / 10}} for i, name in enumerate(names)}}
    assert blind_ticks(metrics, "") == [0.1, 0.0]  # no scene here, and no oracle ever
    assert blind_ticks(metrics, "same-clips") == [0.1, 0.0, 0.3]
    assert blind_ticks(metrics, "reused-frames") == [0.1, 0.0]


def test_frames_used_stand_beside_the_papers(results):
    names = ("PaDiM", "Grad-CAM + SSIM", "Prototypes")
    table = frames_used(dict(zip(names, results.values(), strict=True)), load_paper_values())
    assert table["training frames, paper"].tolist() == ["2,000", "100", "4,000"]
    assert table["training frames, here"].tolist() == [
        "4 (normal only)", "2 (normal only)", "6 (3 of them anomalous)",
    ]  # fmt: skip


def test_verdicts_are_those_of_the_comparison():
    row = {"low": -0.1, "high": 0.3, "p_adjusted": 0.5, "better": ""}
    rows = [{"a": "a", "b": "b", "estimate": 0.1, **row}, {"a": "a", "b": "c", "estimate": -0.2, **row, "better": "c"}]
    table = compare_detectors(pd.DataFrame(rows))
    assert table["what it tells"].tolist() == ["cannot be told apart", "c has the higher AUROC"]
    assert table.loc["a - b", "difference of AUROC [95 %]"] == "+0.100 [-0.100, +0.300]"


def test_merits_name_what_is_missing():
    summary = {"macro_auroc": None, "average_precision": 0.5, "eer": 0.25, "fpr_at_95_tpr": 1.0}
    table = table_of_merit({"max": Interval(0.6, 0.5, 0.7)}, {"max": summary}, names={"max": "maximum"})
    assert table.loc["maximum"].tolist() == ["0.600 [0.500, 0.700]", "none", "0.500", "0.250", "1.000"]

"""Tables that several chapters show, from results made up so that their contents are known."""

from types import SimpleNamespace

import pandas as pd
import pytest

from vadlib.detectors import catalogue
from vadlib.evaluation import Interval
from vadlib.report import load_paper_values, stated_aurocs
from vadlib.report.study_tables import leakage_table, operation_table, processing_table, units_table
from vadlib.report.tables import (
    blind_ticks,
    cost_table,
    forest_rows,
    frames_used,
    grouped_rows,
    pairs_table,
    rows_of_intervals,
    stated_lines,
    table_of_merit,
    whole_workload,
)

LOCATED = {name: {"estimate": 0.25, "low": 0.2, "high": 0.3} for name in ("pixel_auroc", "pointing", "mask_share")}
INTERVAL = Interval(0.6, 0.5, 0.7)


def result(fit_s, frame_s, n_fit, located=None, **more):
    metrics = {"n_frames": 3, "n_anomalous": 2, "n_parameters": 11_200_000, "localisation": located}
    costs = {"fit_seconds": fit_s, "frame_seconds": frame_s, "n_fit_frames": n_fit}
    run = {"peak_host_bytes": 2_500_000_000, "parameters": {"protocol": "disjoint-clips"}}
    return SimpleNamespace(metrics={**metrics, **costs, **more}, run=run)


@pytest.fixture
def detectors():
    aurocs = {name: {"micro_auroc_interval": {"estimate": 0.9, "low": 0.8, "high": 1.0}} for name in ("same-clips",)}
    aurocs["disjoint-clips"] = {"micro_auroc_interval": {"estimate": 0.6, "low": 0.5, "high": 0.7}}
    return {
        "PaDiM": result(8, 2, 4, LOCATED),
        "Grad-CAM + SSIM": result(1, 1, 2, LOCATED),
        "SPADE": result(2, 3, 4),
        "Prototypes": result(8, 0.5, 6, n_fit_anomalous=3, by_protocol=aurocs),
    }


def test_costs_are_those_of_every_detector(detectors):
    table = cost_table(dict.fromkeys(detectors, INTERVAL), detectors, load_paper_values())
    assert table.loc["a frame, ms"].tolist() == ["2000", "1000", "3000", "500"]
    assert table.loc["fit, s"].tolist() == ["8.0", "1.0", "2.0", "8.0"]
    assert table.loc["AUROC, paper"].tolist() == ["0.603", "0.509", "none", "0.797"]
    assert table.loc["hottest pixel in the mask [95 %]"].tolist() == [
        "0.25 [0.20, 0.30]", "0.25 [0.20, 0.30]", "no masks", "no heatmap",
    ]  # fmt: skip
    del detectors["SPADE"].metrics["fit_seconds"]
    assert cost_table({"SPADE": INTERVAL}, {"SPADE": detectors["SPADE"]}, {}).loc["fit, s"].tolist() == ["not timed"]


def test_workload_is_the_papers_frames_at_the_measured_rates(detectors):
    minutes = whole_workload(detectors, load_paper_values())["minutes"]
    assert minutes["PaDiM"] == pytest.approx((2000 * 2 + 8000 * 2) / 60)
    assert minutes["Grad-CAM + SSIM"] == pytest.approx((100 * 1 + 8000 * 1) / 60)
    assert minutes["Prototypes"] == pytest.approx((4000 * 8 / 6 + 8000 * 0.5) / 60)
    assert "SPADE" not in minutes  # the paper has none


def test_frames_used_stand_beside_the_papers(detectors):
    table = frames_used(detectors, load_paper_values())
    assert table["training frames, paper"].tolist() == ["2,000", "100", "4,000"]
    assert table["training frames, here"].tolist() == [
        "4 (normal only)", "2 (normal only)", "6 (3 of them anomalous)",
    ]  # fmt: skip


def test_blind_ticks_are_those_that_a_protocol_allows():
    names = ("middle", "position", "clip_rate_oracle", "nearest_fit_label_same_clips")
    scores = {name: {"micro_auroc_interval": {"estimate": i / 10}} for i, name in enumerate(names)}
    assert blind_ticks(scores, "") == [0.1, 0.0]  # no scene here, and no oracle ever
    assert blind_ticks(scores, "same-clips") == [0.1, 0.0, 0.3]
    assert blind_ticks(scores, "reused-frames") == [0.1, 0.0]


def test_a_detector_that_sees_labels_has_a_row_for_each_protocol(detectors):
    intervals = dict.fromkeys(("PaDiM", "One-class prototypes", "Prototypes"), INTERVAL)
    rows = forest_rows(intervals, detectors, load_paper_values(), {})
    assert rows.index.tolist() == [
        "PaDiM", "One-class prototypes", "Prototypes,\ndisjoint-clips", "Prototypes,\nsame-clips",
    ]  # fmt: skip
    assert rows["estimate"].tolist() == [0.6, 0.6, 0.6, 0.9]
    assert rows["paper"].fillna(0).tolist() == [0.603, 0, 0.797, 0]  # the paper's one number is at its one row
    assert rows["colour"].iloc[2] == rows["colour"].iloc[3] == catalogue.entry("Prototypes").colour


def test_rows_of_figures_keep_names_and_colours():
    rows = rows_of_intervals({"a": INTERVAL}, "grey", names={"a": "the first"})
    assert rows.loc["the first", ["estimate", "low", "high", "colour", "note"]].tolist() == [
        0.6, 0.5, 0.7, "grey", "0.600",
    ]  # fmt: skip
    grouped = grouped_rows({"x": {"a": INTERVAL, "b": INTERVAL}, "y": {"a": INTERVAL}}, {"a": "red"})
    assert grouped[["group", "label"]].to_numpy().tolist() == [["x", "a"], ["x", "b"], ["y", "a"]]
    assert grouped["colour"].tolist()[::2] == ["red", "red"]
    assert stated_aurocs() == {"PaDiM": 0.603, "Grad-CAM + SSIM": 0.509, "Prototypes": 0.797}
    assert stated_lines({"PaDiM": 0.603}) == {"paper, PaDiM: 0.603": (0.603, catalogue.entry("PaDiM").colour)}


def test_verdicts_are_those_of_the_comparison():
    row = {"low": -0.1, "high": 0.3, "p_adjusted": 0.5, "better": ""}
    rows = [{"a": "a", "b": "b", "estimate": 0.1, **row}, {"a": "a", "b": "c", "estimate": -0.2, **row, "better": "c"}]
    table = pairs_table(pd.DataFrame(rows))
    assert table["what it tells"].tolist() == ["cannot be told apart", "c has the higher AUROC"]
    assert table.loc["a - b", "difference of AUROC [95 %]"] == "+0.100 [-0.100, +0.300]"


def test_tables_of_studies_say_what_is_lacking():
    shares = ("share_in_shared_clips", "share_within_1_s", "share_reused", "share_in_shared_scenes")
    report = dict.fromkeys(shares, 0.25) | {"n_folds": 1, "n_test_frames": 8, "n_shared_clips": 0, "n_test_clips": 2}
    report |= {"median_distance_frames": None, "near_duplicates": {"share": 0.5}}
    split = SimpleNamespace(folds=[SimpleNamespace(fit=[0] * 1200)])
    column = leakage_table({"p": report}, {"p": split})["p"]
    assert column["fit frames, each fold"] == "1,200"
    assert column["frames to the nearest fit frame, median"] == "none in the clip"
    assert column["near duplicates"] == "50%"
    units = units_table({"a": {"frames": INTERVAL, "clips": INTERVAL, "scenes": None}}, {})
    assert units.loc["a"].tolist() == [
        "0.600 [0.500, 0.700]", "0.600 [0.500, 0.700]", "too few scenes", "no draw, or not varied",
    ]  # fmt: skip
    assert processing_table({"a": {"micro": 0.6, "macro": None}}).loc["a"].tolist() == ["0.600", "none"]
    cost = {
        "share": 0.25,
        "here": 0.5,
        "rare": 0.1,
        "false_alarm_minutes_per_hour": 18.2,
        "false_alarms_per_hour": 12.4,
    }
    table = operation_table({"a": cost}, 0.01)
    assert table.loc["a", "average precision, 1% anomalous"] == "0.100"
    assert table.loc["a", "false alarms in that hour"] == "12"
    assert table.loc["a", "minutes of false alarm per hour of normal video"] == "18"


def test_merits_name_what_is_missing():
    summary = {"macro_auroc": None, "average_precision": 0.5, "eer": 0.25, "fpr_at_95_tpr": 1.0}
    table = table_of_merit({"max": Interval(0.6, 0.5, 0.7)}, {"max": summary}, names={"max": "maximum"})
    assert table.loc["maximum"].tolist() == ["0.600 [0.500, 0.700]", "none", "0.500", "0.250", "1.000"]

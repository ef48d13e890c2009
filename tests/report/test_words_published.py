"""What is said of the published tables follows from what was measured, or recorded."""

import json
import re

import numpy as np
import published_tables as made
import pytest

from vadlib.data import open_dataset
from vadlib.report.records.recorded import recorded_or_none
from vadlib.report.words import published as words
from vadlib.runs.results import plain
from vadlib.studies.shanghaitech import measure_published_tables


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    videos = open_dataset("shanghaitech-published", made.write_tables(tmp_path_factory.mktemp("tables")))
    measured = plain(measure_published_tables(videos, seeds=[0, 1], **made.SIZES), "found")
    return json.loads(json.dumps(measured, allow_nan=False))  # as a record has it


@pytest.fixture(scope="module")
def record():
    there = recorded_or_none("shanghaitech-published-29_shanghaitech")
    if there is None:
        pytest.skip("nothing is recorded of the published tables")
    return there.metrics


def numbers(text):
    return [float(number) for number in re.findall(r"\d\.\d+", text)]


def test_groups_hold_what_was_measured(found):
    groups = words.answer_groups(found)
    paper, run, described, normal, blind = groups.values()
    assert paper["PaDiM"].estimate == found["paper"]["padim"]["frames"]["estimate"]
    assert paper["Prototypes"].estimate == found["paper"]["fused_score"]["frames"]["estimate"]
    of_run = found["as_run"]["disjoint-clips"]["scores"]["weighted"]["micro_auroc_interval"]
    assert vars(run["as run, disjoint-clips"]) == of_run
    assert list(described) == list(found["captions"])
    assert normal["STG-NF"].estimate == found["scores"]["stg_nf"]["micro_auroc"]
    assert len(normal) == 5
    assert blind["nearness to the clip's middle"].estimate == found["scores"]["middle"]["micro_auroc"]


def test_the_table_of_captions_has_a_row_a_protocol(found):
    table = words.captions_table(found)
    assert len(table) == len(found["captions"]) + len(found["as_run"])
    row, entry = table.loc["as run, same-clips"], found["as_run"]["same-clips"]
    assert numbers(row["AUROC, over clips"])[0] == pytest.approx(entry["by_seed"]["0"], abs=5e-4)
    assert numbers(row["2 seeds"]) == pytest.approx(sorted(entry["by_seed"].values()), abs=5e-4)
    assert row["captions fitted on word for word"] == f"{entry['share_seen']:.0%}"
    assert row["less than same-clips"] == ""
    assert "mean" in row["its single scores"]
    assert "mean" not in table.loc["as described, same-clips", "its single scores"]
    lost = found["captions"]["disjoint-scenes"]["same_clips_minus_this"]
    shown = re.findall(r"-?\d\.\d+", table.loc["as described, disjoint-scenes", "less than same-clips"])
    assert [float(value) for value in shown] == pytest.approx(
        [lost[name] for name in ("estimate", "low", "high")], abs=5e-4
    )


def test_kinds_and_scenes_are_shown_by_score(found):
    kinds = words.kinds_table(found)
    assert set(kinds.index) == {"running", "vehicle"}
    assert kinds.loc["running", "frames in clips"] == "40 in 4"
    assert kinds.loc["running", "STG-NF"] == f"{found['kinds']['stg_nf']['running']['estimate']:.2f}"
    assert "captions, as run, same-clips, tested frames" in kinds
    scenes = words.scenes_table(found)
    assert scenes["clips"].tolist() == [3, 3, 3]
    assert scenes.loc["02", "AI-VAD, pose"] == f"{found['scores']['pose']['scenes']['02']['estimate']:.2f}"


def test_a_kind_that_was_not_drawn_is_said_to_be_so(found):
    without = json.loads(json.dumps(found))
    del without["kinds_drawn"]["same-clips"]["running"]
    assert words.kinds_table(without).loc["running", "captions, same-clips, tested frames"] == "not drawn"


def test_sentences_state_what_was_measured(found):
    found = json.loads(json.dumps(found))
    said = words.shanghaitech_sentences(found, 0.797)
    as_run = found["as_run"]["same-clips"]["scores"]["weighted"]["micro_auroc_interval"]
    assert numbers(said["as_run"]) == [round(as_run[name], 2) for name in ("estimate", "low", "high")]
    assert f"{found['scores']['stg_nf']['micro_auroc']:.2f}" in said["bar"]
    clips, frames = as_run["high"] - as_run["low"], found["as_run"]["same-clips"]["frames"]
    assert float(said["width_ratio"]) == pytest.approx(clips / (frames["high"] - frames["low"]), abs=0.05)
    assert said["judged_on"] == f"{found['paper_weights']['judged_on']:.3f}"
    as_run |= {"estimate": 0.8, "low": 0.7, "high": 0.9}
    standing = [words.shanghaitech_sentences(found, value)["as_run_standing"] for value in (0.6, 0.8, 0.95)]
    assert standing == ["above the paper's 0.600", "not told apart from the paper's 0.800", "below the paper's 0.950"]
    assert all(isinstance(text, str) for text in said.values())


def test_frequent_kinds_and_who_finds_them(record):
    kinds = words.frequent_kinds(record)
    assert all(row["n_clips"] >= 6 for row in kinds.values())
    said = words.kinds_sentences(record)
    for kind, row in kinds.items():
        best = max(words.NORMAL_CLIPS_ALONE, key=lambda name, row=row: row[name].estimate)
        part = next(part for part in said["best_by_kind"].split("; ") if part.startswith(words.SCORE_TITLES[best]))
        assert kind in part
    above = [kind for kind, row in kinds.items() if row["middle"].estimate >= row["stg_nf"].estimate]
    assert all(kind in said["blind_above"] for kind in above)
    assert ("For none" in said["blind_above"]) == (not above)


def test_the_record_answers_every_part_of_the_page(record):
    assert set(words.SCORE_TITLES) <= set(record["scores"])
    assert set(words.shanghaitech_sentences(record, 0.797))
    assert len(words.kinds_table(record)) == 17
    assert len(words.scenes_table(record)) == 12
    assert np.isfinite(
        [interval.estimate for group in words.answer_groups(record).values() for interval in group.values()]
    ).all()
    assert len(record["sources"]) == 12
    assert all(re.fullmatch("[0-9a-f]{64}", source["sha256"]) for source in record["sources"].values())

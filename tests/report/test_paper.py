import re

import pytest
import yaml

from vadlib.errors import ParameterError, ResultsError
from vadlib.report import Results, compare_with_paper, list_recorded, load_paper_values, load_recorded
from vadlib.report.paper import PaperValue, evidence_table

AUROC = PaperValue("a", "PaDiM", 0.603, "Table 2", "result", 0.02, "02_padim:max.auroc")


def results(tmp_path, metrics, dataset="shanghaitech", **parameters):
    return Results(tmp_path / "02_padim", metrics, {"dataset": {"name": dataset}, "parameters": parameters})


def row(value, found=None):
    return compare_with_paper({value.id: value}, {"02_padim": found} if found else {}).loc[value.id]


def metrics(auroc):
    interval = {"estimate": auroc, "low": 0.5, "high": 0.7, "level": 0.95}
    return {"max": {"auroc": auroc, "auroc_interval": interval}, "n_clips": 107, "n": 8000}


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [
        (0.603, "reproduced: +0.000, tolerance 0.02"),
        (0.623, "reproduced: +0.020, tolerance 0.02"),
        (0.6231, "not reproduced: +0.020, tolerance 0.02"),
        (0.5, "not reproduced: -0.103, tolerance 0.02"),
    ],
)
def test_the_verdict_on_the_papers_data_set_is_the_tolerance(tmp_path, ours, verdict):
    found = row(AUROC, results(tmp_path, metrics(ours), seed=3))
    assert found["verdict"] == verdict
    assert found["ours"] == f"{ours:.3f} [0.500, 0.700]"
    assert found["measured on"] == "shanghaitech, 107 clips, seed 3"


@pytest.mark.parametrize(
    ("dataset", "verdict"),
    [("synthcampus", "synthetic data: not comparable"), ("ucsd-ped2", "another data set: not comparable")],
)
def test_other_data_sets_get_no_verdict_however_near(tmp_path, dataset, verdict):
    assert row(AUROC, results(tmp_path, metrics(0.603), dataset))["verdict"] == verdict


def test_an_interval_may_be_the_value_itself(tmp_path):
    value = {"estimate": 0.61, "low": 0.58, "high": 0.64}
    found = row(AUROC, results(tmp_path, {"max": {"auroc": value}}, seeds=[0, 1, 2]))
    assert found["ours"] == "0.610 [0.580, 0.640]"
    assert found["measured on"] == "shanghaitech, seeds 0, 1, 2"


def test_settings_and_counts(tmp_path):
    found = results(tmp_path, metrics(0.6), "synthcampus", n_components=100)
    setting = PaperValue("s", "dimensions", 300, "3.1.2", "setting", 0, "02_padim:run.parameters.n_components")
    assert row(setting, found)["verdict"] == "differs from the paper by -200"
    count = PaperValue("c", "frames", 274515, "2.2", "data", 0, "02_padim:n")
    assert row(count, found)["verdict"] == "synthetic data: not comparable"
    real = row(count, results(tmp_path, {"n": 274515 - 1000}))
    assert (real["paper"], real["verdict"]) == ("274,515", "not equal: -1,000")
    assert row(count, results(tmp_path, {"n": 274515}))["verdict"] == "equal"


def test_what_was_not_run_is_said_to_be_so_and_words_get_no_verdict(tmp_path):
    assert row(AUROC)["verdict"] == row(AUROC)["ours"] == "not measured in this build"
    words = PaperValue("w", "cost", "Medium", "Table 2", "statement")
    assert row(words)["verdict"] == "no verdict: words"


def test_results_that_lack_the_value_are_an_error_not_a_gap(tmp_path):
    with pytest.raises(ResultsError, match=r"metrics\.json has no 'max\.auroc', to which the entry 'a'"):
        row(AUROC, results(tmp_path, {"max": {}}))
    with pytest.raises(ResultsError, match="no number or text"):
        row(AUROC, results(tmp_path, {"max": {"auroc": None}}))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"kind": "guess"}, "entry a: kind must be one of result, data"),
        ({"tolerance": None}, "entry a: a number that gets a verdict needs a tolerance"),
        ({"ours": "02_padim"}, "entry a: ours must read EXPERIMENT:PATH"),
        ({"colour": "red"}, "entry a: got an unexpected keyword argument 'colour'"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, entry, message):
    good = {"id": "a", "claim": "x", "value": 1, "where": "Table 1", "kind": "data", "tolerance": 0}
    (tmp_path / "v.yml").write_text(yaml.safe_dump([good | entry]))
    with pytest.raises(ParameterError, match=message):
        load_paper_values(tmp_path / "v.yml")
    (tmp_path / "v.yml").write_text(yaml.safe_dump([good, good]))
    with pytest.raises(ParameterError, match="two entries have the id a"):
        load_paper_values(tmp_path / "v.yml")
    with pytest.raises(ParameterError, match="No file of the paper's values"):
        load_paper_values(tmp_path / "w.yml")


PAPER_NUMBERS = {  # typed from the paper a second time
    "padim_auroc": 0.603,
    "gradcam_auroc": 0.509,
    "clip_auroc": 0.797,
    "n_train_videos": 330,
    "n_test_videos": 107,
    "n_extracted_frames": 274_515,
    "n_selected_frames": 8_000,
    "n_selected_per_class": 4_000,
    "padim_training_frames": 2_000,
    "gradcam_training_frames": 100,
    "clip_training_frames": 4_000,
    "clip_training_frames_per_class": 2_000,
    "padim_test_frames": 8_000,
    "gradcam_test_frames": 8_000,
    "clip_test_frames": 8_000,
    "padim_dimensions": 300,
    "clip_prototypes": 100,
}


def test_the_projects_own_file_holds_every_number_of_the_paper(project_root):
    values = load_paper_values(project_root / "book" / "paper_values.yml")
    assert {name: v.value for name, v in values.items() if not isinstance(v.value, str)} == PAPER_NUMBERS
    assert all(v.ours for v in values.values() if v.kind != "statement")
    assert all(v.tolerance == (0.02 if v.kind == "result" else 0) for v in values.values() if v.kind != "statement")
    for value in values.values():
        assert re.match(r"(Abstract|Sections? \d|Table \d|Figure \d)", value.where)


def test_evidence_comes_from_records_and_what_is_not_recorded_is_left_out(tmp_path):
    interval = {"estimate": 0.61, "low": 0.58, "high": 0.64}
    record = Results(tmp_path / "ped2-02_padim", {"a": {"auroc": 0.6, "auroc_interval": interval}, "few": 0.4}, {})
    evidence = [
        {"what": "real data", "record": "ped2-02_padim", "path": "a.auroc"},
        {"what": "two clips", "record": "ped2-02_padim", "path": "few"},
        {"what": "elsewhere", "record": "none", "path": "a.auroc"},
    ]
    value = PaperValue("a", "PaDiM", 0.603, "Table 2", "result", 0.02, evidence=evidence)
    found = evidence_table({"a": value}, {"ped2-02_padim": record})
    assert found["ours"].tolist() == ["0.600 [0.580, 0.640]", "0.400"]
    assert found["evidence"].tolist() == ["real data", "two clips"]
    evidence[0]["path"] = "a.nothing"
    with pytest.raises(ResultsError, match="no 'a.nothing', to which the entry 'a'"):
        evidence_table({"a": value}, {"ped2-02_padim": record})


def test_the_books_own_evidence_is_recorded():
    records = {name: load_recorded(name) for name in list_recorded()}
    values = load_paper_values()
    found = evidence_table(values, records)
    assert len(found) == sum(len(value.evidence) for value in values.values())
    assert found["ours"].str.match(r"0\.\d{3}").all()

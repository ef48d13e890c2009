"""The dry run against the paper's Table 1, on the official labels."""

import pytest
import yaml

from vadlib.errors import ParameterError
from vadlib.studies.dry_run import plan, read_profile


def test_the_papers_profile_draws_its_table_1_from_the_official_labels(shared_data):
    dataset, counts = plan(read_profile("paper"), shared_data / "shanghaitech")
    assert counts[["test normal", "test anomalous"]].to_numpy().tolist() == [[4000, 4000]] * 3
    assert counts.loc["Prototypes", ["fit normal", "fit anomalous"]].tolist() == [2000, 2000]
    if not dataset.missing:
        pytest.skip("this copy is whole: what it would lack was not looked at")
    assert "2,000 frames asked for, 0 available" in counts.loc["PaDiM", "problem"]  # no training videos there
    assert "100 frames asked for, 0 available" in counts.loc["Grad-CAM + SSIM", "problem"]
    assert any("no training videos" in lack for lack in dataset.missing)
    assert sum(clip.path is None for clip in dataset.clips) > 0


def test_a_whole_data_set_has_no_problem(tiny_world, project_root):
    parameters = yaml.safe_load((project_root / "notebooks/profiles/demo.yml").read_text())
    parameters |= {"n_fit_frames": 50, "n_fit_frames_gradcam": 10, "n_fit_frames_clip": 20}
    parameters |= {"n_test_normal": 30, "n_test_abnormal": 40}
    dataset, counts = plan(parameters, tiny_world)
    assert dataset.missing == ()
    assert (counts["problem"] == "").all()
    assert counts["fit normal"].tolist() == [50, 10, 20]
    assert counts["fit anomalous"].tolist() == [0, 0, 20]
    assert counts["test anomalous"].tolist() == [40, 40, 40]


def test_an_unknown_profile_names_those_there_are():
    with pytest.raises(ParameterError, match=r"there are (\w+, )*demo, (\w+, )*paper"):
        read_profile("papr")


def test_a_profile_that_draws_nothing_by_class_has_no_plan():
    with pytest.raises(ParameterError, match="folder says nothing of n_test_normal, n_test_abnormal, n_fit_frames"):
        plan(read_profile("folder"))

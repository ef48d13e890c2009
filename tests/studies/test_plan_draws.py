"""The dry run against the paper's Table 1, on the official labels."""

import pytest
import yaml

from vadlib.errors import ParameterError
from vadlib.studies.draws import plan_draws


@pytest.fixture
def read_profile(project_root):
    return lambda name: yaml.safe_load((project_root / f"notebooks/profiles/{name}.yml").read_text())


def test_the_papers_profile_draws_its_table_1_from_the_official_labels(shared_data, read_profile):
    dataset, counts = plan_draws(read_profile("paper"), shared_data / "shanghaitech")
    assert counts[["test normal", "test anomalous"]].to_numpy().tolist() == [[4000, 4000]] * len(counts)
    assert counts.loc["Prototypes", ["fit normal", "fit anomalous"]].tolist() == [2000, 2000]
    if not dataset.missing:
        pytest.skip("this copy is whole: what it would lack was not looked at")
    assert "2,000 frames asked for, 0 available" in counts.loc["PaDiM", "problem"]  # no training videos there
    assert "100 frames asked for, 0 available" in counts.loc["Grad-CAM + SSIM", "problem"]
    assert any("no training videos" in lack for lack in dataset.missing)
    assert sum(clip.path is None for clip in dataset.clips) > 0


def test_a_whole_data_set_has_no_problem_and_each_detector_its_chapters_counts(tiny_world, read_profile):
    parameters = read_profile("demo") | {"n_fit_frames": 50, "n_fit_labelled": 20}
    parameters |= {"n_test_normal": 30, "n_test_abnormal": 40, "chapters": {"03_gradcam_ssim": {"n_fit_frames": 10}}}
    dataset, counts = plan_draws(parameters, tiny_world)
    assert dataset.missing == ()
    assert (counts["problem"] == "").all()
    assert counts["fit normal"].to_dict() == {"PaDiM": 50, "Grad-CAM + SSIM": 10, "SPADE": 50, "Prototypes": 20}
    assert counts["fit anomalous"].tolist() == [0, 0, 0, 20]
    assert counts["test anomalous"].tolist() == [40] * 4
    assert counts.loc["Prototypes", "protocol"] == "disjoint-clips"


def test_a_profile_that_draws_nothing_by_class_has_no_plan(read_profile):
    with pytest.raises(ParameterError, match="folder says nothing of n_test_normal, n_test_abnormal, n_fit_frames"):
        plan_draws(read_profile("folder"), "anywhere")

import pytest

from vadlib.evaluation import Interval
from vadlib.networks import resnet18
from vadlib.report.words.common import (
    chance_sentence,
    chapter_line,
    data_sentence,
    difference_sentence,
    network_name,
    revision_name,
)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.51, 0.7, "above chance"), (0.3, 0.49, "below chance"), (0.4, 0.6, "not distinguishable from chance")],
)
def test_verdict_follows_from_the_interval_alone(low, high, words):
    assert chance_sentence(Interval(0.9, low, high)) == words


def test_line_names_profile_data_network_frames_time_and_date():
    line = chapter_line(
        profile="ped2", dataset="ucsd-ped2", network="resnet18 (w)", n_fit=2000, n_test=2010, seconds=61.4,
        date="2026-11-23T10:00:00+00:00",
    )  # fmt: skip
    assert line == "profile ped2 · UCSD Ped2 · resnet18 (w) · 2,000 frames fitted, 2,010 tested · 61 s · 2026-11-23"


def test_note_never_lets_synthetic_or_other_data_pass_for_the_papers():
    assert "Synthetic data" in data_sentence("synthcampus")
    assert "not the data set of the paper" in data_sentence("ucsd-ped2")
    assert "the data set of the paper" in data_sentence("shanghaitech")
    assert "random weights" in data_sentence("synthcampus", resnet18("random").record)
    assert "random weights" not in data_sentence("synthcampus", {"source": "imagenet", "trained": True})
    assert "trained on synthetic pictures" in data_sentence("ucsd-ped2", {"source": "bundled", "trained": True})


def test_weights_file_is_named_without_its_folder(tmp_path):
    import torchvision
    from safetensors.torch import save_file

    save_file(torchvision.models.resnet18().state_dict(), tmp_path / "w.safetensors")
    assert network_name(resnet18(tmp_path / "w.safetensors")) == "resnet18 (w.safetensors)"


def test_revision_in_short():
    assert revision_name(None) == "not under git"
    assert revision_name({"revision": None, "dirty": True}) == "not under git"
    assert revision_name({"revision": "0123456789abcdef", "dirty": True}) == "0123456789 and uncommitted changes"


def test_difference_is_told_only_where_its_interval_leaves_out_zero():
    assert difference_sentence("a", "b", Interval(0.2, 0.1, 0.3)) == "the AUROC of a is above that of b"
    assert difference_sentence("a", "b", Interval(-0.2, -0.3, -0.1)) == "the AUROC of b is above that of a"
    assert (
        difference_sentence("a", "b", Interval(0.2, -0.1, 0.3))
        == "the AUROCs of a and b cannot be told apart on these clips"
    )

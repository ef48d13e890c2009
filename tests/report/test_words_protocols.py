"""Sentences on protocols follow from numbers alone."""

from types import SimpleNamespace

from vadlib.evaluation import Interval
from vadlib.report.words.protocols import (
    above_blind_sentence,
    audit_answers,
    audit_sentences,
    best_blind_sentence,
    comparable_sentence,
    comparison_sentence,
    labels_alone_sentences,
    lost_sentence,
    memory_sentence,
    nearest_label_sentence,
    quality_sentence,
    records_sentence,
    standing_sentence,
)
from vadlib.studies.draws import ProtocolDraws

STATED = {"PaDiM": 0.603, "Grad-CAM + SSIM": 0.509, "Prototypes": 0.797}


def entry(*values):
    return dict(zip(("estimate", "low", "high"), values, strict=True))


def blind(**values):
    return {name: {"micro_auroc_interval": entry(value, value - 0.05, value + 0.05)} for name, value in values.items()}


METRICS = {
    "by_protocol": {
        "official-split": {"PaDiM": entry(0.6, 0.5, 0.7)},
        "reused-frames": {"Prototypes": entry(0.9, 0.8, 0.95)},
    },
    "blind_by_protocol": {"reused-frames": entry(0.95, 0.9, 1.0), "official-split": entry(0.5, 0.4, 0.6)},
    "comparisons": [
        {"a": "Grad-CAM + SSIM", "b": "PaDiM", **entry(-0.1, -0.2, 0.05), "p_adjusted": 0.3, "better": ""},
    ],
}
QUALITY = (
    "Prototypes: 0.900 [0.800, 0.950] under reused-frames, where the fit frames' labels alone get 0.950 [0.900, 1.000]."
)
COMPARISON = (
    "PaDiM minus Grad-CAM + SSIM: +0.100 [-0.050, +0.200], p = 0.300 after Holm: these clips do not tell them apart."
)


def test_a_standing_is_told_where_the_whole_interval_is():
    found = [standing_sentence(Interval(low, low, high), 0.6) for low, high in ((0.61, 0.7), (0.5, 0.59), (0.6, 0.7))]
    assert found == ["above it", "below it", "not told apart from it"]


def test_a_blind_score_stands_beside_what_the_paper_states():
    found = blind(middle=0.7)["middle"]
    assert above_blind_sentence(found, 0.797, "CLIP") == "0.700 [0.650, 0.750] (below CLIP's 0.797)"
    assert above_blind_sentence(found, 0.71, "CLIP") == "0.700 [0.650, 0.750] (not told apart from CLIP's 0.710)"
    assert best_blind_sentence(blind(middle=0.7, scene_rate=0.6, nearest_fit=0.9)) == "0.700 (middle)"


def test_what_the_nearest_label_is_worth():
    by_protocol = {"official-split": Interval(0.5, 0.5, 0.5), "same-clips": Interval(0.9, 0.85, 0.95)}
    assert nearest_label_sentence(by_protocol).endswith("is worth 0.900 [0.850, 0.950] under same-clips")
    assert "0.900 [0.850, 0.950] under same-clips (above it); where" in memory_sentence(by_protocol, 0.797)
    del by_protocol["same-clips"]
    assert nearest_label_sentence(by_protocol).startswith("no protocol was drawn")
    assert memory_sentence(by_protocol, 0.797) == ""


def test_only_the_papers_clips_compare_with_the_paper():
    assert comparable_sentence("shanghaitech").startswith("They are of the same test clips")
    assert "these of UCSD Ped2" in comparable_sentence("ucsd-ped2")


def test_every_value_of_the_page_on_labels_is_given():
    names = ("scene_rate_other_clips", "scene_rate_oracle", "position", "middle", "nearest_fit_label_same_clips")
    intervals = {name: Interval(0.7, 0.65, 0.75) for name in names}
    shuffled = [{"scene_rate_other_clips": 0.4, "scene_rate_oracle": 0.6}] * 2
    draws = ProtocolDraws({"same-clips": None}, (), {"disjoint-scenes": "all test frames are of one scene"})
    words = labels_alone_sentences(intervals, draws, shuffled, STATED, "synthcampus")
    assert words["draw_note"] == "Left out, disjoint-scenes: all test frames are of one scene."
    assert (words["scene_standing"], words["middle_standing"]) == ("above it", "below it")
    assert (words["shuffled_scenes"], words["shuffled_oracle"]) == ("0.400", "0.600")
    assert (words["clip_stated"], words["position_auroc"]) == ("0.797", "0.700 [0.650, 0.750]")


def test_quality_and_comparison():
    assert quality_sentence(METRICS) == QUALITY
    assert comparison_sentence(METRICS["comparisons"]) == COMPARISON
    better = [METRICS["comparisons"][0] | {"better": "PaDiM"}]
    assert comparison_sentence(better).endswith("PaDiM is the better.")
    assert comparison_sentence([]) == "PaDiM and Grad-CAM + SSIM were not compared."


def test_answers_name_what_they_are_of():
    answers = audit_answers(METRICS, blind(middle=0.7), SimpleNamespace(metrics=METRICS))
    good, better = answers.values()
    assert good == {
        "this build": QUALITY,
        "UCSD Ped2, recorded": QUALITY,
        "this build's labels": "No picture needed: middle of the clip 0.700 [0.650, 0.750]",
    }
    assert better == {"this build": COMPARISON, "UCSD Ped2, recorded": COMPARISON}


def test_what_sharing_clips_is_worth():
    against = {"same-clips": {"PaDiM": Interval(0.1, 0.0, 0.2)}, "official-split": {}}
    assert lost_sentence(against, "PaDiM") == "+0.100 [+0.000, +0.200] under same-clips"
    assert lost_sentence(against, "SPADE") == "not measured here"
    assert lost_sentence({"disjoint-scenes": against["same-clips"]}, "PaDiM") == "not measured here"  # shares no clip


def test_the_audits_answer_says_what_was_measured():
    found = {"by_protocol": {}, "against": {}, "within_folds": {}, "comparisons": METRICS["comparisons"]}
    words = audit_sentences(found, "disjoint-clips")
    assert words["answer"] == COMPARISON
    assert words["within_prototypes"] == words["pooled_prototypes"] == "not measured"
    assert words["padim_sources"] == "not measured in this build"
    interval = Interval(0.6, 0.5, 0.7)
    found |= {
        "by_protocol": {"reused-frames": {"Prototypes": interval}, "disjoint-clips": {"Prototypes": interval}},
        "against": {"same-clips": {"PaDiM": interval}, "official-split": {"PaDiM": interval}},
        "within_folds": {"Prototypes": 0.55},
    }
    words = audit_sentences(found, "disjoint-clips")
    assert "fitted ones and 0.600 [0.500, 0.700] under disjoint-clips. On the" in words["answer"]
    assert (words["within_prototypes"], words["pooled_prototypes"]) == ("0.550", "0.600")
    assert words["padim_sources"].startswith("PaDiM minus PaDiM under disjoint-clips: +0.600 [+0.500, +0.700] on norm")


def test_what_the_record_of_the_papers_labels_says():
    names = {"scene_rate_other_clips": 0.6, "middle": 0.8, "position": 0.52, "nearest_fit_label_same_clips": 0.95}
    record = SimpleNamespace(metrics={"scores": blind(**names)}, brief="recorded on a day")
    sentence = records_sentence(record, STATED)
    assert "(recorded on a day), the rate of anomalies in the other clips of the scene is worth 0.600" in sentence
    assert "(not told apart from PaDiM's 0.603); being near the middle" in sentence
    assert sentence.endswith("0.950 [0.900, 1.000] (above CLIP's 0.797).")
    assert "is not recorded in this copy" in records_sentence(None, STATED)

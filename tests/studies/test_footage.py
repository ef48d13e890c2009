"""What the watching chapter puts together: scores of one pass, moments, the gallery's frames, tables and sentences."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from vadlib.data import FrameReader, open_dataset, read_frame
from vadlib.data.footage import spread_over
from vadlib.errors import ParameterError
from vadlib.evaluation import AlarmRule, Threshold, auroc, bootstrap_auroc, footage_hours, list_alarms
from vadlib.networks import resnet18
from vadlib.report.footage_page import (
    answer_sentence,
    auroc_text,
    cost_sentence,
    footage_sentences,
    gallery_sentence,
    hours_and_minutes,
    rate_sentence,
    roc_sentence,
    table_of_alarms,
)
from vadlib.studies.alarm_costs import alarm_rates_compared, costs_of_alarms
from vadlib.studies.footage import (
    alarms_of_all,
    choose_scenes_to_show,
    fit_without_labels,
    gallery_rows,
    merge_alarms,
    score_together,
    standardised,
    timelines_of,
)
from vadlib.studies.footage_truth import labelled_events, match_alarms_with_labels

FPS = {"a": 10.0, "b": 10.0}


@pytest.fixture(scope="module")
def fitted(tiny_world):
    videos = open_dataset("synthcampus", tiny_world)
    table = videos.frame_table()
    normal = spread_over(table[table["split"] == "train"], 20)
    network = resnet18("random")
    reader = FrameReader(videos, normal, (64, 64), 8, progress=False)
    networks = dict.fromkeys(("backbone", "classifier", "embedder"), network)
    detectors = fit_without_labels(networks, reader, {"n_components": 20})
    return videos, table[table["split"] == "test"].iloc[::40], detectors, normal


def test_one_pass_gives_each_detector_its_own_scores(fitted):
    videos, tested, detectors, _ = fitted
    assert list(detectors) == ["PaDiM", "Grad-CAM + SSIM", "SPADE", "One-class prototypes"]
    assert (detectors["SPADE"].k, detectors["One-class prototypes"].k) == (4, 4)  # a fifth of the 20 frames
    found = score_together(detectors, FrameReader(videos, tested, (64, 64), 8, progress=False))
    for name, detector in detectors.items():
        own = detector.score(FrameReader(videos, tested, (64, 64), 8, progress=False))
        np.testing.assert_array_equal(found[name], own)


def test_the_nearest_normal_frame_of_a_fitted_frame_is_itself(fitted):
    videos, _, detectors, normal = fitted
    batch = next(iter(FrameReader(videos, normal, (64, 64), len(normal), progress=False)))
    distances, rows = detectors["SPADE"].nearest(batch.images, 2)
    assert rows[:, 0].tolist() == list(range(len(normal)))
    assert (distances[:, 0] <= distances[:, 1]).all()
    for n in (0, len(normal) + 1):
        with pytest.raises(ParameterError, match=f"n: expected 1 to the 20 frames fitted on, found {n}"):
            detectors["SPADE"].nearest(batch.images, n)


def test_gallery_rows_hold_the_frames_that_they_name(fitted):
    videos, tested, detectors, normal = fitted
    shown = tested.iloc[[7, 2]].assign(kind="hit", second=1.0, strangeness=2.0, detectors="SPADE")
    rows = gallery_rows(videos, detectors, normal, shown, (64, 64))
    for row, expected in zip(rows, shown.itertuples(), strict=True):
        np.testing.assert_array_equal(row.frame, read_frame(videos, expected.clip, expected.frame))
        batch = next(iter(FrameReader(videos, shown[shown["clip"] == expected.clip], (64, 64), 1, progress=False)))
        np.testing.assert_allclose(row.heatmap, detectors["PaDiM"].heatmap(batch.images)[0], rtol=1e-4)
        nearest = normal.iloc[detectors["SPADE"].nearest(batch.images, 2)[1][0]]
        assert [title for _, title in row.neighbours] == [
            f"normal: {near.clip}, frame {near.frame}" for near in nearest.itertuples()
        ]
        assert row.title == f"hit: {expected.clip}, 1.0 s\nstrangeness 2.0, raised by SPADE"


@pytest.fixture
def watched():
    """Two clips of ten seconds, five scored frames a second; PaDiM is high in two places of a, SPADE in one of b."""
    scores = pd.DataFrame({"clip": np.repeat(["a", "b"], 50), "frame": np.tile(np.arange(0, 100, 2), 2)})
    scores["last"], scores["label"] = scores["frame"] + 1, 0
    scores["PaDiM"] = scores["SPADE"] = 0.0
    scores.loc[10:14, "PaDiM"] = 2.0  # a, frames 20..29
    scores.loc[13:19, "SPADE"] = 3.0  # a, frames 26..39
    scores.loc[40:44, "PaDiM"] = 5.0  # a, frames 80..89
    scores.loc[60:64, "SPADE"] = 4.0  # b, frames 20..29
    thresholds = {name: Threshold(1.0, 1.0, "quantile", 0.1, "frames", 9) for name in ("PaDiM", "SPADE")}
    alarms = alarms_of_all(scores, thresholds, fps=FPS, rule=AlarmRule(0.2, 0.2, 10))
    strangeness = scores[["PaDiM", "SPADE"]].mean(axis=1).to_numpy()
    events = pd.DataFrame({"clip": ["a", "b"], "first": [30, 70], "last": [45, 79], "event": ["x", "y"]})
    return scores, alarms, strangeness, events


def test_alarms_that_overlap_are_one_moment(watched):
    scores, alarms, strangeness, _ = watched
    assert [len(found) for found in alarms.values()] == [2, 2]
    moments = merge_alarms(alarms, scores, strangeness, FPS)
    assert moments[["clip", "first", "last", "n_detectors"]].to_numpy().tolist() == [
        ["a", 20, 39, 2], ["a", 80, 89, 1], ["b", 20, 29, 1],
    ]  # fmt: skip
    assert moments["detectors"].tolist() == ["PaDiM, SPADE", "PaDiM", "SPADE"]
    assert moments["frame"].tolist() == [26, 80, 20]  # where both are high, then the first of the highest
    assert moments["strangeness"].tolist() == [2.5, 2.5, 2.0]
    assert moments[["start_s", "end_s"]].iloc[0].tolist() == [2.0, 4.0]
    nothing = merge_alarms({"PaDiM": alarms["PaDiM"].iloc[:0]}, scores, strangeness, FPS)
    assert nothing.empty
    assert list(nothing.columns) == list(moments.columns)


def test_the_gallery_shows_hits_misses_and_false_alarms(watched):
    scores, alarms, strangeness, events = watched
    moments = merge_alarms(alarms, scores, strangeness, FPS)
    shown = choose_scenes_to_show(moments, scores, strangeness, events=events, fps=FPS, n=2)
    assert shown[["kind", "clip", "frame"]].to_numpy().tolist() == [
        ["hit", "a", 26], ["miss", "b", 70], ["false alarm", "a", 80], ["false alarm", "b", 20],
    ]  # fmt: skip
    assert shown["second"].tolist() == [2.6, 7.0, 8.0, 2.0]
    without = choose_scenes_to_show(moments, scores, strangeness, events=None, fps=FPS, n=2)
    assert without[["kind", "clip"]].to_numpy().tolist() == [["strange", "a"], ["strange", "b"]]
    quiet = choose_scenes_to_show(moments.iloc[:0], scores, strangeness, events=None, fps=FPS, n=2)
    assert quiet[["kind", "clip", "frame", "detectors"]].to_numpy().tolist() == [
        ["strange", "a", 26, "none"], ["strange", "b", 20, "none"],
    ]  # fmt: skip


def test_standardising_takes_held_out_frames_for_the_measure():
    normal = pd.DataFrame({"A": [0.0, 2.0], "B": [5.0, 5.0]})
    found = standardised(pd.DataFrame({"A": [3.0], "B": [6.0]}), normal, ["A", "B"])
    assert found.iloc[0].tolist() == [2.0, 1.0, 1.5]  # B never varies: its own unit


def test_tables_count_what_happened(watched):
    scores, alarms, _, events = watched
    table = table_of_alarms(scores, alarms, events=None, fps=FPS)
    assert list(table.columns) == ["alarms", "an hour", "time under alarm"]
    assert table.loc["PaDiM"].tolist() == [2, "360", "10.0%"]
    scores = scores.assign(label=scores["frame"].between(30, 45).astype(int))
    table = table_of_alarms(scores, alarms, events=events, fps=FPS, n_resamples=50)
    assert table["events found"].tolist() == ["0 of 2", "1 of 2"]
    assert table["false alarms an hour [95 %]"].iloc[0].startswith("360 [")
    assert (
        table["AUROC [95 %]"].iloc[1]
        == f"{bootstrap_auroc(scores['label'], scores['SPADE'], clusters=scores['clip'], n_resamples=50):.3f}"
    )
    one_clip_each = scores.assign(label=(scores["clip"] == "a").astype(int))
    one_anomalous = scores.assign(label=((scores["clip"] == "a") & (scores["frame"] >= 50)).astype(int))
    for few in (one_clip_each, one_anomalous):
        assert auroc_text(few, "SPADE") == f"{auroc(few['label'], few['SPADE']):.3f} (too few clips for an interval)"
    of_a = scores[scores["clip"] == "a"]
    assert auroc_text(of_a, "SPADE").endswith("(too few clips for an interval)")
    assert auroc_text(scores.assign(label=1), "SPADE") == "one class only"


def test_clips_without_labels_count_neither_as_found_nor_as_false(watched):
    scores, alarms, _, events = watched
    known_a = scores.assign(label=np.where(scores["clip"] == "a", (scores["frame"] >= 30).astype(int), -1))
    table = table_of_alarms(known_a, alarms, events=events[events["clip"] == "a"], fps=FPS, n_resamples=20)
    assert table.loc["SPADE", "events found"] == "1 of 1"
    assert table.loc["SPADE", "false alarms an hour [95 %]"].startswith("0 [")  # that of b is unknown
    assert table.loc["SPADE", "alarms"] == 2


def test_rates_compared_are_counts_by_the_hour(watched):
    scores, _, _, _ = watched
    normal = scores[scores["clip"] == "b"]
    rule = AlarmRule(0.2, 0.2, 10)
    found = alarm_rates_compared(normal, scores, "SPADE", 1.0, fps=FPS, rule=rule)
    assert found["threshold"].tolist() == [np.inf, 4.0, 3.0]
    for row in found.itertuples():
        for table, rate in ((normal, row.normal_an_hour), (scores, row.watched_an_hour)):
            expected = list_alarms(table, "SPADE", row.threshold, low=1.0, fps=FPS, rule=rule)
            assert rate == pytest.approx(len(expected) / footage_hours(table, FPS))


def alarms_of(normal, scores, events, thresholds, rule):
    """What `costs_of_alarms` needs of `FootageAlarms`."""
    return SimpleNamespace(
        normal=normal, scores=scores, known=scores, events=events, thresholds=thresholds, fps=FPS, rule=rule
    )


def test_costs_are_of_events_where_there_are_labels_and_of_alarms_where_not(watched):
    scores, _, _, events = watched
    rule, threshold = AlarmRule(0.2, 0.2, 10), Threshold(3.5, 1.0, "quantile", 0.1, "frames", 9)
    in_use = {"SPADE": threshold}
    with_labels = costs_of_alarms(alarms_of(scores, scores, events, in_use, rule))
    assert with_labels.axes["x"] == "false_alarms_an_hour"
    assert with_labels.in_use["SPADE"] == (pytest.approx(180), 0.0)  # the alarm at 4 in b, in 20 s; that at 3 is below
    assert with_labels.curves["SPADE"]["share_found"].tolist() == [0, 0, 0.5]
    without = costs_of_alarms(alarms_of(scores[scores["clip"] == "a"], scores, None, in_use, rule))
    assert without.axes["y"] == "watched_an_hour"
    assert without.in_use["SPADE"] == (0.0, pytest.approx(180))


def test_words_say_what_is_shown(watched):
    scores, alarms, strangeness, events = watched
    moments = merge_alarms(alarms, scores, strangeness, FPS)
    normal, nothing = scores[scores["clip"] == "a"], pd.DataFrame(columns=["clip", "part of", "left out", "why"])
    found = {"events": None, "scores": scores, "fps": FPS, "normal": normal, "known": scores, "target_note": ""}
    found = SimpleNamespace(moments=moments, **found)
    rates = {"rate": 5.0, "asked_rate": 5.0}
    words = footage_sentences(found, nothing, moments.head(2), n_timelines=1, **rates)
    assert words["moments_sentence"] == "There are 3; the strangest 2 are listed."
    assert words["timelines_sentence"] == "It shows 1 of the 2 clip(s) of which frames could be read."
    assert words["overview_sentence"].startswith("All clips of which frames could be read are in this table")
    assert words["left_out_note"] == "Every frame that was drawn could be read."
    words = footage_sentences(found, nothing, moments, n_timelines=9, **rates)
    assert (words["moments_sentence"], words["overview_sentence"]) == ("There are 3.", "")
    assert gallery_sentence(None) == gallery_sentence(events.iloc[:0]) != gallery_sentence(events)
    assert cost_sentence(events).startswith("An event is found")
    assert cost_sentence(events.iloc[:0]).startswith("No label names an event")
    assert rate_sentence(normal, scores, 5.0, 5.0, FPS) == (
        "Of that, and of the 20 seconds watched, 5 frames a second are scored, 150 in all."
    )
    assert rate_sentence(normal, scores, 2.5, 5.0, FPS).endswith(
        "fewer than the 5 asked for, to bound the time this takes. What lasts less than 0.4 s may lie between two of "
        "them; a higher max_frames in the profile looks closer."
    )


def test_timelines_know_the_truth_only_where_there_are_labels(watched):
    scores, alarms, _, _ = watched
    labels = {"a": np.zeros(100, np.int8), "b": np.full(100, -1, np.int8)}
    labels["a"][30:46] = 1
    strange = standardised(scores, scores, ["PaDiM", "SPADE"])
    first, second = timelines_of(["a", "b"], scores, strange, alarms, labels, FPS)
    assert (first.truth, second.truth) == ([(3.0, 4.6)], None)
    assert first.alarms["PaDiM"].tolist() == [[2.0, 3.0], [8.0, 9.0]]
    assert second.alarms["PaDiM"].tolist() == []
    assert (first.length_s, len(first.seconds), first.seconds[1]) == (10.0, 50, 0.2)
    np.testing.assert_array_equal(first.scores["SPADE"], strange["SPADE"][:50])


def test_sentences_follow_from_the_tables(watched):
    scores, alarms, strangeness, events = watched
    moments = merge_alarms(alarms, scores, strangeness, FPS)
    assert answer_sentence(moments, None, "20 seconds") == (
        "In 20 seconds of footage 3 moment(s) stood out; the strangest is in a, from 2.0 to 4.0 s."
    )
    labelled = moments.assign(true=["yes", "no", "no"])
    assert answer_sentence(labelled, events, "20 seconds") == (
        "In 20 seconds of footage at least one of the detectors found 1 of 2 event(s); 2 of the 3 moments at which one "
        "raised an alarm overlap no event."
    )
    assert answer_sentence(moments.iloc[:0], None, "1 hour") == "In 1 hour of footage no detector raised an alarm."
    assert answer_sentence(moments.iloc[:0], events, "1 hour").endswith("and 2 event(s) were missed.")
    for known in (scores.iloc[:0], scores.assign(label=0)):
        assert roc_sentence(known).endswith("and not both kinds are labelled here.")
    assert "no ROC curve" not in roc_sentence(scores.assign(label=scores["frame"] % 4 // 2))
    assert hours_and_minutes(scores, FPS) == "20 seconds"
    assert hours_and_minutes(scores, {"a": 1.0, "b": 1.0}) == "3.3 minutes"
    assert hours_and_minutes(scores, {"a": 0.01, "b": 0.01}) == "5.6 hours"


def test_moments_in_clips_without_labels_are_neither_true_nor_false(watched):
    scores, alarms, strangeness, events = watched
    moments, of_a = merge_alarms(alarms, scores, strangeness, FPS), events[events["clip"] == "a"]
    judged = moments.assign(true=match_alarms_with_labels(moments, of_a, ["a"]))
    assert judged["true"].tolist() == ["yes", "no", "not labelled"]
    assert answer_sentence(judged, of_a, "20 seconds") == (
        "In 20 seconds of footage at least one of the detectors found 1 of 1 event(s); 1 of the 2 moments in labelled "
        "clips at which one raised an alarm overlap no event; 1 more moment(s) are in clips without labels."
    )
    normal = moments.assign(true=match_alarms_with_labels(moments, events.iloc[:0], ["a"]))
    assert normal["true"].tolist() == ["no", "no", "not labelled"]
    assert answer_sentence(normal, events.iloc[:0], "20 seconds") == (
        "In 20 seconds of footage at least one of the detectors found 0 of 0 event(s); 2 of the 2 moments in labelled "
        "clips at which one raised an alarm overlap no event; 1 more moment(s) are in clips without labels."
    )


def test_events_are_those_of_all_frames_also_between_the_frames_scored():
    tested = pd.DataFrame({"clip": np.repeat(["a", "b", "c"], 10), "frame": np.tile(np.arange(10), 3), "label": 0})
    tested.loc[[3, 4], "label"] = 1  # a, between frames 0 and 5
    tested.loc[20:, "label"] = -1
    scored = tested[tested["frame"] % 5 == 0]
    known = scored[scored["label"] >= 0]
    assert known["label"].nunique() == 1
    unnamed = pd.DataFrame(columns=["clip", "first", "last", "event"])
    assert labelled_events(unnamed, tested, known["clip"])[["clip", "first", "last"]].to_numpy().tolist() == [
        ["a", 3, 4]
    ]
    nothing_happens = labelled_events(unnamed, tested, ["b"])
    assert nothing_happens is not None
    assert nothing_happens.empty
    named = pd.DataFrame({"clip": ["a", "c"], "first": [3, 0], "last": [4, 1], "event": ["x", "y"]})
    assert labelled_events(named, tested, known["clip"])["event"].tolist() == ["x"]
    assert labelled_events(unnamed, tested, []) is None
    no_moments = pd.DataFrame(columns=["clip", "first", "last"])
    assert match_alarms_with_labels(no_moments, nothing_happens, ["b"]).tolist() == []
    a_moment = pd.DataFrame({"clip": ["b"], "first": [0], "last": [3]})
    assert match_alarms_with_labels(a_moment, nothing_happens, ["b"]).tolist() == ["no"]
    assert answer_sentence(no_moments, nothing_happens, "1 hour").endswith("no detector raised an alarm.")


def test_labels_that_name_no_event_still_make_alarms_false(watched):
    scores, alarms, strangeness, events = watched
    none = events.iloc[:0]
    table = table_of_alarms(scores, alarms, events=none, fps=FPS)
    assert table["events found"].tolist() == ["no event", "no event"]
    assert table["false alarms an hour [95 %]"].iloc[0].startswith("360 [")
    assert table["AUROC [95 %]"].tolist() == ["one class only", "one class only"]
    in_use = {"SPADE": Threshold(3.5, 1.0, "quantile", 0.1, "frames", 9)}
    costs = costs_of_alarms(alarms_of(scores, scores, none, in_use, AlarmRule(0.2, 0.2, 10)))
    assert costs.axes["y"] == "watched_an_hour"
    shown = choose_scenes_to_show(
        merge_alarms(alarms, scores, strangeness, FPS), scores, strangeness, events=none, fps=FPS, n=2
    )
    assert set(shown["kind"]) == {"false alarm"}

import numpy as np
import pandas as pd
import pytest

from vadlib.errors import ParameterError
from vadlib.evaluation import anomalous_stretches, auroc, auroc_by_group, event_of_frames, extreme_frames


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    clips = np.repeat(["a", "b", "c", "d"], 30)
    frames = np.tile(np.arange(30), 4)
    labels = ((frames >= 10) & (frames < 20) & (clips != "d")).astype(np.int8)
    scores = rng.normal(size=120).astype(np.float32) + 2 * labels * (clips == "a")
    return pd.DataFrame({"clip": clips, "frame": frames, "label": labels, "score": scores})


EVENTS = pd.DataFrame(
    {"clip": ["a", "b", "c"], "first": [10, 10, 10], "last": [19, 19, 19], "event": ["car", "running", "running"]}
)


def test_events_cover_their_frames_first_and_last_included(table):
    names = event_of_frames(table, EVENTS)
    expected = [
        "" if not label else ("car" if clip == "a" else "running")
        for clip, label in zip(table["clip"], table["label"], strict=True)
    ]
    assert names.tolist() == expected


def test_of_overlapping_events_the_first_to_begin_counts():
    table = pd.DataFrame({"clip": ["a"] * 6, "frame": range(6)})
    events = pd.DataFrame({"clip": ["a", "a"], "first": [3, 1], "last": [5, 4], "event": ["late", "early"]})
    assert event_of_frames(table, events).tolist() == ["", "early", "early", "early", "early", "late"]


def test_what_another_column_says_of_the_events(table):
    seen_in = EVENTS["event"].map({"car": "appearance", "running": "motion"})
    found = event_of_frames(table, EVENTS.assign(seen_in=seen_in), column="seen_in")
    assert (found == np.select([found == "", table["clip"] == "a"], ["", "appearance"], "motion")).all()
    assert ((found != "") == (table["label"] == 1)).all()
    assert set(event_of_frames(table, EVENTS, column="seen_in")) == {""}


def test_group_is_judged_against_all_normal_frames_and_no_other_anomaly(table):
    by_kind = auroc_by_group(table, "score", event_of_frames(table, EVENTS), n_resamples=200)
    assert by_kind.index.tolist() == ["car", "running"]
    for kind, clips in (("car", ["a"]), ("running", ["b", "c"])):
        kept = table[(table["label"] == 0) | table["clip"].isin(clips)]
        row = by_kind.loc[kind]
        assert row["estimate"] == pytest.approx(auroc(kept["label"], kept["score"]))
        if len(clips) > 1:
            assert row["low"] <= row["estimate"] <= row["high"]
        else:  # one clip has no interval over clips
            assert np.isnan(row["low"])
            assert np.isnan(row["high"])
        assert (row["n_frames"], row["n_clips"]) == (10 * len(clips), len(clips))


def test_no_group_is_an_error(table):
    with pytest.raises(ParameterError, match="groups: no anomalous frame has one"):
        auroc_by_group(table, "score", np.full(len(table), ""))


def test_extreme_frames_are_of_the_class_one_a_clip_and_in_order(table):
    hits = extreme_frames(table, "score", label=1, highest=True, n=2)
    best = table[table["label"] == 1].groupby("clip")["score"].max().sort_values(ascending=False)
    assert hits["clip"].tolist() == best.index[:2].tolist()
    assert hits["score"].tolist() == best.iloc[:2].tolist()
    quiet = extreme_frames(table, "score", label=0, highest=False, n=9)
    assert len(quiet) == 4
    assert quiet["score"].is_monotonic_increasing
    assert (quiet["label"] == 0).all()


def test_stretches_are_the_events_again(table):
    found = anomalous_stretches(table.sample(frac=1, random_state=0))
    assert found[["clip", "first", "last"]].to_numpy().tolist() == EVENTS[["clip", "first", "last"]].to_numpy().tolist()


def test_stretches_reach_both_ends_of_a_clip():
    table = pd.DataFrame({"clip": "a", "frame": range(7), "label": np.array([1, 1, 0, 1, 0, 0, 1], dtype=np.int8)})
    assert anomalous_stretches(table)[["first", "last"]].to_numpy().tolist() == [[0, 1], [3, 3], [6, 6]]

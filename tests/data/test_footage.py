"""Held-out footage and frames by the clock: nothing shared, nothing left out, and shares that are kept."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadlib.data.footage import blocks_of, hold_out, sample_by_time, spread_over
from vadlib.errors import ParameterError


def make_table(lengths, scenes=None):
    """Frames of clips c0, c1 … of these lengths."""
    clips = [f"c{i}" for i in range(len(lengths))]
    scenes = scenes or ["s"] * len(lengths)
    return pd.DataFrame({
        "clip": np.repeat(clips, lengths),
        "scene": np.repeat(scenes, lengths),
        "frame": np.concatenate([np.arange(n) for n in lengths]),
    })  # fmt: skip


class Always(dict):
    """The same rate for every clip."""

    def __missing__(self, key):
        return 10.0


LENGTHS = st.lists(st.integers(4, 60), min_size=1, max_size=7)


@given(LENGTHS, st.sampled_from([0.3, 0.5, 0.7]), st.integers(0, 3))
def test_the_parts_share_no_frame_and_only_the_gaps_are_left_out(lengths, share, seed):
    table = make_table(lengths)
    found = hold_out(table, Always(), share=share, guard_s=0.2, seed=seed)
    assert len(found.fit)
    assert len(found.held)
    assert not set(found.fit.index) & set(found.held.index)
    assert len(table) - len(found.fit) - len(found.held) <= 2 * len(lengths)  # two frames a clip that was cut
    assert len(found.held) / len(table) == pytest.approx(share, abs=0.25)


def test_whole_clips_where_a_camera_has_several_and_the_end_where_it_has_one():
    table = make_table([50, 50, 50, 50, 100], ["a", "a", "a", "a", "b"])
    found = hold_out(table, Always(), share=0.5, guard_s=1.0, seed=0)
    held = found.held.groupby("clip").size()
    assert held["c4"] == 50
    assert found.held[found.held["clip"] == "c4"]["frame"].min() == 50
    assert found.fit[found.fit["clip"] == "c4"]["frame"].max() == 39  # a second, 10 frames, between
    assert sorted(held.drop("c4")) == [50, 50]
    assert (
        found.how == "2 of the 5 normal clips, whole and the last 50% of 1 normal clip(s), after a gap of at most 1 s"
    )
    again = hold_out(table.sample(frac=1, random_state=0), Always(), share=0.5, guard_s=1.0, seed=0)
    pd.testing.assert_frame_equal(again.held, found.held)


def test_clips_of_very_different_length_are_cut():
    found = hold_out(make_table([10, 1000]), Always(), share=0.5, guard_s=0)
    assert found.held.groupby("clip").size().tolist() == [5, 500]
    assert found.how == "the last 50% of 2 normal clip(s)"


def test_blocks_are_clips_or_quarters():
    assert set(blocks_of(make_table([3, 3, 3]))) == {"c0", "c1", "c2"}
    quarters = blocks_of(make_table([8]))
    assert quarters.tolist() == [f"c0, part {n}" for n in (1, 1, 2, 2, 3, 3, 4, 4)]


def test_many_clips_are_checked_in_blocks_of_neighbours():
    table = make_table([2] * 120)
    blocks = blocks_of(table)
    by_clip = pd.Series(blocks).groupby(table["clip"].to_numpy()).nunique()
    assert (by_clip == 1).all(), "a clip lies in one block"
    sizes = pd.Series(blocks).value_counts()
    assert len(sizes) == 20
    assert set(sizes) == {12}
    clips = sorted(table["clip"].unique())
    of_clip = dict(zip(table["clip"], blocks, strict=True))
    assert len([clip for before, clip in pairwise(clips) if of_clip[clip] != of_clip[before]]) == 19


def test_more_clips_than_frames_give_one_each():
    sampled, rate = sample_by_time(make_table([250] * 30), Always(), rate=5.0, max_frames=20)
    assert sampled["clip"].is_unique
    assert len(sampled) == 30
    assert (sampled["last"] - sampled["frame"] + 1 == 250).all()
    assert rate <= 25 / 250


def test_frames_are_spread_evenly_over_scenes_and_time():
    table = make_table([100, 100, 4], ["a", "a", "b"])
    found = spread_over(table, 24)
    assert found.groupby("scene").size().to_dict() == {"a": 20, "b": 4}
    assert found[found["scene"] == "a"].groupby("clip").size().tolist() == [10, 10]
    assert len(spread_over(table, 1000)) == 204
    with pytest.raises(ParameterError, match="n: expected at least 1 frame, found 0"):
        spread_over(table, 0)


def test_every_fifth_frame_stands_for_those_up_to_the_next():
    table = make_table([12, 3])
    sampled, rate = sample_by_time(table, {"c0": 25.0, "c1": 5.0}, rate=5.0)
    assert rate == 5.0
    assert sampled[["clip", "frame", "last"]].to_numpy().tolist() == [
        ["c0", 0, 4], ["c0", 5, 9], ["c0", 10, 11], ["c1", 0, 0], ["c1", 1, 1], ["c1", 2, 2],
    ]  # fmt: skip


@given(LENGTHS, st.integers(0, 30), st.floats(0.5, 40))
def test_no_more_frames_than_asked_for_and_none_left_out(lengths, more, rate):
    table = make_table(lengths)
    table = table[table["frame"] >= 2]  # a stretch that begins later
    most = len(lengths) + more
    sampled, used = sample_by_time(table, Always(), rate=rate, max_frames=most)
    assert len(sampled) <= most
    assert used <= rate
    covered = {(row.clip, f) for row in sampled.itertuples() for f in range(row.frame, row.last + 1)}
    assert covered == set(zip(table["clip"], table["frame"], strict=True))
    assert (sampled["last"] - sampled["frame"] + 1).sum() == len(table)  # none twice


def test_bad_input():
    table = make_table([10])
    for call, message in (
        (lambda: hold_out(table, Always(), share=1.0), "share: expected a share between 0 and 1, found 1.0"),
        (lambda: hold_out(table, Always(), guard_s=-1), "guard_s: expected seconds"),
        (lambda: hold_out(table.iloc[:0], Always()), "no normal footage"),
        (lambda: hold_out(make_table([1]), Always()), r"clip c0 has 1 frame\(s\), too few to fit on some"),
        (lambda: sample_by_time(table, Always(), rate=0), "rate: expected frames a second"),
        (
            lambda: sample_by_time(table, Always(), rate=1, max_frames=0),
            "max_frames: expected at least 1 frame, found 0",
        ),
    ):
        with pytest.raises(ParameterError, match=message):
            call()

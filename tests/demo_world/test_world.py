"""The plan of a world and the timing of its events, without rendering."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthcampus import EVENT_KINDS, TEMPLATES, suits
from synthcampus.events import schedule, write_script
from synthcampus.tracks import NO_EVENT
from synthcampus.world import WorldParameters, draw_places, plan_world, play

DEMO = WorldParameters(12, 24, 6, 0, (11.0, 15.0), 12.0, (480, 856))


def auroc(labels, scores) -> float:
    """Share of (anomalous, normal) pairs in the right order, ties one half: counted, not computed cleverly."""
    positive, negative = scores[labels == 1], np.sort(scores[labels == 0])
    below = np.searchsorted(negative, positive, "left") + np.searchsorted(negative, positive, "right")
    return float(below.mean() / 2 / len(negative))


def labels_of(lengths, n_frames, starts) -> np.ndarray:
    labels = np.zeros(n_frames, np.int8)
    for start, length in zip(starts, lengths, strict=True):
        labels[max(start, 0) : max(start + length, 0)] = 1
    return labels


@pytest.fixture(scope="module")
def places():
    return draw_places(DEMO)


@pytest.fixture(scope="module")
def plans(places):
    return plan_world(DEMO, places)


def test_demo_has_every_kind_twice_and_every_scene_in_both_parts(plans, places):
    used = Counter(kind for plan in plans for kind in plan.kinds)
    assert set(used) == set(EVENT_KINDS)
    assert min(used.values()) >= 2
    scenes = {split: {plan.scene for plan in plans if plan.split == split} for split in ("train", "test")}
    assert scenes["train"] == scenes["test"] == {f"{i + 1:02d}" for i in range(6)}
    assert Counter(len(plan.kinds) for plan in plans if plan.split == "test") == {0: 3, 1: 9, 2: 12}
    assert all(suits(kind, places[int(plan.scene) - 1]) for plan in plans for kind in plan.kinds)
    assert all(132 <= plan.n_frames <= 180 for plan in plans)


def test_demo_shows_every_kind_twice(plans, places):
    shown = Counter()
    for plan in plans:
        frames = np.zeros((len(plan.kinds), plan.n_frames), bool)
        place = places[int(plan.scene) - 1]
        for track in play(DEMO, plan, place) if plan.kinds else ():
            for i in np.flatnonzero(track.event != NO_EVENT):
                t = track.start + i
                if 0 <= t < plan.n_frames and place.camera.sees(track.x[i], track.y[i]):
                    frames[track.event[i], t] = True
        shown.update(kind for kind, seen in zip(plan.kinds, frames, strict=True) if seen.sum() >= 6)
    assert set(shown) == set(EVENT_KINDS)
    assert min(shown.values()) >= 2


def test_kinds_are_both_of_looks_and_of_motion():
    count = Counter(EVENT_KINDS.values())
    assert count["motion"] >= count["appearance"] >= 4
    assert set(count) == {"motion", "appearance"}


@given(seed=st.integers(0, 2**20), n=st.integers(1, 30), scenes=st.integers(1, 3))
@settings(max_examples=6)
def test_plans_follow_from_the_parameters(seed, n, scenes):
    parameters = WorldParameters(n, n, scenes, seed, (2.0, 3.0), 8.0, (64, 64))
    places = draw_places(parameters)
    plans = plan_world(parameters, places)
    assert plans == plan_world(parameters, draw_places(parameters))
    assert len({(plan.split, plan.id) for plan in plans}) == 2 * n
    assert not any(plan.kinds for plan in plans if plan.split == "train")
    assert all(len(set(plan.kinds)) == len(plan.kinds) for plan in plans)


@given(
    lengths=st.lists(st.integers(4, 100), min_size=0, max_size=3),
    n_frames=st.integers(24, 200),
    turn=st.floats(0, 1, exclude_max=True),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=200)
def test_events_do_not_overlap_and_the_longest_shows(lengths, n_frames, turn, seed):
    starts = schedule(lengths, n_frames, 12.0, turn, np.random.default_rng(seed))
    spans = sorted(zip(starts, lengths, strict=True))
    assert all(a + n + 9 <= b for (a, n), (b, _) in pairwise(spans))  # three quarters of a second between them
    if len(lengths) == 1:
        assert spans[0][0] + spans[0][1] > 0
        assert spans[0][0] < n_frames


def test_schedule_covers_every_frame_exactly_alike():
    """All turns of the circle, counted out: each frame is in an event equally often."""
    for lengths in ([30], [24, 70]):
        circle, covered = 100 + max(lengths) - 1, np.zeros(100, int)
        for k in range(circle):
            starts = schedule(lengths, 100, 12.0, (k + 0.5) / circle, np.random.default_rng(0))
            covered += labels_of(lengths, 100, starts)
        assert set(covered) == {sum(lengths)}


@pytest.mark.parametrize("count", [1, 2])
def test_no_position_in_a_clip_is_likelier_to_be_anomalous(count):
    rng = np.random.default_rng(7)
    labels, position, n_frames = [], [], 160
    for _ in range(3000):
        lengths = rng.integers(24, 97, count).tolist()
        starts = schedule(lengths, n_frames, 12.0, rng.random(), rng)
        labels.append(labels_of(lengths, n_frames, starts))
        position.append(np.linspace(0, 1, n_frames))
    rate = np.mean(labels, axis=0)
    assert rate.mean() == pytest.approx({1: 0.30, 2: 0.55}[count], abs=0.06)
    assert np.ptp(rate) < 0.08  # six standard errors and a bit
    labels, position = np.concatenate(labels), np.concatenate(position)
    assert auroc(labels, position) == pytest.approx(0.5, abs=0.015)
    assert auroc(labels, -np.abs(position - 0.5)) == pytest.approx(0.5, abs=0.015)


def test_the_obvious_schedule_would_not_do():
    """Events that must fit into their clip make its middle likelier: the property test above can fail."""
    rng = np.random.default_rng(7)
    labels = [labels_of([60], 160, [int(rng.integers(0, 101))]) for _ in range(2000)]
    position = np.tile(np.linspace(0, 1, 160), 2000)
    assert auroc(np.concatenate(labels), -np.abs(position - 0.5)) > 0.6


def test_worlds_are_near_chance_for_blind_scores_on_average(places):
    middle, along = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        parameters = WorldParameters(0, 24, 6, seed, (11.0, 15.0), 12.0, (480, 856))
        labels, position = [], []
        for plan in plan_world(parameters, places):
            lengths = rng.integers(24, 97, len(plan.kinds)).tolist()
            labels.append(labels_of(lengths, plan.n_frames, schedule(lengths, plan.n_frames, 12.0, plan.turn, rng)))
            position.append(np.linspace(0, 1, plan.n_frames))
        labels, position = np.concatenate(labels), np.concatenate(position)
        middle.append(auroc(labels, -np.abs(position - 0.5)))
        along.append(auroc(labels, position))
    assert np.mean(middle) == pytest.approx(0.5, abs=0.02)
    assert np.mean(along) == pytest.approx(0.5, abs=0.02)
    assert np.std(middle) < 0.06


@pytest.mark.parametrize("kind", EVENT_KINDS)
def test_events_last_two_to_eight_seconds_and_are_mostly_in_view(kind, places):
    fps, in_view = 12.0, []
    for place in (p for p in places if suits(kind, p)):
        for seed in range(3):
            script = write_script(kind, place, fps, np.random.default_rng([seed, 5]))
            assert 2.0 - 1e-9 <= script.length / fps <= 8.0 + 0.1, (place.template, script.length / fps)
            seen = np.zeros(script.length, bool)
            for track in script.tracks:
                on = np.flatnonzero(track.event != NO_EVENT)
                assert on.size
                assert 0 <= track.start + on[0] <= track.start + on[-1] < script.length
                for i in on:
                    seen[track.start + i] |= place.camera.sees(track.x[i], track.y[i])
            in_view.append(seen.mean())
    assert np.mean(in_view) > 0.75


def test_events_of_motion_move_as_they_should(places):
    fps = 12.0

    def paces(track, on):
        step = np.hypot(np.diff(track.x), np.diff(track.y)) * fps
        return step[np.flatnonzero(on[1:] & on[:-1])]

    for place in places:
        (track,) = write_script("running", place, fps, np.random.default_rng(1)).tracks
        on = track.event != NO_EVENT
        assert np.median(paces(track, on)) > 2.5
        assert np.median(paces(track, ~on)) < 1.6
    place = next(p for p in places if p.one_way)
    (track,) = write_script("against_stream", place, fps, np.random.default_rng(1)).tracks
    on = np.flatnonzero(track.event != NO_EVENT)
    moved = np.array([track.x[on[-1]] - track.x[on[0]], track.y[on[-1]] - track.y[on[0]]])
    ahead = [route.points[-1] - route.points[0] for route in place.one_way]
    assert all(moved @ way < 0 for way in ahead)


def test_training_clips_are_normal_and_walkers_keep_clear(places, plans):
    closest = []
    for plan in plans[:6]:
        place = places[int(plan.scene) - 1]
        tracks = play(DEMO, plan, place)
        assert all((track.event == NO_EVENT).all() and track.kind == "person" for track in tracks)
        for t in range(0, plan.n_frames, 10):
            here = [(track.x[i], track.y[i]) for track in tracks if (i := track.index(t)) is not None]
            points = np.array(here)
            gap = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1)) + 9 * np.eye(len(points))
            closest.extend(gap.min(axis=1))
            assert np.isfinite(points).all()
    assert len(closest) > 200
    assert np.mean(np.array(closest) < 0.3) < 0.02


def test_one_way_routes_are_walked_one_way(places, plans):
    checked = 0
    for plan in plans[:12]:
        place = places[int(plan.scene) - 1]
        if len(place.one_way) != 1 or place.template != "walkway":
            continue
        ahead = place.one_way[0].points[-1] - place.one_way[0].points[0]
        for track in play(DEMO, plan, place):
            moved = np.array([track.x[-1] - track.x[0], track.y[-1] - track.y[0]])
            along = moved @ ahead / np.linalg.norm(ahead)
            if abs(along) > 0.7 * np.linalg.norm(moved) > 2:
                assert along > 0
                checked += 1
    assert checked >= 5


def test_templates_are_what_scenes_are_made_of(places):
    assert [place.template for place in places] == list(TEMPLATES)

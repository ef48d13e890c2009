import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vadlib.errors import ParameterError
from vadlib.evaluation import Alarms, alarms_at_recall, average_precision, average_precision_at, fpr_at_tpr


@settings(max_examples=40)
@given(st.integers(0, 1000), st.integers(1, 9))
def test_reweighting_equals_repeating_normal_frames(make_clips, seed, times):
    """Every normal frame `times` times over: the prevalence falls, the scores in each class stay as they are."""
    labels, scores, _ = make_clips(seed, n_clips=3, n_frames=10)
    rows = np.repeat(np.arange(len(labels)), np.where(labels == 1, 1, times))
    prevalence = labels[rows].mean()
    assert average_precision_at(labels, scores, prevalence) == pytest.approx(
        average_precision(labels[rows], scores[rows])
    )


def test_reweighted_precision_by_hand_and_at_its_ends():
    labels, scores = [1, 0, 1, 0], [4, 3, 2, 1]
    # recall 1/2 at precision 1; recall 1 at 0.1 * 1 / (0.1 * 1 + 0.9 * 0.5)
    assert average_precision_at(labels, scores, 0.1) == pytest.approx(0.5 * 1 + 0.5 * 0.1 / 0.55)
    assert average_precision_at([0, 1], [1, 2], 1e-6) == 1
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 20_000), rng.normal(size=20_000)
    assert average_precision_at(labels, scores, 0.01) == pytest.approx(0.01, abs=0.002)


@settings(max_examples=25)
@given(st.integers(0, 1000))
def test_reweighted_precision_rises_with_prevalence(make_clips, seed):
    labels, scores, _ = make_clips(seed)
    values = [average_precision_at(labels, scores, share) for share in (0.001, 0.01, 0.1, 0.5, 0.9)]
    assert (np.diff(values) >= 0).all()


def alarms_second_by_second(labels, scores, clips, fps, recall, gap_s):
    """Try every threshold from the top; then walk through each clip frame by frame."""
    anomalous = [s for s, label in zip(scores, labels, strict=True) if label]
    threshold = next(
        t for t in sorted(set(scores), reverse=True) if sum(s >= t for s in anomalous) >= recall * len(anomalous) - 1e-9
    )
    n_alarms = n_false = 0
    for clip in sorted(set(clips)):
        last, hit = None, False
        of_clip = [(s, label) for s, label, c in zip(scores, labels, clips, strict=True) if c == clip]
        for i, (score, label) in enumerate(of_clip):
            if score < threshold:
                continue
            silence = None if last is None else (i - last - 1) / fps
            if silence is None or (silence > 0 and silence >= gap_s - 1e-12):
                n_false += last is not None and not hit
                n_alarms, hit = n_alarms + 1, False
            hit, last = hit or bool(label), i
        n_false += last is not None and not hit
    return threshold, n_alarms, n_false


@settings(max_examples=60)
@given(st.integers(0, 1000), st.sampled_from([0.2, 0.5, 0.95, 1.0]), st.sampled_from([0.0, 0.25, 1.0]))
def test_alarms_equal_a_walk_through_the_clips(make_clips, seed, recall, gap_s):
    labels, scores, clips = make_clips(seed, n_clips=4, n_frames=20)
    found = alarms_at_recall(labels, scores, clips, fps=8, recall=recall, gap_s=gap_s)
    expected = alarms_second_by_second(labels.tolist(), scores.tolist(), clips.tolist(), 8, recall, gap_s)
    assert (found.threshold, found.n_alarms, found.n_false_alarms) == expected
    assert found.recall >= recall
    assert found.false_positive_rate == pytest.approx(fpr_at_tpr(labels, scores, tpr=recall))
    assert found.hours == pytest.approx(80 / 8 / 3600)
    assert found.normal_hours == pytest.approx((labels == 0).sum() / 8 / 3600)


def test_alarms_by_hand():
    #         a: two runs, two frames apart   b: one run in another clip, just behind a's last
    labels = [0, 1, 1, 0, 0, 0, 0, 0] + [0, 0, 0, 0]
    scores = [0, 9, 9, 0, 0, 9, 9, 9] + [9, 9, 0, 0]
    clips = ["a"] * 8 + ["b"] * 4
    apart = alarms_at_recall(labels, scores, clips, fps=1, gap_s=2)
    assert apart == Alarms(9.0, 1.0, 5 / 10, 3, 2, 12 / 3600, 10 / 3600)
    assert apart.alarms_per_hour == pytest.approx(3 / 12 * 3600)
    assert apart.false_alarms_per_hour == pytest.approx(2 / 10 * 3600)
    joined = alarms_at_recall(labels, scores, clips, fps=1, gap_s=2.1)
    assert (joined.n_alarms, joined.n_false_alarms) == (2, 1)


def test_frame_numbers_give_order_gaps_and_time():
    """Every fifth frame of a clip at 25 frames a second, rows shuffled."""
    frames = np.arange(0, 100, 5)
    labels, scores = (frames >= 50).astype(int), np.where(frames % 20 == 10, 1.0, 0.0) + (frames >= 50)
    order = np.random.default_rng(0).permutation(20)
    clips = np.array(["a"] * 20)
    options = {"fps": 25, "recall": 0.1}
    found = alarms_at_recall(labels[order], scores[order], clips, frames=frames[order], gap_s=0.5, **options)
    assert found.n_alarms == 3  # at frames 50, 70, 90: 19 frames of silence, above half a second
    assert found.hours == pytest.approx(100 / 25 / 3600)
    assert alarms_at_recall(labels, scores, clips, frames=frames, gap_s=0.8, **options).n_alarms == 1
    told = alarms_at_recall(labels, scores, clips, frames=frames, hours=2.0, normal_hours=0.5, **options)
    assert (told.hours, told.normal_hours) == (2.0, 0.5)
    assert told.false_alarms_per_hour == told.n_false_alarms / 0.5


@settings(max_examples=25)
@given(st.integers(0, 1000))
def test_a_longer_gap_never_makes_more_alarms(make_clips, seed):
    labels, scores, clips = make_clips(seed)
    counts = [alarms_at_recall(labels, scores, clips, fps=5, gap_s=gap).n_alarms for gap in (0, 0.3, 1, 100)]
    assert (np.diff(counts) <= 0).all()
    assert counts[-1] <= len(np.unique(clips))


def test_bad_options():
    labels, scores, clips = [0, 1], [1, 2], ["a", "a"]
    with pytest.raises(ParameterError, match=r"prevalence must lie in \(0, 1\).*got 0"):
        average_precision_at(labels, scores, 0)
    with pytest.raises(ParameterError, match="fps must be a number of frames a second"):
        alarms_at_recall(labels, scores, clips, fps=0)
    with pytest.raises(ParameterError, match=r"recall must lie in \(0, 1\]"):
        alarms_at_recall(labels, scores, clips, fps=25, recall=0)
    with pytest.raises(ParameterError, match="gap_s must be a number of seconds"):
        alarms_at_recall(labels, scores, clips, fps=25, gap_s=-1)
    with pytest.raises(ParameterError, match="max_s must be a duration above 0"):
        alarms_at_recall(labels, scores, clips, fps=25, max_s=0)
    with pytest.raises(ParameterError, match="normal_hours must be a duration above 0"):
        alarms_at_recall(labels, scores, clips, fps=25, normal_hours=0)
    with pytest.raises(ParameterError, match="frames must number every frame"):
        alarms_at_recall(labels, scores, clips, fps=25, frames=[1])

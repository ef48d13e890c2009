import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from vadlib.errors import ParameterError
from vadlib.evaluation import (
    auroc,
    average_precision,
    balanced_rows,
    macro_auroc,
    normalise_per_clip,
    padded_macro_auroc,
    smooth_per_clip,
    summarize,
    tune_smoothing,
)


def by_hand(scores, clips, of_clip):
    """One clip after the other, one row after the other."""
    out = np.empty(len(scores))
    for clip in set(clips.tolist()):
        rows = [i for i in range(len(clips)) if clips[i] == clip]
        out[rows] = of_clip([scores[i] for i in rows])
    return out


def stretch(values):
    low, high = min(values), max(values)
    return [(value - low) / (high - low) if high > low else 0.0 for value in values]


def gaussian(values, sigma):
    """Weighted mean with exp(-d^2 / 2 sigma^2), cut at four sigma, the clip mirrored at its ends for ever."""
    reach = int(4 * sigma + 0.5)
    weights = {d: np.exp(-(d**2) / (2 * sigma**2)) for d in range(-reach, reach + 1)}
    n, smoothed = len(values), []
    for i in range(n):
        total = 0.0
        for d, weight in weights.items():
            j = (i + d) % (2 * n)
            total += weight * values[j if j < n else 2 * n - 1 - j]
        smoothed.append(total / sum(weights.values()))
    return smoothed


def test_normalisation_equals_the_loop(make_clips):
    _, scores, clips = make_clips(0)
    found = normalise_per_clip(scores, clips)
    np.testing.assert_allclose(found, by_hand(scores, clips, stretch))
    assert normalise_per_clip([3, 3, 5], ["a", "a", "b"]).tolist() == [0, 0, 0]


@settings(max_examples=25)
@given(st.integers(0, 1000), st.floats(0.1, 5), st.floats(-3, 3))
def test_normalisation_forgets_each_clips_level_and_scale(make_clips, seed, scale, level):
    labels, scores, clips = make_clips(seed)
    found = normalise_per_clip(scores, clips)
    assert found.min() == 0
    assert found.max() == 1
    first = clips == "00"
    np.testing.assert_allclose(normalise_per_clip(np.where(first, scale * scores + level, scores), clips), found)
    np.testing.assert_allclose(normalise_per_clip(found, clips), found)
    assert macro_auroc(labels, found, clips)[0] == pytest.approx(macro_auroc(labels, scores, clips)[0])


@pytest.mark.parametrize("sigma", [0.5, 2, 20])
def test_smoothing_equals_the_loop(make_clips, sigma):
    _, scores, clips = make_clips(1, n_clips=4, n_frames=13)
    np.testing.assert_allclose(
        smooth_per_clip(scores, clips, sigma), by_hand(scores, clips, lambda values: gaussian(values, sigma))
    )


def test_smoothing_by_frame_numbers_ignores_the_order_of_rows(make_clips):
    _, scores, clips = make_clips(2)
    frames = np.zeros(len(clips), dtype=int)
    for clip in np.unique(clips):
        frames[clips == clip] = np.random.default_rng(0).permutation((clips == clip).sum())
    order = np.lexsort((frames, clips))
    found = smooth_per_clip(scores, clips, 3, frames=frames)
    np.testing.assert_allclose(found[order], smooth_per_clip(scores[order], clips[order], 3))
    assert not np.allclose(found, smooth_per_clip(scores, clips, 3))


@settings(max_examples=25)
@given(st.integers(0, 1000), st.sampled_from([0.0, 1.0, 7.0]))
def test_smoothing_keeps_constants_means_and_clips_apart(make_clips, seed, sigma):
    _, scores, clips = make_clips(seed)
    found = smooth_per_clip(scores, clips, sigma)
    for clip in np.unique(clips):
        rows = clips == clip
        assert found[rows].mean() == pytest.approx(scores[rows].mean())
        assert np.ptp(found[rows]) <= np.ptp(scores[rows]) + 1e-12
    changed = smooth_per_clip(scores + 10 * (clips == "03"), clips, sigma)
    np.testing.assert_array_equal(changed[clips != "03"], found[clips != "03"])
    if sigma == 0:
        np.testing.assert_array_equal(found, scores)


def test_tuning_keeps_the_best_of_what_it_tried(make_clips):
    labels, scores, clips = make_clips(3)
    sigmas = [0, 1, 4]
    found = tune_smoothing(labels, scores, clips, sigmas=sigmas)
    aurocs = [auroc(labels, smooth_per_clip(scores, clips, sigma)) for sigma in sigmas]
    assert found.aurocs == tuple(aurocs)
    assert found.auroc == max(aurocs) == aurocs[sigmas.index(found.sigma)]
    assert found.unsmoothed == auroc(labels, scores)
    assert found.gain == found.auroc - found.unsmoothed >= 0
    assert tune_smoothing(labels, labels, labels, sigmas=[3, 2]).sigma == 2  # of equals the smallest


def test_tuning_finds_something_even_in_noise():
    """Events of 30 frames, scores of pure noise: chance is 0.5, and the tuned number lies above it on average."""
    rng = np.random.default_rng(0)
    clips = np.repeat(np.arange(10), 90)
    labels = np.tile(np.repeat([0, 1, 0], 30), 10)
    tuned = [tune_smoothing(labels, rng.normal(size=900), clips) for _ in range(30)]
    assert np.mean([each.unsmoothed for each in tuned]) == pytest.approx(0.5, abs=0.015)
    assert np.mean([each.auroc for each in tuned]) > 0.53


def test_macro_is_that_of_the_summary(make_clips):
    labels, scores, clips = make_clips(4)
    labels[clips == "02"] = 0
    summary = summarize(pd.DataFrame({"clip": clips, "label": labels, "s": scores}), "s")
    assert macro_auroc(labels, scores, clips) == (pytest.approx(summary["macro_auroc"]), summary["n_macro_clips"])
    assert macro_auroc([0, 1], [0.1, 0.2], ["a", "b"]) == (None, 0)


def test_padding_equals_what_the_published_code_does(make_clips):
    labels, scores, clips = make_clips(5)
    labels[clips == "02"], labels[clips == "03"] = 0, 1
    scores = normalise_per_clip(scores, clips)
    total = 0.0
    for clip in np.unique(clips):
        of_clip = clips == clip
        padded = np.concatenate(([0], labels[of_clip], [1])), np.concatenate(([0], scores[of_clip], [1]))
        total += roc_auc_score(*padded)
    assert padded_macro_auroc(labels, scores, clips) == pytest.approx(total / len(np.unique(clips)))


@settings(max_examples=30)
@given(st.integers(0, 1000))
def test_padding_never_lowers_and_makes_clips_of_one_class_perfect(make_clips, seed):
    labels, scores, clips = make_clips(seed, ties=False)
    scores = 0.1 + 0.8 * normalise_per_clip(scores, clips)  # no tie with the made-up frames
    assert padded_macro_auroc(labels, scores, clips) >= macro_auroc(labels, scores, clips)[0]
    one_class = np.where(clips < "06", 0, 1)
    assert padded_macro_auroc(one_class, scores, clips) == 1


def test_balancing(make_clips):
    labels, _, _ = make_clips(6)
    rows = balanced_rows(labels, n_per_class=50, seed=1)
    assert len(np.unique(rows)) == len(rows) == 100
    assert labels[rows].sum() == 50
    np.testing.assert_array_equal(rows, balanced_rows(labels, n_per_class=50, seed=1))
    assert not np.array_equal(rows, balanced_rows(labels, n_per_class=50, seed=2))
    rarer = min(labels.sum(), (1 - labels).sum())
    assert len(balanced_rows(labels)) == 2 * rarer


def test_balancing_leaves_auroc_and_lifts_average_precision():
    rng = np.random.default_rng(0)
    labels = (rng.random(4000) < 0.1).astype(int)
    scores = rng.normal(size=4000) + labels
    drawn = [balanced_rows(labels, seed=seed) for seed in range(20)]
    assert np.mean([auroc(labels[r], scores[r]) for r in drawn]) == pytest.approx(auroc(labels, scores), abs=0.01)
    gain = np.mean([average_precision(labels[r], scores[r]) for r in drawn]) - average_precision(labels, scores)
    assert gain > 0.3


@pytest.mark.parametrize("function", [normalise_per_clip, lambda s, c: smooth_per_clip(s, c, 1)])
@pytest.mark.parametrize(
    ("scores", "clips", "message"),
    [
        ([1.0, 2.0], ["a"], "clips must name one clip a frame; got (1,) for scores (2,)"),
        ([1.0, np.nan], ["a", "a"], "scores must be finite; 1 of 2 are not"),
        (["x", "y"], ["a", "a"], "scores must be numbers"),
        ([1.0, 2.0], np.array(["a", None], dtype=object), "1 frames have none"),
    ],
)
def test_bad_scores_and_clips(function, scores, clips, message):
    with pytest.raises(ParameterError, match=re.escape(message)):
        function(scores, clips)


def test_bad_options():
    labels, scores, clips = [0, 1], [0.0, 2.0], ["a", "a"]
    for sigma in (-1, np.nan, np.inf):
        with pytest.raises(ParameterError, match="sigma must be a number of frames, at least 0"):
            smooth_per_clip(scores, clips, sigma)
    with pytest.raises(ParameterError, match="frames must number every frame"):
        smooth_per_clip(scores, clips, 1, frames=[0])
    with pytest.raises(ParameterError, match="sigmas is empty"):
        tune_smoothing(labels, scores, clips, sigmas=[])
    with pytest.raises(ParameterError, match=re.escape("scores must lie in [0, 1] for the padding")):
        padded_macro_auroc(labels, scores, clips)
    for wrong in (0, 2):
        with pytest.raises(ParameterError, match=f"n_per_class must lie in 1 to 1.*got {wrong}"):
            balanced_rows(labels, n_per_class=wrong)
    with pytest.raises(ParameterError, match="one class only"):
        balanced_rows([1, 1])

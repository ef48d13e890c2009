"""The leakage report: against plain loops, by hand, and as proof that the disjoint protocols cannot leak."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vadlib.data import draw
from vadlib.data.sampling import Fold
from vadlib.detectors import LearnsFrom
from vadlib.errors import ParameterError
from vadlib.evaluation import leakage, leakage_report, nearest_fit_distance, nearest_fit_similarity
from vadlib.studies.cross_fit import cross_fit, embedded_frames

DISJOINT = ("disjoint-clips", "disjoint-scenes")


@st.composite
def worlds(draw_from):
    """Frame tables of any shape that can be split: 2 to 4 scenes of 2 to 5 test clips, each with both classes."""
    parts = []
    for scene in range(draw_from(st.integers(2, 4))):
        for number, n in enumerate(draw_from(st.lists(st.integers(3, 15), min_size=2, max_size=5))):
            first = draw_from(st.integers(1, n - 1))
            columns = {"clip": f"{scene}_{number}", "split": "test", "scene": f"s{scene}", "frame": np.arange(n)}
            parts.append(pd.DataFrame(columns | {"label": (np.arange(n) >= first).astype(np.int8)}))
    order = draw_from(st.randoms(use_true_random=False))
    table = pd.concat(parts, ignore_index=True)
    return table.sample(frac=1, random_state=order.randrange(2**31))


def slow_report(folds, fps, embeddings, threshold) -> dict:
    """The definitions, frame by frame."""
    distances, within, duplicates, scenes, shared = [], 0, [], 0, set()
    for fit, test in folds:
        for row in test.itertuples():
            of_clip = fit[fit["clip"] == row.clip]
            scenes += row.scene in set(fit["scene"])
            if len(of_clip):
                distance = (of_clip["frame"] - row.frame).abs().min()
                distances.append(distance)
                within += distance <= fps[row.clip]
                shared.add(row.clip)
            one = embeddings.loc[row.Index].to_numpy(np.float64)
            others = embeddings.loc[fit.index].to_numpy(np.float64)
            cosine = others @ one / np.linalg.norm(others, axis=1) / np.linalg.norm(one)
            duplicates.append(cosine.max())
    n = sum(len(test) for _, test in folds)
    return {
        "n_folds": len(folds),
        "n_test_frames": n,
        "n_test_clips": len({clip for _, test in folds for clip in test["clip"]}),
        "n_shared_clips": len(shared),
        "n_frames_in_shared_clips": len(distances),
        "share_in_shared_clips": len(distances) / n,
        "share_in_shared_scenes": scenes / n,
        "median_distance_frames": float(np.median(distances)) if distances else None,
        "share_within_1_s": within / n,
        "n_reused_frames": distances.count(0),
        "share_reused": distances.count(0) / n,
        "near_duplicates": {
            "threshold": threshold,
            "n_compared": n,
            "share": float(np.mean(np.array(duplicates) > threshold)),
            "median_similarity": pytest.approx(np.median(duplicates), abs=1e-6),
        },
    }


def drawn(table, protocol, seed=0, n_fit=2):
    return draw(table, protocol, n_fit, n_fit, 3, 3, seed, n_folds=2)


@settings(max_examples=30)
@given(world=worlds(), seed=st.integers(0, 99), protocol=st.sampled_from(["same-clips", "reused-frames", *DISJOINT]))
def test_report_equals_the_plain_loop(world, seed, protocol):
    split = drawn(world, protocol, seed, n_fit=1)
    rng = np.random.default_rng(seed)
    embeddings = pd.DataFrame(rng.normal(size=(len(world), 3)).astype(np.float32), index=world.index)
    fps = {clip: 1 + number % 4 for number, clip in enumerate(world["clip"].unique())}
    report = leakage_report(split, fps, embeddings=embeddings, threshold=0.9)
    assert report == slow_report([(fold.fit, fold.test) for fold in split.folds], fps, embeddings, 0.9)


class Witness:
    """Remembers the clips (and scenes) that it was fitted on; embeddings are the numbers of clip and scene."""

    learns_from = LearnsFrom.LABELLED_FRAMES

    def fit(self, frames):
        self.clips, self.scenes = (set(column) for column in frames.embeddings.T)
        return self

    def score_columns(self, frames):
        saw = {
            "clip": [clip in self.clips for clip, _ in frames.embeddings],
            "scene": [scene in self.scenes for _, scene in frames.embeddings],
        }
        return {name: np.array(values, np.float32) for name, values in saw.items()}


@settings(max_examples=40)
@given(world=worlds(), seed=st.integers(0, 2**40), protocol=st.sampled_from(DISJOINT), everything=st.booleans())
def test_disjoint_protocols_cannot_leak(world, seed, protocol, everything):
    """In no world, under no seed: and every frame's score comes from a model that has not seen its clip."""
    counts = (None, None) if everything else (3, 3)
    split = draw(world, protocol, 1, 1, *counts, seed, n_folds=2)
    report = leakage_report(split, 25.0)
    assert report["n_shared_clips"] == report["n_frames_in_shared_clips"] == report["n_reused_frames"] == 0
    assert report["share_within_1_s"] == report["share_in_shared_clips"] == 0
    assert report["median_distance_frames"] is None
    assert report["n_test_frames"] == (len(world) if everything else 6)
    if protocol == "disjoint-scenes":
        assert report["share_in_shared_scenes"] == 0
    numbers = [pd.factorize(world[column])[0] for column in ("clip", "scene")]
    embeddings = pd.DataFrame(np.column_stack(numbers).astype(np.float32), index=world.index)
    saw, _ = cross_fit(split, Witness, embedded_frames(embeddings))
    assert len(saw) == report["n_test_frames"]
    assert (saw["clip"] == 0).all()
    if protocol == "disjoint-scenes":
        assert (saw["scene"] == 0).all()


@settings(max_examples=20)
@given(world=worlds(), seed=st.integers(0, 2**40), protocol=st.sampled_from(DISJOINT))
def test_one_frame_of_a_tested_clip_among_those_fitted_is_found(world, seed, protocol):
    split = draw(world, protocol, 1, 1, None, None, seed, n_folds=2)
    first, *rest = split.folds
    clip = first.test["clip"].iloc[0]
    leaky = Fold(pd.concat([first.fit, first.test.head(1)]), first.test)
    report = leakage_report([leaky, *rest], 25.0)
    assert report["n_shared_clips"] == report["n_reused_frames"] == 1
    assert report["n_frames_in_shared_clips"] == (world["clip"] == clip).sum()


@settings(max_examples=20)
@given(world=worlds(), seed=st.integers(0, 2**40))
def test_what_the_leaky_protocols_share(world, seed):
    reused = leakage_report(drawn(world, "reused-frames", seed), 25.0)
    assert reused["n_reused_frames"] == 4
    apart = leakage_report(drawn(world, "same-clips", seed, n_fit=1), 25.0)
    assert apart["n_reused_frames"] == 0
    assert apart["median_distance_frames"] is None or apart["median_distance_frames"] >= 1


def small_folds():
    fit = pd.DataFrame({"clip": ["x", "x", "y"], "frame": [0, 10, 5]}, index=[0, 1, 2])
    test = pd.DataFrame({"clip": ["x", "x", "x", "z"], "frame": [4, 10, 40, 10]}, index=[3, 1, 4, 5])
    return [(fit, test)]


def test_by_hand():
    report = leakage_report(small_folds(), {"x": 4, "z": 4})
    assert report == {
        "n_folds": 1,
        "n_test_frames": 4,
        "n_test_clips": 2,
        "n_shared_clips": 1,
        "n_frames_in_shared_clips": 3,
        "share_in_shared_clips": 0.75,
        "share_in_shared_scenes": None,
        "median_distance_frames": 4.0,
        "share_within_1_s": 0.5,  # a second is four frames: four frames away is within it
        "n_reused_frames": 1,
        "share_reused": 0.25,
        "near_duplicates": None,
    }
    distances = nearest_fit_distance(small_folds())
    assert distances.index.tolist() == [3, 1, 4, 5]
    assert distances["distance"].fillna(-1).tolist() == [4, 0, 30, -1]
    assert distances["fold"].tolist() == [0] * 4


def test_each_frame_is_held_against_its_own_fold_only():
    x = pd.DataFrame({"clip": "x", "frame": range(5)})
    y = x.assign(clip="y")
    assert leakage_report([(x, y), (y, x)], 25)["n_shared_clips"] == 0
    assert leakage_report([(x, x), (y, y)], 25)["n_shared_clips"] == 2


def test_near_duplicates_by_hand():
    vectors = {0: (1, 0), 1: (0, 2), 2: (-1, 0), 3: (3, 0.1), 4: (1, 1), 5: (np.nan, 0)}
    embeddings = pd.DataFrame.from_dict(vectors, orient="index", dtype=np.float32)
    similarity = nearest_fit_similarity(small_folds(), embeddings)
    assert similarity.index.tolist() == [3, 1, 4, 5]
    np.testing.assert_allclose(similarity, [3 / np.hypot(3, 0.1), 1, np.sqrt(0.5), np.nan], rtol=1e-6)
    report = leakage_report(small_folds(), 25, embeddings=embeddings, threshold=0.9)["near_duplicates"]
    assert report["n_compared"] == 3
    assert report["share"] == pytest.approx(2 / 3)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32), scale=st.floats(1e-3, 1e3))
def test_similarity_ignores_lengths_and_blocks(seed, scale):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"clip": "x", "frame": range(40)})
    embeddings = pd.DataFrame(rng.normal(size=(40, 5)).astype(np.float32))
    folds = [(table[:25], table[20:])]
    expected = nearest_fit_similarity(folds, embeddings)
    np.testing.assert_allclose(expected[:5], 1, atol=1e-6)  # themselves among those fitted
    assert expected.abs().max() <= 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leakage, "BLOCK_BYTES", 4 * 25 * 3)  # three frames at a time
        np.testing.assert_allclose(nearest_fit_similarity(folds, embeddings * scale), expected, atol=2e-6)


@pytest.mark.parametrize(
    ("fps", "message"),
    [
        (0, "fps: frames a second must be a number above 0; got 0"),
        (float("nan"), "must be a number above 0; got nan"),
        (float("inf"), "must be a number above 0; got inf"),
        ("25", "must be a number above 0; got '25'"),
        ({"x": 25}, "fps: 1 clips have no frame rate, first z"),
        ({"x": 25, "z": -1}, "got -1"),
    ],
)
def test_bad_frame_rates(fps, message):
    with pytest.raises(ParameterError, match=message):
        leakage_report(small_folds(), fps)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda e: e.drop(index=4), {}, "embeddings: 1 frames of the split have none"),
        (lambda e: pd.concat([e, e.iloc[:1]]), {}, "embeddings: the index has a row twice"),
        (lambda e: e * 0, {}, "embeddings: 3 are zero"),
        (lambda e: e * np.where(e.index >= 3, 1, np.nan)[:, None], {}, "embeddings: fold 1 has no fit frame with one"),
        (
            lambda e: e * np.where(e.index.isin([0, 2]), 1, np.nan)[:, None],
            {},
            "embeddings: none of the tested frames could be read",
        ),
        (lambda e: e, {"threshold": 1.0}, r"threshold: a cosine similarity between -1 and 1 is expected, not 1\.0"),
    ],
)
def test_bad_embeddings(change, options, message):
    embeddings = pd.DataFrame(np.ones((6, 2), np.float32))
    with pytest.raises(ParameterError, match=message):
        leakage_report(small_folds(), 25, embeddings=change(embeddings), **options)


def test_bad_folds_are_refused_as_everywhere():
    with pytest.raises(ParameterError, match="with no test frame"):
        leakage_report([], 25)
    fit, test = small_folds()[0]
    with pytest.raises(ParameterError, match="fit frames of fold 1: column 'clip' is missing"):
        leakage_report([(fit.drop(columns="clip"), test)], 25)

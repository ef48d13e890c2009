"""What the published tables say, measured in one go: on made tables, beside the studies that it is put together from."""

import json

import numpy as np
import published_tables as made
import pytest

from vadlib.data import draw, open_dataset
from vadlib.data.published.tables import read_captions, read_frame_scores, read_tracks
from vadlib.detectors.as_run import PrototypesAsRun
from vadlib.evaluation import BLIND_BASELINES, auroc
from vadlib.runs.results import plain
from vadlib.studies.captions import CAPTION_PROTOCOLS, score_captions
from vadlib.studies.ensemble_weights import best_weights
from vadlib.studies.published_scores import moving_mean
from vadlib.studies.shanghaitech import AS_RUN_PROTOCOLS, COMPARED, CURVES, measure_published_tables
from vadlib.studies.tracks import fit_usual_speeds, speed_scores

SIZES = {"n_fit": 20, "n_test": 30, "n_fit_as_run": 20, "n_test_as_run": 25, "n_prototypes": 6, "n_drawn_as_run": 12}
SIZES |= {"n_dimensions": 6, "n_folds": 3, "square_px": 40, "mean_frames": 5, "n_splits": 5, "n_resamples": 50}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    return open_dataset("shanghaitech-published", made.write_tables(tmp_path_factory.mktemp("tables")))


@pytest.fixture(scope="module")
def found(videos):
    return measure_published_tables(videos, seeds=[0, 1], **SIZES)


def test_what_is_recorded_are_figures_and_small_curves(found):
    text = json.dumps(plain(found, "found"), allow_nan=False)
    assert len(text) < 400_000
    lengths = []

    def walk(value):
        if isinstance(value, dict):
            any(map(walk, value.values()))
        elif isinstance(value, list | tuple):
            lengths.append(len(value))
            any(map(walk, value))

    walk(json.loads(text))
    assert max(lengths) == 101  # no value a frame: those of the tables stay with their owners
    assert not any(caption in text for caption in made.tables()["captions.parquet"]["caption"])


def test_every_score_is_judged_on_every_frame(found, videos):
    assert {*BLIND_BASELINES, *COMPARED, *CURVES} - {"nearest_fit_label"} <= set(found["scores"])
    assert {entry["n_frames"] for entry in found["scores"].values()} == {len(made.frame_table())}
    assert set(found["kinds"]) == set(found["scores"])
    assert list(found["captions"]) == list(CAPTION_PROTOCOLS)
    assert list(found["as_run"]) == list(AS_RUN_PROTOCOLS)
    assert len(found["kinds_drawn"]) == len(CAPTION_PROTOCOLS) + len(AS_RUN_PROTOCOLS)
    assert len(found["comparisons"]) == 21
    assert found["tracks"]["n_train_clips"] == 6
    scored = videos.frame_table().merge(read_frame_scores(videos.root))
    assert found["scores"]["deep"]["micro_auroc"] == auroc(scored["label"], scored["deep"])


def test_speed_is_that_of_places_averaged_in_time(found, videos):
    frames = videos.frame_table()
    tracks = read_tracks(videos.root, frames)
    scores = speed_scores(tracks, fit_usual_speeds(tracks, square_px=40), frames)
    assert found["scores"]["speed_of_place"]["micro_auroc"] == auroc(frames["label"], scores)
    mean = moving_mean(scores, frames["clip"], 5)
    assert found["scores"]["speed"]["micro_auroc"] == auroc(frames["label"], mean)
    assert found["scores"]["speed"]["micro_auroc"] > found["scores"]["speed_of_place"]["micro_auroc"] - 0.1


def test_as_run_is_weighed_on_the_frames_that_it_is_judged_on(found, videos):
    frames = videos.frame_table()
    frames = frames.assign(caption=read_captions(videos.root, frames))
    split = draw(frames, "same-clips", 20, 20, 25, 25, 0)
    options = {"k": 6, "n_frames": 12, "device": "cpu"}
    scored = score_captions(split, lambda network: PrototypesAsRun(network, **options), n_dimensions=6)
    columns = scored[["max", "mean", "topk", "distance"]].to_numpy(np.float64)
    best = auroc(scored["label"], columns @ best_weights(scored["label"], columns))
    as_run = found["as_run"]["same-clips"]
    assert as_run["scores"]["weighted"]["micro_auroc"] == pytest.approx(best)
    assert best >= max(as_run["scores"][name]["micro_auroc"] for name in ("max", "mean", "topk", "distance"))
    assert best >= as_run["scores"]["weighted_elsewhere"]["micro_auroc"]
    assert as_run["by_seed"]["0"] == as_run["scores"]["weighted"]["micro_auroc"]

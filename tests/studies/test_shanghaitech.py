"""What the published tables say, measured in one go: on made tables, beside the studies that it is put together from."""

import hashlib
import json

import numpy as np
import published_tables as made
import pytest
from sklearn.metrics import roc_auc_score

from vadlib.data import draw, open_dataset
from vadlib.data.published.tables import read_captions, read_frame_scores, read_tracks
from vadlib.detectors.as_run import PrototypesAsRun
from vadlib.evaluation import BLIND_BASELINES, auroc, blind_scores, bootstrap_auroc
from vadlib.report.records.recorded import recorded_or_none
from vadlib.runs.results import plain
from vadlib.studies.captions import CAPTION_PROTOCOLS, score_captions
from vadlib.studies.ensemble_weights import best_weights
from vadlib.studies.published_scores import moving_mean
from vadlib.studies.shanghaitech import AS_RUN_PROTOCOLS, COMPARED, CURVES, measure_published_tables
from vadlib.studies.tracks import fit_usual_speeds, speed_scores


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    return open_dataset("shanghaitech-published", made.write_tables(tmp_path_factory.mktemp("tables")))


@pytest.fixture(scope="module")
def found(videos):
    return measure_published_tables(videos, seeds=[0, 1], **made.SIZES)


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


@pytest.fixture(scope="module")
def recorded_and_root(shared_data):
    root, record = shared_data / "shanghaitech_published", recorded_or_none("shanghaitech-published-29_shanghaitech")
    if not root.is_dir() or record is None:
        pytest.skip(f"needs the published tables in {root.name}, and a record of them; one of both is not here")
    return record, root


def test_what_is_recorded_of_scores_tracks_and_arrays_comes_out_again(recorded_and_root):
    """By scikit-learn, NumPy and pandas where that is short, to the last digits."""
    record, root = recorded_and_root
    metrics, given = record.metrics, record.run["parameters"]
    videos = open_dataset("shanghaitech-published", root)
    frames = videos.frame_table()
    scored = frames.merge(read_frame_scores(root).drop(columns="label"), on=["clip", "frame"])
    tracks = read_tracks(root, frames)
    usual = fit_usual_speeds(tracks, square_px=given["square_px"])
    scored["speed"] = moving_mean(speed_scores(tracks, usual, frames), frames["clip"], given["mean_frames"])
    scored = scored.assign(**blind_scores(frames))
    for name in ("stg_nf", "velocity", "pose", "deep", "speed", "middle", "position", "scene_rate_other_clips"):
        stated = metrics["scores"][name]
        assert stated["micro_auroc"] == pytest.approx(roc_auc_score(scored["label"], scored[name]), abs=1e-9)
        assert stated["n_frames"] == 40_791
        normal = scored[scored["label"] == 0]
        for kind, row in metrics["kinds"][name].items():
            parts = [
                scored[(scored["clip"] == e.clip) & scored["frame"].between(e.first, e.last)]
                for e in videos.events.itertuples()
                if e.event == kind
            ]
            values = [*np.concatenate([part[name] for part in parts]), *normal[name]]
            labels = np.arange(len(values)) < len(values) - len(normal)
            assert row["n_frames"] == labels.sum()
            assert row["estimate"] == pytest.approx(roc_auc_score(labels, values), abs=1e-9)
    interval = bootstrap_auroc(
        scored["label"], scored["speed"], clusters=scored["clip"], n_resamples=given["n_resamples"], seed=0
    )
    assert metrics["scores"]["speed"]["micro_auroc_interval"] == pytest.approx(vars(interval), abs=1e-9)
    labels = np.load(root / "paper" / "clip_test_labels.npy")
    fused = np.load(root / "paper" / "clip_fused_score.npy")
    assert metrics["paper"]["fused_score"]["frames"]["estimate"] == pytest.approx(
        roc_auc_score(labels, fused), abs=1e-9
    )
    digests = {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in metrics["sources"]}
    assert digests == {name: source["sha256"] for name, source in metrics["sources"].items()}


@pytest.mark.parametrize("protocol", ["same-clips", "disjoint-clips"])
def test_what_is_recorded_of_captions_as_run_comes_out_again(protocol, recorded_and_root):
    record, root = recorded_and_root
    given, stated = record.run["parameters"], record.metrics["as_run"][protocol]["scores"]
    frames = open_dataset("shanghaitech-published", root).frame_table()
    frames = frames.assign(caption=read_captions(root, frames))
    split = draw(frames, protocol, *2 * [given["n_fit_as_run"]], *2 * [given["n_test_as_run"]], 0)
    scored = score_captions(split, lambda network: PrototypesAsRun(network, device="cpu"))
    for name in ("max", "mean", "topk", "distance"):
        assert stated[name]["micro_auroc"] == pytest.approx(auroc(scored["label"], scored[name]), abs=0.005)
    assert record.metrics["as_run"][protocol]["share_seen"] == scored["seen"].mean()

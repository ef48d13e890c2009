"""Speeds of tracked people: beside a loop over people and boxes, and what they must and must not see."""

import numpy as np
import pandas as pd
import published_tables as made
import pytest

from vadlib.data import open_dataset
from vadlib.data.published.tables import read_tracks
from vadlib.errors import ParameterError
from vadlib.evaluation import auroc
from vadlib.studies import tracks as study
from vadlib.studies.published_scores import moving_mean
from vadlib.studies.tracks import LAG_BOXES, LEAST_SPEEDS, QUANTILE, fit_usual_speeds, speed_scores, track_speeds


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = made.write_tables(tmp_path_factory.mktemp("tables"))
    frames = open_dataset("shanghaitech-published", folder).frame_table()
    return read_tracks(folder, frames), frames


def by_loops(tracks, square_px):
    """Frame scores in plain steps: a dict of (clip, frame) to the fastest person's multiple of what is usual."""
    speeds = {"train": [], "test": []}
    for (split, clip, _), boxes in tracks.groupby(["split", "clip", "person"]):
        rows = boxes.sort_values("frame").to_dict("records")
        for now, before in zip(rows[LAG_BOXES:], rows[:-LAG_BOXES], strict=True):
            x, old_x = ((row["x0"] + row["x1"]) / 2 for row in (now, before))
            moved = np.sqrt((x - old_x) ** 2 + (now["y1"] - before["y1"]) ** 2) / (now["frame"] - before["frame"])
            place = (now["scene"], x // square_px, now["y1"] // square_px) if square_px else None
            speeds[split].append((clip, now["frame"], now["scene"], place, moved / (now["y1"] - now["y0"])))
    usual, places = {}, {}
    for *_, scene, place, speed in speeds["train"]:
        usual.setdefault(scene, []).append(speed)
        places.setdefault(place, []).append(speed)
    found = {}
    for clip, frame, scene, place, speed in speeds["test"]:
        of = places.get(place, []) if square_px else []
        limit = np.quantile(of, QUANTILE) if len(of) >= study.LEAST_SPEEDS else np.quantile(usual[scene], QUANTILE)
        found[clip, frame] = max(found.get((clip, frame), 0), speed / limit)
    return found


@pytest.mark.parametrize("square_px", [None, 40])
def test_scores_equal_those_of_a_loop(square_px, tables, monkeypatch):
    tracks, frames = tables
    monkeypatch.setattr(study, "LEAST_SPEEDS", 10)
    usual = fit_usual_speeds(tracks, square_px=square_px)
    assert usual.n_clips == 6
    assert (len(usual.by_place) > 0) == bool(square_px)
    expected = by_loops(tracks, square_px)
    scores = speed_scores(tracks, usual, frames)
    np.testing.assert_allclose(
        scores, [expected.get(key, 0) for key in zip(frames["clip"], frames["frame"], strict=True)]
    )


def test_who_moves_faster_than_people_in_training_stands_out(tables):
    tracks, frames = tables
    scores = speed_scores(tracks, fit_usual_speeds(tracks), frames)
    assert auroc(frames["label"], scores) > 0.9
    late = frames["frame"] >= LAG_BOXES
    assert scores[late & (frames["label"] == 0)].min() > 0
    assert scores[frames["frame"] < LAG_BOXES].max() == 0


def test_a_speed_is_in_heights_a_frame_and_perspective_cancels(tables):
    tracks, _ = tables
    small = tracks.assign(**{name: tracks[name] * 3 for name in ("x0", "x1", "y0", "y1")})
    np.testing.assert_allclose(track_speeds(small), track_speeds(tracks))
    assert np.nanmax(track_speeds(tracks[tracks["split"] == "train"])) == pytest.approx(3 / 50)


def test_a_gap_in_a_track_is_no_speed(tables):
    tracks, _ = tables
    one = tracks[(tracks["clip"] == "01_001") & (tracks["person"] == 1)]
    with_gap = one[one["frame"] % 3 != 1].reset_index(drop=True)
    np.testing.assert_allclose(track_speeds(with_gap)[LAG_BOXES:], 2 / 50)
    assert np.isnan(track_speeds(one)[:LAG_BOXES]).all()


def test_training_labels_and_test_clips_change_nothing_that_is_usual(tables):
    tracks, _ = tables
    all_clips, train_alone = fit_usual_speeds(tracks), fit_usual_speeds(tracks[tracks["split"] == "train"])
    pd.testing.assert_series_equal(all_clips.by_scene, train_alone.by_scene)


def test_frames_without_people_score_nothing(tables):
    tracks, frames = tables
    seen = tracks[(tracks["split"] == "train") | (tracks["clip"] != "01_0001")]
    scores = speed_scores(seen, fit_usual_speeds(seen), frames)
    assert (scores[frames["clip"] == "01_0001"] == 0).all()


def test_places_need_enough_speeds_and_movement(tables):
    tracks, frames = tables
    assert len(fit_usual_speeds(tracks, square_px=40).by_place) == 0 < LEAST_SPEEDS
    crowd = [  # a hundred and more people who stand still in one place of scene 01, and one who passes it
        made.box("train", "01_009", frame, person, 500) for person in range(12) for frame in range(20)
    ]
    crowd = pd.DataFrame(crowd, columns=[c for c in tracks.columns if c != "scene"]).assign(scene="01")
    more = pd.concat([tracks, crowd]).sort_values(["split", "clip", "person", "frame"], ignore_index=True)
    usual = fit_usual_speeds(more, square_px=40)
    assert (usual.by_place > 0).all()
    assert np.isfinite(speed_scores(more, usual, frames)).all()


def test_bad_input_is_named(tables):
    tracks, frames = tables
    usual = fit_usual_speeds(tracks)
    with pytest.raises(ParameterError, match="of scene 07 there is no training clip"):
        speed_scores(tracks, usual, frames.assign(scene="07"))
    with pytest.raises(ParameterError, match="lag_boxes: at least 1"):
        track_speeds(tracks, lag_boxes=0)
    with pytest.raises(ParameterError, match="no training clip has a person in more than 5 boxes"):
        fit_usual_speeds(tracks[tracks["frame"] < 5])
    standing = tracks.assign(x0=10, x1=30)
    with pytest.raises(ParameterError, match="nobody moves in the training clips of scene 01"):
        fit_usual_speeds(standing)


def test_the_published_tracks(shared_data):
    """As measured once by other code: 0.739 for frames as they are, 0.780 for means of 25 frames."""
    root = shared_data / "shanghaitech_published"
    if not root.is_dir():
        pytest.skip(f"needs the published tables in {root.name}, which are not on this machine")
    frames = open_dataset("shanghaitech-published", root).frame_table()
    tracks = read_tracks(root, frames)
    usual = fit_usual_speeds(tracks)
    assert usual.n_clips == 330
    scores = speed_scores(tracks, usual, frames)
    found = [auroc(frames["label"], moving_mean(scores, frames["clip"], n)) for n in (1, 25)]
    assert found == pytest.approx([0.739, 0.780], abs=0.001)

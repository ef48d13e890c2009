"""The stand-in for the paper's data has its numbers, and the rehearsal measures what it ran."""

import json
import os
import sys

import numpy as np
import pytest

from vadlib.data import open_dataset
from vadlib.data.published.official import COUNTS

OFFICIAL = COUNTS["shanghaitech"]


@pytest.fixture
def rehearse(monkeypatch, project_root):
    monkeypatch.syspath_prepend(str(project_root / "tools"))
    import rehearse

    return rehearse


def test_numbers_and_names_are_the_published_ones(rehearse):
    for total, parts in ((OFFICIAL.train_frames, OFFICIAL.train_clips), (OFFICIAL.test_frames, OFFICIAL.test_clips)):
        shares = rehearse.spread(total, parts)
        assert (sum(shares), len(shares), max(shares) - min(shares)) == (total, parts, 1)
    assert rehearse.chosen(OFFICIAL.train_clips, 1) == list(range(OFFICIAL.train_clips))
    names = [rehearse.clip_name(OFFICIAL.train_scenes, i, 3) for i in range(OFFICIAL.train_clips)]
    assert len(set(names)) == OFFICIAL.train_clips
    assert (names[0], names[82], names[83], names[-1]) == ("01_001", "01_083", "02_001", "13_007")


def test_frames_are_scaled_and_nothing_else_is(rehearse):
    given = {
        "n_fit_frames": 2000,
        "n_components": 300,
        "chapter": {"n_test_normal": 4000, "seed": 3},
        "n_fit": [50, 1000],
    }
    expected = {
        "n_fit_frames": 100,
        "n_components": 300,
        "chapter": {"n_test_normal": 200, "seed": 3},
        "n_fit": [100, 100],
    }
    assert rehearse.scaled(given, 0.05) == expected
    assert rehearse.scaled({"n_test_compared": 100}, 0.001) == {"n_test_compared": rehearse.FEWEST_FRAMES}


def test_growth_is_the_power_of_the_scale(rehearse):
    runs = {
        f"{scale}": {"chapters": {"a": {"cpu_s": 3 * scale}, "b": {"cpu_s": scale**2}}} for scale in (0.1, 0.2, 0.4)
    }
    assert rehearse.growth(runs) == pytest.approx({"a": 1, "b": 2})
    assert rehearse.growth({"1": runs["0.1"]}) == {}


def test_the_layout_opens_as_the_data_set(rehearse, tmp_path, monkeypatch):
    monkeypatch.setattr(rehearse, "SIZE", (48, 64))
    counts = rehearse.lay_out(tmp_path / "data", tmp_path / "sources", 0.02, clip_frames=6)
    videos = open_dataset("shanghaitech", tmp_path / "data")
    table = videos.frame_table()
    split = table["split"].to_numpy()
    found = {f"{name}_clips": table["clip"][split == name].nunique() for name in ("train", "test")}
    found |= {f"{name}_frames": int((split == name).sum()) for name in ("train", "test")}
    assert found | {"anomalous_frames": int(table["label"].sum())} == counts
    clip = next(clip for clip in videos.clips if clip.split == "test")
    assert np.asarray(videos.pixel_mask(clip.id, 3)).any()
    assert os.stat(clip.path / "000.jpg").st_nlink > 1


@pytest.mark.long
def test_a_rehearsal_in_small(rehearse, tmp_path, monkeypatch):
    arguments = [
        "--scale",
        "0.02",
        "--clip-frames",
        "24",
        "--out",
        str(tmp_path),
        "--chapters",
        "01_dataset",
        "02_padim",
    ]
    monkeypatch.setattr(sys, "argv", ["rehearse.py", *arguments])
    rehearse.main()
    run = json.loads((tmp_path / "rehearsal.json").read_text())["runs"]["0.02"]
    assert set(run["chapters"]) == {"01_dataset", "02_padim"}
    padim = run["chapters"]["02_padim"]
    assert run["peak_bytes"] >= padim["peak_bytes"] > 2**27
    assert padim["cpu_s"] > 1
    assert padim["disk_bytes"] > 0
    assert {"fit", "score"} <= set(padim["stages"])

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vadlib.data import Clip, VideoDataset
from vadlib.report import footage_page
from vadlib.report.footage_page import clips_table, moments_table, overview_of_clips

ROOT = Path("/videos")


def make(paths):
    """Clips of 100 frames at 10 a second, one frame scored of each, stranger and stranger; a moment in the last."""
    clips = [Clip(path.replace("/", "_"), "test", path.split("/")[-2], ROOT / path, 100, 10.0) for path in paths]
    labels = {clip.id: np.full(100, -1) for clip in clips}
    videos = VideoDataset("videos", ROOT, tuple(clips), labels, may_lack_labels=True)
    scores = pd.DataFrame({"clip": [clip.id for clip in clips], "frame": 0, "last": 99})
    moments = scores.iloc[-1:][["clip"]]
    return videos, scores, np.arange(len(clips), dtype=float), moments, {clip.id: 10.0 for clip in clips}


def test_groups_are_folders():
    paths = [
        f"2024-01-02/{hour}/{camera}/{n}.mp4" for hour in ("06", "07") for camera in ("gate", "yard") for n in "ab"
    ]
    table = overview_of_clips(*make(paths))
    assert table["footage"].tolist() == [
        *("2024-01-02/06/gate", "2024-01-02/06/yard", "2024-01-02/07/gate", "2024-01-02/07/yard")
    ]
    assert table["camera"].tolist() == ["gate", "yard"] * 2
    assert table["clips"].tolist() == ["2"] * 4
    assert table["length"].tolist() == ["20 seconds"] * 4
    assert table["moments"].tolist() == ["0", "0", "0", "1"]
    assert table["strangest"].tolist() == ["1.0", "3.0", "5.0", "7.0"]
    assert table["in clip"].iloc[0] == "2024-01-02_06_gate_b.mp4"


def test_too_many_groups_are_joined(monkeypatch):
    monkeypatch.setattr(footage_page, "MAX_GROUPS", 3)
    paths = [f"2024-01-02/{hour}/{camera}/a.mp4" for hour in ("06", "07") for camera in ("gate", "yard")]
    table = overview_of_clips(*make(paths))
    assert table["footage"].tolist() == ["2024-01-02/06", "2024-01-02/07"]
    assert table["camera"].tolist() == ["gate, yard"] * 2


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (["20240102095959", "20240102100000", "20240102100010"], ["2024-01-02, 09 h", "2024-01-02, 10 h"]),
        (["a", "b"], ["gate"]),
        (["10-00-07-3", "10-00-08-4"], ["gate"]),
        (["cam2-1704189607.25-3-4", "cam2-1704189608.25-3-4"], ["gate"]),
        (["2024-01-02 cam 3-7", "2024-01-03 cam 3-7"], ["gate"]),
        (["20240102095959", "10-00-08-4"], ["gate"]),
    ],
)
def test_one_folder_is_divided_by_the_hour(names, groups):
    assert overview_of_clips(*make([f"gate/{name}.mp4" for name in names]))["footage"].tolist() == groups


def test_moments_and_clips_as_text():
    moments = pd.DataFrame(
        {"clip": ["a"], "start_s": [1.25], "end_s": [2.0], "strangeness": [3.21], "detectors": "x, y"}
    )
    assert moments_table(moments).iloc[0].tolist() == ["a", "1.2", "2.0", "3.2", "x, y"]
    assert moments_table(moments.assign(true="no"))["an event?"].tolist() == ["no"]
    videos = make(["gate/a.mp4"])[0]
    assert clips_table(videos).iloc[0].tolist() == ["gate_a.mp4", "gate", 10.0, 100, "a.mp4"]

"""What lies on disk: ShanghaiTech's layout, the same bytes every time, and nothing half done."""

import csv
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

import vadlib
from synthcampus import EVENT_KINDS, clips, write_world
from synthcampus.workers import as_done
from vadlib.errors import LayoutError, ParameterError, UnreadableError


def digest(root: Path) -> dict[str, str]:
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in root.rglob("*") if p.is_file()
    }


def events_of(root: Path) -> list[tuple[str, int, int, str, str]]:
    with (root / "events.csv").open() as file:
        return [(r["clip"], int(r["first"]), int(r["last"]), r["event"], r["seen_in"]) for r in csv.DictReader(file)]


def test_layout_is_shanghaitechs(tiny_world):
    videos = sorted(p.name for p in (tiny_world / "training" / "videos").iterdir())
    test_clips = sorted(p.name for p in (tiny_world / "testing" / "frames").iterdir())
    assert videos == ["01_001.avi"]
    assert test_clips == ["01_0001", "01_0002", "02_0001"]
    assert sorted(p.name for p in tiny_world.iterdir()) == ["events.csv", "testing", "training", "world.json"]
    for clip in test_clips:
        frames = sorted(p.name for p in (tiny_world / "testing" / "frames" / clip).iterdir())
        assert frames == [f"{t:03d}.jpg" for t in range(len(frames))]
        assert cv2.imread(str(tiny_world / "testing" / "frames" / clip / frames[0])).shape == (64, 114, 3)
        labels = np.load(tiny_world / "testing" / "test_frame_mask" / f"{clip}.npy")
        pixels = np.load(tiny_world / "testing" / "test_pixel_mask" / f"{clip}.npy", mmap_mode="r")
        assert labels.dtype == pixels.dtype == np.uint8
        assert labels.shape == (len(frames),)
        assert pixels.shape == (len(frames), 64, 114)
        assert set(np.unique(labels)) | set(np.unique(pixels)) <= {0, 1}


def test_training_video_decodes_whole(tiny_world):
    video = cv2.VideoCapture(str(tiny_world / "training" / "videos" / "01_001.avi"))
    promised, n = int(video.get(cv2.CAP_PROP_FRAME_COUNT)), 0
    while video.read()[0]:
        n += 1
    assert n == promised
    assert 9 <= n <= 15
    assert video.get(cv2.CAP_PROP_FPS) == 6.0


def test_frame_labels_pixel_masks_and_events_agree(tiny_world):
    events = events_of(tiny_world)
    assert events
    assert {kind: seen_in for *_, kind, seen_in in events}.items() <= EVENT_KINDS.items()
    for path in (tiny_world / "testing" / "test_frame_mask").iterdir():
        labels = np.load(path)
        pixels = np.load(tiny_world / "testing" / "test_pixel_mask" / path.name)
        told = np.zeros_like(labels)
        for clip, first, last, *_ in events:
            assert 0 <= first <= last
            if clip == path.stem:
                assert last < len(labels)
                told[first : last + 1] = 1
        np.testing.assert_array_equal(labels, pixels.any(axis=(1, 2)))
        np.testing.assert_array_equal(labels, told)


def test_same_seed_same_bytes_with_any_number_of_workers(tiny_world, tiny, tmp_path):
    again = write_world(tmp_path / "two_workers", n_workers=2, **tiny)
    assert digest(again) == digest(tiny_world)


def test_another_seed_gives_other_bytes(tiny_world, tiny, tmp_path):
    other = write_world(tmp_path / "other", n_workers=1, **tiny | {"seed": 4, "n_test_clips": 1, "n_scenes": 1})
    same_name = "testing/frames/01_0001/000.jpg"
    assert digest(other)[same_name] != digest(tiny_world)[same_name]


def test_a_finished_world_is_left_alone(tiny_world, tiny, monkeypatch):
    def never(*_):
        raise AssertionError("a finished world was written again")

    monkeypatch.setattr("synthcampus.write._write_clips", never)
    assert write_world(str(tiny_world), **tiny) == tiny_world


def test_other_parameters_are_refused(tiny_world, tiny):
    before = digest(tiny_world)
    with pytest.raises(LayoutError, match="other parameters.*seed 3 instead of 5.*left alone"):
        write_world(tiny_world, **tiny | {"seed": 5})
    assert digest(tiny_world) == before


@pytest.mark.parametrize("record", [None, "{not json", '"a string"', '{"parameters": 3}'])
def test_a_foreign_folder_is_refused(tiny, tmp_path, record):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / ("thesis.txt" if record is None else "world.json")).write_text(record or "do not lose me")
    with pytest.raises(LayoutError, match="left alone"):
        write_world(tmp_path / "mine", **tiny)
    assert len(list((tmp_path / "mine").iterdir())) == 1


def test_a_failure_leaves_nothing_and_the_next_call_starts_cleanly(tiny, tmp_path, monkeypatch):
    def fail(*_):
        raise UnreadableError("disk full")

    root = tmp_path / "world"
    with monkeypatch.context() as patch:
        patch.setattr(clips, "_write_scene", fail)
        with pytest.raises(UnreadableError, match="disk full"):
            write_world(root, n_workers=1, **tiny | {"n_scenes": 1})
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".world.partial" / "training").mkdir(parents=True)  # of a run that was killed
    write_world(root, n_workers=1, **tiny | {"n_test_clips": 1, "n_scenes": 1})
    assert [p.name for p in tmp_path.iterdir()] == ["world"]


def test_a_process_that_dies_is_reported():
    with pytest.raises(UnreadableError, match="a process writing the world ended before its time"):
        list(as_done(os._exit, [(3,), (4,)], 2))


def test_processes_stop_when_their_caller_is_killed(tiny, tmp_path, background):
    """Another run may then write in the same place."""
    arguments = tiny | {"n_train_clips": 0, "n_test_clips": 2, "clip_seconds": (160, 160), "n_workers": 2}
    writer = background(f"""
        from synthcampus import write_world
        print("start", flush=True)
        write_world({str(tmp_path / "world")!r}, **{arguments})
    """)

    def n_frames():
        return len(list(tmp_path.glob(".world.partial/testing/frames/*/*.jpg")))

    while not n_frames():
        assert writer.poll() is None
        time.sleep(0.05)
    writer.kill()
    writer.wait()
    time.sleep(1)
    n_after = n_frames()
    time.sleep(1)
    assert n_frames() == n_after < 2 * 160 * 6


def test_a_plain_script_without_main_guard(tiny, tmp_path):
    script = tmp_path / "script.py"
    arguments = tiny | {"n_test_clips": 1, "n_scenes": 1, "n_workers": 2}
    script.write_text(
        f"from synthcampus import write_world\nprint('start')\nwrite_world({str(tmp_path / 'w')!r}, **{arguments})\n"
    )
    environment = {"PYTHONPATH": str(Path(vadlib.__file__).parents[1]), "PATH": ""}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "start\n"
    assert (tmp_path / "w" / "world.json").is_file()


def test_world_json_says_what_made_it(tiny_world, tiny):
    record = json.loads((tiny_world / "world.json").read_text())
    assert record["vadlib"] == vadlib.__version__
    assert record["parameters"]["seed"] == tiny["seed"]
    assert record["parameters"]["size"] == list(tiny["size"])


def test_masks_take_no_room_where_they_are_empty(tmp_path):
    arguments = {"n_train_clips": 0, "n_test_clips": 1, "n_scenes": 1, "clip_seconds": (2, 2), "size": (240, 428)}
    write_world(tmp_path / "w", **arguments, n_workers=1, progress=False)
    (mask,) = (tmp_path / "w/testing/test_pixel_mask").iterdir()
    stat = mask.stat()
    assert stat.st_size == 128 + np.load(mask, mmap_mode="r").size
    if stat.st_blocks * 512 > stat.st_size * 0.9:
        pytest.skip("this file system keeps no sparse files")
    assert stat.st_blocks * 512 < stat.st_size / 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_scenes": 0}, "n_scenes: expected 1 to 99; got 0"),
        ({"n_test_clips": -1}, "n_test_clips: expected 0 or more; got -1"),
        ({"seed": -2}, "seed: expected 0 or more; got -2"),
        ({"clip_seconds": (5, 4)}, "clip_seconds: expected"),
        ({"clip_seconds": (5, 400)}, "999 frames"),
        ({"fps": 0}, "fps: expected 1 to 60"),
        ({"size": (97, 172)}, "size: expected"),
        ({"n_workers": 0}, "n_workers: expected 1 or more; got 0"),
    ],
)
def test_bad_parameters(tiny, tmp_path, wrong, message):
    with pytest.raises(ParameterError, match=message):
        write_world(tmp_path / "w", **tiny | wrong)
    assert not (tmp_path / "w").exists()

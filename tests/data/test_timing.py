import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadlib.data.timing import departure, is_uneven, listed_departure


def box(kind, *content):
    content = b"".join(content)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def track(runs, timescale=1000, kind=b"vide", version=0):
    mdhd = bytes([version, 0, 0, 0]) + bytes(16 if version else 8) + struct.pack(">I", timescale) + bytes(8)
    stts = struct.pack(">II", 0, len(runs)) + b"".join(struct.pack(">II", *run) for run in runs)
    stbl = box(b"stbl", box(b"stsd", bytes(8)), box(b"stts", stts))
    mdia = box(b"mdia", box(b"mdhd", mdhd), box(b"hdlr", bytes(8) + kind + bytes(12)), box(b"minf", stbl))
    return box(b"trak", box(b"tkhd", bytes(84)), mdia)


def film(path, *tracks, large=False):
    mdat = struct.pack(">I4sQ", 1, b"mdat", 116) + bytes(100) if large else box(b"mdat", bytes(100))
    path.write_bytes(box(b"ftyp", b"isom" + bytes(4)) + mdat + box(b"moov", box(b"mvhd", bytes(100)), *tracks))
    return path


def one_by_one(runs, timescale, fps):
    """The reference: the time of every frame."""
    time, times = 0, []
    for count, units in runs:
        for _ in range(count):
            times.append(time / timescale)
            time += units
    return max((abs(time - frame / fps) for frame, time in enumerate(times)), default=0)


@given(
    runs=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 300)), max_size=6),
    timescale=st.integers(1, 2000),
    fps=st.floats(1, 100),
    version=st.integers(0, 1),
    large=st.booleans(),
)
def test_the_same_as_frame_by_frame(tmp_path_factory, runs, timescale, fps, version, large):
    sound = track([(5, 7)], kind=b"soun")
    path = film(tmp_path_factory.getbasetemp() / "x.mp4", sound, track(runs, timescale, version=version), large=large)
    expected = one_by_one(runs, timescale, fps)
    assert listed_departure(path, fps) == pytest.approx(expected, abs=1e-9)


def test_exact_cases(tmp_path):
    path = tmp_path / "x.mp4"
    assert listed_departure(film(path, track([(100, 40)])), 25) == pytest.approx(0, abs=1e-9)
    slower = [(50, 40), (50, 80)]  # 2 s at 25 frames a second, then 4 s at 12.5: on the whole 16.67
    assert listed_departure(film(path, track(slower)), 100 / 6) == pytest.approx(1)
    lasting = [(99, 40), (1, 4000)]  # how long the last frame is shown changes no frame's time
    assert listed_departure(film(path, track(lasting)), 25) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("content", [b"", b"RIFF", bytes(100), b"\0\0\0\x08ftyp\0\0\0\x08moov", b"text" * 100])
def test_no_list(tmp_path, content):
    (tmp_path / "x.mp4").write_bytes(content)
    assert listed_departure(tmp_path / "x.mp4", 25) == 0


def test_damage_is_no_error(tmp_path):
    content = film(tmp_path / "x.mp4", track([(50, 40), (50, 80)])).read_bytes()
    rng = np.random.default_rng(0)
    for case in range(400):
        damaged = bytearray(content[: rng.integers(len(content))] if case % 2 else content)
        for at in rng.integers(max(1, len(damaged)), size=3 if damaged else 0):
            damaged[at] = rng.integers(256)
        (tmp_path / "y.mp4").write_bytes(damaged)
        assert listed_departure(tmp_path / "y.mp4", 25) >= 0


def test_departure():
    frames = np.arange(5)
    assert departure(frames / 10 + 3, frames, 10) == pytest.approx(0, abs=1e-9)
    assert departure(np.array([0, 0.1, 0.2, 0.9, 1.0]), frames, 10) == pytest.approx(0.6)
    assert departure(np.array([0, np.nan, 1, 2, 3]), frames, 10) == 0
    assert departure(np.zeros(0), np.zeros(0), 10) == 0


def test_jitter_is_no_variable_rate():
    assert not is_uneven(0.05, 25)
    assert is_uneven(0.07, 25)

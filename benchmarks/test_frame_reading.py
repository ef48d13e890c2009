"""Reading the frames of a draw, beside what the paper did: decode every video and write every frame as a JPEG first.

Run with ``pytest benchmarks/test_frame_reading.py --benchmark-only``. The videos are synthetic, of
ShanghaiTech's size (856x480) and about its length, in ShanghaiTech's layout. The draw takes one frame in forty,
as the paper's 8,000 of 315,000.
"""

import os
import time

import cv2
import numpy as np
import pytest

from vadlib.data import FrameReader, extract_frames, open_dataset
from vadlib.data.reading.videos import iterate_frames, probe_video

N_VIDEOS, N_FRAMES, ONE_IN = 4, 200, 40


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("benchmark") / "shanghaitech"
    rng = np.random.default_rng(0)
    for number in range(1, N_VIDEOS + 1):
        path = root / f"training/videos/{number:02d}_001.avi"
        path.parent.mkdir(parents=True, exist_ok=True)
        scene = cv2.GaussianBlur(rng.integers(0, 256, (480, 856, 3), dtype=np.uint8), (0, 0), 3)
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, (856, 480))
        for frame in range(N_FRAMES):
            picture = np.roll(scene, frame // 4, axis=1)
            cv2.rectangle(picture, (4 * frame, 200), (4 * frame + 40, 320), (40, 40, 200), -1)
            writer.write(picture)
        writer.release()
    return open_dataset("shanghaitech", root, allow_missing=True)


@pytest.fixture(scope="module")
def drawn(dataset):
    return dataset.frame_table().sample(N_VIDEOS * N_FRAMES // ONE_IN, random_state=0)


def read(dataset, table) -> int:
    return sum(len(batch.rows) for batch in FrameReader(dataset, table, progress=False))


def decode_and_write_all(dataset, out, table) -> int:
    """Every frame of every video to a JPEG with OpenCV, then read those of the draw."""
    for clip in dataset.clips:
        capture = cv2.VideoCapture(str(clip.path))
        for frame in range(clip.n_frames):
            _, image = capture.read()
            cv2.imwrite(str(out / f"{clip.id}_{frame:06d}.jpg"), image)
    pictures = [
        cv2.imread(str(out / f"{row.clip}_{row.frame:06d}.jpg")) for row in table[["clip", "frame"]].itertuples()
    ]
    return len([cv2.resize(picture, (224, 224), interpolation=cv2.INTER_AREA) for picture in pictures])


@pytest.mark.benchmark(group="frames of a draw")
def test_frame_reader(benchmark, dataset, drawn):
    assert benchmark.pedantic(read, args=(dataset, drawn), rounds=3, warmup_rounds=1) == len(drawn)


@pytest.mark.benchmark(group="frames of a draw")
def test_extract_everything_first(benchmark, dataset, drawn, tmp_path):
    start = time.perf_counter()
    read(dataset, drawn)
    reader_s = time.perf_counter() - start
    assert benchmark.pedantic(decode_and_write_all, args=(dataset, tmp_path, drawn), rounds=1) == len(drawn)
    benchmark.extra_info["frames_drawn"] = len(drawn)
    benchmark.extra_info["times_the_frame_reader"] = round(benchmark.stats["mean"] / reader_s, 1)
    benchmark.extra_info["bytes_written"] = sum(entry.stat().st_size for entry in os.scandir(tmp_path))


@pytest.mark.benchmark(group="frames of a draw")
def test_vadlib_extract(benchmark, dataset, tmp_path):
    """`vadlib extract`, for those who want the files."""
    benchmark.pedantic(extract_frames, args=(dataset, tmp_path / "out"), kwargs={"progress": False}, rounds=1)


@pytest.mark.benchmark(group="all frames of one video")
@pytest.mark.parametrize("n_threads", [1, 2])
def test_decoding(benchmark, dataset, n_threads):
    path = dataset.clips[0].path
    n_frames = probe_video(path).n_frames

    def decode() -> int:
        return sum(1 for _ in iterate_frames(path, range(n_frames), n_frames, n_threads=n_threads))

    assert benchmark.pedantic(decode, rounds=3) == n_frames

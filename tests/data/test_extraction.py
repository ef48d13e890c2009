import errno
import fcntl
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from vadlib.data import extract_frames, extraction, open_dataset
from vadlib.errors import BusyError, LayoutError, ParameterError, ResultsError, UnreadableError, VadError


@pytest.fixture(scope="module")
def dataset(shanghaitech_root):
    return open_dataset("shanghaitech", shanghaitech_root)


def extract(dataset, out, **options):
    return extract_frames(dataset, out, **{"progress": False, "image_format": "png"} | options)


def contents(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def test_every_frame_lies_under_its_label(dataset, tmp_path, write):
    index = pd.read_csv(extract(dataset, tmp_path / "out"), dtype={"clip": str, "scene": str})
    table = dataset.frame_table()
    pd.testing.assert_frame_equal(index.drop(columns="file"), table, check_dtype=False)
    pictures = {str(path.relative_to(tmp_path / "out")) for path in tmp_path.rglob("*.png")}
    assert set(index["file"]) == pictures
    for row in index[["file", "split", "clip", "frame", "label"]].itertuples():
        assert row.file == f"{row.split}/{row.clip}/{('normal', 'abnormal')[row.label]}/{row.frame:06d}.png"
        image = cv2.imread(str(tmp_path / "out" / row.file))[..., ::-1]
        assert image.shape == (*write.size, 3)
        assert write.identify(image)[0] == row.frame


def test_size_format_and_split(dataset, tmp_path, write):
    index = pd.read_csv(extract(dataset, tmp_path, split="test", size=(24, 16), image_format="jpg"))
    assert set(index["split"]) == {"test"}
    assert len(index) == 34
    image = cv2.imread(str(tmp_path / index["file"][3]))
    assert image.shape == (24, 16, 3)
    assert write.identify(image[..., ::-1])[0] == 3


def test_an_interrupted_run_goes_on(dataset, tmp_path, monkeypatch):
    extract(dataset, tmp_path / "whole")
    written = []

    def interrupted(image, image_format, encode=extraction._encode):
        written.append(1)
        if 25 <= len(written) < 100:  # a clip begun before the interruption is heard of ends as well
            raise KeyboardInterrupt
        return encode(image, image_format)

    monkeypatch.setattr(extraction, "_encode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        extract(dataset, tmp_path / "out", n_threads=1)
    clips = {path.name for path in (tmp_path / "out").glob("*/*")}
    assert clips == {"01_001", "01_0014"}  # of 10 and 12 frames; the third was begun
    assert not (tmp_path / "out/index.csv").exists()
    written[:] = [1] * 100
    extract(dataset, tmp_path / "out")
    assert len(written) - 100 == 60 - 22  # finished clips are not done again
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_what_a_killed_run_left_is_replaced(dataset, tmp_path):
    extract(dataset, tmp_path / "out")
    expected = contents(tmp_path / "out")
    shutil.rmtree(tmp_path / "out/train/01_002")
    left = tmp_path / "out/train/.01_002.partial/normal"
    left.mkdir(parents=True)
    (left / "000099.png").write_bytes(b"half")
    extract(dataset, tmp_path / "out")
    assert contents(tmp_path / "out") == expected


def test_a_full_disk(dataset, tmp_path, monkeypatch):
    n_written = 0

    def write_bytes(path, content, original=Path.write_bytes):
        nonlocal n_written
        n_written += 1
        if n_written > 12:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(path, content)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    with pytest.raises(ResultsError, match=r"cannot be written there: No space left on device\. Free some space"):
        extract(dataset, tmp_path / "out", n_threads=1)
    assert [path.name for path in (tmp_path / "out").glob("*/*")] == ["01_001"]  # the finished clip, nothing half


def test_a_folder_with_other_files(dataset, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ResultsError, match="holds other files"):
        extract(dataset, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(ResultsError, match="is a file"):
        extract(dataset, tmp_path / "thesis.tex")


@pytest.mark.parametrize("change", [{"size": (24, 16)}, {"image_format": "jpg"}])
def test_a_folder_of_another_extraction(dataset, tmp_path, change):
    extract(dataset, tmp_path)
    before = contents(tmp_path)
    with pytest.raises(ResultsError, match="holds frames of another extraction"):
        extract(dataset, tmp_path, **change)
    assert contents(tmp_path) == before


def test_the_record(dataset, tmp_path):
    extract(dataset, tmp_path, size=(24, 16))
    record = json.loads((tmp_path / "extraction.json").read_text())
    assert record == {"dataset": "shanghaitech", "fingerprint": dataset.fingerprint, "format": "png", "size": [24, 16]}


def test_two_runs_at_once(dataset, tmp_path):
    extract(dataset, tmp_path, split="test")
    before = contents(tmp_path)
    with (tmp_path / ".extraction.json.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match=r"extraction\.json is being written by another run"):
            extract(dataset, tmp_path)
    extract(dataset, tmp_path, split="test")
    assert contents(tmp_path) == before


def test_a_damaged_test_video_is_refused(tmp_path, write, shanghaitech_root):
    root = shutil.copytree(shanghaitech_root, tmp_path / "shanghaitech")
    path = write.video(root / "testing/videos/02_0001.avi", 40, 5)
    write.array(root / "testing/test_frame_mask/02_0001.npy", np.arange(40) // 20)
    dataset = open_dataset("shanghaitech", root)
    write.damage(path, 40)
    with pytest.raises(UnreadableError, match=r"02_0001\.avi: decoding ended"):
        extract(dataset, tmp_path / "out", split="test")
    write.video(path, 41, 5)  # one more than when it was opened
    with pytest.raises(UnreadableError, match=r"02_0001\.avi: 40 frames expected, 41 can be decoded"):
        extract(dataset, tmp_path / "out", split="test")
    assert not (tmp_path / "out/test/02_0001").exists()


def test_clips_without_frames(tmp_path, shanghaitech_root):
    root = shutil.copytree(shanghaitech_root, tmp_path / "shanghaitech")
    shutil.rmtree(root / "testing/frames")
    shutil.rmtree(root / "training")
    dataset = open_dataset("shanghaitech", root, allow_missing=True)
    with pytest.raises(LayoutError, match="labels only"):
        extract(dataset, tmp_path / "out")
    with pytest.raises(ParameterError, match="no clips of 'train'"):
        extract(dataset, tmp_path / "out", split="train")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_format": "gif"}, "image_format: one of jpg, png is expected, not 'gif'"),
        ({"split": "validation"}, "split: 'train', 'test' or None"),
        ({"size": 224}, r"size: \(height, width\)"),
    ],
)
def test_parameters(dataset, tmp_path, options, message):
    with pytest.raises(ParameterError, match=message):
        extract(dataset, tmp_path / "out", **options)
    assert issubclass(ParameterError, VadError)
    assert not (tmp_path / "out").exists()

import random

import pytest

from vadlib.data import open_dataset
from vadlib.data.layouts.numbered import list_numbered, seconds_between
from vadlib.errors import LayoutError

IN_ORDER = [
    "8 9 10 11",
    "001_cam2 002_cam2 003_cam2",  # the number that differs, not the last
    "frame(1) frame(2) frame(10) frame(3) frame(4) frame(5) frame(6) frame(7) frame(8) frame(9)",
    "20240102_0009 20240102_0010 20240102_0011",
    "20240102_000059 20240102_000060 20240102_000061",  # a counter, though it begins like a time
    "01-20240102095959-00 01-20240102095959-01 01-20240102100007-00 02-20240102100007-01",  # Motion
    "09-20240102235959-00 01-20240103000000-00",  # whose events begin again
    "20240102095959 20240102100007 20240103000000",
    "20240102100007123 20240102100007456 20240102100008000",
    "202401020959 202401021000 202401021001",
    "2024-01-02_10-00-07 2024-01-02_10-00-09 2024-01-02_10-05-59",
    "2024-01-31 2024-02-01",
    "2024-01-02T10:00:07.25 2024-01-02T10:00:07.5 2024-01-02T10:00:08.1",
    "2024.01.02 10.00.07.2|2024.01.02 10.00.07.10|2024.01.02 10.00.08.1",
    "2024年01月02日10時00分07秒 2024年01月02日10時01分00秒",
    "10-00-58 10-00-59 10-01-00",
    "10-00-01 10-01-00",
    "10-00-07-2 10-00-07-10 10-00-08-1",
    "02-01-2024_10-00-07 02-01-2024_10-01-00",  # one day: the order is certain
    "gate-1704189607.25-abc1 gate-1704189607.5-0fe2 gate-1704189608.1-9",
    "1704189607123 1704189607456 1704189608000",
    "017|018 (1)|019",
    "017|018 - Copy|019",
]


def write(folder, stems, content=None):
    folder.mkdir(exist_ok=True)
    stems = list(stems)
    random.Random(0).shuffle(stems)
    for stem in stems:
        (folder / f"{stem}.jpg").write_bytes(content or stem.encode())
    return folder


def stems_of(text):
    return text.split("|") if "|" in text else text.split()


@pytest.mark.parametrize("text", IN_ORDER)
def test_order(tmp_path, text):
    stems = stems_of(text)
    expected = sorted(stems, key=lambda stem: int(stem[6:-1])) if text.startswith("frame(") else stems
    assert [path.stem for path in list_numbered(write(tmp_path / "clip", stems))] == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("001|002|018|018 (1)", r"018 \(1\)\.jpg .*are both frame 18, but different pictures\. Keep both: rename them"),
        ("001|002|2", "both frame 2, but different pictures"),
        ("cam1_001 cam1_002 cam2_001 cam2_002", "are both frame 1, but different pictures.* each series into a folder"),
        ("2024-01-02_10-00-07a 2024-01-02_10-00-07b", "one and the same time, by their names, but different"),
        ("02-01-2024_10-00-07 01-02-2024_10-00-09", r"frames 7 to 9 with 1 missing.* rename them so that"),
        ("1-00-00 PM|12-59-59 PM|1-00-05 PM", "both frame 0|missing"),
        ("001 002 004", r"with 1 missing, first 3\. .* copy the folder again; if these are all that there are, rename"),
        ("20240102_0009 20240102_0011", "frames 9 to 11 with 1 missing, first 10"),
    ],
)
def test_an_order_that_is_not_certain(tmp_path, text, message):
    folder = write(tmp_path / "clip", stems_of(text))
    with pytest.raises(LayoutError, match=message) as caught:
        list_numbered(folder)
    assert "Keep one" not in str(caught.value)


def test_the_same_picture_twice_may_go(tmp_path):
    folder = write(tmp_path / "clip", ["017", "018"])
    write(folder, ["018 (1)"], content=b"018")
    with pytest.raises(LayoutError, match=r"the same picture, byte for byte\. Remove one of them"):
        list_numbered(folder)
    (folder / "018 (1).jpg").unlink()
    assert len(list_numbered(folder)) == 2


def test_a_link_to_the_last_picture_is_no_frame(tmp_path):
    folder = write(tmp_path / "clip", ["01-20240102100007-02", "01-20240102100008-00"])
    (folder / "lastsnap.jpg").symlink_to("01-20240102100008-00.jpg")
    assert len(list_numbered(folder)) == 2


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2024-01-02_10-00-07 2024-01-02_10-01-07 2024-01-02_10-02-07", 60.0),
        ("2024-01-02_23-59-58 2024-01-02_23-59-59 2024-01-03_00-00-01 2024-01-03_00-00-02", 4 / 3),
        ("2024-01-02_10-00-07 2024-01-02_10-00-08 2024-01-02_11-00-00", None),  # when something moved
        ("001 002 003", None),
        ("20240102_0009 20240102_0010 20240102_0011", None),
        ("2024-01-02 2024-01-03 2024-01-04", None),
        ("2024-01-02_10-00-07 2024-01-02_10-01-07", None),
    ],
)
def test_seconds_between(tmp_path, text, seconds):
    found = seconds_between(list_numbered(write(tmp_path / "clip", stems_of(text))))
    assert found == (None if seconds is None else pytest.approx(seconds))


def test_a_folder_of_dated_pictures_has_their_rate(tmp_path, write):
    for folder, minutes in (("normal", range(5)), ("to score", range(5, 9))):
        for minute in minutes:
            write.frames(tmp_path / folder, 1, name=f"2024-01-02_10-{minute:02d}-00.jpg")
    assert {clip.fps for clip in open_dataset("folder", tmp_path).clips} == {1 / 60}

import pytest

from vadlib.data.layouts.locate import find_sources, first_existing, relative_name
from vadlib.errors import LayoutError

CLIP = r"\d+_\d+"


def make(home, *paths):
    for path in paths:
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            (home / path).mkdir(parents=True)
        else:
            (home / path).write_bytes(b"")


def test_earlier_places_and_folders_of_frames_come_first(tmp_path):
    make(tmp_path, "a/01_1.avi", "a/01_2.mp4", "b/01_1.avi", "b/01_3.MOV", "b/01_2/", "c/01_2/")
    found = find_sources(tmp_path, dict.fromkeys(["a", "b", "c", "nowhere"], CLIP))
    assert found == {
        "01_1": tmp_path / "a/01_1.avi",
        "01_2": tmp_path / "b/01_2",
        "01_3": tmp_path / "b/01_3.MOV",
    }


def test_what_is_no_clip(tmp_path):
    make(tmp_path, "a/01_1.txt", "a/._01_2.avi", "a/clip.avi", "a/frames/", "a/01_1_extra.avi")
    assert find_sources(tmp_path, {"a": CLIP}) == {}
    assert sorted(find_sources(tmp_path, {"a": ".*"})) == ["01_1_extra", "clip", "frames"]


def test_two_videos_of_one_clip(tmp_path):
    make(tmp_path, "a/01_1.avi", "a/01_1.mp4")
    with pytest.raises(LayoutError, match=r"01_1\.mp4 and 01_1\.avi are both clip 01_1\. Keep one"):
        find_sources(tmp_path, {"a": CLIP})


def test_first_place_and_how_it_is_name_place(tmp_path):
    home = tmp_path / "home"
    make(tmp_path, "home/b.mat", "beside/c.mat")
    assert first_existing(home, ["a.mat", "b.mat", "../beside/c.mat"]) == home / "b.mat"
    assert first_existing(home, ["a.mat"]) is None
    assert relative_name(home / "b.mat", home) == "b.mat"
    assert relative_name(first_existing(home, ["../beside/c.mat"]), home) == "beside/c.mat"

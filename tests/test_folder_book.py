"""A book about a folder of one's own videos: whole without labels, and with them; from real files where they are there."""

import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from tiny_book import ROOT, check_images, check_links, read_pages, run_chapters

from vadlib.report import load_results
from vadlib.report.book import build_pages
from vadlib.report.notebooks import NotebookError
from vadlib.spans import runs_of_ones

pytestmark = pytest.mark.usefixtures("warm_kernels")
SMALL = {"image_size": 64, "n_resamples": 50}
UNTRAINED = dict.fromkeys(("backbone", "classifier", "embedder"), "resnet18:random")


def make_book(folder, out, changes):
    """Run what `make book PROFILE=folder ROOT=folder` would, and build the pages."""
    profile = yaml.safe_load((ROOT / "notebooks/profiles/folder.yml").read_text()) | SMALL | changes
    profile["chapters"]["30_footage"] |= {"n_fit_frames": 30} | changes
    path = out / "folder.yml"
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(profile | {"dataset_root": str(folder)}))
    run_chapters(profile["only"], path, out)
    build_pages(out, profile["only"])
    return out


def check_pages(out):
    """Every link leads somewhere, every image is there, nothing is a gap; gives the text of the watching chapter."""
    pages = read_pages(out)
    assert pages[out / "html" / "book" / "index_watch.html"].find("h1") is not None
    check_links(pages)
    check_images(pages)
    article = pages[out / "html" / "notebooks" / "30_footage.html"].select_one("article")
    text = article.get_text(" ")
    for gap in ("Traceback", "glue:", "{numref}", str(out)):
        assert gap not in text
    return " ".join(text.split())


@pytest.fixture(scope="module")
def folder(tiny_world, tmp_path_factory):
    """Two training videos of the tiny world as normal footage, two of its test clips to watch."""
    root = tmp_path_factory.mktemp("my videos")
    (root / "normal").mkdir()
    for video in sorted((tiny_world / "training" / "videos").glob("*.avi"))[:1]:
        shutil.copy(video, root / "normal")
    for clip in sorted((tiny_world / "testing" / "frames").iterdir())[:2]:
        shutil.copytree(clip, root / clip.name)
    return root


@pytest.fixture(scope="module")
def damaged_folder(folder, tmp_path_factory):
    """The same beside what cannot be read: two files that are no videos, and every picture of one of the clips."""
    root = tmp_path_factory.mktemp("my damaged videos")
    shutil.copytree(folder, root, dirs_exist_ok=True)
    (root / "normal" / "cut.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(300))
    (root / "empty.mp4").write_bytes(b"")
    damaged = sorted(path for path in root.iterdir() if path.is_dir() and path.name != "normal")[0]
    for picture in damaged.iterdir():
        picture.write_bytes(picture.read_bytes()[:40])
    return root, damaged


@pytest.fixture(scope="module")
def unlabelled_book(damaged_folder, tmp_path_factory):
    return make_book(damaged_folder[0], tmp_path_factory.mktemp("unlabelled"), UNTRAINED | {"skip_unreadable": True})


def test_without_labels_there_are_alarms_and_no_roc_curve_and_the_page_says_why(unlabelled_book):
    text = check_pages(unlabelled_book)
    assert "There is no ROC curve and no AUROC here." in text
    assert "and not both kinds are labelled here" in text
    assert "AUROC [95 %]" not in text
    assert "a folder of videos" in text


def test_what_was_left_out_stands_beside_the_answer(unlabelled_book, damaged_folder):
    text, (_, damaged) = check_pages(unlabelled_book), damaged_folder
    assert (
        "Not seen, since it could not be read: of the footage to fit on, 1 clip: normal/cut.mp4 (the whole clip)"
        in text
    )
    n_drawn = int(text.split(f"{damaged.name} (all ")[1].split()[0])
    assert 0 < n_drawn <= len(list(damaged.iterdir()))
    assert "empty.mp4 (the whole clip)" in text
    assert "all clips" not in text
    assert "It shows 1 of the 1 clip(s) of which frames could be read." in text
    run = load_results(unlabelled_book / "results" / "30_footage").run
    assert sorted(row["clip"] for row in run["left_out"]) == sorted(["normal/cut.mp4", "empty.mp4", damaged.name])
    assert sorted(row["clip"] for row in run["dataset"]["left_out"]) == ["empty.mp4", "normal/cut.mp4"]


def test_results_without_labels_say_that_there_are_none(unlabelled_book):
    results = load_results(unlabelled_book / "results" / "30_footage")
    assert (results.scores["label"] == -1).all()
    assert set(results.scores.columns) >= {"PaDiM", "Grad-CAM + SSIM", "SPADE", "One-class prototypes"}
    assert results.metrics["labelled"] is False
    assert set(results.metrics["thresholds"]) == {"PaDiM", "Grad-CAM + SSIM", "SPADE", "One-class prototypes"}
    alarms = pd.read_csv(unlabelled_book / "results" / "30_footage" / "alarms.csv", dtype={"clip": str})
    for name, found in results.metrics["thresholds"].items():
        assert found["n_alarms"] == (alarms["detector"] == name).sum()
        assert found["low"] <= found["high"]
    assert not (unlabelled_book / "results" / "30_footage" / "events.csv").exists()


@pytest.fixture(scope="module")
def labelled_folder(folder, tmp_path_factory):
    """The same with one clip of which someone says that nothing happens there; nobody has looked at the other."""
    root = tmp_path_factory.mktemp("labelled videos")
    shutil.copytree(folder, root, dirs_exist_ok=True)
    first = sorted(path.name for path in root.iterdir() if path.name != "normal")[0]
    (root / "labels.csv").write_text(f"clip,first,last\n{first},,\n")
    return root, first


def test_a_clip_labelled_normal_is_checked_and_one_without_labels_is_not_judged(labelled_folder, tmp_path):
    root, labelled = labelled_folder
    out = make_book(
        root, tmp_path / "out", UNTRAINED | {"alarm_unit": "frames", "promised_share": 0.3, "low_share": 0.5}
    )
    text = check_pages(out)
    results = load_results(out / "results" / "30_footage")
    assert results.metrics["labelled"] is True
    assert (results.metrics["n_events"], results.metrics["n_events_found"]) == (0, 0)
    n_labelled = (results.scores["label"] == 0).sum()
    assert 0 < n_labelled < len(results.scores)
    assert "There is no ROC curve and no AUROC here." in text
    assert "No label names an event" in text
    assert any("normal frames watched" in key for key in results.metrics["kept"])
    moments = pd.read_csv(out / "results" / "30_footage" / "moments.csv", dtype={"clip": str})
    assert set(moments["clip"]) - {labelled}, "no moment in the clip without labels, so this test shows nothing"
    assert moments["true"].tolist() == ["no" if clip == labelled else "not labelled" for clip in moments["clip"]]
    n_unknown = int((moments["clip"] != labelled).sum())
    assert f"{n_unknown} more moment(s) are in clips without labels" in text


def test_a_clip_too_short_to_divide_is_named(folder, tmp_path):
    root = tmp_path / "short"
    shutil.copytree(folder, root)
    shutil.rmtree(root / "normal")
    first = sorted(path for path in root.iterdir() if path.is_dir())[0]
    (root / "normal" / "brief").mkdir(parents=True)
    shutil.copy(sorted(first.iterdir())[0], root / "normal" / "brief" / "000.jpg")
    with pytest.raises(NotebookError, match=r"clip normal_brief has 1 frame\(s\), too few to fit on some"):
        make_book(root, tmp_path / "out", UNTRAINED)


@pytest.mark.long
@pytest.mark.parametrize("labelled", [False, True])
def test_two_real_videos_build_a_whole_book(shared_data, tmp_path, labelled):
    """ShanghaiTech's 01_0014 as normal footage, 01_0015 to watch, under the network that comes by pip."""
    videos = shared_data / "shanghaitech" / "testing" / "videos"
    folder = tmp_path / "my_videos"
    (folder / "normal").mkdir(parents=True)
    shutil.copy(next(videos.glob("01_0014*")), folder / "normal")
    shutil.copy(next(videos.glob("01_0015*")), folder)
    mask = np.load(shared_data / "shanghaitech" / "testing" / "test_frame_mask" / "01_0015.npy")
    if labelled:
        rows = [f"01_0015,{first},{end - 1}" for first, end in runs_of_ones(mask)]
        (folder / "labels.csv").write_text("clip,first,last\n" + "\n".join(rows) + "\n")
    out = make_book(folder, tmp_path / "out", {"image_size": 224})
    text = check_pages(out)
    assert ("There is no ROC curve" in text) is not labelled
    assert ("AUROC [95 %]" in text) is labelled
    scores = load_results(out / "results" / "30_footage").scores
    expected = mask[scores["frame"]] if labelled else np.full(len(scores), -1)
    np.testing.assert_array_equal(scores["label"], expected)

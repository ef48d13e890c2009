"""A detector whose score is known beforehand (brightness) shows what arrives where; PaDiM that it is the notebooks' path."""

import shutil
from functools import cache
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

import vadlib.networks
from vadlib import cli
from vadlib.apps import overlay as overlays
from vadlib.apps import score as scoring
from vadlib.apps.saved_run import open_saved_run
from vadlib.apps.score import score_videos
from vadlib.data import FrameReader
from vadlib.data.layouts.folder import open_videos
from vadlib.data.reading.views import picture_in_view
from vadlib.detectors import ClipPrototypes, Detector, GradCamSsim, Padim, SpadeKnn, catalogue
from vadlib.errors import LayoutError, ParameterError, ResultsError, UnreadableError, WeightsError
from vadlib.networks import resnet18
from vadlib.report import Experiment
from vadlib.runs.results import load_results

SIZE = (32, 64)
QUIET = {"progress": False, "device": "cpu"}


class Brightness(Detector):
    """Mean brightness, 0 to 255; nothing to fit."""

    title, colour, main_score = "Brightness", "#000000", "brightness"

    def fit(self, reader):
        return self

    def score_batch(self, images, *, scenes=None):
        values = images.float().mean(dim=(1, 2, 3))
        return {"brightness": values, "darkness": -values}

    def parameters(self):
        return {}

    def state(self):
        return {"nothing": torch.zeros(1)}

    def set_state(self, state):
        pass


class BrightnessMap(Brightness):
    """The same with heatmaps."""

    title, heat_label = "BrightnessMap", "brightness"

    def heatmap(self, images, *, scenes=None):
        return images.float().mean(dim=1).numpy()


build_once = cache(resnet18)  # it takes a second


@pytest.fixture(autouse=True)
def known_detectors(monkeypatch):
    monkeypatch.setattr(vadlib.networks, "resnet18", build_once)
    for kind in (Brightness, BrightnessMap):
        catalogue.register(catalogue.Entry(kind.title, kind))
    yield
    for kind in (Brightness, BrightnessMap):
        catalogue.unregister(kind.title)


@pytest.fixture
def no_timelines(monkeypatch):
    """For tests of something else: they take half a second each."""
    monkeypatch.setattr(scoring, "save_timeline", lambda *_: None)


def write_frames(folder, values, size=SIZE):
    """PNG frames, each of one grey value."""
    folder.mkdir(parents=True)
    for frame, value in enumerate(values):
        cv2.imwrite(str(folder / f"{frame:03d}.png"), np.full((*size, 3), value, np.uint8))
    return folder


def write_film(path, values, size=SIZE, fps=20):
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, size[::-1])
    for value in values:
        writer.write(np.full((*size, 3), value, np.uint8))
    writer.release()
    return path


def cut(path, n_frames):
    """Cut an MJPG film after some frames; its header still promises all."""
    content = path.read_bytes()
    start = 0
    for _ in range(n_frames + 1):
        start = content.index(b"00dc", start) + 4
    path.write_bytes(content[: start - 4])


@pytest.fixture(scope="session")
def network():
    return build_once("random", seed=3, precision="float32")


@pytest.fixture
def make_run(network, tmp_path):
    """A results folder: its own test frames have brightness 0 to 100 where normal, and 150 where not."""

    def make(kind=BrightnessMap, *, parameters=None, detector=True, scores=True):
        run = Experiment("run", tmp_path / "run", {"image_size": list(SIZE)} if parameters is None else parameters)
        table = pd.DataFrame({"clip": "c", "frame": range(111), "label": np.int8([0] * 101 + [1] * 10)})
        if scores:
            run.scores(table, {"brightness": np.append(np.arange(101.0), np.full(10, 150.0))})
        run.record(dataset={"name": "somewhere", "fingerprint": "f"})
        run.metrics({"n": 1})
        if detector:
            run.attach("detector", kind(network, device="cpu").save)
        return run.save()

    return make


def read(out):
    results = load_results(out)
    found = sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file() and p.name != "run.json")
    assert results.run["files"] == found
    found.remove("metrics.json")
    return SimpleNamespace(summary=results.run | results.metrics, table=results.scores, files=found)


def count_frames(path):
    capture, n = cv2.VideoCapture(str(path)), 0
    while capture.grab():
        n += 1
    return n, capture.get(cv2.CAP_PROP_FPS)


@pytest.mark.parametrize("overlay", [True, False])
@pytest.mark.parametrize("view", ["centre", "inner"])
def test_what_the_run_did_not_see_is_not_scored(make_run, no_timelines, tmp_path, view, overlay):
    """A frame white at its edges and dark in the middle that the view keeps; the heat is drawn on the middle alone."""
    folder, size = tmp_path / "in", (96, 192)
    folder.mkdir()
    frames = []
    for frame in range(2):
        image = np.full((*size, 3), 255, np.uint8)
        image[8:88, 50:142] = 20 + frame
        cv2.imwrite(str(folder / f"{frame}.png"), image)
        frames.append(picture_in_view(image, (24, 24), view).mean())
    run = make_run(parameters={"image_size": 24, "view": view})
    out = score_videos([folder], run, tmp_path / "out", overlay=overlay, **QUIET)
    np.testing.assert_allclose(read(out).table["brightness"], frames, rtol=1e-5)
    assert read(out).summary["detector"]["view"] == view


def test_every_frame_gets_its_score_second_and_pictures(make_run, tmp_path):
    values = [0, 50, 98, 100, 200, 99, 10]
    folder = write_frames(tmp_path / "in/dusk", values)
    film = write_film(tmp_path / "in/film.avi", [30, 60, 90])
    out = score_videos([film, folder], make_run(), tmp_path / "out", fps=10, batch_size=3, **QUIET)
    result = read(out)
    assert list(result.table.columns) == ["clip", "frame", "second", "brightness", "darkness"]
    assert result.table["clip"].tolist() == ["dusk"] * 7 + ["film"] * 3
    assert result.table["frame"].tolist() == [*range(7), *range(3)]
    np.testing.assert_allclose(result.table["second"], [*np.arange(7) / 10, *np.arange(3) / 20])
    assert result.table["brightness"].dtype == np.float32
    np.testing.assert_array_equal(result.table["brightness"][:7], values)
    np.testing.assert_allclose(result.table["brightness"][7:], [30, 60, 90], atol=2)
    pd.testing.assert_frame_equal(pd.read_csv(out / "scores.csv"), result.table, check_dtype=False)
    assert result.files == ["scores.csv", "scores.parquet"] + [
        f"videos/{name}/{file}" for name in ("dusk", "film") for file in ("overlay.mp4", "timeline.png", "timeline.svg")
    ]
    assert count_frames(out / "videos/dusk/overlay.mp4") == (7, 10.0)
    assert count_frames(out / "videos/film/overlay.mp4") == (3, 20.0)
    summary = result.summary
    assert summary["threshold"] | {"is": ""} == {
        "value": 99.0,  # 0 to 100, 101 of them
        "quantile": 0.99,
        "n_frames": 101,
        "dataset": "somewhere",
        "is": "",
    }
    said = "0.99 quantile of the scores of 101 normal test frames of somewhere"
    assert summary["threshold"]["is"] == said
    assert said in (out / "videos/dusk/timeline.svg").read_text(), "the picture says it, too"
    assert [video["above_threshold"] for video in summary["videos"]] == [2, 0]
    assert summary["videos"][0]["highest"] == {"frame": 4, "second": 0.4, "score": 200.0}
    assert summary["overlay_limits"]["score"] == [0.0, 150.0]
    assert summary["detector"]["class"] == "BrightnessMap"
    assert summary["detector"]["weights"]["name"] == "random, seed 3"
    assert summary["detector"]["fitted_on"] == {"name": "somewhere", "fingerprint": "f"}
    assert all(summary["depends_on"].values())


@pytest.mark.usefixtures("no_timelines")
def test_padim_scores_as_in_a_notebook(network, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    for name, n in (("fit", 12), ("seen", 5)):
        (tmp_path / name).mkdir()
        for frame in range(n):
            picture = rng.integers(0, 256, (48, 80, 3), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / name / f"{frame}.png"), picture)
    data = open_videos([tmp_path / "fit"])
    detector = Padim(network, 12, device="cpu", frame_score="mean")
    detector.fit(FrameReader(data, data.frame_table(), SIZE, progress=False))
    detector.save(tmp_path / "detector")
    videos = open_videos([tmp_path / "seen"])
    expected = detector.score_columns(FrameReader(videos, videos.frame_table(), SIZE, 4, progress=False))
    passes = []
    real = Padim._features
    monkeypatch.setattr(Padim, "_features", lambda self, images: passes.append(len(images)) or real(self, images))
    monkeypatch.setattr(overlays, "N_SAMPLED", 2)
    drawn = score_videos([tmp_path / "seen"], tmp_path / "detector", tmp_path / "a", size=SIZE, batch_size=4, **QUIET)
    assert passes == [2, 4, 1], "two frames for the scale, then each frame once for its scores and its heatmap"
    bare = score_videos(
        [tmp_path / "seen"], tmp_path / "detector", tmp_path / "b", size=SIZE, batch_size=4, overlay=False, **QUIET
    )
    one = score_videos(
        [tmp_path / "seen"], tmp_path / "detector", tmp_path / "c", size=SIZE, batch_size=1, overlay=False, **QUIET
    )
    for name, scores in expected.items():
        np.testing.assert_array_equal(read(drawn).table[name], scores)
        np.testing.assert_array_equal(read(bare).table[name], scores)
        np.testing.assert_allclose(read(one).table[name], scores, rtol=1e-4)
    assert read(drawn).summary["score"] == "mean"
    assert read(drawn).summary["threshold"] is None
    assert not any(name.endswith(".mp4") for name in read(bare).files)


@pytest.mark.usefixtures("no_timelines")
def test_padims_colours_are_those_of_the_runs_normal_frames(network, tmp_path):
    (tmp_path / "in").mkdir()
    for frame in range(6):
        picture = np.random.default_rng(frame).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f"in/{frame}.png"), picture)
    videos = open_videos([tmp_path / "in"])
    detector = Padim(network, 12, device="cpu")
    reader = FrameReader(videos, videos.frame_table(), SIZE, progress=False)
    detector.fit(reader)
    run = Experiment("run", tmp_path / "run", {"image_size": list(SIZE)})
    table = videos.frame_table().assign(label=np.int8([0, 0, 0, 0, 1, 1]))
    columns = {"max": np.float32([5, 6, 7, 8, 90, 90]), "mean": np.float32([1, 2, 3, 9, 90, 90])}
    run.scores(table, columns)
    run.metrics({"n": 1})
    run.attach("detector", detector.save)
    out = score_videos([tmp_path / "in"], run.save(), tmp_path / "out", **QUIET)
    scale = read(out).summary["overlay_limits"]
    np.testing.assert_allclose(scale["heat"], [2.5, np.quantile([5, 6, 7, 8], 0.99)])
    assert scale["score"] == [5.0, 90.0]


@pytest.mark.usefixtures("no_timelines")
@pytest.mark.parametrize("kind", [Brightness, BrightnessMap])
def test_detectors_with_and_without_heatmaps(make_run, tmp_path, kind):
    folder = write_frames(tmp_path / "in", [40, 80, 160])
    out = score_videos([folder], make_run(kind, scores=False), tmp_path / "out", **QUIET)
    scale = read(out).summary["overlay_limits"]
    assert scale["score"] == [40 - 30, 160 + 30]
    assert scale["heat"] == (None if kind is Brightness else [80.0, 160.0])
    capture = cv2.VideoCapture(str(out / "videos/in/overlay.mp4"))
    for _ in range(3):
        picture = capture.read()[1][:200].reshape(-1, 3).mean(axis=0)
    # The last frame is the brightest: 85 % of inferno's end, (252, 255, 164), and 15 % of its grey.
    expected = (160, 160, 160) if kind is Brightness else 0.85 * np.array([164, 255, 252]) + 0.15 * 160
    np.testing.assert_allclose(picture, expected, atol=4)  # OpenCV reads BGR


@pytest.mark.usefixtures("no_timelines")
def test_frames_of_another_size_are_brought_to_that_of_the_fit(make_run, tmp_path, monkeypatch):
    shapes = []
    real = BrightnessMap.score_batch
    monkeypatch.setattr(
        BrightnessMap, "score_batch", lambda self, x, **_: shapes.append(tuple(x.shape[2:])) or real(self, x)
    )
    film = write_film(tmp_path / "film.avi", [30, 60], size=(90, 120))
    folder = write_frames(tmp_path / "tiny", [7], size=(9, 7))  # one frame, smaller than the fit's
    for overlay in (True, False):
        out = score_videos([film, folder], make_run(), tmp_path / f"{overlay}", overlay=overlay, **QUIET)
        assert set(shapes) == {SIZE}
        np.testing.assert_allclose(read(out).table["brightness"], [30, 60, 7], atol=2)
    assert count_frames(tmp_path / "True/videos/tiny/overlay.mp4")[0] == 1


@pytest.mark.usefixtures("no_timelines")
def test_another_score_and_quantile(make_run, tmp_path):
    folder = write_frames(tmp_path / "in", [40, 80])
    out = score_videos([folder], make_run(), tmp_path / "a", quantile=0.5, **QUIET)
    assert read(out).summary["threshold"]["value"] == 50.0
    out = score_videos([folder], make_run(), tmp_path / "b", score="darkness", **QUIET)
    summary = read(out).summary
    assert (summary["threshold"], summary["videos"][0]["highest"]["frame"]) == (None, 0)
    for overlay in (True, False):
        with pytest.raises(ParameterError, match="score: one of brightness, darkness is expected, not 'max'"):
            score_videos([folder], make_run(), tmp_path / "c", score="max", overlay=overlay, **QUIET)
    with pytest.raises(ParameterError, match="quantile: a number between 0 and 1"):
        score_videos([folder], make_run(), tmp_path / "c", quantile=1.0, **QUIET)
    with pytest.raises(ParameterError, match="batch_size: at least 1"):
        score_videos([folder], make_run(), tmp_path / "c", batch_size=0, **QUIET)
    assert not (tmp_path / "c").exists()


@pytest.mark.usefixtures("no_timelines")
class TestUnreadable:
    @pytest.fixture
    def damaged(self, tmp_path):
        """A folder whose frames 0, 3 and 6 are no pictures, and a film that does not open."""
        folder = write_frames(tmp_path / "holes", range(10, 80, 10))
        for frame in (0, 3, 6):
            (folder / f"{frame:03d}.png").write_bytes(b"none")
        film = tmp_path / "cut.mp4"
        film.write_bytes(b"\0\0\0\x18ftypisom" + bytes(400))
        return folder, film

    @pytest.mark.parametrize("which", [0, 1])
    @pytest.mark.parametrize("overlay", [True, False])
    def test_it_is_an_error_and_nothing_is_left(self, damaged, make_run, tmp_path, which, overlay):
        before = sorted(tmp_path.iterdir())
        run = make_run()
        with pytest.raises(UnreadableError, match=("holes/000.png", "cut.mp4")[which]):
            score_videos([damaged[which]], run, tmp_path / "out", overlay=overlay, **QUIET)
        assert sorted(tmp_path.iterdir()) == sorted([*before, run])

    @pytest.mark.filterwarnings("ignore")
    @pytest.mark.parametrize("scores", [True, False])
    def test_or_left_out_and_counted(self, damaged, make_run, tmp_path, scores):
        run = make_run(scores=scores)
        out = score_videos(damaged, run, tmp_path / "out", skip_unreadable=True, **QUIET)
        result = read(out)
        assert result.table["frame"].tolist() == [1, 2, 4, 5]
        assert result.table["brightness"].tolist() == [20, 30, 50, 60]
        assert {video["clip"]: video["skipped"] for video in result.summary["videos"]} == {"holes": 3}
        assert [video["video"] for video in result.summary["left_out"]] == ["cut.mp4"]
        assert count_frames(out / "videos/holes/overlay.mp4")[0] == 7, "seconds stay seconds"
        assert not (out / "videos/cut").exists()

    def test_a_film_that_ends_early_is_scored_as_far_as_it_goes(self, make_run, tmp_path):
        film = write_film(tmp_path / "cut.avi", [20] * 8)
        cut(film, 5)
        result = read(score_videos([film], make_run(), tmp_path / "out", overlay=False, **QUIET))
        assert 3 <= len(result.table) <= 5
        assert result.table["brightness"].between(15, 25).all()
        assert "cut.avi: its pictures end after" in result.summary["facts"]["damage"]

    @pytest.mark.filterwarnings("ignore")
    @pytest.mark.parametrize("scores", [True, False])
    def test_nothing_readable_at_all(self, damaged, make_run, tmp_path, scores):
        run = make_run(scores=scores)
        with pytest.raises(UnreadableError, match="none of the clips to score can be read: "):
            score_videos([damaged[1]], run, tmp_path / "out", skip_unreadable=True, **QUIET)
        assert not (tmp_path / "out").exists()


class TestOut:
    @pytest.fixture
    def folder(self, tmp_path):
        return write_frames(tmp_path / "in", [1, 2, 3])

    def test_an_earlier_one_is_replaced_whole(self, folder, make_run, tmp_path):
        run = make_run()
        score_videos([folder, write_frames(tmp_path / "other", [9])], run, tmp_path / "out", **QUIET)
        out = score_videos([folder], run, tmp_path / "out", overlay=False, **QUIET)
        assert read(out).files == [
            *("scores.csv", "scores.parquet"),
            *("videos/in/timeline.png", "videos/in/timeline.svg"),
        ]
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]

    def test_the_same_again_is_the_same_to_the_byte(self, folder, make_run, tmp_path):
        run = make_run()
        first = score_videos([folder], run, tmp_path / "a", **QUIET)
        second = score_videos([folder], run, tmp_path / "b", **QUIET)
        for name in read(first).files:
            assert (first / name).read_bytes() == (second / name).read_bytes(), name

    @pytest.mark.usefixtures("no_timelines")
    @pytest.mark.parametrize("failure", [KeyboardInterrupt, ZeroDivisionError])
    def test_interrupted_the_earlier_one_stays(self, folder, make_run, tmp_path, monkeypatch, failure):
        run = make_run()
        out = score_videos([folder], run, tmp_path / "out", **QUIET)
        before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
        real, calls = BrightnessMap.score_batch, []

        def fail_later(self, images, **_):
            calls.append(1)
            if len(calls) == 2:
                raise failure
            return real(self, images)

        monkeypatch.setattr(BrightnessMap, "score_batch", fail_later)
        with pytest.raises(failure):
            score_videos([folder], run, out, batch_size=1, **QUIET)
        assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]

    @pytest.mark.usefixtures("no_timelines")
    def test_what_it_did_not_write_is_left_alone(self, folder, make_run, tmp_path):
        run = make_run()
        (tmp_path / "file").touch()
        (tmp_path / "full").mkdir()
        (tmp_path / "full/thesis.tex").touch()
        mine = score_videos([folder], run, tmp_path / "mine", **QUIET)
        (mine / "notes.txt").touch()
        for name, telling in (
            ("file", "is a file; give a folder"),
            ("full", "has no run.json.*left alone"),
            ("mine", r"\(notes.txt\)"),
            ("run", "holds the results of run, not scores of videos, so it is left alone"),
            ("in", "has no run.json"),
        ):
            with pytest.raises(ResultsError, match=telling):
                score_videos([folder], run, tmp_path / name, **QUIET)
        assert (mine / "notes.txt").exists()
        (tmp_path / "empty").mkdir()
        score_videos([folder], run, tmp_path / "empty", overlay=False, **QUIET)

    def test_a_place_that_cannot_be_written(self, folder, make_run, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(ResultsError, match="file/out cannot be written there"):
            score_videos([folder], make_run(), tmp_path / "file/out", **QUIET)

    def test_scores_that_are_no_numbers(self, folder, make_run, tmp_path, monkeypatch):
        monkeypatch.setattr(
            BrightnessMap, "score_batch", lambda self, x, **_: {"brightness": torch.full((len(x),), torch.nan)}
        )
        with pytest.raises(ResultsError, match="brightness is not finite for 3 frames of in, first frame 0"):
            score_videos([folder], make_run(), tmp_path / "out", **QUIET)
        assert not (tmp_path / "out").exists()


class TestFittedRun:
    def test_a_run_its_detector_and_a_copy_of_it(self, make_run, tmp_path):
        run = make_run()
        shutil.copytree(run / "detector", tmp_path / "alone")
        for path in (run, run / "detector"):
            fitted = open_saved_run(path, device="cpu")
            assert (fitted.size, len(fitted.normal_scores("brightness"))) == (SIZE, 101)
            assert fitted.threshold("nothing", 0.9) is None
        with pytest.raises(ParameterError, match="size: nothing beside .*alone says .* --size HEIGHT WIDTH"):
            open_saved_run(tmp_path / "alone", device="cpu")
        alone = open_saved_run(tmp_path / "alone", size=(5, 6), device="cpu")
        assert (alone.size, alone.threshold("brightness", 0.9), alone.describe()["fitted_on"]) == ((5, 6), None, None)

    @pytest.mark.parametrize(
        ("parameters", "size"), [({"image_size": 48}, (48, 48)), ({"image_size": [30, 40]}, (30, 40))]
    )
    def test_frame_size_of_a_run(self, make_run, parameters, size):
        run = make_run(parameters=parameters)
        assert open_saved_run(run, device="cpu").size == size
        assert open_saved_run(run, size=(7, 8), device="cpu").size == (7, 8)

    def test_view_of_a_run(self, make_run):
        assert open_saved_run(make_run(), device="cpu").view == "whole"
        run = make_run(parameters={"image_size": 48, "view": "inner"})
        assert open_saved_run(run, device="cpu").view == "inner"
        assert open_saved_run(run, view="centre", device="cpu").describe()["view"] == "centre"
        with pytest.raises(ParameterError, match="view: expected one of whole, centre, inner, found 'left'"):
            open_saved_run(run, view="left", device="cpu")

    def test_no_detector(self, make_run, tmp_path):
        with pytest.raises(ResultsError, match="no fitted detector.*save_detector=true"):
            open_saved_run(make_run(detector=False))
        with pytest.raises(ResultsError, match="gone does not exist"):
            open_saved_run(tmp_path / "gone")
        (tmp_path / "empty").mkdir()
        with pytest.raises(ResultsError, match="neither a results folder with detector/ in it nor a saved detector"):
            open_saved_run(tmp_path / "empty")

    def test_damage(self, make_run):
        run = make_run()
        (run / "scores.parquet").write_bytes(b"half")
        with pytest.raises(ResultsError, match="scores.parquet cannot be read"):
            open_saved_run(run, device="cpu").threshold("brightness", 0.9)
        (run / "run.json").write_text("{")
        with pytest.raises(ResultsError, match="run.json cannot be read"):
            open_saved_run(run, device="cpu")

    def test_weights_that_are_not_those_of_the_fit(self, make_run):
        run = make_run()
        file = run / "detector/detector.json"
        file.write_text(file.read_text().replace('"sha256": null', '"sha256": "0000"'))
        with pytest.raises(WeightsError, match="was fitted with resnet18 weights random, seed 3"):
            open_saved_run(run, device="cpu")


@pytest.fixture
def pictures(tmp_path):
    """Two folders of frames, of noise."""
    for name, n in (("fit", 12), ("seen", 3)):
        (tmp_path / name).mkdir()
        for frame in range(n):
            noise = np.random.default_rng([len(name), frame]).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
            cv2.imwrite(str(tmp_path / name / f"{frame}.png"), noise)
    return tmp_path / "fit", tmp_path / "seen"


def reader_of(folder, **options):
    videos = open_videos([folder], **options)
    return FrameReader(videos, videos.frame_table().assign(label=np.int8(0)), SIZE, progress=False)  # seen as normal


@pytest.mark.usefixtures("no_timelines")
@pytest.mark.parametrize(
    "make",
    [
        lambda network: GradCamSsim(network, device="cpu"),
        lambda network: SpadeKnn(network, 3, device="cpu", heatmap_k=2),
        lambda network: ClipPrototypes(network, 3, device="cpu", top_k=2, mode="one-class"),
    ],
    ids=["GradCamSsim", "SpadeKnn", "ClipPrototypes"],
)
def test_every_detector_scores_as_in_a_notebook(network, pictures, tmp_path, make):
    detector = make(network).fit(reader_of(pictures[0]))
    detector.save(tmp_path / "d")
    expected = detector.score_columns(reader_of(pictures[1]))
    out = score_videos([pictures[1]], tmp_path / "d", tmp_path / "out", size=SIZE, **QUIET)
    result = read(out)
    for name, scores in expected.items():
        np.testing.assert_array_equal(result.table[name], scores)
    assert result.summary["score"] == detector.main_score
    assert (result.summary["overlay_limits"]["heat"] is None) == isinstance(detector, ClipPrototypes)
    assert count_frames(out / "videos/seen/overlay.mp4")[0] == 3


@pytest.mark.usefixtures("no_timelines")
def test_a_reference_for_each_scene(network, pictures, tmp_path, make_run):
    detector = GradCamSsim(network, device="cpu", reference="scene").fit(reader_of(pictures[0], scene="07"))
    detector.save(tmp_path / "d")
    expected = detector.score_columns(reader_of(pictures[1], scene="07"))
    settings = {"size": SIZE, **QUIET}
    out = score_videos([pictures[1]], tmp_path / "d", tmp_path / "out", scene="07", **settings)
    np.testing.assert_array_equal(read(out).table["ssim"], expected["ssim"])
    for scene in (None, "08"):
        with pytest.raises(ParameterError, match=f"--scene, of 07; found {scene!r}"):
            score_videos([pictures[1]], tmp_path / "d", tmp_path / "x", scene=scene, **settings)
    with pytest.raises(ParameterError, match="knows none, so '07' would change nothing"):
        score_videos([pictures[1]], make_run(), tmp_path / "x", scene="07", **settings)


def test_the_command(make_run, tmp_path, monkeypatch, capsys):
    folder, film = write_frames(tmp_path / "in", [1, 2]), write_film(tmp_path / "film.avi", [1, 2])
    options = ["--detector", make_run() / "detector", "--out", tmp_path / "out", "--size", *SIZE, "--fps", 5]
    options += ["--no-overlay", "--device", "cpu", "--quantile", 0.5, "--score", "brightness", "--batch-size", 1]

    def vadlib(*arguments):
        monkeypatch.setattr("sys.argv", ["vadlib", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code

    assert vadlib("score", folder, film, *options) == 0
    assert f"the scores are at {tmp_path / 'out'}" in capsys.readouterr().out
    result = read(tmp_path / "out")
    assert result.table["second"].tolist() == [0.0, 0.05, 0.0, 0.2]
    assert result.summary["threshold"]["value"] == 50.0
    assert not any(name.endswith(".mp4") for name in result.files)
    gone = tmp_path / "gone.mp4"
    assert vadlib("score", gone, *options) == f"error: {gone} does not exist. Give video files, or folders of frames."


def test_two_videos_of_one_name(make_run, tmp_path):
    folders = [write_frames(tmp_path / side / "x", [1]) for side in ("left", "right")]
    with pytest.raises(LayoutError, match="both called x"):
        score_videos(folders, make_run(), tmp_path / "out", **QUIET)

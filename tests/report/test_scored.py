"""What a chapter shows of its scores."""

from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest

from vadlib.data import FrameReader, open_dataset
from vadlib.evaluation import compare_all
from vadlib.report.authoring import DETECTOR, SCORED
from vadlib.report.scored import ScoredFrames
from vadlib.studies.pointing import localise


@pytest.fixture
def bright_anomalies(tmp_path):
    """UCSD Ped2 in small: a bright square in every second frame of two test clips, which is what the masks mark."""
    home = tmp_path / "UCSDped2"
    for folder in ("Train/Train001", "Test/Test001", "Test/Test002", "Test/Test001_gt", "Test/Test002_gt"):
        (home / folder).mkdir(parents=True)
        for frame in range(1, 5):
            picture = np.zeros((48, 64), np.uint8)
            if frame % 2 == 0 and "Test" in folder:
                picture[8 : 8 + 4 * frame, 16:32] = 255
            ending = "bmp" if folder.endswith("_gt") else "tif"
            assert cv2.imwrite(str(home / folder / f"{frame:03d}.{ending}"), picture)
    ranges = "TestVideoFile{end+1}.gt_frame = [2:2, 4:4];\n"
    (home / "Test/UCSDped2.m").write_text("TestVideoFile = {};\n" + 2 * ranges)
    return open_dataset("ucsd-ped2", home)


class Brightness:
    """A detector whose heatmap is the picture, or its negative."""

    def __init__(self, sign):
        self.sign = sign

    def heatmap(self, images, *, scenes=None):
        return self.sign * images.float().mean(dim=1).numpy()


def test_localise_holds_heatmaps_against_masks(bright_anomalies):
    table = bright_anomalies.frame_table()
    scores = table[table["split"] == "test"].reset_index(drop=True)

    def read(frames):
        return FrameReader(bright_anomalies, frames, (48, 48), 3, progress=False)

    right = localise(Brightness(1), bright_anomalies, scores, read, n=6)
    wrong = localise(Brightness(-1), bright_anomalies, scores, read, n=6)
    assert right["pixel_auroc"].estimate > 0.99
    assert right["pointing"].estimate == 1
    assert right["mask_share"].estimate == pytest.approx((8 + 16) / 2 * 16 / (48 * 64))
    assert wrong["pixel_auroc"].estimate < 0.01
    assert wrong["pointing"].estimate == 0
    one_clip = scores[scores["clip"] == scores["clip"][0]]
    assert localise(Brightness(1), bright_anomalies, one_clip, read, n=6) is None


@pytest.fixture
def scored():
    """Scores `good` and `bad` of four clips by a detector that is judged by the first."""
    labels = np.tile([0, 0, 1, 1], 8)
    table = pd.DataFrame({"clip": np.repeat(list("abcd"), 8), "frame": np.tile(range(8), 4), "label": labels})
    noise = np.random.default_rng(0).normal(size=32)
    table = table.assign(scene="s", good=(labels + 0.6 * noise).astype("f4"), bad=noise.astype("f4"))
    chapter = SimpleNamespace(
        given=SimpleNamespace(n_resamples=50, seed=0, image_size=32),
        run=SimpleNamespace(stages={"fit": {"seconds": 2.0}, "score": {"seconds": 0.32}}),
        dataset=SimpleNamespace(events=pd.DataFrame(columns=["clip", "first", "last", "event"])),
        n_fit=7,
        n_recalled=0,
        seconds_to_embed=None,
    )
    network = SimpleNamespace(n_parameters=5)
    detector = SimpleNamespace(title="PaDiM", colour="#009E73", paper="padim", network=network, main_score="good")
    return ScoredFrames(chapter, table, ("good", "bad"), "good", detector)


def test_what_prose_may_cite_is_what_is_known_before_anything_runs(scored):
    words = scored.words()
    assert {name for name in words if not name.startswith("auroc_")} == SCORED | DETECTOR
    assert (words["fit_time"], words["milliseconds"], words["n_fitted"]) == ("2 s", "10", 7)
    assert words["pointing"] is None
    assert words["auroc_bad"] == scored.intervals["bad"]
    alone = ScoredFrames(scored.chapter, scored.table, scored.columns, "bad")
    assert {name for name in alone.words() if not name.startswith("auroc_")} == SCORED


def test_metrics_have_one_dialect(scored):
    metrics = scored.metrics() | {"scores": scored.score_metrics()}
    assert (metrics["detector"], metrics["main_score"]) == ("PaDiM", "good")
    assert metrics["scores"]["good"]["micro_auroc"] == metrics["micro_auroc"] > metrics["scores"]["bad"]["micro_auroc"]
    assert set(metrics["by_kind"]) == set("abcd")  # clips, where no events are named


def test_costs_are_of_decoding_and_embedding_too(scored):
    assert scored.metrics()["detectors"] == {"PaDiM": "good"}
    assert scored.costs == {"fit_seconds": 2.0, "frame_seconds": pytest.approx(0.32 / len(scored))}
    scored.chapter.run.stages = {"fit and score": {"seconds": 1.0}}
    assert scored.costs == {}
    scored.chapter.seconds_to_embed = 0.5
    assert scored.costs == {"fit_seconds": 1.0 + 7 * 0.5, "frame_seconds": 0.5}


def test_pairs_have_resamples_enough_for_a_verdict(scored):
    found = scored.compare()
    labels, clips, both = scored.table["label"], scored.table["clip"], scored.table[["good", "bad"]]
    pd.testing.assert_frame_equal(found, compare_all(labels, both, clusters=clips, n_resamples=1000, seed=0))
    assert (found["a"].item(), found["b"].item()) == ("good", "bad")


def test_differences_are_paired_also_with_another_chapter(scored):
    within = scored.difference("good", "bad")
    other = SimpleNamespace(scores=scored.table.iloc[::-1], metrics={"main_score": "bad"})
    assert scored.difference_to(other) == within


def test_figures_are_drawn(scored):
    import matplotlib.pyplot as plt

    shown = []
    scored.chapter.figure = lambda name, figure, caption, alt: shown.append((name, caption, alt))
    scored.show_kinds()
    assert shown[0][0] == "kinds"
    assert "AUROC of PaDiM" in shown[0][1]
    scored.draw_roc({"PaDiM": "bad"})
    scored.draw_densities(columns=("good", "bad"))
    assert len(scored.merits(names={"good": "well"})) == 2
    plt.close("all")

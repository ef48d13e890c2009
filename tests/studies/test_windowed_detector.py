"""A detector that nobody has heard of, which reads two frames at a time and no network: studies take it as it is."""

import numpy as np
import pytest
import torch

from vadlib.data import draw, open_dataset
from vadlib.data.reading.inputs import Window
from vadlib.detectors import Detector, catalogue
from vadlib.studies.ablation import ablation_settings
from vadlib.studies.draws import plan_draws
from vadlib.studies.footage import score_together
from vadlib.studies.memory import KeptFrames, as_read_by
from vadlib.studies.runner import DetectorRunner, DetectorSpec, default_specs, main_scores

TESTING = {"test_normal": 12, "test_abnormal": 12, "seed": 1, "n_folds": 2}


class Differences(Detector):
    """How much a frame differs from the one before, less what is usual."""

    title, colour, main_score = "Frame differences", "#123456", "change"
    reads, network, varied = Window(2), None, {"power": (1.0,)}

    def __init__(self, seed: int = 0, device: str = "auto", *, power: float = 2.0):
        super().__init__(device=device)
        self.power, self.usual = power, None

    def fit(self, reader):
        changes = [self._change(batch.images) for batch in reader]
        self.usual = torch.cat(changes).mean(dim=0, keepdim=True)
        return self

    def score_batch(self, images, *, scenes=None):
        self._require_fitted(self.usual is not None)
        return {"change": self._change(images) - self.usual}

    def parameters(self):
        return {"power": self.power}

    def state(self):
        self._require_fitted(self.usual is not None)
        return {"usual": self.usual}

    def set_state(self, state):
        self.usual = state["usual"]

    def _change(self, images):
        return (images[:, 1].float() - images[:, 0].float()).abs().pow(self.power).mean(dim=(1, 2, 3))


@pytest.fixture
def newcomer():
    catalogue.register(catalogue.Entry(Differences.title, Differences))
    yield
    catalogue.unregister(Differences.title)


@pytest.fixture
def videos(tiny_world):
    return open_dataset("synthcampus", tiny_world)


def test_a_newcomer_is_run_varied_watched_and_saved_like_any_other(newcomer, videos, tiny_world, tmp_path):
    table = videos.frame_table()
    normal, labelled = (
        draw(table, *which, **TESTING) for which in (("official-split", 16, 0), ("disjoint-clips", 8, 8))
    )
    runner = DetectorRunner(videos, normal, labelled, batch_size=7)
    networks = dict.fromkeys(("backbone", "classifier", "embedder"), "resnet18:random")
    specs = default_specs(networks, 32, {}, learns_from=catalogue.entry("PaDiM").learns_from)
    spec = specs["Frame differences"]
    assert spec == DetectorSpec("Frame differences", "", 32)
    settings = ablation_settings({"Frame differences": spec}, {"Frame differences": Differences.varied})
    wanted = {name: setting.trial for name, setting in settings.items()}
    assert list(wanted) == ["Frame differences", "Frame differences, power: 1"]
    columns = main_scores(wanted, runner.run(wanted))
    assert all(np.isfinite(values).all() and values.std() > 0 for values in columns.values())
    under = runner.run_under(spec, labelled)
    assert under.index.equals(normal.test.sort_index().index)

    detector = Differences().fit(Differences.reads.open(videos, normal.fit, size=(32, 32), progress=False))
    detector.save(tmp_path / "saved")
    loaded = Differences.load(tmp_path / "saved")
    reader = KeptFrames(runner._held(32).select(normal.test)).select(normal.test)
    np.testing.assert_array_equal(loaded.score(as_read_by(loaded, reader)), columns["Frame differences"])
    together = score_together({"Frame differences": loaded}, reader)
    np.testing.assert_array_equal(together["Frame differences"], columns["Frame differences"])

    profile = {"dataset": "synthcampus", "n_fit_frames": 5, "n_test_normal": 4, "n_test_abnormal": 4, "seed": 0}
    assert plan_draws(profile, tiny_world)[1].loc["Frame differences", "fit normal"] == 5

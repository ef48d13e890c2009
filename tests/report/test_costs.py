"""What a chapter says that a frame costs holds whatever other chapters of the build have decoded before."""

from types import SimpleNamespace

import numpy as np
import pytest

from vadlib.data import FrameReader, draw, open_dataset
from vadlib.data.reading.inputs import Frames
from vadlib.data.reading.scanning import CACHE
from vadlib.report.chapter import Chapter
from vadlib.runs.experiment import Experiment


class Detector:
    """One that notes how its frames were read."""

    main_score, reads = "brightness", Frames()

    def fit(self, reader):
        self.fitted = sum(len(batch.rows) for batch in reader)

    def score_columns(self, reader):
        scores = np.zeros(reader.n_frames, np.float32)
        for batch in reader:
            scores[batch.rows] = batch.images.float().mean(dim=(1, 2, 3))
        self.recalled_in_scoring = reader.n_recalled
        return {"brightness": scores}


@pytest.mark.parametrize("warm", [False, True])
def test_scoring_decodes_every_frame_and_fitting_says_what_it_did_not(tiny_world, tmp_path, monkeypatch, warm):
    monkeypatch.setenv(CACHE, str(tmp_path / "kept"))
    videos = open_dataset("synthcampus", tiny_world)
    if warm:
        for _ in FrameReader(videos, videos.frame_table(), (24, 24), 8, progress=False):
            pass
    chapter = object.__new__(Chapter)
    chapter.dataset, chapter.run = videos, Experiment("02_padim", tmp_path / "results")
    chapter.given = SimpleNamespace(image_size=24, batch_size=8, skip_unreadable=False)
    detector = Detector()
    split = draw(videos.frame_table(), "official-split", 12, 0, 10, 10, seed=0)
    chapter.fit_and_score(detector, split)
    assert detector.fitted == 12
    assert detector.recalled_in_scoring == 0
    assert chapter.n_recalled == (12 if warm else 0)
    assert set(chapter.run.stages) == {"fit", "score"}

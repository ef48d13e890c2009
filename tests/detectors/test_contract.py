"""What every detector of the catalogue keeps to; a new one is asked the same from the day it is there."""

import re
from collections import Counter

import numpy as np
import pytest
import torch

from vadlib.data import open_dataset
from vadlib.detectors import Detector, LearnsFrom, catalogue
from vadlib.errors import NotFittedError, ParameterError, ResultsError, WeightsError

SIZE = (64, 64)
ENTRIES = {entry.title: entry for entry in catalogue.entries(compared=False)}
every_detector = pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
pytestmark = pytest.mark.filterwarnings("ignore:fit. .* the same for all", "ignore:fit. .* distinct embeddings")


@pytest.fixture(scope="module")
def videos(tiny_world):
    return open_dataset("synthcampus", tiny_world)


@pytest.fixture(scope="module")
def tables(videos):
    """By what is learnt from, frames to fit on; and to test on: first frames of clips, where nothing came before."""
    table = videos.frame_table()
    normal = table[table["split"] == "train"].iloc[::12].head(24)
    tested = table[table["split"] == "test"]
    labelled = tested.groupby("label").sample(12, random_state=0).sort_index()
    fit = dict.fromkeys(LearnsFrom, normal) | dict.fromkeys(("labelled frames", "labelled clips"), labelled)
    return fit, tested.groupby("clip").head(20).iloc[::7].head(9)


@pytest.fixture
def networks(make_network):
    return networks_of(make_network)


def networks_of(make_network, seed=1):
    """One small network in every role, which reads texts, too; none for a detector that takes none."""
    network = make_network(seed)
    words = torch.randn(20, network.embedding_size, generator=torch.Generator().manual_seed(seed))
    network.embed_text = lambda texts: words[: len(texts)]
    network.logit_scale = 10.0
    return dict.fromkeys(("backbone", "classifier", "embedder"), network) | {None: None}


@pytest.fixture
def reader(videos, tables):
    def open_reader(entry, table=None, batch_size=4):
        table = tables[1] if table is None else table
        return entry.cls.reads.open(videos, table, size=SIZE, batch_size=batch_size, progress=False)

    return open_reader


@pytest.fixture
def fitted(networks, tables, reader):
    def fit(entry, seed=0, networks=networks):
        table = tables[0][entry.learns_from]
        detector = catalogue.make(entry, networks, seed, "cpu", n_fit=len(table) // 2)
        return detector.fit(reader(entry, table))

    return fit


@every_detector
def test_the_class_says_what_others_ask(entry, networks):
    assert issubclass(entry.cls, Detector)
    assert (entry in catalogue.entries()) == entry.cls.compared
    assert re.fullmatch("#[0-9A-F]{6}", entry.colour)
    assert catalogue.entry(entry.title) is entry
    detector = catalogue.make(entry, networks, n_fit=10)
    assert detector.learns_from == entry.learns_from
    assert not set(entry.options) - set(detector.parameters())
    assert catalogue.chapter_options(entry, {}) == dict(entry.options)


def test_no_two_have_a_name_or_a_colour_in_common():
    for said in ("title", "colour"):
        assert max(Counter(getattr(entry, said) for entry in ENTRIES.values()).values()) == 1


@every_detector
def test_scores_do_not_depend_on_the_batch_and_are_the_seeds(entry, fitted, reader):
    detector = fitted(entry)
    columns = detector.score_columns(reader(entry))
    assert entry.cls.main_score in columns
    np.testing.assert_array_equal(detector.score(reader(entry)), columns[detector.main_score])
    for values in columns.values():
        assert values.shape == (9,)
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
    for batch_size in (1, 9):
        for name, values in detector.score_columns(reader(entry, batch_size=batch_size)).items():
            np.testing.assert_allclose(values, columns[name], rtol=1e-4, atol=1e-5)
    again = fitted(entry).score_columns(reader(entry))
    for name, values in columns.items():
        np.testing.assert_array_equal(again[name], values)


@every_detector
def test_saved_and_loaded_it_is_the_same(entry, fitted, reader, networks, make_network, tmp_path):
    detector = fitted(entry)
    detector.save(tmp_path / "saved")
    loaded = entry.cls.load(tmp_path / "saved", network=networks[entry.cls.network], device="cpu")
    assert loaded.parameters() == detector.parameters()
    for batch in reader(entry):
        (expected, heat), (scores, heat_again) = (d.scores_and_heatmap(batch) for d in (detector, loaded))
        for name, values in expected.items():
            torch.testing.assert_close(scores[name], values, rtol=0, atol=0)
        np.testing.assert_array_equal(heat_again, heat)
    if entry.cls.network is None:
        return
    with pytest.raises(WeightsError, match="give the network of the fit"):
        entry.cls.load(tmp_path / "saved", network=networks_of(make_network, 2)[entry.cls.network], device="cpu")


@every_detector
def test_heatmaps_have_the_frames_size_and_scores_are_those_of_the_batch(entry, fitted, reader):
    detector = fitted(entry)
    batch = next(iter(reader(entry)))
    scores, heat = detector.scores_and_heatmap(batch)
    expected = detector.score_batch(batch.images, scenes=batch.scenes)
    assert scores.keys() == expected.keys()
    for name, values in expected.items():
        torch.testing.assert_close(scores[name], values)
    if entry.cls.heat_label is None:
        assert heat is None
        with pytest.raises(ParameterError, match=f"heatmap: {entry.cls.title} has none"):
            detector.heatmap(batch.images)
        return
    assert heat.shape == (4, *SIZE)
    assert heat.dtype == np.float32
    assert np.isfinite(heat).all()
    np.testing.assert_array_equal(detector.heatmap(batch.images, scenes=batch.scenes), heat)


@every_detector
def test_a_frame_that_was_skipped_is_nan(entry, fitted, reader):
    detector = fitted(entry)
    whole, lacking = detector.score_columns(reader(entry)), reader(entry)

    class Skipping:
        n_frames, batch_size, table = lacking.n_frames, lacking.batch_size, lacking.table

        def __iter__(self):
            batches = list(lacking)
            yield from batches[:1] + batches[2:]

    for name, values in detector.score_columns(Skipping()).items():
        assert np.isnan(values[4:8]).all()
        np.testing.assert_allclose(np.delete(values, range(4, 8)), np.delete(whole[name], range(4, 8)), rtol=1e-4)


@every_detector
def test_what_cannot_be_is_refused(entry, fitted, reader, networks, tmp_path):
    batch = next(iter(reader(entry)))
    unfitted = catalogue.make(entry, networks, n_fit=10)
    for ask in (unfitted.score_batch, unfitted.heatmap)[: 1 + (entry.cls.heat_label is not None)]:
        with pytest.raises(NotFittedError, match="call fit, or load"):
            ask(batch.images)
    with pytest.raises(NotFittedError, match="call fit, or load"):
        unfitted.save(tmp_path / "unfitted")
    assert not (tmp_path / "unfitted").exists()
    detector = fitted(entry)
    for images in (batch.images.float() * float("nan"), batch.images[..., :1, :, :]):
        with pytest.raises(ParameterError, match="expected"):
            detector.score_batch(images)
    if entry.cls.heat_label is not None and entry.learns_from != LearnsFrom.NOTHING:
        with pytest.raises(ParameterError, match="size"):
            detector.heatmap(batch.images[..., :32, :])

    class Nothing:
        n_frames, batch_size = 0, 4

        def __iter__(self):
            return iter(())

    if entry.learns_from != LearnsFrom.NOTHING:
        with pytest.raises(ParameterError, match="frame"):
            catalogue.make(entry, networks, n_fit=10).fit(Nothing())
    with pytest.raises(ParameterError, match="the reader gave no frame"):
        detector.score_columns(Nothing())
    (tmp_path / "precious").mkdir()
    with pytest.raises(ResultsError, match="is no saved detector"):
        detector.save(tmp_path / "precious")
    if entry.cls.network is not None:
        with pytest.raises(ParameterError, match=f"takes a {entry.cls.network}, and there are other"):
            catalogue.make(entry, {"other": None})


def test_one_that_is_registered_is_found_and_one_that_is_not_is_named():
    catalogue.register(catalogue.Entry("Thrown away", ENTRIES["PaDiM"].cls, {"sigma": 0.0}, "#123456"))
    try:
        assert catalogue.entry("Thrown away") in catalogue.entries(LearnsFrom.NORMAL)
        assert catalogue.entry("Thrown away") not in catalogue.entries(variants=False)
        assert catalogue.colours()["Thrown away"] == "#123456"
    finally:
        catalogue.unregister("Thrown away")
    with pytest.raises(ParameterError, match="expected one of PaDiM, Grad-CAM .* found 'Thrown away'"):
        catalogue.entry("Thrown away")

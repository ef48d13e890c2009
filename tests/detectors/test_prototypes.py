from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import vadlib.networks
from vadlib.detectors import ClipPrototypes
from vadlib.errors import NotFittedError, ParameterError, ResultsError
from vadlib.networks import WeightsRecord

D = 12
NAMES = ("max", "topk", "distance", "ensemble")


class StubNetwork:
    """Embeds a frame as a random projection of its 4 x 4 mean colours."""

    def __init__(self, seed=0, embedding_size=D):
        self.embedding_size, self.precision, self.device = embedding_size, "float32", torch.device("cpu")
        self.record = WeightsRecord("stub", "random", f"random, seed {seed}", None, seed, trained=False)
        self.matrix = torch.randn(48, embedding_size, generator=torch.Generator().manual_seed(seed))

    def to(self, device):
        return self

    def embed(self, images):
        pooled = torch.nn.functional.adaptive_avg_pool2d(images.float(), 4).flatten(1)  # (B, 48)
        return (pooled / 255 - 0.5) @ self.matrix


class LabelledReader:
    def __init__(self, images, labels, batch_size=8, n_frames=None):
        self.images, self.labels, self.batch_size = images, np.asarray(labels, np.int8), batch_size
        self.n_frames = n_frames or len(images)  # more than there are: the rest are skipped

    def __iter__(self):
        for start in range(0, len(self.images), self.batch_size):
            rows = np.arange(start, min(start + self.batch_size, len(self.images)))
            yield SimpleNamespace(images=self.images[rows], rows=rows, labels=self.labels[rows])


@pytest.fixture(scope="module")
def network():
    return StubNetwork()


def frames(n, seed):
    return torch.randint(0, 256, (n, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def labelled(n_normal, n_anomalous, seed=0):
    """Embeddings of any length around two directions, and their labels, mixed."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat([0, 1], [n_normal, n_anomalous]))
    x = rng.normal(size=(len(labels), D)) + 0.8 * np.eye(D)[labels]
    return (x * rng.uniform(0.1, 9, (len(labels), 1))).astype(np.float32), labels


def reference_scores(test, fit, prototypes, *, top_k, weights):
    """The four scores as they are defined: float64, one frame and one prototype at a time; prototypes {label: (P, D)}."""

    def cosine(x, p):
        return sum(a * b for a, b in zip(x, p, strict=True)) / np.sqrt(sum(a * a for a in x) * sum(b * b for b in p))

    def single(x):
        x = np.asarray(x, np.float64)
        best, top, near = {}, {}, {}
        for label, of in prototypes.items():
            cosines = sorted((cosine(x, np.float64(p)) for p in of), reverse=True)
            best[label], top[label] = cosines[0], sum(cosines[:top_k]) / top_k
            unit = x / np.sqrt((x**2).sum())
            near[label] = min(np.sqrt(((unit - np.float64(p)) ** 2).sum()) for p in of)
        if 1 not in prototypes:
            return [-best[0], -top[0], near[0]]
        return [best[1] - best[0], top[1] - top[0], near[0] - near[1]]

    on_fit, on_test = (np.array([single(x) for x in rows]) for rows in (fit, test))
    z = (on_test - on_fit.mean(axis=0)) / on_fit.std(axis=0)
    ensemble = z @ np.asarray(weights, np.float64) / sum(weights)
    return dict(zip(NAMES, [*on_test.T, ensemble], strict=True))


def centres_of(detector):
    return {label: of.centres.numpy() for label, of in detector.prototypes.items()}


@pytest.mark.parametrize("mode", ["two-class", "one-class"])
@pytest.mark.parametrize("weights", [(1, 1, 1), (0.5, 2, 0)])
def test_scores_equal_float64_reference(network, mode, weights):
    fit, labels = labelled(40, 30 if mode == "two-class" else 0)
    test, _ = labelled(9, 8, seed=1)
    detector = ClipPrototypes(network, 7, device="cpu", top_k=3, mode=mode, weights=weights)
    found = detector.fit_embeddings(fit, labels).score_embeddings(test)
    expected = reference_scores(test, fit, centres_of(detector), top_k=3, weights=weights)
    assert tuple(found) == NAMES
    for name in NAMES:
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=2e-6, err_msg=name)


def test_prototypes_of_separate_clusters_are_their_means_at_length_one(network):
    rng = np.random.default_rng(0)
    cluster = np.repeat([0, 1, 2, 3], 10)
    labels = (cluster >= 2).astype(int)
    fit = (5 * np.eye(D)[cluster] + rng.normal(0, 0.1, (40, D))).astype(np.float32)
    detector = ClipPrototypes(network, 2, device="cpu", top_k=1).fit_embeddings(fit, labels)
    unit = fit / np.linalg.norm(fit, axis=1, keepdims=True)
    for label, clusters in ((0, (0, 1)), (1, (2, 3))):
        centres = centres_of(detector)[label]
        means = np.array([unit[cluster == c].mean(axis=0) for c in clusters])
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        order = np.argmax(centres @ means.T, axis=0)
        np.testing.assert_allclose(centres[order], means, atol=1e-6)
        table = detector.prototype_frames(label)
        assert table["n_frames"].tolist() == [10, 10]
        for number, c in zip(order, clusters, strict=True):
            members = np.flatnonzero(cluster == c)
            nearest = members[np.argmax(unit[members] @ means[clusters.index(c)])]
            assert table["row"][number] == nearest
            assert table["similarity"][number] == pytest.approx(float(unit[nearest] @ means[clusters.index(c)]))
    # A frame at an anomalous prototype is more anomalous than one at a normal one.
    scores = detector.score_embeddings(np.concatenate([centres_of(detector)[0], centres_of(detector)[1]]))
    for name in NAMES:
        assert scores[name][:2].max() < scores[name][2:].min()


@pytest.mark.parametrize("seed", range(5))
def test_of_a_pair_equally_near_to_its_mean_the_first_frame_is_shown(network, seed):
    """Whatever the last bits of the embeddings say."""
    rng = np.random.default_rng(seed)
    fit = np.repeat(np.eye(D)[:4], 2, axis=0) + rng.normal(0, 0.1, (8, D))
    fit *= rng.uniform(0.5, 2, (8, 1))
    detector = ClipPrototypes(network, 4, device="cpu", top_k=1, mode="one-class")
    detector.fit_embeddings(fit.astype(np.float32), np.zeros(8))
    assert sorted(detector.prototype_frames(0)["row"]) == [0, 2, 4, 6]


def test_each_fit_frame_is_its_own_prototype_where_k_is_their_number(network):
    fit, labels = labelled(10, 0)
    with pytest.warns(UserWarning, match="max, distance is the same for all 10 fit frames, and counts 0"):
        detector = ClipPrototypes(network, 10, device="cpu", top_k=2, mode="one-class").fit_embeddings(fit, labels)
    scores = detector.score_embeddings(fit)
    np.testing.assert_allclose(scores["max"], -1, atol=1e-6)
    np.testing.assert_allclose(scores["distance"], 0, atol=1e-6)  # and not 3e-4
    assert sorted(detector.prototype_frames(0)["row"]) == list(range(10))
    others = detector.score_embeddings(labelled(5, 0, seed=3)[0])
    mean, spread = detector.statistics[1]
    np.testing.assert_allclose(others["ensemble"], (others["topk"] - mean) / spread / 3, rtol=1e-5)


def test_swapped_labels_negate_the_single_scores(network):
    fit, labels = labelled(30, 30)
    test, _ = labelled(6, 6, seed=1)
    found, swapped = (
        ClipPrototypes(network, 5, device="cpu").fit_embeddings(fit, y).score_embeddings(test)
        for y in (labels, 1 - labels)
    )
    for name in NAMES:
        np.testing.assert_allclose(swapped[name], -found[name], rtol=1e-5, atol=1e-6, err_msg=name)


@settings(max_examples=25)
@given(exponents=st.lists(st.integers(-30, 30), min_size=12, max_size=12), seed=st.integers(0, 99))
def test_lengths_of_embeddings_do_not_matter(exponents, seed):
    fit, labels = labelled(20, 20)
    detector = ClipPrototypes(StubNetwork(), 4, device="cpu", top_k=2).fit_embeddings(fit, labels)
    test, _ = labelled(6, 6, seed=seed)
    stretched = test * np.float32(10.0) ** np.array(exponents, np.float32)[:, None]
    plain, found = detector.score_embeddings(test), detector.score_embeddings(stretched)
    for name in NAMES:
        np.testing.assert_allclose(found[name], plain[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_same_seed_same_bits_and_another_seed_other_prototypes(network):
    fit, labels = labelled(300, 200)
    test, _ = labelled(20, 20, seed=1)
    states, scores = [], []
    for seed in (0, 0, 1):
        detector = ClipPrototypes(network, 20, seed, "cpu").fit_embeddings(fit, labels)
        states.append(detector.state())
        scores.append(detector.score_embeddings(test))
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert all(np.array_equal(scores[0][name], scores[1][name]) for name in NAMES)
    assert not torch.allclose(states[0]["centres_0"], states[2]["centres_0"])


def test_any_of_the_scores_may_be_the_main_one(network):
    test = frames(11, 1)
    detector = ClipPrototypes(network, 3, device="cpu", top_k=2).fit(LabelledReader(frames(20, 0), [0, 1] * 10))
    together = detector.score_columns(LabelledReader(test, [0] * 11, batch_size=11))
    for name in NAMES:
        chosen = ClipPrototypes(network, 3, device="cpu", top_k=2, score=name)
        chosen.fit(LabelledReader(frames(20, 0), [0, 1] * 10))
        np.testing.assert_array_equal(chosen.score(LabelledReader(test, [0] * 11, batch_size=11)), together[name])


def test_many_rows_are_scored_in_chunks_as_a_few_are(network, monkeypatch):
    fit, labels = labelled(20, 20)
    detector = ClipPrototypes(network, 5, device="cpu")
    detector.fit_embeddings(fit, labels)
    test, _ = labelled(20, 13, seed=2)
    test[7] = np.nan
    whole = detector.score_embeddings(test)
    monkeypatch.setattr("vadlib.detectors.embedding_detector.CHUNK_ROWS", 8)
    for name, values in detector.score_embeddings(test).items():
        np.testing.assert_allclose(values, whole[name], atol=1e-6)
        assert list(np.flatnonzero(np.isnan(values))) == [7]


def test_fit_on_frames_equals_fit_on_their_embeddings_and_skipped_frames_take_no_part(network):
    images, labels = frames(21, 0), np.array([0, 1, 0] * 7)
    reader = LabelledReader(images, labels, n_frames=25)
    found = ClipPrototypes(network, 4, device="cpu", top_k=2).fit(reader).state()
    direct = np.full((25, D), np.nan, np.float32)
    direct[:21] = network.embed(images).numpy()
    again = ClipPrototypes(network, 4, device="cpu", top_k=2).fit_embeddings(direct, np.append(labels, [0, 1, 0, 1]))
    for name, values in again.state().items():
        torch.testing.assert_close(found[name], values, atol=1e-5, rtol=0)
    columns = again.score_columns(reader)
    for name in NAMES:
        assert list(np.flatnonzero(np.isnan(columns[name]))) == [21, 22, 23, 24]


class TestWhatHasNoDirectionOrNoSpread:
    def test_zero_embeddings_have_similarity_0_and_distance_1(self, network):
        fit, labels = labelled(20, 20)
        detector = ClipPrototypes(network, 4, device="cpu", top_k=2).fit_embeddings(fit, labels)
        scores = detector.score_embeddings(np.zeros((2, D), np.float32))
        for name in ("max", "topk", "distance"):
            np.testing.assert_allclose(scores[name], 0, atol=1e-6)
        one = ClipPrototypes(network, 4, device="cpu", top_k=2, mode="one-class")
        one.fit_embeddings(fit[labels == 0], labels[labels == 0])
        scores = one.score_embeddings(np.zeros((1, D), np.float32))
        assert (scores["max"], scores["topk"]) == (0, 0)
        np.testing.assert_allclose(scores["distance"], 1, atol=1e-6)

    def test_frames_all_alike_give_0_and_warn(self, network):
        fit = np.ones((12, D), np.float32)
        with pytest.warns(UserWarning, match="fit:") as warned:
            detector = ClipPrototypes(network, 3, device="cpu", top_k=2).fit_embeddings(fit, [0, 1] * 6)
        messages = [str(w.message) for w in warned]
        assert any("6 normal frames have fewer than 3 distinct embeddings, so there are 1" in m for m in messages)
        assert any("max, topk, distance is the same for all 12" in m for m in messages)
        assert detector.prototype_frames(1)["n_frames"].tolist() == [6]
        assert centres_of(detector)[1].shape == (1, D)  # copies of one would count in topk
        assert detector.prototype_frames(1)["row"].tolist() == [1]
        scores = detector.score_embeddings(labelled(3, 3)[0])
        np.testing.assert_array_equal(scores["ensemble"], 0)

    @pytest.mark.filterwarnings("ignore:fit")
    def test_zeros_in_the_fit_are_a_prototype_without_direction(self, network):
        fit = np.concatenate([np.zeros((4, D)), np.eye(D)[:4]]).astype(np.float32)
        detector = ClipPrototypes(network, 2, device="cpu", top_k=1, mode="one-class").fit_embeddings(fit, [0] * 8)
        scores = detector.score_embeddings(np.concatenate([fit, -fit[4:]]))
        for name in NAMES:
            assert np.isfinite(scores[name]).all()


def test_nearest_prototypes_are_those_of_highest_similarity(network):
    reader = LabelledReader(frames(30, 0), [0, 1, 1] * 10)
    detector = ClipPrototypes(network, 4, device="cpu", top_k=2).fit(reader)
    test = frames(3, 1)
    table = detector.nearest_prototypes(test, n=2)
    assert len(table) == 3 * 2 * 2
    unit = torch.nn.functional.normalize(network.embed(test), dim=1).numpy()
    for (image, label), rows in table.groupby(["image", "label"]):
        similarity = centres_of(detector)[label] @ unit[image]
        best = np.argsort(-similarity)[:2]
        assert rows["prototype"].tolist() == best.tolist()
        np.testing.assert_allclose(rows["similarity"], similarity[best], atol=1e-6)
        assert rows["row"].tolist() == detector.prototype_frames(label)["row"][best].tolist()
        assert (reader.labels[rows["row"]] == label).all()
    with pytest.raises(ParameterError, match="n: expected 1 to the number of prototypes .* found 5"):
        detector.nearest_prototypes(test, n=5)


class TestSaving:
    @pytest.mark.parametrize("mode", ["two-class", "one-class"])
    def test_loaded_scores_and_frames_are_the_same(self, network, tmp_path, monkeypatch, mode):
        fit, labels = labelled(20, 20 if mode == "two-class" else 0)
        options = {"top_k": 3, "mode": mode, "score": "topk", "weights": (1, 0, 2), "cache": tmp_path / "cache"}
        detector = ClipPrototypes(network, 6, 4, "cpu", **options).fit_embeddings(fit, labels)
        detector.save(tmp_path / "clip")
        assert "cache" not in (tmp_path / "clip" / "detector.json").read_text()
        build = lambda weights, precision, seed: StubNetwork(seed)  # noqa: E731
        monkeypatch.setattr(vadlib.networks, "stub", build, raising=False)
        loaded = ClipPrototypes.load(tmp_path / "clip", device="cpu")
        assert loaded.parameters() == detector.parameters()
        assert (loaded.main_score, loaded.cache) == ("topk", None)
        test, _ = labelled(5, 5, seed=1)
        for name, values in loaded.score_embeddings(test).items():
            np.testing.assert_array_equal(values, detector.score_embeddings(test)[name])
        for label in detector.classes:
            assert loaded.prototype_frames(label).equals(detector.prototype_frames(label))

    def test_a_state_that_lacks_something_is_refused(self, network):
        detector = ClipPrototypes(network, 5, device="cpu").fit_embeddings(*labelled(10, 10))
        state = detector.state()
        del state["rows_1"]
        with pytest.raises(ResultsError, match="lacks 'rows_1'"):
            detector.set_state(state)


class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"k": 0}, "k: expected prototypes of each class, .* found 0"),
            ({"k": 4}, "top_k: expected 1 to 4, .* found 5"),
            ({"top_k": 0}, "top_k: expected 1 to 100, .* found 0"),
            ({"mode": "both"}, "mode: expected one of two-class, one-class, found 'both'"),
            ({"score": "sum"}, "score: expected one of max, topk, distance, ensemble, found 'sum'"),
            ({"weights": (1, 1)}, "weights: expected three"),
            ({"weights": (0, 0, 0)}, "not all 0"),
            ({"weights": (1, -1, 1)}, "weights: expected three"),
            ({"weights": (1, float("nan"), 1)}, "weights: expected three"),
        ],
    )
    def test_parameters(self, network, options, message):
        with pytest.raises(ParameterError, match=message):
            ClipPrototypes(network, device="cpu", **options)

    def test_a_network_without_embeddings(self):
        with pytest.raises(ParameterError, match="network: blind has no embed"):
            ClipPrototypes(SimpleNamespace(record=SimpleNamespace(architecture="blind")), device="cpu")

    @pytest.mark.parametrize(
        ("n_normal", "n_anomalous", "mode", "message"),
        [
            (9, 30, "two-class", r"k: 10 prototypes of each class .* are 9 normal frames \(label 0\); give k=9"),
            (30, 4, "two-class", r"k: 10 prototypes of each class .* are 4 anomalous frames \(label 1\); give k=4"),
            (30, 0, "two-class", r"needs anomalous frames \(label 1\), .* of the 30 there is none.*mode='one-class'"),
            (0, 30, "two-class", r"needs normal frames \(label 0\), .* of the 30 there is none"),
            (30, 2, "one-class", r"normal frames only, found 2 anomalous ones \(label 1\) of 32"),
            (9, 0, "one-class", r"there are 9 normal frames"),
        ],
    )
    def test_classes(self, network, n_normal, n_anomalous, mode, message):
        detector = ClipPrototypes(network, 10, device="cpu", mode=mode)
        with pytest.raises(ParameterError, match=message):
            detector.fit_embeddings(*labelled(n_normal, n_anomalous))
        with pytest.raises(NotFittedError, match="call fit, or load"):
            detector.score_embeddings(labelled(1, 1)[0])

    def test_a_failed_fit_leaves_the_earlier_one(self, network):
        detector = ClipPrototypes(network, 10, device="cpu").fit_embeddings(*labelled(20, 20))
        before = detector.score_embeddings(labelled(3, 3)[0])["ensemble"]
        with pytest.raises(ParameterError, match="give k=4"):
            detector.fit_embeddings(*labelled(30, 4))
        np.testing.assert_array_equal(detector.score_embeddings(labelled(3, 3)[0])["ensemble"], before)

    def test_embeddings_and_labels(self, network):
        detector, (fit, labels) = ClipPrototypes(network, 5, device="cpu"), labelled(10, 10)
        with pytest.raises(ParameterError, match=r"expected \(n, 12\), as stub gives them, found \(20, 11\)"):
            detector.fit_embeddings(fit[:, 1:], labels)
        with pytest.raises(ParameterError, match="labels: expected 20, one an embedding"):
            detector.fit_embeddings(fit, labels[1:])
        with pytest.raises(ParameterError, match="each 0 or 1, .*values .*2"):
            detector.fit_embeddings(fit, labels * 2)
        fit[3, 4] = np.inf
        with pytest.raises(ParameterError, match="row 3 .and 0 more. holds infinity or some NaN"):
            detector.fit_embeddings(fit, labels)
        with pytest.raises(ParameterError, match="the reader gave no frame"):
            detector.fit_embeddings(fit * np.nan, labels)

    def test_before_fit_and_of_a_class_that_is_not_there(self, network):
        detector = ClipPrototypes(network, 5, device="cpu")
        reader = LabelledReader(frames(12, 0), [0, 1] * 6)
        for call in (
            lambda: detector.prototype_frames(0),
            lambda: detector.nearest_prototypes(frames(1, 0)),
        ):
            with pytest.raises(NotFittedError, match="call fit, or load"):
                call()
        detector.fit(reader)
        with pytest.raises(ParameterError, match="has prototypes of .0, 1., not of 2"):
            detector.prototype_frames(2)

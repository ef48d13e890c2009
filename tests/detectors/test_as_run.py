"""The detectors as the paper's author ran them: against plain float64 code, and against those as written."""

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter
from sklearn.cluster import KMeans

from vadlib.detectors import ClipPrototypes, GradCamSsim, Padim
from vadlib.detectors.as_run import PadimAsRun, PrototypesAsRun, SpadeAsRun
from vadlib.detectors.as_run.uniform_ssim import uniform_ssim, uniform_ssim_map
from vadlib.detectors.feature_cache import EmbeddedFrames
from vadlib.detectors.gradcam import raw_grad_cam
from vadlib.errors import ParameterError

GRID = 4
AS_WRITTEN = {"standardise": False, "reduction": "projection", "gaussians": "each", "epsilon": 0.01, "squared": False}


@pytest.fixture
def frames(make_frames):
    fit, test = make_frames(40, 0), make_frames(6, 1)
    test[0, :, 16:40, 24:56] = 255
    return fit, test


# PaDiM


def pooled(network, images, layers):
    """Layers averaged over the cells of a grid, float64 (B, P, C), a cell at a time."""
    cells = []
    features = [values.numpy().astype(np.float64) for values in network.features(images, layers).values()]
    for row in range(GRID):
        for column in range(GRID):
            parts = []
            for values in features:
                height, width = values.shape[2:]
                rows = slice(row * height // GRID, -(-(row + 1) * height // GRID))
                columns = slice(column * width // GRID, -(-(column + 1) * width // GRID))
                parts.append(values[:, :, rows, columns].mean(axis=(2, 3)))
            cells.append(np.concatenate(parts, axis=1))
    return np.stack(cells, axis=1)


@pytest.mark.parametrize("gaussians", ["one", "each"])
@pytest.mark.parametrize("standardise", [True, False])
@pytest.mark.parametrize("reduction", ["variance", "projection"])
def test_padim_equals_plain_float64(make_network, array_reader, frames, gaussians, standardise, reduction):
    network, (fit, test) = make_network(), frames
    options = {"standardise": standardise, "reduction": reduction, "gaussians": gaussians}
    detector = PadimAsRun(network, 9, 3, "cpu", grid=GRID, epsilon=1e-3, **options).fit(array_reader(fit))
    x, y = (pooled(network, images, detector.layers) for images in (fit, test))
    if standardise:
        mean, spread = x.mean(axis=(0, 1)), x.std(axis=(0, 1))
        x, y = (x - mean) / np.where(spread > 0, spread, 1), (y - mean) / np.where(spread > 0, spread, 1)
    state = detector.state()
    if reduction == "variance":
        kept = state["channels"].numpy()
        assert x.var(axis=(0, 1))[kept].min() >= np.delete(x.var(axis=(0, 1)), kept).max() - 1e-9
        x, y = x[..., kept], y[..., kept]
    else:
        x, y = (values @ state["matrix"].numpy().T for values in (x, y))
    distances = np.empty(y.shape[:2])
    for position in range(GRID**2):
        normal = x.reshape(-1, 9) if gaussians == "one" else x[:, position]
        inverse = np.linalg.pinv(np.cov(normal, rowvar=False) + 1e-3 * np.eye(9))
        gap = y[:, position] - normal.mean(axis=0)
        distances[:, position] = np.einsum("nd,de,ne->n", gap, inverse, gap)
    np.testing.assert_allclose(detector.distances(test).flatten(1), distances, rtol=1e-5)
    scores = detector.score_columns(array_reader(test))
    np.testing.assert_allclose(scores["max"], distances.max(axis=1), rtol=1e-5)
    resized = torch.nn.functional.interpolate(
        torch.from_numpy(distances).reshape(-1, 1, GRID, GRID), size=(64, 96), mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(detector.heatmap(test), resized[:, 0], rtol=1e-4)


def test_with_every_switch_off_it_is_padim_as_written(make_network, array_reader, frames):
    network, (fit, test) = make_network(), frames
    square = [images[..., :64] for images in (fit, test)]
    layers = ("layer1", "layer2", "layer3")
    written = Padim(network, 12, 5, "cpu", reduction="dense", sigma=0).fit(array_reader(square[0]))
    found = PadimAsRun(network, 12, 5, "cpu", layers=layers, grid=16, **AS_WRITTEN).fit(array_reader(square[0]))
    torch.testing.assert_close(found.distances(square[1]), written.distances(square[1]), rtol=1e-3, atol=1e-3)


def test_squaring_changes_no_ranking(make_network, array_reader, frames):
    network, (fit, test) = make_network(), frames
    squared, root = (
        PadimAsRun(network, 9, device="cpu", grid=GRID, squared=value).fit(array_reader(fit)).score(array_reader(test))
        for value in (True, False)
    )
    np.testing.assert_allclose(root**2, squared, rtol=1e-5)
    assert np.argsort(root).tolist() == np.argsort(squared).tolist()


def test_standardising_alone_changes_nothing_but_what_is_kept(make_network, array_reader, frames):
    """The distance does not know the channels' scales: with all of them kept, only epsilon does."""
    network, (fit, test) = make_network(2), frames
    with_, without = (
        PadimAsRun(network, 30, device="cpu", grid=GRID, standardise=value, epsilon=1e-9).fit(array_reader(fit))
        for value in (True, False)
    )
    torch.testing.assert_close(
        with_.state()["covariance"][0].diagonal(), torch.ones(30, dtype=torch.float64), rtol=0.01, atol=0
    )
    torch.testing.assert_close(with_.distances(test), without.distances(test), rtol=1e-3, atol=1e-3)


def test_which_of_equal_channels_are_kept_is_the_seeds(make_network, array_reader, frames):
    def kept(seed, **options):
        detector = PadimAsRun(make_network(), 9, seed, "cpu", grid=GRID, **options).fit(array_reader(frames[0]))
        return detector.state()["channels"].tolist()

    assert kept(0) == kept(0) != kept(1)
    assert kept(0, standardise=False) == kept(1, standardise=False)


def test_channels_that_never_vary_are_kept_last(make_network, array_reader, frames):
    network = make_network(2)
    with torch.no_grad():
        network.stages["layer4"][0].weight[:5] = 0
        network.stages["layer4"][0].bias[:5] = 1.25
    detector = PadimAsRun(network, 25, device="cpu", grid=GRID).fit(array_reader(frames[0]))
    assert not set(range(18, 23)) & set(detector.state()["channels"].tolist())
    every = PadimAsRun(network, 30, device="cpu", grid=GRID).fit(array_reader(frames[0]))
    assert np.isfinite(every.score(array_reader(frames[1]))).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 31}, "n_components: expected 1 to 30, the channels, found 31"),
        ({"layers": ("layer2", "layer2")}, "layers: expected each layer once"),
        ({"grid": 0}, "grid: expected positions a side"),
        ({"reduction": "pca"}, "reduction: expected one of variance, projection, found 'pca'"),
        ({"gaussians": "two"}, "gaussians: expected one of one, each, found 'two'"),
        ({"epsilon": 0}, "epsilon: expected a number above 0"),
    ],
)
def test_padim_refuses(make_network, options, message):
    with pytest.raises(ParameterError, match=message):
        PadimAsRun(make_network(), **{"n_components": 9} | options)


# Grad-CAM + SSIM


def similarity_by_scipy(a, b):
    """Wang et al. 2004, Eq. 13, of two maps, as scikit-image writes it down."""
    ux, uy = uniform_filter(a, 7), uniform_filter(b, 7)
    vx, vy = (49 / 48 * (uniform_filter(m * m, 7) - u * u) for m, u in ((a, ux), (b, uy)))
    vxy = 49 / 48 * (uniform_filter(a * b, 7) - ux * uy)
    return (2 * ux * uy + 1e-4) * (2 * vxy + 9e-4) / ((ux**2 + uy**2 + 1e-4) * (vx + vy + 9e-4))


def test_uniform_ssim_equals_plain_float64_and_scikit_image():
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image, which is the reference, is not installed")
    rng = np.random.default_rng(0)
    maps, reference = rng.random((4, 30, 41)), rng.random((30, 41))
    maps[1], maps[2] = reference, 0.3
    found = uniform_ssim_map(torch.from_numpy(maps), torch.from_numpy(reference)).numpy()
    means = uniform_ssim(torch.from_numpy(maps), torch.from_numpy(reference)).numpy()
    for one, local, mean in zip(maps, found, means, strict=True):
        np.testing.assert_allclose(local, similarity_by_scipy(one, reference), atol=1e-12)
        expected, full = metrics.structural_similarity(one, reference, data_range=1.0, full=True)
        np.testing.assert_allclose(local, full, atol=1e-12)
        assert mean == pytest.approx(expected, abs=1e-12)
    assert means[1] == pytest.approx(1, abs=1e-12)


def test_uniform_ssim_needs_a_window():
    with pytest.raises(ParameterError, match=r"at least 7 pixels a side, the window, found \(6, 9\)"):
        uniform_ssim(torch.zeros(1, 6, 9), torch.zeros(6, 9))


def test_spade_equals_the_steps_one_by_one(make_network, array_reader, frames):
    network, (fit, test) = make_network(), frames
    detector = SpadeAsRun(network, device="cpu").fit(array_reader(fit))

    def maps_of(images):
        for image in images:
            merged = 0
            for raw in raw_grad_cam(network, image[None], detector.layers):
                raw = raw[0].numpy().astype(np.float64)
                scaled = (raw - raw.min()) / (raw.max() - raw.min() or 1)
                merged = merged + cv2.resize(scaled, (96, 64), interpolation=cv2.INTER_LINEAR) / 3
            yield cv2.GaussianBlur(merged, (33, 33), sigmaX=4)  # OpenCV's own width for float32 and sigma 4

    reference = np.mean(list(maps_of(fit)), axis=0)
    local = np.stack([similarity_by_scipy(one, reference) for one in maps_of(test)])
    scores = detector.score_columns(array_reader(test))["ssim"]
    np.testing.assert_allclose(scores, 1 - local[:, 3:-3, 3:-3].mean(axis=(1, 2)), atol=2e-4)
    np.testing.assert_allclose(detector.heatmap(test), 1 - local, atol=5e-3)


def test_with_every_switch_off_it_is_grad_cam_ssim_as_written(make_network, array_reader, frames):
    network, (fit, test) = make_network(), frames
    written = GradCamSsim(network, device="cpu").fit(array_reader(fit))
    options = {"scaling": "max", "merged": False, "sigma": 0, "window": "gaussian"}
    found = SpadeAsRun(network, device="cpu", **options).fit(array_reader(fit))
    expected = written.score_columns(array_reader(test))["ssim"]
    np.testing.assert_allclose(found.score(array_reader(test)), expected, atol=1e-6)
    np.testing.assert_allclose(found.heatmap(test), written.heatmap(test), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scaling": "log"}, "scaling: expected one of min-max, max, found 'log'"),
        ({"window": "round"}, "window: expected one of uniform, gaussian, found 'round'"),
        ({"sigma": -1}, "sigma: expected pixels, 0 or more, found -1"),
    ],
)
def test_spade_refuses(make_network, options, message):
    with pytest.raises(ParameterError, match=message):
        SpadeAsRun(make_network(), **options)


# Prototypes


@pytest.fixture
def embedded():
    """Labelled embeddings to fit on, and others to score, of two overlapping classes."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 60).astype(np.int8)
    return [
        EmbeddedFrames((rng.normal(size=(120, 12)) + labels[:, None] * rng.random(12)).astype(np.float32), labels)
        for _ in "ab"
    ]


def test_prototypes_equal_plain_float64(make_network, embedded):
    fit, test = embedded
    weights = (1, 5, 0, 2)
    detector = PrototypesAsRun(make_network(), 7, 4, "cpu", n_frames=40, top_k=3, weights=weights).fit(fit)
    scores = detector.score_columns(test)
    unit, tested = (x.embeddings / np.linalg.norm(x.embeddings, axis=1, keepdims=True) for x in embedded)
    rng, similarity, distance = np.random.default_rng(4), [], []
    for label in (0, 1):
        drawn = unit[np.sort(rng.choice(np.flatnonzero(fit.labels == label), 40, replace=False))]
        clusters = KMeans(7, n_init=10, random_state=4).fit(drawn)
        prototypes = []
        for number, centre in enumerate(clusters.cluster_centers_):
            own = drawn[clusters.labels_ == number].astype(np.float64)
            prototypes.append(own[np.linalg.norm(own - centre, axis=1).argmin()])
        prototypes = np.array(prototypes)
        kept = detector.state()[f"prototypes_{label}"].numpy()
        np.testing.assert_allclose(np.sort(kept, axis=0), np.sort(prototypes, axis=0), atol=1e-6)
        similarity.append(tested @ prototypes.T)
        distance.append(np.linalg.norm(tested[:, None] - prototypes, axis=2).min(axis=1))
    normal, anomalous = similarity
    expected = {
        "max": anomalous.max(axis=1) - normal.max(axis=1),
        "mean": anomalous.mean(axis=1) - normal.mean(axis=1),
        "topk": np.sort(anomalous)[:, -3:].mean(axis=1) - np.sort(normal)[:, -3:].mean(axis=1),
        "distance": distance[0] - distance[1],
    }
    expected["ensemble"] = np.average(np.stack(list(expected.values())), axis=0, weights=weights)
    assert scores.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(scores[name], values, atol=1e-6)


def test_with_every_switch_off_they_are_prototypes_as_written(make_network, embedded):
    fit, test = embedded
    options = {"n_frames": None, "prototypes": "centres", "n_starts": 1, "standardised": True, "weights": (1, 0, 1, 1)}
    written = ClipPrototypes(make_network(), 7, 4, "cpu").fit(fit).score_columns(test)
    found = PrototypesAsRun(make_network(), 7, 4, "cpu", **options).fit(fit).score_columns(test)
    for name, values in written.items():
        np.testing.assert_allclose(found[name], values, atol=1e-5)


def test_fewer_frames_than_asked_for_are_all_taken(make_network, embedded):
    fit, test = embedded
    few, every = (PrototypesAsRun(make_network(), 7, device="cpu", n_frames=n).fit(fit) for n in (60, None))
    np.testing.assert_array_equal(few.score(test), every.score(test))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prototypes": "medoids"}, "prototypes: expected one of frames, centres, found 'medoids'"),
        ({"n_starts": 0}, "n_starts: expected a whole number of at least 1, found 0"),
        ({"n_frames": 5}, "n_frames: expected at least k = 7, or None for all, found 5"),
        ({"weights": (1, 1, 1)}, "weights: expected four of max, mean, topk, distance"),
        ({"weights": (0, 0, 0, 0)}, "weights: expected four of .* not all 0"),
    ],
)
def test_prototypes_refuse(make_network, options, message):
    with pytest.raises(ParameterError, match=message):
        PrototypesAsRun(make_network(), 7, **options)


def test_too_few_frames_of_a_class_are_named(make_network, embedded):
    with pytest.raises(ParameterError, match="k: 61 prototypes of each class asked for, but there are 60 normal"):
        PrototypesAsRun(make_network(), 61, device="cpu").fit(embedded[0])

"""Every detector on a pretended GPU: what belongs there is there, and the scores are the CPU's."""

import numpy as np
import pandas as pd
import pytest
import torch
from pretended_gpu import held, outside, pretended_gpu

from vadlib import networks
from vadlib.data.reading.frames import Batch
from vadlib.detectors import ClipPrototypes, GradCamSsim, Padim, SpadeKnn, ZeroShotText, load_detector
from vadlib.detectors.gaussian import GaussianField, PyramidGaussianField
from vadlib.detectors.gradcam import grad_cam
from vadlib.detectors.heatmaps import frame_scores, smoothed_resize
from vadlib.detectors.nearest_positions import nearest_position_distances
from vadlib.detectors.ssim import SsimReference, ssim, ssim_map

GPU = "cuda:1"  # not the first, which what forgets its device would find by itself
CLOSE = {"rtol": 1e-4, "atol": 1e-4}  # a GPU's SSIM is no OpenCV's; all else is equal to 1e-5


class Reader:
    """Frames in memory with labels and scenes, in batches of 5."""

    batch_size = 5

    def __init__(self, images, labels=None):
        self.images, self.n_frames = images, len(images)
        labels = np.zeros(len(images), np.int8) if labels is None else np.asarray(labels, np.int8)
        self.table = pd.DataFrame({"label": labels, "scene": [("street", "yard")[i % 2] for i in range(len(images))]})

    def __iter__(self):
        for start in range(0, self.n_frames, self.batch_size):
            rows = np.arange(start, min(start + self.batch_size, self.n_frames))
            part = self.table.iloc[rows]
            yield Batch(self.images[rows], rows, part["label"].to_numpy(), part["scene"].to_numpy(str))


def on_both(work):
    """What `work(device)` gives on the CPU and on the pretended GPU, and the copies between devices of the latter."""
    expected = work("cpu")
    with pretended_gpu() as gpu:
        found = work(GPU)
    return expected, found, gpu.moves


def assert_alike(found, expected, **tolerance):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert isinstance(found[name], np.ndarray), name
        assert found[name].dtype == values.dtype
        np.testing.assert_allclose(found[name], values, **(tolerance or CLOSE), err_msg=name)


def clip():
    return networks.clip_vision("random", precision="float32")


@pytest.fixture
def make_network(make_network):
    """Of `conftest`, and always the same."""

    def make():
        torch.manual_seed(0)  # of the bias of its classifier
        return make_network()

    return outside(make)


DETECTORS = {
    "padim blocks": lambda net, device: Padim(net(), 12, device=device),
    "padim select": lambda net, device: Padim(net(), 12, device=device, reduction="select", frame_score="top1%"),
    "padim dense": lambda net, device: Padim(net(), 12, device=device, reduction="dense", frame_score="mean"),
    "padim one layer, no blur": lambda net, device: Padim(net(), 4, device=device, layers=["layer2"], sigma=0),
    "grad-cam": lambda net, device: GradCamSsim(net(), device=device),
    "grad-cam, scenes": lambda net, device: GradCamSsim(net(), device=device, reference="scene", target=3),
    "grad-cam, small maps": lambda net, device: GradCamSsim(net(), device=device, map_size=14),
    "spade": lambda net, device: SpadeKnn(net(), 3, device=device, heatmap_k=2),
    "spade, pooled layer": lambda net, device: SpadeKnn(
        net(), 3, device=device, heatmap_k=1, pooled="layer2", max_fit_frames=9
    ),
    "prototypes": lambda _, device: ClipPrototypes(clip(), 3, device=device, top_k=2),
    "prototypes, one class": lambda _, device: ClipPrototypes(clip(), 3, device=device, top_k=2, mode="one-class"),
    "prototypes on a classifier": lambda net, device: ClipPrototypes(net(), 3, device=device, top_k=2),
    "zero-shot": lambda _, device: ZeroShotText(networks.clip_vision("bundled", precision="float32"), device=device),
}


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.filterwarnings("ignore:GradCamSsim. frames without a scene")
@pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")
@pytest.mark.filterwarnings("ignore:fit. .* is the same for all")
def test_a_detector_fits_scores_and_explains_as_on_the_cpu(name, make_network, make_frames, tmp_path):
    """Through files, too: what is saved on one device is loaded on the other."""
    fit, test = make_frames(15, 0), make_frames(6, 1)
    test[1, :, 16:40, 24:56] = 255
    labels = np.arange(15) % 2 if name in ("prototypes", "prototypes on a classifier") else None

    def work(device):
        detector = DETECTORS[name](make_network, device).fit(Reader(fit, labels))
        columns = detector.score_columns(Reader(test))
        if detector.heat_label:
            columns["heatmap"] = detector.heatmap(test)
        if name.startswith("spade"):
            columns["nearest"], _ = detector.nearest(test, 2)
        if isinstance(detector, ClipPrototypes):
            columns["similarity"] = detector.nearest_prototypes(test)["similarity"].to_numpy()
        detector.save(tmp_path / torch.device(device).type)
        for values in detector.state().values():
            assert values.device.type == "cpu"
        return columns, detector

    (expected, _), (found, on_gpu), moves = on_both(work)
    assert_alike(found, expected)
    assert ("cpu", GPU) in {(origin, target) for origin, target, _ in moves}
    assert on_gpu.device == torch.device(GPU)
    for parameter in on_gpu.network.parameters():
        assert parameter.device == torch.device(GPU)

    def again(device):
        other = tmp_path / ("cuda" if device == "cpu" else "cpu")
        network = clip() if name.startswith("prototypes") and "classifier" not in name else make_network()
        if name == "zero-shot":
            return load_detector(other, device=device).score_columns(Reader(test))
        return type(on_gpu).load(other, network=network, device=device).score_columns(Reader(test))

    before, after, _ = on_both(again)
    assert_alike(before, {column: expected[column] for column in before})
    assert_alike(after, before)


@pytest.mark.filterwarnings("ignore:fit. .* is the same for all")
def test_a_tensor_left_on_the_cpu_is_found(make_network, make_frames, monkeypatch):
    """The proof that these tests can fail: one buffer, matrix, reference or centre left behind stops each detector."""
    fit, test = make_frames(15, 0), make_frames(6, 1)

    def leave_matrices(detector):
        detector._matrices = [matrix.cpu() for matrix in detector._matrices]

    def leave_scale(detector):
        detector.network._scale = detector.network._scale.cpu()

    def leave_mean(detector):
        detector.field._mean = detector.field._mean.cpu()

    def leave_embeddings(detector):
        detector._embeddings = detector._embeddings.cpu()

    def leave_references(detector):
        detector._set_references({name: mean.cpu() for name, mean in detector._references.items()})

    def leave_texts(detector):
        detector._texts = detector._texts.cpu()

    left = {
        "padim blocks": (leave_matrices, leave_mean),
        "grad-cam": (leave_references,),
        "spade": (leave_embeddings,),
        "zero-shot": (leave_texts,),
    }
    for name, mutations in left.items():
        for mutate in mutations:
            with pretended_gpu():
                detector = DETECTORS[name](make_network, GPU).fit(Reader(fit))
                mutate(detector)
                with pytest.raises(Exception, match="device"):  # of a class that torch keeps to itself
                    detector.score_columns(Reader(test))
    with pretended_gpu():
        detector = DETECTORS["spade"](make_network, GPU)
        leave_scale(detector)
        with pytest.raises(Exception, match="device"):
            detector.fit(Reader(fit))


def test_fields_merge_and_are_read_on_the_gpu():
    rng = np.random.default_rng(0)
    coarse, fine = rng.normal(size=(2, 20, 3, 2, 2)).astype(np.float32), rng.normal(size=(2, 20, 2, 4, 4))

    def work(device):
        fields = []
        for part_coarse, part_fine in zip(coarse, fine.astype(np.float32), strict=True):
            field = PyramidGaussianField([(4, 4), (2, 2)], [2, 3], device)
            features = [torch.from_numpy(part_fine).to(device), torch.from_numpy(part_coarse).to(device)]
            field.update(features)
            fields.append(field)
        fields[0].merge(PyramidGaussianField.from_state(fields[1].state(), device))
        fields[0].finalize()
        dense = GaussianField(16, 2, device)
        dense.update(torch.from_numpy(fine[0].reshape(20, 2, 16).swapaxes(1, 2).astype(np.float32)).to(device))
        found = {
            "distance": fields[0].mahalanobis(features),
            "mean": fields[0].mean,
            "covariance": fields[0].covariance,
        }
        found |= {"dense": dense.finalize().covariance}
        for tensor in found.values():
            assert tensor.device == torch.device(device)
        return {name: tensor.cpu().numpy() for name, tensor in found.items()}

    expected, found, _ = on_both(work)
    assert_alike(found, expected)


def test_a_field_of_the_cpu_merges_into_one_of_the_gpu():
    x = torch.randn(12, 4, 3)
    with pretended_gpu():
        on_cpu, on_gpu = GaussianField(4, 3, "cpu"), GaussianField(4, 3, GPU)
        on_cpu.update(x[:6])
        on_gpu.update(x[6:].to(GPU))
        on_gpu.merge(on_cpu)
        found = held(on_gpu.finalize().covariance)
    together = GaussianField(4, 3)
    together.update(x)
    torch.testing.assert_close(found, together.finalize().covariance)


def test_maps_and_their_similarity_on_the_gpu(make_network, make_frames):
    images = make_frames(4, 2)

    def work(device):
        network = make_network().to(device)
        maps = grad_cam(network, images, ["layer1", "layer3"], (48, 64), target=torch.tensor([0, 1, 2, 3]))
        heat = smoothed_resize(maps[1], (60, 80), sigma=3.0)
        found = {"maps": maps, "heat": heat, "ssim": ssim(maps[0], maps[1]), "local": ssim_map(maps[0][0], maps[1])}
        found |= frame_scores(heat)
        found["reference"] = SsimReference(maps[0].cpu()).similarity(maps[1].cpu()).to(device)
        for tensor in found.values():
            assert tensor.device == torch.device(device)
        return {name: tensor.cpu().numpy() for name, tensor in found.items()}

    expected, found, _ = on_both(work)
    assert_alike(found, expected, rtol=1e-3, atol=2e-4)  # above 40 pixels the CPU filters with OpenCV


def test_nearest_positions_are_the_same_in_one_strip_as_in_many():
    """A GPU takes all rows at once: fewer, larger products."""
    generator = torch.Generator().manual_seed(0)
    query, gallery = ([torch.randn(h, h, c, generator=generator) for h, c in ((3, 5), (6, 4), (12, 2))] for _ in "ab")
    expected, found, _ = on_both(
        lambda device: nearest_position_distances([q.to(device) for q in query], [g.to(device) for g in gallery]).cpu()
    )
    torch.testing.assert_close(held(found), expected)


def test_the_network_is_bfloat16_on_a_gpu_that_has_it_and_scores_float32(make_frames):
    """`auto` decides on the detector's device, and the saved detector says what it was."""
    with pretended_gpu():
        network = networks.resnet18("random")
        detector = GradCamSsim(network, device="auto")
        assert detector.device.type == "cuda"
        assert network.precision == "bfloat16"
        scores = detector.fit(Reader(make_frames(4, 0))).score_batch(make_frames(2, 1))
        assert {values.dtype for values in scores.values()} == {torch.float32}

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from vadlib.detectors import Padim, load_detector
from vadlib.errors import ResultsError, WeightsError
from vadlib.networks import resnet18


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Two weights files of random ResNet-18s, and what another seed would be."""
    from torchvision.models import resnet18 as plain

    folder = tmp_path_factory.mktemp("weights")
    for name, seed in (("mine", 1), ("other", 2)):
        torch.manual_seed(seed)
        save_file(plain(weights=None).state_dict(), folder / f"{name}.safetensors")
    return folder


@pytest.fixture(scope="module")
def network(weights):
    return resnet18(weights / "mine.safetensors", precision="float32")


@pytest.fixture
def saved(network, array_reader, make_frames, tmp_path):
    detector = Padim(network, 20, device="cpu", frame_score="mean").fit(array_reader(make_frames(6, 0)))
    detector.save(tmp_path / "d")
    return detector, tmp_path / "d"


def edit(path, **changes):
    description = json.loads((path / "detector.json").read_text())
    (path / "detector.json").write_text(json.dumps(description | changes))


def test_class_and_scores_come_back(saved, array_reader, make_frames):
    detector, path = saved
    loaded = load_detector(path, device="cpu")
    assert type(loaded) is Padim
    assert loaded.main_score == "mean"
    test = array_reader(make_frames(3, 1))
    np.testing.assert_array_equal(loaded.score(test), detector.score(test))


def test_weights_that_moved(saved, weights, tmp_path):
    _, path = saved
    edit(path, weights=json.loads((path / "detector.json").read_text())["weights"] | {"source": "gone/w.safetensors"})
    with pytest.raises(WeightsError, match=r"needs the network of its fit: .*gone/w.safetensors.*--weights PATH"):
        load_detector(path, device="cpu")
    assert isinstance(load_detector(path, weights=weights / "mine.safetensors", device="cpu"), Padim)


def test_other_weights_are_refused(saved, weights):
    with pytest.raises(WeightsError, match=r"was fitted with resnet18 weights mine.*other"):
        load_detector(saved[1], weights=weights / "other.safetensors", device="cpu")


@pytest.mark.parametrize("kind", ["Nothing", "Detector", "load_detector", "gaussian", None])
def test_a_class_that_is_no_detector(saved, kind):
    edit(saved[1], detector=kind)
    with pytest.raises(ResultsError, match=f"holds a {kind!r}, which this vadlib does not have"):
        load_detector(saved[1])


def test_a_network_that_is_none(saved):
    edit(saved[1], weights=json.loads((saved[1] / "detector.json").read_text())["weights"] | {"architecture": "vgg"})
    with pytest.raises(ResultsError, match="fitted on 'vgg', a network that this vadlib does not have"):
        load_detector(saved[1])


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"detector": "Padim", "weights": 3, "precision": "x"}', None])
def test_damaged_or_missing_description(saved, content):
    if content is None:
        (saved[1] / "detector.json").unlink()
    else:
        (saved[1] / "detector.json").write_text(content)
    with pytest.raises(ResultsError, match="holds no complete saved detector"):
        load_detector(saved[1])


def test_damaged_state(saved):
    (saved[1] / "state.safetensors").write_bytes(b"half")
    with pytest.raises(ResultsError, match="holds no complete saved detector"):
        load_detector(saved[1])

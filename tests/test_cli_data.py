import http.server
import tarfile
import threading
from functools import partial

import pytest

from vadlib.data.published.check import check_datasets
from vadlib.data.published.official import COUNTS, Counts


@pytest.fixture
def data(vadlib):
    """Run `vadlib data`."""
    return partial(vadlib, "data")


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder that a server on this machine's loopback serves, and its address."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "served").mkdir()
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "served")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield tmp_path / "served", f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_check_says_what_is_there(tiny_world, data):
    code, out, _ = data("check", tiny_world)
    assert code == 0
    assert "synthcampus in" in out
    assert out.endswith("complete\n")


def test_check_of_an_incomplete_copy_is_an_exit_code(tmp_path, data):
    (tmp_path / "UCSDped2/Train/Train001").mkdir(parents=True)
    code, out, _ = data("check", tmp_path / "UCSDped2")
    assert code == 1
    assert "ucsd-ped2 in" in out
    assert "has no frames" in out
    assert out.endswith("NOT complete\n")


def test_check_of_nothing_is_one_line(tmp_path, data):
    code, out, error = data("check", tmp_path)
    assert (code, out) == (1, "")
    assert error.startswith("error: ")
    assert error.count("\n") == 0


def test_fetch_and_check(files, tiny_world, tmp_path, data, monkeypatch):
    served, url = files
    with tarfile.open(served / "mirror.tar.gz", "w:gz") as archive:
        for part in ("training", "testing"):
            archive.add(tiny_world / part, f"shanghaitech/{part}")
    options = ("fetch", "shanghaitech", "--to", tmp_path / "out", "--url", f"{url}/mirror.tar.gz")
    code, out, error = data(*options)
    assert (code, out) == (1, "")
    assert "error: " in error
    assert "run this with --sha256" in error
    code, out, error = data(*options, "--sha256", "any")
    assert code == 1, "what was fetched is a world far smaller than the data set"
    assert out.endswith("NOT complete\n")
    assert "research; cite Luo" in error
    assert "unpacked: " in out
    assert "shanghaitech in" in out
    assert (tmp_path / "out/shanghaitech/training/videos").is_dir()
    real = check_datasets(tmp_path / "out", "shanghaitech", progress=False)[0].counts["found"]
    complete = Counts(*real.tolist()[:4], {real["anomalous frames"]: "masks"}, real["clips with pixel masks"])
    monkeypatch.setitem(COUNTS, "shanghaitech", complete)
    code, out, _ = data(*options, "--sha256", "any")
    assert code == 0
    assert "already" in out


def test_fetch_needs_a_known_name(tmp_path, data):
    code, _, error = data("fetch", "imagenet", "--to", tmp_path)
    assert code == 1
    assert error.startswith("error: name: one of shanghaitech, ucsd, avenue is expected, not 'imagenet'")

import http.server
import sys
import tarfile
import threading
from functools import partial

import pytest

from vadlib import cli
from vadlib.data.published.check import check_datasets
from vadlib.data.published.official import COUNTS, Counts


@pytest.fixture
def vadlib(monkeypatch, capsys):
    """Run the command in this process; gives its exit code and what it wrote."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["vadlib", "data", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        written = capsys.readouterr()
        code = end.value.code
        if isinstance(code, str):  # what `sys.exit` writes, and then ends with 1
            return 1, written.out, written.err + code
        return code, written.out, written.err

    return run


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


def test_it_is_a_command(python, project_root):
    done = python("-m", "vadlib.cli", "data", "--help", cwd=project_root)
    assert done.returncode == 0
    assert "check" in done.stdout
    assert "fetch" in done.stdout


def test_check_says_what_is_there(tiny_world, vadlib):
    code, out, _ = vadlib("check", tiny_world)
    assert code == 0
    assert "synthcampus in" in out
    assert out.endswith("complete\n")


def test_check_of_an_incomplete_copy_is_an_exit_code(tmp_path, vadlib):
    (tmp_path / "UCSDped2/Train/Train001").mkdir(parents=True)
    code, out, _ = vadlib("check", tmp_path / "UCSDped2")
    assert code == 1
    assert "ucsd-ped2 in" in out
    assert "has no frames" in out
    assert out.endswith("NOT complete\n")


def test_check_of_nothing_is_one_line(tmp_path, vadlib):
    code, out, error = vadlib("check", tmp_path)
    assert (code, out) == (1, "")
    assert error.startswith("error: ")
    assert error.count("\n") == 0


def test_fetch_and_check(files, tiny_world, tmp_path, vadlib, monkeypatch):
    served, url = files
    with tarfile.open(served / "mirror.tar.gz", "w:gz") as archive:
        for part in ("training", "testing"):
            archive.add(tiny_world / part, f"shanghaitech/{part}")
    options = ("fetch", "shanghaitech", "--to", tmp_path / "out", "--url", f"{url}/mirror.tar.gz")
    code, out, error = vadlib(*options)
    assert (code, out) == (1, "")
    assert "error: " in error
    assert "run this with --sha256" in error
    code, out, error = vadlib(*options, "--sha256", "any")
    assert code == 1, "what was fetched is a world far smaller than the data set"
    assert out.endswith("NOT complete\n")
    assert "research; cite Luo" in error
    assert "unpacked: " in out
    assert "shanghaitech in" in out
    assert (tmp_path / "out/shanghaitech/training/videos").is_dir()
    real = check_datasets(tmp_path / "out", "shanghaitech", progress=False)[0].counts["found"]
    complete = Counts(*real.tolist()[:4], {real["anomalous frames"]: "masks"}, real["clips with pixel masks"])
    monkeypatch.setitem(COUNTS, "shanghaitech", complete)
    code, out, _ = vadlib(*options, "--sha256", "any")
    assert code == 0
    assert "already" in out


def test_fetch_needs_a_known_name(tmp_path, vadlib):
    code, _, error = vadlib("fetch", "imagenet", "--to", tmp_path)
    assert code == 1
    assert error.startswith("error: name: one of shanghaitech, ucsd, avenue is expected, not 'imagenet'")

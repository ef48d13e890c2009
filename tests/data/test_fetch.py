"""Against a server on this machine's own loopback; nothing here reaches further."""

import contextlib
import hashlib
import http.server
import io
import socket
import threading
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest

from vadlib.data.published import fetch as fetching
from vadlib.data.published.fetch import download, fetch
from vadlib.data.published.official import PUBLICATIONS, Archive, Publication
from vadlib.errors import FetchError, ParameterError

CONTENT = bytes(range(256)) * 4000  # 1,024,000 bytes


class Server(http.server.ThreadingHTTPServer):
    """Serves `files`; what it does wrong is set by a test."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {"/x.zip": CONTENT}
        self.ranges = True  # whether it knows of them
        self.lengths = True
        self.cut_after: list[int] = []  # bytes after which the next answers end
        self.errors: list[int] = []  # the next answers
        self.always: int | None = None  # the answer to whatever is asked, without a word on the range
        self.asked: list[str | None] = []  # ranges
        self.kind: str | None = None  # Content-Type

    def url(self, path="/x.zip"):
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server = self.server
        wanted = self.headers.get("Range")
        server.asked.append(wanted)
        if server.errors:
            self.send_error(server.errors.pop(0))
            return
        if server.always:
            self.send_response(server.always)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/x.zip")
            self.end_headers()
            return
        if self.path not in server.files:
            self.send_error(404)
            return
        content = server.files[self.path]
        start = 0
        if wanted and server.ranges:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        if server.kind:
            self.send_header("Content-Type", server.kind)
        if server.lengths:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = len(content)
        if server.cut_after:
            end = min(end, start + server.cut_after.pop(0))
        with contextlib.suppress(ConnectionError):
            self.wfile.write(content[start:end])


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def get(server, path, **options):
    return download(server.url(), path, progress=False, wait_s=0, **options)


class TestDownload:
    def test_a_broken_connection_goes_on(self, server, tmp_path):
        server.cut_after = [300_000, 1, 500_000]
        assert get(server, tmp_path / "x.zip").read_bytes() == CONTENT
        assert server.asked == [None, "bytes=300000-", "bytes=300001-", "bytes=800001-"]

    def test_a_later_run_goes_on(self, server, tmp_path):
        server.cut_after = [300_000] + [0] * fetching.MAX_TRIES
        with pytest.raises(FetchError, match=r"ended early, 5 times in a row\. 300,000 bytes stay; run it again"):
            get(server, tmp_path / "x.zip")
        assert (tmp_path / "x.zip.partial").stat().st_size == 300_000
        server.cut_after = []
        assert get(server, tmp_path / "x.zip").read_bytes() == CONTENT
        assert server.asked[-1] == "bytes=300000-"
        assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]

    def test_interrupted_before_it_was_renamed(self, server, tmp_path):
        (tmp_path / "x.zip.partial").write_bytes(CONTENT)
        assert get(server, tmp_path / "x.zip").read_bytes() == CONTENT
        assert server.asked == ["bytes=1024000-"]

    def test_a_server_without_ranges_begins_again(self, server, tmp_path):
        server.ranges, server.cut_after = False, [300_000]
        assert get(server, tmp_path / "x.zip").read_bytes() == CONTENT
        assert server.asked == [None, "bytes=300000-"]

    def test_a_longer_part_of_another_file_begins_again(self, server, tmp_path):
        (tmp_path / "x.zip.partial").write_bytes(CONTENT * 2)
        assert get(server, tmp_path / "x.zip").read_bytes() == CONTENT

    def test_a_server_that_is_busy_for_a_while(self, server, tmp_path):
        server.errors = [503, 429, 500]
        assert get(server, tmp_path / "x.zip").read_bytes() == CONTENT

    def test_a_server_that_refuses(self, server, tmp_path):
        with pytest.raises(FetchError, match=r"/gone: the server answers 404 Not Found"):
            download(server.url("/gone"), tmp_path / "x.zip", progress=False)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("status", [206, 416])
    @pytest.mark.parametrize("there", [0, 300_000])
    def test_a_server_that_knows_only_parts(self, server, tmp_path, status, there):
        if there:
            (tmp_path / "x.zip.partial").write_bytes(CONTENT[:there])
        server.always = status
        with pytest.raises(FetchError, match=f"/x.zip: the server answers {status} to a request for the whole file"):
            get(server, tmp_path / "x.zip")
        assert len(server.asked) == (2 if there else 1)

    def test_nobody_there(self, tmp_path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}/x.zip"
        with pytest.raises(FetchError, match=r"refused, 5 times in a row"):
            download(url, tmp_path / "x.zip", progress=False, wait_s=0)

    def test_no_room(self, server, tmp_path, monkeypatch):
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr(fetching.shutil, "disk_usage", lambda path: usage(0, 0, fetching.SPARE_BYTES + 1_023_999))
        with pytest.raises(FetchError, match=r"1,024,000 bytes are to come, and .* are free"):
            get(server, tmp_path / "x.zip")

    @pytest.mark.parametrize(
        "url", ["file:///etc/passwd", "ftp://host/x", "x.zip", "http://", "http://a b/", "http://h:x/", ""]
    )
    def test_what_is_no_address(self, tmp_path, url):
        with pytest.raises(ParameterError, match="url: an address like https://host/file.zip is expected"):
            download(url, tmp_path / "x.zip", progress=False)


def test_a_server_that_is_gone_is_told_of_at_each_try(server, tmp_path, capsys):
    server.errors = [503, 503]
    download(server.url(), tmp_path / "x.zip", wait_s=0)
    said = capsys.readouterr().err
    assert said.count(f"{server.url()}: the server answers 503 Service Unavailable; trying again\n") == 2


class TestPages:
    """Captive portals, and clouds that ask whether one is sure, answer 200."""

    PAGE = b"<!doctype html><html>Please log in.</html>"

    @pytest.mark.parametrize("kind", ["text/html; charset=utf-8", None, "application/octet-stream"])
    def test_a_page_is_no_file(self, server, tmp_path, kind):
        server.files["/x.zip"], server.kind = self.PAGE, kind
        with pytest.raises(FetchError, match="a web page answers, not a file: .* Open it in a browser"):
            get(server, tmp_path / "x.zip")
        assert list(tmp_path.iterdir()) == []

    def test_a_page_does_not_replace_what_is_there(self, server, tmp_path):
        server.cut_after = [500_000] + [0] * 9
        with pytest.raises(FetchError, match="500,000 bytes stay"):
            get(server, tmp_path / "x.zip")
        server.cut_after, server.files["/x.zip"], server.ranges = [], self.PAGE, False
        with pytest.raises(FetchError, match="a web page answers"):
            get(server, tmp_path / "x.zip")
        server.files["/x.zip"], server.ranges = CONTENT, True
        assert get(server, tmp_path / "x.zip").read_bytes() == CONTENT
        assert server.asked[-1] == "bytes=500000-"


def zipped(**files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{name}/{name}.txt", content)
    return file.getvalue()


class TestFetch:
    @pytest.fixture
    def published(self, server, monkeypatch):
        """A data set of two archives, on the server."""
        server.files = {"/a.zip": zipped(videos="film"), "/b.zip": zipped(labels="0 1")}
        archives = [
            Archive(path[1:], server.url(path), hashlib.sha256(content).hexdigest())
            for path, content in server.files.items()
        ]
        publication = Publication("http://authors/page", "research", tuple(archives), ())
        monkeypatch.setitem(PUBLICATIONS, "set", publication)
        return archives

    def test_it_is_downloaded_checked_and_unpacked(self, published, server, tmp_path):
        assert fetch("set", tmp_path, progress=False) == [tmp_path / "videos", tmp_path / "labels"]
        assert (tmp_path / "labels/labels.txt").read_text() == "0 1"
        assert fetch("set", tmp_path, progress=False) == []
        assert len(server.asked) == 2, "nothing is fetched twice"

    @pytest.fixture
    def one_folder(self, server, monkeypatch):
        """A data set of one archive."""
        server.files = {"/a.zip": zipped(videos="film")}
        digest = hashlib.sha256(server.files["/a.zip"]).hexdigest()
        archives = (Archive("a.zip", server.url("/a.zip"), digest, "videos"),)
        monkeypatch.setitem(PUBLICATIONS, "set", Publication("http://authors/page", "research", archives, ()))

    @pytest.mark.parametrize("moved", [False, True])
    @pytest.mark.parametrize("killed", [False, True])
    def test_interrupted_while_what_was_unpacked_is_moved(
        self, one_folder, server, tmp_path, monkeypatch, moved, killed
    ):
        real = Path.rename

        def rename(path, target):
            if path.parent.name.endswith(".unpacking"):
                if moved:
                    real(path, target)
                raise KeyboardInterrupt
            return real(path, target)

        with monkeypatch.context() as patched, contextlib.suppress(KeyboardInterrupt):
            patched.setattr(Path, "rename", rename)
            if killed:  # nothing is cleaned up
                patched.setattr(fetching.shutil, "rmtree", lambda *_, **__: None)
            fetch("set", tmp_path, progress=False)
        assert (tmp_path / "videos").exists() == moved
        assert fetch("set", tmp_path, progress=False) == ([] if moved else [tmp_path / "videos"])
        assert (tmp_path / "videos/videos.txt").read_text() == "film"
        assert fetch("set", tmp_path, progress=False) == []
        assert len(server.asked) == 1

    @pytest.mark.parametrize("digest", ["any", None])
    def test_several_folders_come_in_one_of_the_archives_name(self, one_folder, server, tmp_path, digest):
        server.files["/a.zip"] = zipped(labels="0 1", videos="film")
        digest = digest or hashlib.sha256(server.files["/a.zip"]).hexdigest()
        assert fetch("set", tmp_path, sha256=[digest], progress=False) == [tmp_path / "a"]
        assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["labels", "videos"]
        assert fetch("set", tmp_path, sha256=[digest], progress=False) == []

    def test_what_would_be_in_the_way_is_found_before_downloading(self, one_folder, server, tmp_path):
        (tmp_path / "videos").mkdir()
        with pytest.raises(FetchError, match="videos is there already, and is not replaced"):
            fetch("set", tmp_path, progress=False)
        assert server.asked == []

    def test_archives_need_not_be_kept(self, published, server, tmp_path):
        fetch("set", tmp_path, keep=False, progress=False)
        assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] != ".") == ["labels", "videos"]
        assert fetch("set", tmp_path, progress=False) == []

    def test_a_wrong_checksum(self, published, server, tmp_path):
        server.files["/b.zip"] = zipped(labels="1 1")
        found = hashlib.sha256(server.files["/b.zip"]).hexdigest()
        with pytest.raises(FetchError, match=rf"b\.zip has sha256 {found}, but {published[1].sha256} is expected"):
            fetch("set", tmp_path, progress=False)
        assert not (tmp_path / "labels").exists()
        digests = [published[0].sha256, found.upper()]
        assert fetch("set", tmp_path, sha256=digests, progress=False) == [tmp_path / "labels"]

    def test_from_elsewhere(self, published, server, tmp_path):
        server.files = {"/mirror/1": server.files["/a.zip"], "/mirror/2": zipped(labels="other")}
        urls = [server.url("/mirror/1"), server.url("/mirror/2")]
        with pytest.raises(FetchError, match="sha256"):
            fetch("set", tmp_path / "checked", urls=urls, progress=False)
        unpacked = fetch("set", tmp_path / "any", urls=urls, sha256=["any", "any"], progress=False)
        assert (unpacked[1] / "labels.txt").read_text() == "other"

    def test_a_page_saved_as_the_archive(self, published, server, tmp_path):
        (tmp_path / "a.zip").write_bytes(TestPages.PAGE)
        with pytest.raises(FetchError, match=r"a\.zip is a web page, not an archive\. Delete it"):
            fetch("set", tmp_path, sha256=["any", "any"], progress=False)
        (tmp_path / "a.zip").unlink()
        assert len(fetch("set", tmp_path, progress=False)) == 2

    def test_a_copy_put_where_the_message_says(self, published, server, tmp_path):
        content, server.files["/a.zip"] = server.files["/a.zip"], TestPages.PAGE
        with pytest.raises(FetchError, match="or put there as ") as caught:
            fetch("set", tmp_path, progress=False)
        assert "parts" not in str(caught.value)
        Path(str(caught.value).split("put there as ")[1].removesuffix(".")).write_bytes(content)
        assert len(fetch("set", tmp_path, progress=False)) == 2

    def test_bad_parameters(self, published, tmp_path):
        for options, message in (
            ({"urls": ["http://x/1"]}, r"url: 2 expected \(a\.zip, b\.zip\), in this order; 1 given"),
            ({"urls": ["http://x/1", "file:///x"]}, "url: an address like"),
            ({"sha256": ["any"]}, "sha256: 2 expected"),
            ({"sha256": ["any", "abc"]}, "sha256: 64 hex digits"),
        ):
            with pytest.raises(ParameterError, match=message):
                fetch("set", tmp_path, progress=False, **options)
        with pytest.raises(ParameterError, match=r"one of shanghaitech, ucsd, avenue, set is expected, not 'ped2'"):
            fetch("ped2", tmp_path)
        (tmp_path / "file").touch()
        with pytest.raises(ParameterError, match="is a file"):
            fetch("set", tmp_path / "file")


def test_every_published_archive_has_an_address_and_a_checksum():
    for publication in PUBLICATIONS.values():
        for archive in publication.archives:
            fetching.check_url(archive.url)
            assert len(bytes.fromhex(archive.sha256)) == 32
            assert archive.url.endswith(archive.file)

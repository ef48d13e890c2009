"""A Hugging Face hub on the loopback, as the real one answers: commits, refs, redirects, 404s with reasons, ranges."""

import hashlib
import http.server
import threading
import urllib.parse
from contextlib import contextmanager
from pathlib import Path

LARGE = ("model.safetensors", "pytorch_model.bin")  # kept elsewhere, as LFS has it: the hub redirects to a CDN


class Hub(http.server.ThreadingHTTPServer):
    """Serves one repository, `commits` of it by their names; `refs` name commits."""

    daemon_threads = True

    def __init__(self, repository: str, commits: dict[str, dict[str, Path]], refs: dict[str, str]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repository, self.commits, self.refs = repository, commits, refs
        self.refused: dict[str, int] = {}  # commits, and the status that answers whoever asks for their files
        self.bare = ""  # a commit whose files come without the hub's headers
        self.asked: list[str] = []
        self.portal = False  # answers a page of its own to whatever is asked
        self.cut = 0  # of the next large answers, half is sent
        self.garbage = False  # large files arrive with their size, and with other bytes

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def cdn(self) -> str:
        """By another name, so that the client takes it for another host."""
        return f"http://localhost:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        hub = self.server
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        hub.asked.append(f"{self.command} {path}")
        if hub.portal:
            self._send(200, b"<html>Please log in to the network.</html>", {"Content-Type": "text/html"})
        elif path.startswith("/cdn/"):
            self._cdn(path)
        elif path.startswith(f"/{hub.repository}/resolve/"):
            self._resolve(path.removeprefix(f"/{hub.repository}/resolve/"))
        else:
            self._refuse(401, "RepoNotFound", "Repository not found")  # as the hub says it to strangers

    def _commit(self, text: str) -> tuple[str | None, str]:
        """The commit that a path begins with, by its name or by a ref's, and the rest."""
        names = {**{commit: commit for commit in self.server.commits}, **self.server.refs}
        for name in sorted(names, key=len, reverse=True):
            if text == name or text.startswith(f"{name}/"):
                return names[name], text[len(name) + 1 :]
        return None, ""

    def _resolve(self, text: str):
        commit, name = self._commit(text)
        if commit is None:
            self._refuse(404, "RevisionNotFound", "Invalid rev id")
            return
        if commit in self.server.refused:
            self._refuse(self.server.refused[commit], "", "Not for you")
            return
        if commit == self.server.bare:
            self._send(200, b"something", {})
            return
        file = self.server.commits[commit].get(name)
        if file is None:
            self._refuse(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": commit})
            return
        content = file.read_bytes()
        headers = {"X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if name in LARGE:
            digest = hashlib.sha256(content).hexdigest()
            headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(content))}
            self._send(302, b"", headers | {"Location": f"{self.server.cdn}/cdn/{commit}/{name}"})
        else:
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            self._send(200, content, headers | {"ETag": f'"{blob}"'})

    def _cdn(self, path: str):
        commit, _, name = path.removeprefix("/cdn/").partition("/")
        content = self.server.commits[commit][name].read_bytes()
        if self.server.garbage:
            content = b"\xff" * len(content)
        status, headers, start = 200, {"ETag": '"cdn"'}, 0
        if wanted := self.headers.get("Range"):
            start = int(wanted.removeprefix("bytes=").split("-")[0])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            status = 206
        self._send(status, content[start:], headers)

    def _refuse(self, status: int, code: str, message: str, headers=()):
        self._send(status, message.encode(), dict(headers) | {"X-Error-Code": code, "X-Error-Message": message})

    def _send(self, status: int, content: bytes, headers: dict[str, str]):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.server.cut and len(content) > 10_000:
            self.server.cut -= 1
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return
        self.wfile.write(content)


@contextmanager
def serving(hub: Hub):
    """The hub, answering."""
    thread = threading.Thread(target=hub.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        thread.join()
        hub.server_close()

"""Downloading the published data sets: what was interrupted goes on, and what arrived is checked.

While a file is being downloaded it is called ``NAME.partial``. The next run asks the server for the rest (RFC 9110,
section 14: range requests), wherever the first part came from: the checksum is that of the whole.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import vadlib
from vadlib.data.progress import progress_bar
from vadlib.data.published.archives import check_free, unpack
from vadlib.data.published.official import PUBLICATIONS, Archive
from vadlib.data.published.packed import advice, looks_like_a_page
from vadlib.errors import FetchError, ParameterError
from vadlib.storage import RunLock, file_sha256, user_path, write_atomically

CHUNK_BYTES = 2**18
TIMEOUT_S = 30.0  # without a word; five times that, and a server that is gone is given up
MAX_TRIES = 5  # in a row without a byte
WAIT_S = 1.0  # before the second try; doubled each time
SPARE_BYTES = 2**26  # left free on the disk
UNCHECKED = "any"  # given as sha256: whatever arrives is taken


def fetch(
    name: str,
    to: str | os.PathLike,
    *,
    urls: Sequence[str] = (),
    sha256: Sequence[str] = (),
    keep: bool = True,
    progress: bool = True,
) -> list[Path]:
    """Download a data set as its authors publish it, and unpack it; what was unpacked, nothing where it had been.

    Archives may come from other `urls`, in the order of `PUBLICATIONS`: all of them, or none. Checksums given are those
    of these, instead of the published archives'; ``"any"`` checks nothing.
    """
    if name not in PUBLICATIONS:
        raise ParameterError(f"name: one of {', '.join(PUBLICATIONS)} is expected, not {name!r}.")
    archives = [
        replace(archive, url=url, sha256=digest, entry=archive.entry if digest == archive.sha256 else None)
        for archive, url, digest in zip(PUBLICATIONS[name].archives, *_sources(name, urls, sha256), strict=True)
    ]
    folder = Path(os.path.abspath(user_path(to)))
    if folder.exists() and not folder.is_dir():
        raise ParameterError(f"to: {folder} is a file. Give a folder.")
    unpacked = []
    try:
        with RunLock(folder / name):
            for archive in archives:
                unpacked += _fetch_one(archive, folder, name, keep, progress)
    except OSError as error:
        raise FetchError(
            f"{folder}: {error.strerror or error}. What has arrived stays; run it again to go on."
        ) from error
    return unpacked


def _sources(name: str, urls: Sequence[str], sha256: Sequence[str]) -> tuple[list[str], list[str]]:
    archives = PUBLICATIONS[name].archives
    for parameter, given in (("url", urls), ("sha256", sha256)):
        if given and len(given) != len(archives):
            names = ", ".join(archive.file for archive in archives)
            raise ParameterError(f"{parameter}: {len(archives)} expected ({names}), in this order; {len(given)} given.")
    for url in urls:
        check_url(url)
    for digest in sha256:
        if digest != UNCHECKED and not (len(digest) == 64 and set(digest.lower()) <= set("0123456789abcdef")):
            raise ParameterError(f"sha256: 64 hex digits, or {UNCHECKED!r}, are expected, not {digest!r}.")
    digests = [digest.lower() for digest in sha256] or [archive.sha256 for archive in archives]
    return list(urls) or [archive.url for archive in archives], digests


def _fetch_one(archive: Archive, folder: Path, name: str, keep: bool, progress: bool) -> list[Path]:
    note = folder / f".{archive.file}.unpacked.json"
    try:  # what an earlier run moved into place, or was about to
        earlier = json.loads(note.read_text(encoding="utf-8"))
        if archive.sha256 in (UNCHECKED, earlier["sha256"]) and (folder / earlier["entry"]).exists():
            return []
    except (OSError, ValueError, KeyError, TypeError):
        pass
    if archive.entry is not None:
        check_free(archive.entry, folder)  # rather than after hours of downloading
    path = folder / archive.file
    if not path.is_file():
        _download_published(archive, path, PUBLICATIONS[name].page, progress)
    with path.open("rb") as file:
        if looks_like_a_page(file.read(512)):
            raise FetchError(f"{path} is a web page, not an archive. Delete it, and get the file from a browser.")
    digest = file_sha256(path)
    if archive.sha256 not in (UNCHECKED, digest):
        raise FetchError(
            f"{path} has sha256 {digest}, but {archive.sha256} is expected: it was damaged on its way, or is another "
            f"file. Delete it and run this again; if you know it to be right, run this with --sha256 {digest}."
        )

    def announce(entry: str) -> None:  # before it is moved: an interrupted run knows its own entry again
        write_atomically(note, json.dumps({"sha256": digest, "entry": entry}))

    unpacked = unpack(path, folder, progress=progress, announce=announce)
    if not keep:
        path.unlink()
    return [unpacked]


def _download_published(archive: Archive, path: Path, page: str, progress: bool) -> None:
    if parts := [said for said in advice(path.parent, archive.file) if archive.file in said]:
        raise FetchError(
            f"{path.parent} has {archive.file} in parts: {' '.join(parts)} Or move them away, to fetch it."
        )
    try:
        download(archive.url, path, progress=progress)
    except FetchError as error:
        said = f"{error} The authors' page is {page}; another copy can be given as --url, or put there as {path}."
        if archive.parts:
            said += f" It is passed around in {archive.parts} parts, too: put them beside it, and run this again."
        raise FetchError(said) from error


def check_url(url: str) -> None:
    """Raise ParameterError where an address is not one of the web."""
    try:
        parts = urllib.parse.urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and url.isascii() and url.isprintable()
        good = good and " " not in url and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        raise ParameterError(f"url: an address like https://host/file.zip is expected, not {url!r}.")


def download(url: str, path: Path, *, progress: bool = True, wait_s: float = WAIT_S) -> Path:
    """Download a file; goes on where an earlier, interrupted call for the same path stopped."""
    check_url(url)
    partial = path.with_name(f"{path.name}.partial")
    tries = 0
    while True:
        before = _size(partial)
        try:
            if _continue(url, partial, path.name, progress):
                return partial.replace(path)
            reason = "the connection ended early"
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code not in (408, 429):
                raise FetchError(f"{url}: the server answers {error.code} {error.reason}.") from error
            reason = f"the server answers {error.code} {error.reason}"
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            reason = str(getattr(error, "reason", "") or error) or type(error).__name__
        tries = 0 if _size(partial) > before else tries + 1
        if tries >= MAX_TRIES:
            raise FetchError(
                f"{url}: {reason}, {MAX_TRIES} times in a row. {_size(partial):,} bytes stay; run it again to go on."
            )
        if progress:
            print(f"{url}: {reason}; trying again", file=sys.stderr)
        time.sleep(wait_s * 2 ** max(0, tries - 1))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _continue(url: str, partial: Path, name: str, progress: bool) -> bool:
    """Get what is missing of a file; whether it is complete now."""
    response, offset, total = _ask(url, _size(partial))
    if response is None:
        return True
    with response:
        chunk = response.read(CHUNK_BYTES)
        if not offset and (response.headers.get_content_type() == "text/html" or looks_like_a_page(chunk)):
            raise FetchError(
                f"{url}: a web page answers, not a file: the network asks for a login, or the download for a click. "
                "Open it in a browser."
            )
        to_come, free = (total or offset) - offset, shutil.disk_usage(partial.parent).free
        if to_come > free - SPARE_BYTES:
            raise FetchError(f"{partial}: {to_come:,} bytes are to come, and {free:,} are free on its disk. Make room.")
        n_mebibytes = None if total is None else -(-total // 2**20)
        with (
            partial.open("ab" if offset else "wb") as file,
            progress_bar(n_mebibytes, f"Downloading {name}", "MiB", shown=progress) as bar,
        ):
            while chunk:
                file.write(chunk)
                offset += len(chunk)
                bar.update(offset // 2**20 - bar.n)
                chunk = response.read(CHUNK_BYTES)
    return total in (None, offset)


def _ask(url: str, there: int) -> tuple[http.client.HTTPResponse | None, int, int | None]:
    """Ask for a file from a byte on: what is sent (None: nothing is left), from where on, and how long the whole is."""
    headers = {"User-Agent": f"vadlib/{vadlib.__version__}", "Accept-Encoding": "identity"}
    if there:
        headers["Range"] = f"bytes={there}-"
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        response = error
    if response.status == 200:
        return response, 0, _number(response.headers.get("Content-Length"))
    span, _, total = str(response.headers.get("Content-Range", "")).removeprefix("bytes ").partition("/")
    if response.status == 206 and _number(span.partition("-")[0]) == there:
        return response, there, _number(total)
    response.close()
    if not there:
        raise FetchError(f"{url}: the server answers {response.status} to a request for the whole file.")
    if response.status == 416 and _number(total) == there:  # no bytes after these
        return None, there, there
    return _ask(url, 0)  # longer than the file there: once more, from the beginning


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None

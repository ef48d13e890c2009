"""Downloading the published data sets: what was interrupted goes on, and what arrived is checked.

While a file is being downloaded it is called ``NAME.partial``, beside a note of where it comes from. The next run
asks the server for the rest (RFC 9110, section 14: range requests), provided that the file there is still the same.
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
from typing import NamedTuple

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


class _Answer(NamedTuple):
    """What a server sends: from which byte on, and how many there are in all (None: it does not say)."""

    response: http.client.HTTPResponse
    offset: int
    total: int | None


def fetch(
    name: str,
    to: str | os.PathLike,
    *,
    urls: Sequence[str] = (),
    sha256: Sequence[str] = (),
    keep: bool = True,
    progress: bool = True,
) -> list[Path]:
    """Download a data set as its authors publish it, and unpack it.

    Parameters
    ----------
    name : {"shanghaitech", "ucsd", "avenue"}
    to : path-like
        The folder to write; made where it is not there.
    urls : sequence of str
        Where to get its archives instead, in the order of `PUBLICATIONS`: all of them, or none.
    sha256 : sequence of str
        Checksums of these, instead of the published archives'; ``"any"`` checks nothing.
    keep : bool
        Keep the archives after unpacking.
    progress : bool

    Returns
    -------
    list of Path
        What was unpacked; nothing where all of it had been before.

    Raises
    ------
    ParameterError
        An unknown name, another number of URLs or checksums than of archives, or what is no such.
    FetchError
        A server that cannot be reached, refuses, or gives another file; an archive that is damaged or unsafe.
    BusyError
        Another run is fetching into the same folder.
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
    entry = _announced(note, archive)
    if entry and (folder / entry).exists():
        return []
    if archive.entry is not None:
        check_free(archive.entry, folder)  # rather than after hours of downloading
    path = folder / archive.file
    if not path.is_file():
        if parts := [said for said in advice(folder, archive.file) if archive.file in said]:
            raise FetchError(f"{folder} has {archive.file} in parts: {' '.join(parts)} Or move them away, to fetch it.")
        try:
            download(archive.url, path, progress=progress)
        except FetchError as error:
            said = (
                f"{error} The authors' page is {PUBLICATIONS[name].page}; another copy can be given as --url, or put "
            )
            said += f"there as {path}."
            if archive.parts:
                said += f" It is passed around in {archive.parts} parts, too: put them beside it, and run this again."
            raise FetchError(said) from error
    with path.open("rb") as file:
        if looks_like_a_page(file.read(512)):
            raise FetchError(f"{path} is a web page, not an archive. Delete it, and get the file from a browser.")
    digest = file_sha256(path)
    if archive.sha256 not in (UNCHECKED, digest):
        raise FetchError(
            f"{path} has sha256 {digest}, but {archive.sha256} is expected: it was damaged on its way, or is another "
            f"file. Delete it and run this again; if you know it to be right, run this with --sha256 {digest}."
        )
    # Noted before it is moved, so that a run that is interrupted in between knows its own entry again.
    unpacked = unpack(
        path,
        folder,
        progress=progress,
        announce=lambda entry: write_atomically(note, json.dumps({"sha256": digest, "entry": entry})),
    )
    if not keep:
        path.unlink()
    return [unpacked]


def _announced(note: Path, archive: Archive) -> str | None:
    """What an earlier run moved into place of this archive, or was about to."""
    try:
        record = json.loads(note.read_text(encoding="utf-8"))
        return str(record["entry"]) if archive.sha256 in (UNCHECKED, record["sha256"]) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


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
    """Download a file; goes on where an earlier, interrupted call for the same address and path stopped."""
    check_url(url)
    partial, note = path.with_name(f"{path.name}.partial"), path.with_name(f".{path.name}.source.json")
    tries = 0
    while True:
        before = partial.stat().st_size if partial.is_file() else 0
        try:
            if _continue(url, partial, note, path.name, progress):
                break
            reason = "the connection ended early"
        except urllib.error.HTTPError as error:
            if error.code < 500 and error.code not in (408, 429):
                raise FetchError(f"{url}: the server answers {error.code} {error.reason}.") from error
            reason = f"the server answers {error.code} {error.reason}"
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            reason = str(getattr(error, "reason", "") or error) or type(error).__name__
        after = partial.stat().st_size if partial.is_file() else 0
        tries = 0 if after > before else tries + 1
        if tries >= MAX_TRIES:
            raise FetchError(
                f"{url}: {reason}, {MAX_TRIES} times in a row. {after:,} bytes stay; run it again to go on."
            )
        if progress:
            print(f"{url}: {reason}; trying again", file=sys.stderr)
        time.sleep(wait_s * 2 ** max(0, tries - 1))
    partial.replace(path)
    note.unlink(missing_ok=True)
    return path


def _continue(url: str, partial: Path, note: Path, name: str, progress: bool) -> bool:
    """Get what is missing of a file; whether it is complete now."""
    there = partial.stat().st_size if partial.is_file() else 0
    validator = _known_validator(note, url)
    if there and validator is None:
        there = 0  # of another address, or of a file that cannot be told from a later one
    answer = _ask(url, there, validator)
    if answer is None:
        return True
    with answer.response as response:
        chunk = response.read(CHUNK_BYTES)
        if not answer.offset and (response.headers.get_content_type() == "text/html" or looks_like_a_page(chunk)):
            raise FetchError(
                f"{url}: a web page answers, not a file: the network asks for a login, or the download for a click. "
                "Open it in a browser."
            )
        _check_room(partial, answer)
        record = {"url": url, "validator": _validator(response)}
        write_atomically(note, json.dumps(record))
        total = None if answer.total is None else -(-answer.total // 2**20)
        with (
            partial.open("ab" if answer.offset else "wb") as file,
            progress_bar(total, f"Downloading {name}", "MiB", shown=progress) as bar,
        ):
            file.truncate(answer.offset)
            at = answer.offset
            while chunk:
                file.write(chunk)
                at += len(chunk)
                bar.update(at // 2**20 - bar.n)
                chunk = response.read(CHUNK_BYTES)
    return answer.total in (None, at)


def _known_validator(note: Path, url: str) -> str | None:
    """What told the file on the server from others when it was begun; None where that is not known."""
    try:
        record = json.loads(note.read_text(encoding="utf-8"))
        return record["validator"] if record["url"] == url else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _validator(response: http.client.HTTPResponse) -> str | None:
    tag = response.headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")


def _ask(url: str, there: int, validator: str | None) -> _Answer | None:
    """Ask for a file from a byte on; None where there is nothing after it."""
    headers = {"User-Agent": f"vadlib/{vadlib.__version__}", "Accept-Encoding": "identity"}
    if there:
        headers |= {"Range": f"bytes={there}-", "If-Range": validator}
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        with error:  # no bytes after these: complete, or another file
            total = _number(str(error.headers.get("Content-Range", "")).removeprefix("bytes */"))
        return None if there and total == there else _ask_for_all(url, there, 416)
    if response.status == 206:
        span, _, total = str(response.headers.get("Content-Range", "")).removeprefix("bytes ").partition("/")
        if _number(span.partition("-")[0]) == there:
            return _Answer(response, there, _number(total))
        response.close()
        return _ask_for_all(url, there, 206)
    return _Answer(response, 0, _number(response.headers.get("Content-Length")))


def _ask_for_all(url: str, there: int, status: int) -> _Answer:
    """Ask once more, from the beginning, where an answer does not fit the part that is there."""
    if not there:
        raise FetchError(f"{url}: the server answers {status} to a request for the whole file.")
    return _ask(url, 0, None)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _check_room(partial: Path, answer: _Answer) -> None:
    needed = 0 if answer.total is None else answer.total - answer.offset
    free = shutil.disk_usage(partial.parent).free
    if needed > free - SPARE_BYTES:
        raise FetchError(f"{partial}: {needed:,} bytes are to come, and {free:,} are free on its disk. Make room.")

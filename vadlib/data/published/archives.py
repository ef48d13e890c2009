"""Unpacking archives that nobody vouches for: `.zip`, `.tar`, and `.tar` compressed by gzip, bzip2 or xz.

Nothing is written outside the folder given: members with absolute names or ``..`` are refused, and so are links,
devices and whatever else is neither a file nor a folder. Nothing that is there is replaced: an archive is unpacked
beside, and its entries are moved into place when all of it was read. No member may be larger than it declares, or
all together larger than the disk has room for.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from vadlib.data.progress import progress_bar
from vadlib.errors import FetchError

CHUNK_BYTES = 2**20
MAX_MEMBERS = 5_000_000
MAX_HEADER_BYTES = 2**20
SPARE_BYTES = 2**26  # left free on the disk
COMPRESSIONS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    gzip.BadGzipFile,
    lzma.LZMAError,
    EOFError,
    MemoryError,  # an .xz that declares a dictionary of gigabytes
    NotImplementedError,
    RuntimeError,
    ValueError,
)


class _Entry(NamedTuple):
    name: str
    is_folder: bool
    n_bytes: int
    open: Callable[[], BinaryIO]


def unpack(
    archive: Path,
    folder: Path,
    *,
    progress: bool = True,
    moved: Collection[str] = (),
    announce: Callable[[list[str]], object] | None = None,
) -> list[Path]:
    """Unpack an archive.

    Parameters
    ----------
    archive : Path
    folder : Path
        Into which; made where it is not there.
    progress : bool
    moved : collection of str
        Names of entries that an earlier, interrupted call may have moved into place: those that are there stay.
    announce : callable (list of str), optional
        Called with the names of all entries, just before the first is moved into place.

    Returns
    -------
    list of Path
        What lies in `folder` now that did not before: the archive's topmost entries.

    Raises
    ------
    FetchError
        An archive that is damaged, truncated, encrypted, of another kind, or that would write what it must not;
        something of the same name in `folder`; no room on the disk. `folder` is then as it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{archive.name}.unpacking"
    shutil.rmtree(partial, ignore_errors=True)  # of an interrupted run
    partial.mkdir()
    try:
        with progress_bar(-(-archive.stat().st_size // 2**20), "Unpacking", "MiB", shown=progress) as bar:
            _unpack_into(partial, archive, bar)
        return _move_into_place(partial, folder, archive, moved, announce)
    except DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise FetchError(f"{archive} is damaged, or no archive: {reason}. Delete it and fetch it again.") from error
    except OSError as error:
        raise FetchError(f"{archive} cannot be unpacked into {folder}: {error}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _unpack_into(partial: Path, archive: Path, bar) -> None:
    with archive.open("rb") as file, _entries(archive, file, partial) as entries:
        for number, entry in enumerate(entries):
            if number >= MAX_MEMBERS:
                raise FetchError(f"{archive} has more than {MAX_MEMBERS:,} members, which no data set has.")
            path = partial.joinpath(*safe_parts(entry.name, archive))
            if entry.is_folder:
                path.mkdir(parents=True, exist_ok=True)
            elif path != partial:
                _check_room(partial, entry.n_bytes, archive)
                _write(path, entry)
            bar.update(file.tell() // 2**20 - bar.n)


def safe_parts(name: str, archive: Path) -> list[str]:
    """Split a member's name into the parts of a path that stays below where it starts, or raise FetchError."""
    path = name.replace("\\", "/")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or re.match("[A-Za-z]:", path) or ".." in parts or "\0" in path:
        raise FetchError(f"{archive}: member {name!r} would be written outside its folder. The archive is refused.")
    return parts


def _check_room(folder: Path, n_bytes: int, archive: Path) -> None:
    free = shutil.disk_usage(folder).free
    if n_bytes > free - SPARE_BYTES:
        raise FetchError(
            f"{archive}: {n_bytes:,} bytes are to be unpacked, and {free:,} are free. Make room, or take another disk."
        )


def _write(path: Path, entry: _Entry) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        path.unlink()  # named twice: the later one counts, as tar has it
    with path.open("xb") as target, entry.open() as source:
        left = entry.n_bytes
        while left and (chunk := source.read(min(left, CHUNK_BYTES))):
            target.write(chunk)
            left -= len(chunk)
        if left or source.read(1):
            raise EOFError(f"{entry.name!r} is not {entry.n_bytes:,} bytes long, as it declares")


@contextmanager
def _entries(archive: Path, file: BinaryIO, partial: Path) -> Iterator[Iterator[_Entry]]:
    """Give the members of an archive in their order, whatever its kind; its content decides, not its name."""
    start = file.read(8)
    file.seek(0)
    if start.startswith((b"PK\3\4", b"PK\5\6")):
        with zipfile.ZipFile(file) as opened:
            _check_room(partial, sum(member.file_size for member in opened.infolist()), archive)
            yield _zip_entries(opened, archive)
        return
    opener = next((opener for magic, opener in COMPRESSIONS.items() if start.startswith(magic)), None)
    plain = opener(file) if opener else file
    with tarfile.open(fileobj=plain, mode="r|", tarinfo=_Member) as opened:
        yield _tar_entries(opened, archive)
        while plain.read(CHUNK_BYTES):  # to the end, where the checksum is
            pass


def _zip_entries(opened: zipfile.ZipFile, archive: Path) -> Iterator[_Entry]:
    for member in opened.infolist():
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise FetchError(_no_file(archive, member.filename))
        yield _Entry(member.filename, member.is_dir(), member.file_size, lambda member=member: opened.open(member))


def _tar_entries(opened: tarfile.TarFile, archive: Path) -> Iterator[_Entry]:
    for member in opened:
        if not (member.isdir() or member.isreg()) or member.issparse():
            raise FetchError(_no_file(archive, member.name))
        if member.size < 0:
            raise EOFError(f"{member.name!r} has a size below 0")
        yield _Entry(member.name, member.isdir(), member.size, lambda member=member: opened.extractfile(member))
        opened.members = []  # it would keep them all


def _no_file(archive: Path, name: str) -> str:
    return f"{archive}: member {name!r} is a link, a device or the like. The archive is refused."


class _Member(tarfile.TarInfo):
    """A header whose damage is an error: the library takes a damaged one for the archive's end."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> _Member:
        """Read a header."""
        try:
            member = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise  # a block of zeros: the archive's end
            raise EOFError(f"it ends early, or a header in it is damaged ({error})") from error
        if not (member.isreg() or member.isdir()) and member.size > MAX_HEADER_BYTES:
            raise EOFError(f"a header in it claims to have {member.size:,} bytes")
        return member


def _move_into_place(
    partial: Path,
    folder: Path,
    archive: Path,
    moved: Collection[str],
    announce: Callable[[list[str]], object] | None,
) -> list[Path]:
    entries = sorted(partial.iterdir())
    if not entries:
        raise FetchError(f"{archive} is empty. Delete it and fetch it again.")
    check_free([entry.name for entry in entries], folder, moved)
    if announce is not None:
        announce([entry.name for entry in entries])
    missing = [entry for entry in entries if not os.path.lexists(folder / entry.name)]
    return [entry.rename(folder / entry.name) for entry in missing]


def check_free(names: Collection[str], folder: Path, moved: Collection[str]) -> None:
    """Raise FetchError where something of one of these names is in a folder that is not one of `moved`."""
    for name in names:
        if name not in moved and os.path.lexists(folder / name):
            raise FetchError(
                f"{folder / name} is there already, and is not replaced. Move it away, or unpack elsewhere."
            )

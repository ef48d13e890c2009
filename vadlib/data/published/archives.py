"""Unpacking archives that nobody vouches for: `.zip`, `.tar`, and `.tar` compressed by gzip, bzip2 or xz.

Nothing is written outside the folder given: members with absolute names or ``..`` are refused, and so are links,
devices and whatever else is neither a file nor a folder. Nothing that is there is replaced: an archive is unpacked
beside, and moved into place at once when all of it was read, within the room that the disk has.
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
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

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


def unpack(
    archive: Path, folder: Path, *, progress: bool = True, announce: Callable[[str], object] = lambda name: None
) -> Path:
    """Unpack an archive; give what lies in `folder` now: its one entry, or a folder of its name with all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{archive.name}.unpacking"
    shutil.rmtree(partial, ignore_errors=True)  # of an interrupted run
    partial.mkdir()
    try:
        with progress_bar(-(-archive.stat().st_size // 2**20), "Unpacking", "MiB", shown=progress) as bar:
            _unpack_into(partial, archive, bar)
        entries = list(partial.iterdir())
        if not entries:
            raise FetchError(f"{archive} is empty. Delete it and fetch it again.")
        entry = entries[0] if len(entries) == 1 else partial
        name = entry.name if len(entries) == 1 else archive.name.partition(".")[0]
        check_free(name, folder)
        announce(name)
        return entry.rename(folder / name)
    except DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise FetchError(f"{archive} is damaged, or no archive: {reason}. Delete it and fetch it again.") from error
    except OSError as error:
        raise FetchError(f"{archive} cannot be unpacked into {folder}: {error}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_free(name: str, folder: Path) -> None:
    """Raise FetchError where something of this name is in a folder."""
    if os.path.lexists(folder / name):
        raise FetchError(f"{folder / name} is there already, and is not replaced. Move it away, or unpack elsewhere.")


def _unpack_into(partial: Path, archive: Path, bar) -> None:
    """Unpack, whatever the archive's kind; its content decides, not its name."""
    with archive.open("rb") as file:
        start = file.read(8)
        file.seek(0)
        if start.startswith((b"PK\3\4", b"PK\5\6")):
            with zipfile.ZipFile(file) as opened:
                _check_room(partial, sum(member.file_size for member in opened.infolist()), archive)
                for number, member in enumerate(opened.infolist()):
                    kind = stat.S_IFMT(member.external_attr >> 16)
                    member.filename = _checked_name(
                        member.filename, archive, number, plain=kind in (0, stat.S_IFREG, stat.S_IFDIR)
                    )
                    opened.extract(member, partial)
                    bar.update(file.tell() // 2**20 - bar.n)
            return
        opener = next((opener for magic, opener in COMPRESSIONS.items() if start.startswith(magic)), None)
        plain: BinaryIO = opener(file) if opener else file
        with tarfile.open(fileobj=plain, mode="r|", tarinfo=_Member) as opened:
            for number, member in enumerate(opened):
                is_plain = (member.isdir() or member.isreg()) and not member.issparse()
                member.name = _checked_name(member.name, archive, number, plain=is_plain)
                _check_room(partial, member.size, archive)
                opened.extract(member, partial, filter="data")
                opened.members = []  # it would keep them all
                bar.update(file.tell() // 2**20 - bar.n)
            while plain.read(CHUNK_BYTES):  # to the end, where the checksum is
                pass


def _checked_name(name: str, archive: Path, number: int, *, plain: bool) -> str:
    """A member's name as that of a file or folder below where it is unpacked, or FetchError."""
    if number >= MAX_MEMBERS:
        raise FetchError(f"{archive} has more than {MAX_MEMBERS:,} members, which no data set has.")
    if not plain:
        raise FetchError(f"{archive}: member {name!r} is a link, a device or the like. The archive is refused.")
    path = name.replace("\\", "/")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or re.match("[A-Za-z]:", path) or ".." in parts or "\0" in path:
        raise FetchError(f"{archive}: member {name!r} would be written outside its folder. The archive is refused.")
    return "/".join(parts) + "/" * path.endswith("/")


def _check_room(folder: Path, n_bytes: int, archive: Path) -> None:
    free = shutil.disk_usage(folder).free
    if n_bytes > free - SPARE_BYTES:
        raise FetchError(
            f"{archive}: {n_bytes:,} bytes are to be unpacked, and {free:,} are free. Make room, or take another disk."
        )


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
        if member.size < 0:
            raise EOFError(f"{member.name!r} has a size below 0")
        if not (member.isreg() or member.isdir()) and member.size > MAX_HEADER_BYTES:
            raise EOFError(f"a header in it claims to have {member.size:,} bytes")
        return member

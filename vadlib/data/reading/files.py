"""Files that may be anything: what is asked of them before they are opened."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from vadlib.errors import LabelError, UnreadableError

MAX_TEXT_BYTES = 2**26
ALLOWING = (  # the same where a part of a data set is not there
    "or use what is there on purpose (ALLOW_MISSING=1 with make, --allow-missing, allow_missing=True in Python)"
)
SKIPPING = (  # what a message offers where a file, or a part of it, cannot be read: the switch of each way in
    "or leave out what cannot be read (SKIP_UNREADABLE=1 with make, --skip-unreadable, skip_unreadable=True in Python)"
)


def visible(path: Path | str) -> bool:
    """Whether a file is meant: not `.DS_Store`, `._001.tif`, `Thumbs.db` or an editor's copy."""
    name = path if isinstance(path, str) else path.name
    return not name.startswith(".") and not name.endswith("~") and name != "Thumbs.db"


def require_file(path: Path) -> int:
    """Size in bytes of a file with content; refuses what would block, never end, or crash OpenCV."""
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"
        raise UnreadableError(f"{printable(path)} {reason}. Copy it again.") from error
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableError(f"{printable(path)} is no file, but a folder, pipe or device. Copy it again.")
    if not is_text(str(path)):  # OpenCV would crash
        raise UnreadableError(f"{printable(path)}: the name is not text in UTF-8. Rename it.")
    return status.st_size


def is_text(name: str) -> bool:
    """Whether a name can be written as UTF-8; names of files on Linux are bytes, and need not be."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(path: os.PathLike | str) -> str:
    """A path for a message, with bytes that are no text written as escapes."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def list_names(names: Iterable[str], n: int = 8) -> str:
    """The first few of some names, and how many more there are."""
    names = list(names)
    return ", ".join(names[:n]) + (f" and {len(names) - n} more" if len(names) > n else "") or "nothing"


@cache
def code_digest(*modules: str) -> str:
    """Digest of modules of this room: what other code made of a file does not count."""
    here = Path(__file__)
    return hashlib.sha256(b"".join(here.with_name(f"{name}.py").read_bytes() for name in modules)).hexdigest()


def read_label_text(path: Path, encoding: str) -> str:
    """Read a file of labels as text."""
    try:
        n_bytes = require_file(path)
        if n_bytes > MAX_TEXT_BYTES:
            raise LabelError(f"{path} has {n_bytes:,} bytes; label files have at most {MAX_TEXT_BYTES:,}.")
        return path.read_bytes().decode(encoding)
    except (UnreadableError, OSError) as error:
        raise LabelError(f"Labels: {path} cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        raise LabelError(f"{path} is not text in {encoding}: {error}. Save it again.") from error

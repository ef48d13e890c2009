"""A user's path: understood, checked, and counted from the project's root."""

import hashlib
import os
from pathlib import Path

from vadlib.errors import ParameterError

_ROOT_FILES = ("_toc.yml", "pyproject.toml")  # together they mark the project's root


def project_root() -> Path | None:
    """The nearest folder upwards from the working directory with the project's files; None outside the project."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if all((folder / name).is_file() for name in _ROOT_FILES):
            return folder
    return None


def user_path(path: str | os.PathLike) -> Path:
    """A path as someone gave it, `~` understood; nothing need be there.

    A ParameterError where this machine could have no such path: too long, of a user that is not there, a loop of links,
    or in a folder that may not be entered.
    """
    try:
        found = Path(path).expanduser()
        os.stat(found)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a zero byte; RuntimeError: no such user
        reason = getattr(error, "strerror", None) or str(error)
        raise ParameterError(f"path {str(path)[:500]!r} cannot be used: {reason}. Give another.") from error
    return found


def project_path(path: str | os.PathLike) -> Path:
    """`path` made absolute: relative ones start at the project's root, so a notebook may run from anywhere in it."""
    return Path(os.path.abspath((project_root() or Path.cwd()) / user_path(path)))


def file_sha256(path: str | os.PathLike) -> str:
    """Digest of a file's bytes: 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Folders that are written whole or not at all, by one run at a time."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from vadlib.errors import BusyError, ParameterError, ResultsError

ROOT_FILES = ("_toc.yml", "pyproject.toml")  # together they mark the project's root


def project_root() -> Path | None:
    """The project's folder: the nearest one upwards from the working directory with `_toc.yml` and `pyproject.toml`.

    Returns
    -------
    Path or None
        None where the working directory lies outside the project.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if all((folder / name).is_file() for name in ROOT_FILES):
            return folder
    return None


def user_path(path: str | os.PathLike) -> Path:
    """A path as someone gave it, `~` understood.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    Path
        Absolute only where it was; nothing need be there.

    Raises
    ------
    ParameterError
        No path that this machine could have: too long, of a user that is not there, a loop of links, or in a folder
        that may not be entered.
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
    """`path` made absolute: relative ones start at the project's root, so a notebook may run from anywhere in it.

    Parameters
    ----------
    path : str or path-like
        `~` is understood.

    Returns
    -------
    Path
        Absolute. Outside the project a relative path starts at the working directory, as usual.
    """
    path = user_path(path)
    return Path(os.path.abspath(path if path.is_absolute() else (project_root() or Path.cwd()) / path))


class RunLock:
    """A lock for one path, held by one process; the kernel frees it when the process ends, however it ends.

    The lock is a hidden file beside `path`. Inside one process a later lock for the same path takes over from an
    earlier one, so that a cell can be run again in a live kernel.

    Parameters
    ----------
    path : path-like
        What is to be written; need not exist.
    """

    _held: dict[Path, "RunLock"] = {}  # noqa: RUF012  (one for the whole process, on purpose)

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.file = self.path.parent / f".{self.path.name}.lock"
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object, not a later one, holds the lock."""
        return RunLock._held.get(self.file) is self

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Open files to hand to a child process (`pass_fds`), which then holds the lock, too, should this one die."""
        return () if self._descriptor is None else (self._descriptor,)

    @property
    def taken_over(self) -> bool:
        """Whether a later object of this process holds the lock."""
        return RunLock._held.get(self.file, self) is not self

    def acquire(self) -> "RunLock":
        """Take the lock now.

        Returns
        -------
        RunLock
            Itself.

        Raises
        ------
        BusyError
            Another process holds it.
        ResultsError
            The folder cannot be made or written.
        """
        if self.held:
            return self
        earlier = RunLock._held.pop(self.file, None)
        if earlier is not None:
            self._descriptor, earlier._descriptor = earlier._descriptor, None
        else:
            try:
                self._descriptor = self._open_locked()
            except OSError as error:
                raise ResultsError(
                    f"{self.path} cannot be written there: {error.strerror or error}. Make room, or choose another "
                    "folder."
                ) from error
        RunLock._held[self.file] = self
        return self

    def _open_locked(self) -> int:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        while True:
            descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = os.read(descriptor, 200).decode(errors="replace").strip()
                os.close(descriptor)
                raise BusyError(
                    f"{self.path} is being written by another run ({holder or 'unknown process'}). "
                    "Wait for it, stop it, or choose another folder (for a chapter: another results_dir)."
                ) from None
            try:  # the last holder may have removed the file between our open and our lock
                if os.stat(self.file).st_ino == os.fstat(descriptor).st_ino:
                    break
            except FileNotFoundError:
                pass
            os.close(descriptor)
        with suppress(OSError):  # on a full disk the lock does not say who holds it, and holds
            os.truncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC".encode())
        return descriptor

    def release(self) -> None:
        """Give the lock back; nothing happens where it is not held."""
        if self.held:
            del RunLock._held[self.file]
            self.file.unlink(missing_ok=True)  # while still locked, so no one else can be in between
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> "RunLock":
        """Acquire."""
        return self.acquire()

    def __exit__(self, *_) -> None:
        """Release."""
        self.release()


def replace_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Write a folder beside its place, then move it there in one step; the former one goes only after that.

    The caller holds the folder's `RunLock`.

    Parameters
    ----------
    folder : Path
    fill : callable
        Given the empty new folder, writes into it. If it raises, `folder` stays as it was.
    """
    partial, previous = _beside(folder)
    recover_folder(folder)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        fill(partial)
        _sync(partial)
        if folder.exists():
            folder.rename(previous)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        recover_folder(folder)
        raise
    _sync_folder(folder.parent)
    shutil.rmtree(previous, ignore_errors=True)


def recover_folder(folder: Path) -> None:
    """Put right what a run left that was killed inside `replace_folder`. The caller holds the `RunLock`.

    Parameters
    ----------
    folder : Path
    """
    partial, previous = _beside(folder)
    shutil.rmtree(partial, ignore_errors=True)
    if previous.exists():
        if folder.exists():
            shutil.rmtree(previous, ignore_errors=True)
        else:
            previous.rename(folder)


def check_replaceable(folder: Path) -> None:
    """Make sure that replacing `folder` deletes nothing but what an earlier run wrote.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    ResultsError
        `folder` is a file, or holds a file that its `run.json` does not list, or is not empty and has no `run.json`.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ResultsError(f"results_dir {folder} is a file; give a folder.")
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    found -= {".snakemake_timestamp", ".DS_Store"}
    if not found:
        return
    advice = "so it is left alone. Give another results_dir, or move away what is there."
    try:
        listed = set(json.loads((folder / "run.json").read_text(encoding="utf-8"))["files"])
    except FileNotFoundError:
        raise ResultsError(f"results_dir {folder} has no run.json: these are not a run's results, {advice}") from None
    except (OSError, ValueError, TypeError, KeyError):
        raise ResultsError(f"results_dir {folder} has a run.json that is not a run's, {advice}") from None
    foreign = sorted(found - listed - {"run.json"})
    if foreign:
        raise ResultsError(f"results_dir {folder} holds files that no run wrote ({', '.join(foreign[:5])}), {advice}")


def write_atomically(path: Path, text: str) -> None:
    """Write a text file beside its place, then move it there in one step.

    Parameters
    ----------
    path : Path
    text : str
    """
    partial = path.parent / f".{path.name}.{os.getpid()}.partial"
    try:
        partial.write_text(text, encoding="utf-8")
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def file_sha256(path: str | os.PathLike) -> str:
    """Digest of a file's bytes.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    str
        64 hex digits.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _beside(folder: Path) -> tuple[Path, Path]:
    return folder.parent / f".{folder.name}.partial", folder.parent / f".{folder.name}.previous"


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Files and folders that are written whole or not at all: a kill at any moment leaves the old or the new."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from vadlib.errors import ResultsError
from vadlib.storage.locks import RunLock


def write_folder(
    folder: Path,
    fill: Callable[[Path], None],
    *,
    check: Callable[[Path], None] = lambda folder: None,
    lock: RunLock | None = None,
) -> None:
    """Write a folder that no other run writes meanwhile, in place of an earlier one that may be replaced.

    `fill` is given the empty new folder; if it raises, `folder` stays as it was. `check` is given `folder`, and raises
    where what is there must stay, as `check_replaceable` does. `lock` is the caller's own lock of it, given back
    afterwards. A BusyError where another process is writing it; an OSError where it cannot be written.
    """
    with lock or RunLock(folder):
        recover_folder(folder)
        check(folder)
        replace_folder(folder, fill)


def replace_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Write a folder beside its place, then move it there in one step; the former one goes only after that.

    The caller holds the folder's `RunLock`; `write_folder` takes it. If `fill`, given the empty new folder, raises,
    `folder` stays as it was.
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
    """Put right what a run left that was killed inside `replace_folder`. The caller holds the `RunLock`."""
    partial, previous = _beside(folder)
    shutil.rmtree(partial, ignore_errors=True)
    if previous.exists():
        if folder.exists():
            shutil.rmtree(previous, ignore_errors=True)
        else:
            previous.rename(folder)


def check_replaceable(folder: Path, *, record: str = "run.json", called: str = "results_dir") -> None:
    """Raise ResultsError where replacing `folder` would delete anything but the files that an earlier run wrote.

    They are the ``files`` of its `record`; `called` is the folder's name in messages.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ResultsError(f"{called} {folder} is a file; give a folder.")
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    found -= {".snakemake_timestamp", ".DS_Store"}
    if not found:
        return
    advice = f"so it is left alone. Give another {called}, or move away what is there."
    try:
        listed = set(json.loads((folder / record).read_text(encoding="utf-8"))["files"])
    except FileNotFoundError:
        raise ResultsError(f"{called} {folder} has no {record}: these are not a run's results, {advice}") from None
    except (OSError, ValueError, TypeError, KeyError):
        raise ResultsError(f"{called} {folder} has a {record} that is not a run's, {advice}") from None
    foreign = sorted(found - listed - {record})
    if foreign:
        raise ResultsError(f"{called} {folder} holds files that no run wrote ({', '.join(foreign[:5])}), {advice}")


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file beside its place, then move it there in one step; text as UTF-8."""
    partial = path.parent / f".{path.name}.{os.getpid()}.partial"
    try:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        _sync_file(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _beside(folder: Path) -> tuple[Path, Path]:
    return folder.parent / f".{folder.name}.partial", folder.parent / f".{folder.name}.previous"


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            _sync_file(path)
    _sync_folder(folder)


def _sync_file(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

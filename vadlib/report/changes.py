"""What a chapter's run depends on, written down so that it runs again when that changes and at no other time.

Snakemake looks at times of files, so what is not a file gets one, rewritten only when its content differs: a chapter's
code and parameters (prose and captions are not among them), a folder of one's own videos. `run_if_changed` looks
closer, at contents: results that came out as before stop what follows.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from vadlib.report.contents import Contents, NotebookCode
from vadlib.runs.code_state import code_digest
from vadlib.runs.parameters import notebook_parameters, values_for
from vadlib.storage import write_atomically


def note(path: Path, text: str) -> str:
    """Write `text` to a file unless it is there already; gives the path."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
    return str(path)


def note_chapter(path: Path, code: NotebookCode, profile: Mapping, overrides: Mapping) -> str:
    """Note a chapter's code, captions aside, and the parameters that it gets."""
    declared = notebook_parameters(code.path)
    values = values_for(code.name, profile) | dict(overrides)
    given = {name: value for name, value in values.items() if name in declared}
    return note(path, json.dumps({"code": code_digest(code.tree), "parameters": given}, sort_keys=True, default=str))


def note_code(path: Path, files: Iterable[Path]) -> str:
    """Note what the code of notebooks and the values of profiles are."""
    codes = {
        file.name: code_digest(NotebookCode(file).tree) if file.suffix == ".py" else file.read_text(encoding="utf-8")
        for file in files
    }
    return note(path, json.dumps(codes, sort_keys=True))


def note_folder(path: Path, folder: str | os.PathLike) -> str:
    """Note the names, sizes and times of the visible files below a folder: clips come and go."""
    files, seen = [], set()
    for place, folders, names in os.walk(folder, followlinks=True):
        try:
            own = os.stat(place)
        except OSError:  # gone since it was listed
            continue
        if (own.st_dev, own.st_ino) in seen:  # by a link: each folder is looked into once
            files.append(place)
            folders.clear()
            continue
        seen.add((own.st_dev, own.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):  # .DS_Store and the like: no clips
            try:
                found = os.stat(os.path.join(place, name))
            except OSError:  # gone since it was listed, or a link to nothing
                continue
            files.append((os.path.join(place, name), found.st_size, found.st_mtime_ns))
    return note(path, hashlib.sha256(repr(files).encode()).hexdigest())


def forget_lost(out: Path, contents: Contents, again: Collection[str] = ()) -> None:
    """Remove the marks of chapters that are done but whose page or results are gone, or that are to run again."""
    for name in contents.names:
        page, record = out / "notebooks" / f"{name}.ipynb", out / "results" / name / "run.json"
        if name in again or not (page.is_file() and record.is_file()):
            (out / "done" / name).unlink(missing_ok=True)
            (out / "done" / f".{name}").unlink(missing_ok=True)


def run_if_changed(done: Path, results: Path, inputs: Iterable[str], run: Callable[[], object]) -> bool:
    """Run a chapter unless it has run with inputs of the same content; says whether it ran.

    `done` is the file that says so, with the digest of the `results`, the time that they took aside; `inputs` are the
    files that it depends on, other chapters' `done` among them.
    """
    given, before = _digest(map(Path, inputs)), done.with_name(f".{done.name}")
    same = before.is_file() and before.read_text(encoding="utf-8") == given and (results / "run.json").is_file()
    if not same:
        before.unlink(missing_ok=True)
        run()
    files = sorted(path for path in results.rglob("*") if path.is_file() and path.name != "run.json")
    done.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(done, _digest(file for file in files if file.suffix in (".json", ".parquet", ".csv")))
    write_atomically(before, given)
    return not same


def _digest(files: Iterable[Path]) -> str:
    """Of names and contents."""
    digest = hashlib.sha256()
    for file in files:
        content = file.read_bytes() if file.is_file() else b""
        digest.update(f"{file.name}\0{len(content)}\0".encode() + hashlib.sha256(content).digest())
    return digest.hexdigest()

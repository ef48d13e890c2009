"""What a notebook's numbers depend on in the project's own files, and whether that has changed.

Every run says what it depended on, in its `run.json`; whether it still holds is asked here, and nowhere else. Only
what can change a number counts: code without its comments, docstrings and layout, and a profile's values of the
parameters that the notebook has. A part is named by its path in the project.
"""

import ast
import copy
import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import yaml

import vadlib
from vadlib.runs.parameters import notebook_parameters, values_for
from vadlib.storage import project_path

ROOMS = ("vadlib/data", "vadlib/networks", "vadlib/detectors", "vadlib/evaluation", "vadlib/studies")
_PLACES = ("dataset_root", "results_dir", "upstream_dir", "cache_dir")  # where things lie changes no number


def dependencies(notebook: str, profile: str | None = None, *, upstream: Iterable[str] = ()) -> dict[str, str | None]:
    """Digest of each part of the project that a notebook's numbers depend on.

    They are the rooms that compute, the notebook, where the project has it, those `upstream` whose results it reads,
    directly or through another, and the profile's values of their parameters.
    """
    is_there = project_path(f"notebooks/{notebook}.py").is_file()
    names = (*upstream, notebook) if is_there else ()
    profiles = [f"notebooks/profiles/{profile}.yml"] if profile else []
    return part_digests([*(f"notebooks/{name}.py" for name in names), *profiles, *ROOMS])


def library_digests() -> dict[str, str | None]:
    """Digests of the rooms that compute, of this vadlib, wherever the working directory is."""
    return part_digests(ROOMS, Path(vadlib.__file__).resolve().parents[1])


def part_digests(parts: Iterable[str], folder: Path | None = None) -> dict[str, str | None]:
    """Digests of parts of the project (or of what lies in `folder`) as they are now; None for one that is not there.

    Parts are Python files, folders of them, and profiles (`.yml`), whose parameters are those of the notebooks among
    the parts.
    """
    parts = list(parts)
    places = {part: project_path(part) if folder is None else folder / part for part in parts}
    notebooks = [place for part, place in places.items() if re.fullmatch(r"notebooks/\w+\.py", part)]
    return {part: _digest(place, notebooks) for part, place in places.items()}


def changed_parts(recorded: Mapping[str, str | None]) -> list[str]:
    """The parts whose digest is no longer what `dependencies` said, in its order."""
    now = part_digests(recorded)
    return [part for part, digest in recorded.items() if now[part] != digest]


def code_digest(source: str | ast.Module) -> str:
    """Digest of what Python code does: equal for code that differs in comments, docstrings or layout alone.

    Captions and alternative texts of a chapter's figures change nothing either. It is the same under every version of
    Python that reads the code alike.
    """
    return hashlib.sha256(
        _canonical(source if isinstance(source, ast.Module) else ast.parse(source)).encode()
    ).hexdigest()


@cache
def _text_digest(text: str) -> str:
    """`code_digest` of a file's text, once in a process and its forks: all of the library's takes a second."""
    return code_digest(text)


def _canonical(node) -> str:
    # Not ast.dump, whose text differs between versions of Python: fields that are empty are left out.
    if isinstance(node, list):
        return "[" + ",".join(map(_canonical, node)) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "figure":
        args = [arg for place, arg in enumerate(node.args) if not (place == 2 and isinstance(arg, ast.Constant))]
        keywords = [
            keyword
            for keyword in node.keywords
            if not (keyword.arg in ("caption", "alt") and isinstance(keyword.value, ast.Constant))
        ]
        node = ast.Call(node.func, args, keywords)
    if isinstance(node, ast.JoinedStr):  # Python 3.12 leaves literal parts empty, or apart, that others join
        parts = itertools.groupby(node.values, lambda part: isinstance(part, ast.Constant))
        joined = [
            part
            for literal, group in parts
            for part in ([ast.Constant("".join(p.value for p in group))] if literal else group)
        ]
        node = ast.JoinedStr([part for part in joined if not (isinstance(part, ast.Constant) and part.value == "")])
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
        node = copy.copy(node)
        node.body = node.body[1:]
    fields = ((name, value) for name, value in ast.iter_fields(node) if value is not None and value != [])
    return f"{type(node).__name__}({','.join(f'{name}={_canonical(value)}' for name, value in fields)})"


def _digest(path: Path, notebooks: list[Path]) -> str | None:
    if path.is_dir():
        files = sorted(path.rglob("*.py"), key=lambda file: file.relative_to(path).as_posix())
        pairs = [[file.relative_to(path).as_posix(), _text_digest(file.read_text(encoding="utf-8"))] for file in files]
        return hashlib.sha256(json.dumps(pairs).encode()).hexdigest()
    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return _text_digest(text)
    values, profile = {}, yaml.safe_load(text) or {}
    for notebook in (notebook for notebook in notebooks if notebook.is_file()):
        declared = set(notebook_parameters(notebook)) - set(_PLACES)
        own = values_for(notebook.stem, profile)
        values[notebook.stem] = {name: value for name, value in own.items() if name in declared}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

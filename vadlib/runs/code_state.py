"""What a notebook's numbers depend on in the project's own files, and whether that has changed.

Only what can change a number counts: code without its comments, docstrings and layout, and a profile's values of the
parameters that the notebook has. A part is named by its path in the project.
"""

import ast
import copy
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from vadlib.errors import LayoutError
from vadlib.runs.parameters import notebook_parameters, values_for
from vadlib.storage import project_path

PACKAGES = ("vadlib/data", "vadlib/networks", "vadlib/detectors", "vadlib/evaluation", "vadlib/studies")
_PLACES = ("dataset_root", "results_dir", "upstream_dir", "cache_dir")  # where things lie changes no number


def upstream_notebooks(notebook: str) -> tuple[str, ...]:
    """The notebooks whose results a notebook reads, directly or through another.

    Parameters
    ----------
    notebook : str
        Such as `21_claims`.

    Returns
    -------
    tuple of str
        Sorted; found by their names in its source, as `"02_padim"`.

    Raises
    ------
    LayoutError
        There is no such notebook.
    """
    folder = project_path("notebooks")
    known = sorted(path.stem for path in folder.glob("*.py"))
    if notebook not in known:
        raise LayoutError(f"No notebook {notebook!r} in {folder}; there are {', '.join(known) or 'none'}.")
    found, waiting = {notebook}, [notebook]
    while waiting:
        source = (folder / f"{waiting.pop()}.py").read_text(encoding="utf-8")
        new = {name for name in known if f'"{name}"' in source} - found
        found |= new
        waiting += new
    return tuple(sorted(found - {notebook}))


def dependencies(profile: str, notebook: str) -> dict[str, str | None]:
    """Digest of each part of the project that a notebook's numbers depend on.

    Parameters
    ----------
    profile : str
    notebook : str

    Returns
    -------
    dict of str to str
        By part: the notebook and those upstream of it, the profile's values of their parameters, and the rooms
        that compute.
    """
    notebooks = [f"notebooks/{name}.py" for name in (*upstream_notebooks(notebook), notebook)]
    return part_digests([*notebooks, f"notebooks/profiles/{profile}.yml", *PACKAGES])


def part_digests(parts: Iterable[str]) -> dict[str, str | None]:
    """Digests of parts as they are now.

    Parameters
    ----------
    parts : iterable of str
        Python files, folders of them, and profiles (`.yml`), whose parameters are those of the notebooks among
        the parts.

    Returns
    -------
    dict of str to str or None
        None for a part that is not there.
    """
    parts = list(parts)
    notebooks = [project_path(part) for part in parts if re.fullmatch(r"notebooks/\w+\.py", part)]
    return {part: _digest(project_path(part), notebooks) for part in parts}


def changed_parts(recorded: Mapping[str, str | None]) -> list[str]:
    """The parts whose digest is no longer what it was.

    Parameters
    ----------
    recorded : mapping of str to str
        From `dependencies`, earlier.

    Returns
    -------
    list of str
        In the mapping's order.
    """
    now = part_digests(recorded)
    return [part for part, digest in recorded.items() if now[part] != digest]


def code_digest(source: str | ast.Module) -> str:
    """Digest of what Python code does: equal for code that differs in comments, docstrings or layout alone.

    Captions and alternative texts of a chapter's figures change nothing either.

    Parameters
    ----------
    source : str or ast.Module

    Returns
    -------
    str
        64 hex digits, the same under every version of Python that reads the code alike.
    """
    return hashlib.sha256(
        _canonical(source if isinstance(source, ast.Module) else ast.parse(source)).encode()
    ).hexdigest()


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
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
        node = copy.copy(node)
        node.body = node.body[1:]
    fields = ((name, value) for name, value in ast.iter_fields(node) if value is not None and value != [])
    return f"{type(node).__name__}({','.join(f'{name}={_canonical(value)}' for name, value in fields)})"


def _digest(path: Path, notebooks: list[Path]) -> str | None:
    if path.is_dir():
        files = sorted(path.rglob("*.py"), key=lambda file: file.relative_to(path).as_posix())
        pairs = [[file.relative_to(path).as_posix(), code_digest(file.read_text(encoding="utf-8"))] for file in files]
        return hashlib.sha256(json.dumps(pairs).encode()).hexdigest()
    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return code_digest(text)
    values, profile = {}, yaml.safe_load(text) or {}
    for notebook in (notebook for notebook in notebooks if notebook.is_file()):
        declared = set(notebook_parameters(notebook)) - set(_PLACES)
        own = values_for(notebook.stem, profile)
        values[notebook.stem] = {name: value for name, value in own.items() if name in declared}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

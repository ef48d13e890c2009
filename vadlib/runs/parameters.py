"""The parameters that a notebook declares, and the check of those that a run passes.

A notebook declares them in its cell tagged `parameters`, one assignment a line: `name = literal  # unit and meaning`,
with an annotation where the default alone does not say the type (`n_test: int | None = None  # frames; None: all`).

A profile holds values for all notebooks of a book, and under `chapters` those of one: `chapters: {25_choices:
{n_fit_frames: 60}}`. Under `only` it may name the notebooks of a smaller book.
"""

import ast
import difflib
import hashlib
import io
import json
import math
import re
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from vadlib.errors import LayoutError, ParameterError
from vadlib.storage import project_path

TYPES = {"int": int, "float": float, "str": str, "bool": bool, "list": list, "dict": dict, "None": type(None)}
WORDS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "True or False",
    list: "a list",
    dict: "a mapping",
    type(None): "None",
}
SECTIONS, ONLY = "chapters", "only"  # what a profile may hold besides parameters


@dataclass(frozen=True)
class Parameter:
    """One parameter: its name, default, the types it takes (empty: any) and the comment beside it."""

    name: str
    default: object
    types: tuple[type, ...]
    comment: str

    def accepts(self, value) -> bool:
        """Whether `value` has one of the types; a whole number will do for a float, True will not do for 1."""
        if isinstance(value, float) and math.isnan(value):
            return False
        if isinstance(value, dict):  # a notebook's metadata holds a class of its own
            return not self.types or dict in self.types
        return not self.types or type(value) in self.types or (type(value) is int and float in self.types)

    def __str__(self) -> str:
        """As one would write it in the cell."""
        names = ["None" if kind is type(None) else kind.__name__ for kind in self.types]
        annotation = f": {' | '.join(names)}" if len(names) > 1 else ""
        return f"{self.name}{annotation} = {self.default!r}" + (f"  # {self.comment}" if self.comment else "")


class NotebookParameterError(ParameterError):
    """A parameter that the notebook does not declare, or of another type than declared."""


class Cell(NamedTuple):
    """A cell of a percent script: its kind and options, the line that its text starts on, and the text."""

    is_markdown: bool
    options: str
    line: int
    text: str


def read_cells(path: Path) -> list[Cell]:
    """The cells of a percent script; the text of markdown without its comment signs."""
    cells, lines = [], path.read_text(encoding="utf-8").splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("# %%")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        options = lines[start].removeprefix("# %%").strip()
        is_markdown = options.startswith("[markdown]")
        own = lines[start + 1 : end]
        text = [line.removeprefix("#").removeprefix(" ") for line in own] if is_markdown else own
        cells.append(Cell(is_markdown, options, start + 2, "\n".join(text)))
    return cells


def notebook_parameters(path: str | Path) -> dict[str, Parameter]:
    """The parameters that a percent script declares, in its cell's order; none where no cell is tagged `parameters`.

    Raises
    ------
    LayoutError
        The file is missing.
    ParameterError
        The cell holds something other than assignments of literals; the message names the line.
    """
    path = Path(path)
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [other.name for other in path.parent.glob("*.py")], n=1)
        raise LayoutError(f"No notebook {path}." + (f" Did you mean {path.parent / near[0]}?" if near else ""))
    found = path.stat()
    return dict(_parameters_of(path, found.st_mtime_ns, found.st_size))


@lru_cache(maxsize=256)
def _parameters_of(path: Path, time: int, size: int) -> dict[str, Parameter]:
    """Of a file as it was at that time: one check of a book asks for the same ones hundreds of times."""
    for cell in read_cells(path):
        if not cell.is_markdown and re.search(r'tags=\[[^\]]*"parameters"', cell.options):
            return parse_parameters(cell.text, str(path))
    return {}


def parse_parameters(source: str, where: str) -> dict[str, Parameter]:
    """The parameters of a cell's source, as `notebook_parameters` gives them; `where` is the notebook, for messages."""
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise ParameterError(f"{where}: the parameters cell is not Python: {error}.") from None
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {t.start[0]: t.string.lstrip("# ").rstrip() for t in tokens if t.type == tokenize.COMMENT}
    found = {}
    for statement in statements:
        parameter = _parameter(statement, source, where, comments.get(statement.end_lineno, ""))
        found[parameter.name] = parameter
    return found


def values_for(notebook: str, profile: Mapping, known: Iterable[str] | None = None) -> dict:
    """A profile's values for one notebook: its own section's before those of all.

    NotebookParameterError where `chapters` is no mapping of mappings, or names a notebook that is not among those
    `known`.
    """
    values = {name: value for name, value in profile.items() if name != SECTIONS}
    sections = profile.get(SECTIONS) or {}
    if not isinstance(sections, Mapping) or not all(isinstance(own, Mapping) for own in sections.values()):
        raise NotebookParameterError(f"{SECTIONS}: expected a mapping of notebooks to their parameters")
    for name in sections if known is not None else ():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise NotebookParameterError(f"{SECTIONS}: there is no notebook {name!r}.{hint}")
    return values | dict(sections.get(notebook, {}))


def check_parameters(path: str | Path, given: Mapping) -> dict:
    """Those of the parameters `given` that the notebook declares, each of its declared type.

    One profile serves every notebook of a book, so names that another notebook beside this one declares are passed over
    in silence; not so in the notebook's own section (see `values_for`). `PAPERMILL_...` names, which papermill itself
    passes on request, go through. A whole number for a float parameter becomes a float. NotebookParameterError, with
    this notebook's parameters and the nearest match, for a name that no notebook beside this one declares, or a value
    of the wrong type.
    """
    path = Path(path)
    own = notebook_parameters(path)
    section = (given.get(SECTIONS) or {}).get(path.stem, {})
    given = values_for(path.stem, given, [other.stem for other in path.parent.glob("*.py")])
    complaints = []
    checked = {}
    if ONLY not in own:
        given.pop(ONLY, None)
    foreign = [name for name in given if name not in own and not name.startswith("PAPERMILL_")]
    known, unread = _declared_beside(path) if foreign else (set(), [])
    for name, value in given.items():
        if name in own:
            parameter = own[name]
            if parameter.accepts(value):
                widened = type(value) is int and float in parameter.types and int not in parameter.types
                checked[name] = float(value) if widened else value
            else:
                complaints.append(_type_complaint(parameter, value))
        elif name not in foreign:
            checked[name] = value
        elif name not in known or name in section:
            near = difflib.get_close_matches(name, [*own, *sorted(known - set(own) - set(section))], n=1)
            complaints.append(f"unknown parameter {name!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
    if complaints:
        lines = [f"{path.name}: {complaint}" for complaint in complaints]
        lines += [f"Parameters of {path.name}:", *(f"  {parameter}" for parameter in own.values())]
        lines += [f"(Not searched, since its parameters cannot be read: {problem})" for problem in unread]
        raise NotebookParameterError("\n".join(lines))
    return checked


def results_place(declared: Mapping[str, Parameter], given: Mapping) -> tuple[str, str]:
    """Where a run of `given` parameters writes its results, and why, where that is not the notebook's own place.

    A run that was given no other `results_dir` must not replace one of other parameters: one that differs from the
    notebook's defaults, or, at the defaults, from the run that lies there, goes beside it: `_build/manual/02_padim-
    seed=3`.
    """
    own = declared["results_dir"].default
    place = given.get("results_dir", own)
    if place != own:
        return place, ""
    defaults = {name: parameter.default for name, parameter in declared.items() if name != "results_dir"}
    values = {name: given.get(name, default) for name, default in defaults.items()}
    try:
        earlier = dict(json.loads((project_path(own) / "run.json").read_text(encoding="utf-8"))["parameters"])
    except (OSError, ValueError, TypeError, KeyError):
        earlier = {}
    for reference, whose in ((defaults, "the notebook's own"), (earlier, f"the run in {own}")):
        changed = {name: value for name, value in values.items() if value != reference.get(name, value)}
        if changed:
            return f"{own}-{_label(changed)}", f"other {', '.join(changed)} than {whose}"
    return own, ""


def _label(values: Mapping) -> str:
    """Names and values where they are short, else a digest; 1 and 1.0, which papermill turns into each other, alike."""
    texts = {name: f"{value:.12g}" if type(value) in (int, float) else str(value) for name, value in values.items()}
    label = ",".join(f"{name}={text}" for name, text in texts.items())
    if not re.fullmatch(r"[\w=,.+-]{1,60}", label, re.ASCII):
        label = hashlib.sha256(label.encode()).hexdigest()[:8]
    return label


def _parameter(statement: ast.stmt, source: str, where: str, comment: str) -> Parameter:
    line = ast.get_source_segment(source, statement)
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            types = None
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value, annotation=annotation):
            types = _annotated(annotation, where, line)
        case _:
            raise ParameterError(
                f"{where}: the parameters cell may hold only lines like 'name = literal  # meaning'; got {line!r}."
            )
    try:
        default = ast.literal_eval(value)
    except ValueError:
        raise ParameterError(f"{where}: the default of parameter {name!r} must be a literal; got {line!r}.") from None
    if types is None:
        types = () if default is None else (type(default),)
    parameter = Parameter(name, default, types, comment)
    if not parameter.accepts(default):
        raise ParameterError(f"{where}: the default of parameter {name!r} contradicts its annotation: {line!r}.")
    return parameter


def _annotated(annotation: ast.expr, where: str, line: str) -> tuple[type, ...]:
    """Types that an annotation allows: names in TYPES, alone, subscripted or joined by |."""
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _annotated(left, where, line) + _annotated(right, where, line)
        case ast.Subscript(value=ast.Name() as outer):
            return _annotated(outer, where, line)
        case ast.Constant(value=None):
            return (type(None),)
        case ast.Name(id=name) if name in TYPES:
            return (TYPES[name],)
    raise ParameterError(f"{where}: annotations of parameters are made of {', '.join(TYPES)} and |; got {line!r}.")


def _declared_beside(path: Path) -> tuple[set[str], list[str]]:
    """Names that the notebooks in `path`'s folder declare, and what went wrong with those that could not be read."""
    names, unread = set(), []
    for other in sorted(path.parent.glob("*.py")):
        try:
            names |= set(notebook_parameters(other))
        except Exception as error:  # another notebook, half edited, must not stop this one
            unread.append(str(error))
    return names, unread


def _type_complaint(parameter: Parameter, value) -> str:
    wanted = " or ".join(WORDS.get(kind, kind.__name__) for kind in parameter.types) or "a value that is not NaN"
    hint = f" Pass it as text: -r {parameter.name} {value}" if str in parameter.types else ""
    return f"parameter {parameter.name!r} must be {wanted}; got {value!r} ({type(value).__name__}).{hint}"

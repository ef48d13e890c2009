"""What can be said of the book's sources before anything runs: gaps and slips, by the script's line and cell.

`make book` and `make test` begin with it; it takes a second.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

import yaml

import vadlib
from vadlib.errors import LayoutError, ParameterError
from vadlib.report.contents import Contents, NotebookCode, chapter_files, figure_label, read_contents
from vadlib.runs.parameters import ONLY, NotebookParameterError, check_parameters, notebook_parameters
from vadlib.storage import project_path

ROOT, OURS = Path(vadlib.__file__).parents[1], ("vadlib", "synthcampus")
GLUED = re.compile(r"\{glue:(?:text|md|)\}`([^`]+)`")
CITED = re.compile(r"\{(numref|cite(?::\w+)?)\}`([^`]+)`")
LINK = re.compile(r"\]\((?![a-z]+://|#|mailto:)([^)\s#]+)(?:#[^)\s]*)?\)")
LABEL = re.compile(r"^\(([\w-]+)\)=|^:name: (\S+)", re.MULTILINE)
# What every chapter says (`Chapter.close`), what one with scores says (`ScoredFrames.words`), and one on a detector.
FURNITURE = frozenset({"chapter_line", "data_note"})
SCORED = frozenset(("micro_auroc", "verdict", "score_name"))
DETECTOR = frozenset({
    "overlap", "best_kind", "worst_kind", "n_fitted", "pointing", "pointing_chance", "paper_auroc", "paper_overlap",
    "fit_time", "milliseconds",
})  # fmt: skip


class Problem(NamedTuple):
    """What is wrong, and where."""

    where: str
    what: str

    def __str__(self) -> str:
        """For a person."""
        return f"{self.where}: {self.what}"


class _Page:
    """What a notebook gives to those who cite it."""

    def __init__(self, code: NotebookCode):
        self.code = code

    @cached_property
    def values(self) -> frozenset[str] | None:
        """Names that its prose can cite; None where its code alone does not tell."""
        calls = [*self.code.calls_of("say"), *self.code.calls_of("close")]
        said = [keyword.arg for call in self.code.calls_of("say") for keyword in call.keywords]
        if None in said or not self.code.calls_of("close"):
            return None
        names = set(notebook_parameters(self.code.path)) | set(said) | FURNITURE
        if any(call.args for call in calls):
            names |= SCORED | (DETECTOR if self.code.is_detector else frozenset())
        return frozenset(names)

    @cached_property
    def figures(self) -> dict[str, int]:
        """Label of each figure, and the line that draws it."""
        found = {}
        for call in self.code.calls_of("figure"):
            if call.args and isinstance(call.args[0], ast.Constant):
                found[figure_label(self.code.name, str(call.args[0].value))] = call.lineno
        for call in self.code.calls_of("show_kinds"):
            found[figure_label(self.code.name, "kinds")] = call.lineno
        for cell in self.code.cells:
            for label in re.findall(r'"name": "([^"]+)"', cell.options):
                found[label] = cell.line
        return found


def check_sources(only: Collection[str] | None = None) -> list[Problem]:
    """Everything that can be found wrong without running a chapter.

    Parameters
    ----------
    only : collection of str, optional
        Names of the chapters of a smaller book; its contents are checked, and the prose of those chapters.

    Returns
    -------
    list of Problem
        In the order of the book.
    """
    try:
        contents = read_contents(only)
    except (LayoutError, ParameterError) as error:
        return [Problem("_toc.yml", str(error))]
    problems = list(_unlisted()) if only is None else []
    pages = {}
    for chapter in contents.chapters:
        try:
            page = _Page(chapter)
            problems += _code_problems(page)
            pages[chapter.name] = page
        except ParameterError as error:
            problems.append(Problem(f"notebooks/{chapter.path.name}", str(error)))
    problems += _prose_problems(contents, pages)
    return problems + list(_profile_problems(contents)) if only is None else problems


def require_sound_sources(only: Collection[str] | None = None) -> None:
    """Raise ParameterError with everything that `check_sources` finds."""
    problems = check_sources(only)
    if problems:
        raise ParameterError(
            "the book's sources have defects, and nothing was run:\n" + "\n".join(f"  {p}" for p in problems)
        )


def _unlisted() -> Iterator[Problem]:
    toc = chapter_files(yaml.safe_load(project_path("_toc.yml").read_text(encoding="utf-8")))
    for path in sorted(project_path("notebooks").glob("*.py")):
        if f"notebooks/{path.stem}" not in toc:
            yield Problem(f"notebooks/{path.name}", "is not in _toc.yml, so the book would not have it; add it there")


def _at(code: NotebookCode, line: int) -> str:
    """Script and line, and the number of the cell."""
    number = sum(cell.line <= line for cell in code.cells)
    return f"notebooks/{code.path.name}:{line} (cell {number})"


def _code_problems(page: _Page) -> Iterator[Problem]:
    code = page.code
    for parameter in notebook_parameters(code.path).values():
        if not parameter.comment:
            line = next(n for n, text in enumerate(_lines(code), 1) if re.match(rf"{parameter.name}\b", text))
            yield Problem(_at(code, line), f"parameter {parameter.name} has no comment that says its unit and meaning")
    for node in ast.walk(code.tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in OURS:
            yield from (Problem(_at(code, node.lineno), what) for what in _import_problems(node))
    chapters = [call for call in code.calls if isinstance(call.func, ast.Name) and call.func.id == "Chapter"]
    for call in chapters:
        named = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
        if named != code.name:
            yield Problem(_at(code, call.lineno), f"the chapter is called {named!r}; its file is {code.path.name}")
    if chapters and not code.calls_of("close"):
        yield Problem(f"notebooks/{code.path.name}", "never calls chapter.close(...), so it would leave no results")
    seen: dict[int, int] = {}
    for call in code.calls_of("figure"):
        if ast.unparse(call.func.value) != "chapter":
            continue
        keywords = {keyword.arg for keyword in call.keywords}
        if len(call.args) + ("caption" in keywords) < 3:
            yield Problem(_at(code, call.lineno), "this figure has no caption")
        elif "alt" not in keywords:
            yield Problem(_at(code, call.lineno), "this figure has no alternative text; pass alt=...")
        cell = sum(cell.line <= call.lineno for cell in code.cells)
        if seen.setdefault(cell, call.lineno) != call.lineno:
            yield Problem(_at(code, call.lineno), "a second figure in one cell; give it a cell of its own")


def _import_problems(node: ast.ImportFrom) -> Iterator[str]:
    """What a module of ours has not, read in its source: importing it would take seconds."""
    place = ROOT.joinpath(*node.module.split("."))
    source = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    if not source.is_file():
        yield f"there is no module {node.module}"
        return
    known = _names_in(source) | {path.stem for path in place.glob("*") if path.suffix in ("", ".py")}
    for alias in node.names:
        if alias.name not in known:
            yield f"{node.module} has no {alias.name!r}" + _near(alias.name, known)


@cache
def _names_in(source: Path) -> frozenset[str]:
    """Names that a module's own lines bind, or say: a package that imports late lists what it has as texts."""
    names: set[str] = set()
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            names |= {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
            texts = (text.value for text in ast.walk(node) if isinstance(text, ast.Constant))
            names |= {word for text in texts if isinstance(text, str) for word in text.split() if word.isidentifier()}
    return frozenset(names)


def _lines(code: NotebookCode) -> list[str]:
    return code.path.read_text(encoding="utf-8").splitlines()


def _prose_problems(contents: Contents, pages: dict[str, _Page]) -> Iterator[Problem]:
    """Values, labels, references and links of the notebooks' prose and of the pages in `book`."""
    references = project_path("book/references.bib")
    entries = references.read_text(encoding="utf-8") if references.is_file() else ""
    bibliography = set(re.findall(r"@\w+\{([^,\s]+)", entries))
    prose = [
        (project_path("notebooks"), name, cell.line, cell.text, page)
        for name, page in pages.items()
        for cell in page.code.cells
        if cell.is_markdown
    ]
    book = sorted(project_path("book").glob("*.md"))
    prose += [(project_path("book"), path.name, 1, path.read_text(encoding="utf-8"), None) for path in book]
    labels = {label for page in pages.values() for label in page.figures}
    labels |= {label for *_, text, _ in prose for pair in LABEL.findall(text) for label in pair if label}
    for folder, name, start, text, page in prose:
        for offset, line in enumerate(text.splitlines()):
            for what in _line_problems(line, folder, page, pages, contents, labels, bibliography):
                where = f"book/{name}:{start + offset}" if page is None else _at(page.code, start + offset)
                yield Problem(where, what)


def _line_problems(line, folder: Path, page, pages, contents, labels, bibliography) -> Iterator[str]:
    for target in GLUED.findall(line):
        place, _, key = target.rpartition("::")
        of = pages.get(Path(place).stem) if place else page
        if place and Path(place).stem not in contents.names and page is not None:
            yield f"{target}: there is no such chapter" + _near(Path(place).stem, contents.names)
        name = key.partition(":")[0]
        if of is not None and of.values is not None and name not in of.values and not name.startswith("auroc_"):
            yield f"no value {name!r} is given to the prose by {of.code.name}" + _near(name, of.values)
    for role, keys in CITED.findall(line):
        known = labels if role == "numref" else bibliography
        what = "figure with a caption has the label" if role == "numref" else "entry of references.bib is called"
        for key in keys.split(","):
            key = re.sub(r".*<(.*)>", r"\1", key.strip())
            if key not in known:
                yield f"no {what} {key!r}" + _near(key, known)
    for link in LINK.findall(line):
        target = folder / link
        if not any(path.exists() for path in (target, *(target.parent / f"{target.name}{e}" for e in (".md", ".py")))):
            there = [path.stem for path in target.parent.glob("*") if path.suffix in (".md", ".py")]
            yield f"the link {link!r} leads nowhere" + _near(target.name, there)


def _profile_problems(contents: Contents) -> Iterator[Problem]:
    paths = [chapter.path for chapter in contents.chapters]
    for profile in sorted(project_path("notebooks/profiles").glob("*.yml")):
        where = f"notebooks/profiles/{profile.name}"
        try:
            values = yaml.safe_load(profile.read_text(encoding="utf-8"))
            if values.get("profile") != profile.stem:
                yield Problem(where, f"profile is {values.get('profile')!r}, and the file is {profile.name}")
            read_contents(values.get(ONLY) or None)
            said = set()
            for path in paths:
                try:
                    check_parameters(path, values)
                except NotebookParameterError as error:
                    said |= {
                        line
                        for line in str(error).splitlines()
                        if ": " in line and "Parameters of" not in line and not line.startswith("  ")
                    }
            yield from (Problem(where, line) for line in sorted(said))
        except (ParameterError, yaml.YAMLError, AttributeError) as error:
            yield Problem(where, str(error))


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f". Did you mean {near[0]!r}?" if near else ""

"""The chapters of the book, what each reads of the others and what it needs: from `_toc.yml` and the notebooks' code.

Nothing is listed a second time: a chapter that calls `chapter.upstream("02_padim")` reads that chapter's results.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

from vadlib.errors import LayoutError, ParameterError
from vadlib.runs.parameters import Cell, notebook_parameters, read_cells
from vadlib.storage import project_path

GLUED = re.compile(r"notebooks/(\w+)\.ipynb::|results/(\w+)/")  # what a page of prose takes from a notebook
ROOTS = ("book/index", "book/index_watch")  # opening pages, the first whose notebooks are all there


@dataclass(frozen=True)
class NotebookCode:
    """What the code of a notebook says that it reads and does."""

    path: Path

    @property
    def name(self) -> str:
        """Such as `02_padim`."""
        return self.path.stem

    @cached_property
    def cells(self) -> list[Cell]:
        """Of the script."""
        return read_cells(self.path)

    @cached_property
    def tree(self) -> ast.Module:
        """Of all code cells; lines are the script's."""
        lines: list[str] = []
        for cell in self.cells:
            if not cell.is_markdown:
                lines += [""] * (cell.line - 1 - len(lines)) + cell.text.splitlines()
        try:
            return ast.parse("\n".join(lines))
        except SyntaxError as error:
            raise ParameterError(
                f"notebooks/{self.path.name}:{error.lineno}: not Python: {error.msg}: {(error.text or '').strip()}"
            ) from None

    @cached_property
    def calls(self) -> list[ast.Call]:
        """Every call in the code."""
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]

    def calls_of(self, method: str) -> list[ast.Call]:
        """Calls of a method, such as `chapter.METHOD(...)`."""
        return [call for call in self.calls if isinstance(call.func, ast.Attribute) and call.func.attr == method]

    @property
    def texts(self) -> set[str]:
        """Texts that its code holds, which names of chapters are among."""
        return {
            node.value for node in ast.walk(self.tree) if isinstance(node, ast.Constant) and type(node.value) is str
        }

    @property
    def is_detector(self) -> bool:
        """Whether it is about one detector, whose scores others compare."""
        return bool(self.calls_of("fit_and_score")) or any(
            keyword.arg == "detector" for call in self.calls_of("scores") for keyword in call.keywords
        )

    @property
    def reads_every_chapter(self) -> bool:
        """Whether it tells of every run of the book."""
        return bool(self.calls_of("all_results"))

    @property
    def reads_records(self) -> bool:
        """Whether recorded runs are shown."""
        found = (node for node in ast.walk(self.tree) if isinstance(node, ast.ImportFrom))
        named = any("recorded" in alias.name for node in found for alias in node.names)
        return named or bool(self.calls_of("show_record"))

    @property
    def computes(self) -> bool:
        """Whether it is given a device, and takes all cores."""
        return "device" in notebook_parameters(self.path)


@dataclass(frozen=True)
class Contents:
    """The chapters of one book that are notebooks, in reading order."""

    chapters: tuple[NotebookCode, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the chapters."""
        return tuple(chapter.name for chapter in self.chapters)

    def __getitem__(self, name: str) -> NotebookCode:
        """A chapter by name."""
        for chapter in self.chapters:
            if chapter.name == name:
                return chapter
        raise ParameterError(f"no chapter {name!r} in this book; there are {', '.join(self.names)}")

    def detector_chapters(self, reader: str = "") -> tuple[str, ...]:
        """Chapters about one detector; for a reader that is one itself, those that do not read others in turn."""
        found = [chapter for chapter in self.chapters if chapter.is_detector and chapter.name != reader]
        if reader in self.names and self[reader].is_detector:
            found = [chapter for chapter in found if not chapter.calls_of("detector_results")]
        return tuple(chapter.name for chapter in found)

    def upstream(self, name: str) -> tuple[str, ...]:
        """Chapters whose results a chapter reads, in the book's order."""
        chapter = self[name]
        if chapter.reads_every_chapter:
            return tuple(other for other in self.names if other != name)
        needed = chapter.texts & set(self.names) - {name}
        if chapter.calls_of("detector_results"):
            needed |= set(self.detector_chapters(name))
        return tuple(other for other in self.names if other in needed)

    def all_upstream(self, name: str) -> tuple[str, ...]:
        """Those that it reads, and what they read in turn, in the book's order."""
        found, waiting = set(), [name]
        while waiting:
            new = set(self.upstream(waiting.pop())) - found
            found |= new
            waiting += new
        return tuple(other for other in self.names if other in found)


def chapter_files(contents: dict) -> list[str]:
    """Files of a table of contents, in reading order, the root aside."""
    return [entry["file"] for part in contents["parts"] for entry in part["chapters"]]


def read_contents(only: Collection[str] | None = None) -> Contents:
    """The chapters of the book, or of a smaller one that has `only` some of them.

    LayoutError where `_toc.yml` names a notebook that is not there, and ParameterError where `only` names a chapter
    that is not there, or leaves out one that another needs.
    """
    toc = yaml.safe_load(project_path("_toc.yml").read_text(encoding="utf-8"))
    paths = [project_path(f"{file}.py") for file in chapter_files(toc) if file.startswith("notebooks/")]
    for path in paths:
        if not path.is_file():
            near = difflib.get_close_matches(path.stem, [other.stem for other in path.parent.glob("*.py")], n=1)
            hint = f" Did you mean notebooks/{near[0]}?" if near else ""
            raise LayoutError(f"_toc.yml: there is no notebooks/{path.stem}.py.{hint}")
    every = Contents(tuple(map(NotebookCode, paths)))
    if only is None:
        return every
    lacking = {name for name in only if name not in every.names}
    for chapter in every.chapters:
        if chapter.name in only and not (chapter.reads_every_chapter or chapter.calls_of("detector_results")):
            lacking |= set(every.upstream(chapter.name)) - set(only)
    if lacking:
        raise ParameterError(
            f"only: {', '.join(sorted(lacking))} is no chapter, or is read by a chapter named there and not named "
            f"itself; there are {', '.join(every.names)}"
        )
    return Contents(tuple(chapter for chapter in every.chapters if chapter.name in only))


def figure_label(chapter: str, figure: str) -> str:
    """What a figure is cited by: `fig-padim-roc` for `roc` of `02_padim`."""
    return f"fig-{chapter.partition('_')[2] or chapter}-{figure}".replace("_", "-")


def captions(code: NotebookCode) -> dict[str, dict]:
    """By figure of a notebook's code: `caption` and `alt`, those of them that are written there as text."""
    found = {}
    for call in code.calls_of("figure"):
        given = dict(zip(("name", "figure", "caption"), call.args, strict=False))
        given |= {keyword.arg: keyword.value for keyword in call.keywords}
        texts = {key: node.value for key, node in given.items() if isinstance(node, ast.Constant)}
        if "name" in texts:
            found[texts["name"]] = {key: texts[key] for key in ("caption", "alt") if key in texts}
    return found


def select_contents(contents: dict, source: Path, chapters: Collection[str] | None) -> dict:
    """The contents of a book that has only some of the notebooks: without pages that take something from others.

    Pages' names in `_toc.yml` are relative to `source`. ParameterError where no opening page can do without the rest.
    """
    if chapters is None:
        return contents

    def kept(file: str) -> bool:
        if file.startswith("notebooks/"):
            return Path(file).name in chapters
        text = (source / f"{file}.md").read_text(encoding="utf-8")
        return all(name in chapters for pair in GLUED.findall(text) for name in pair if name)

    root = next((page for page in dict.fromkeys((contents["root"], *ROOTS)) if kept(page)), None)
    if root is None:
        raise ParameterError(
            f"only: each opening page ({', '.join(ROOTS)}) takes numbers from notebooks other than "
            f"{', '.join(chapters)}; name 30_footage and 91_provenance at least"
        )
    parts = [
        {**part, "chapters": [entry for entry in part["chapters"] if kept(entry["file"])]} for part in contents["parts"]
    ]
    return {**contents, "root": root, "parts": [part for part in parts if part["chapters"]]}

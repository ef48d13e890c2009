"""The chapters of the book, what each reads of the others and what it needs: from `_toc.yml` and the notebooks' code.

Nothing is listed a second time: a chapter that calls `chapter.upstream("02_padim")` reads that chapter's results.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import jupytext
import yaml

from vadlib.errors import LayoutError, ParameterError
from vadlib.runs.parameters import notebook_parameters
from vadlib.storage import project_path


@dataclass(frozen=True)
class NotebookCode:
    """What the code of a notebook says that it reads and does."""

    path: Path

    @property
    def name(self) -> str:
        """Such as `02_padim`."""
        return self.path.stem

    @cached_property
    def tree(self) -> ast.Module:
        """Of all code cells."""
        cells = jupytext.read(self.path).cells
        code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        try:
            return ast.parse(code)
        except SyntaxError as error:
            raise ParameterError(f"{self.path.name} is not Python: {error.msg}: {(error.text or '').strip()}") from None

    @cached_property
    def _calls(self) -> list[ast.Call]:
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]

    def calls(self, method: str) -> bool:
        """Whether it calls `chapter.METHOD(...)`."""
        return any(isinstance(call.func, ast.Attribute) and call.func.attr == method for call in self._calls)

    @property
    def names(self) -> set[str]:
        """Texts that its code holds, which names of chapters are among."""
        return {
            node.value for node in ast.walk(self.tree) if isinstance(node, ast.Constant) and type(node.value) is str
        }

    @property
    def is_detector(self) -> bool:
        """Whether it is about one detector, whose scores others compare."""
        return self.calls("fit_and_score") or any(
            keyword.arg == "detector" for call in self._calls for keyword in call.keywords
        )

    @property
    def imports(self) -> set[str]:
        """Names that it imports from the library."""
        found = (node for node in ast.walk(self.tree) if isinstance(node, ast.ImportFrom))
        return {alias.name for node in found for alias in node.names}

    @property
    def reads_records(self) -> bool:
        """Whether recorded runs are shown."""
        return any("recorded" in name for name in self.imports)

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
            found = [chapter for chapter in found if not chapter.calls("detector_results")]
        return tuple(chapter.name for chapter in found)

    def upstream(self, name: str) -> tuple[str, ...]:
        """Chapters whose results a chapter reads, in the book's order."""
        chapter = self[name]
        if chapter.calls("all_results"):
            return tuple(other for other in self.names if other != name)
        needed = chapter.names & set(self.names) - {name}
        if chapter.calls("detector_results"):
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
    """The chapters of the book.

    Parameters
    ----------
    only : collection of str, optional
        Names of the chapters of a smaller book; all by default.

    Returns
    -------
    Contents

    Raises
    ------
    LayoutError
        `_toc.yml` names a notebook that is not there.
    ParameterError
        `only` names a chapter that is not there, or leaves out one that another needs.
    """
    toc = yaml.safe_load(project_path("_toc.yml").read_text(encoding="utf-8"))
    paths = [project_path(f"{file}.py") for file in chapter_files(toc) if file.startswith("notebooks/")]
    for path in paths:
        if not path.is_file():
            raise LayoutError(f"_toc.yml names notebooks/{path.stem}, and there is no {path}")
    every = Contents(tuple(map(NotebookCode, paths)))
    if only is None:
        return every
    lacking = {name for name in only if name not in every.names}
    for chapter in every.chapters:
        if chapter.name in only and not (chapter.calls("all_results") or chapter.calls("detector_results")):
            lacking |= set(every.upstream(chapter.name)) - set(only)
    if lacking:
        raise ParameterError(
            f"only: {', '.join(sorted(lacking))} is no chapter, or is read by a chapter named there and not named "
            f"itself; there are {', '.join(every.names)}"
        )
    return Contents(tuple(chapter for chapter in every.chapters if chapter.name in only))

"""From an executed notebook to a page: its prose as it is now, and what every page has, so that no author types it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vadlib.errors import ResultsError
from vadlib.report.contents import NotebookCode, captions
from vadlib.runs.results import read_json

FURNITURE = {
    "chapter_line": "{glue:text}`chapter_line`",
    "data_note": ":::{admonition} What these numbers are\n:class: data-note\n{glue:text}`data_note`\n:::",
}
NAMED = {"scores.parquet": ("scores", "scores.csv"), "metrics.json": ("metrics", "metrics.json")}
CHOSEN = {"show-input", "hide-input", "remove-input", "hide-cell", "remove-cell"}  # an author's own choice


def make_page(executed, script: Path, results: Path):
    """The page of a chapter: the script's prose, code and captions as they are now, with what its run left.

    Without a `run.json` in the chapter's `results` it gets no furniture. Gives the captions, too, by figure, that are
    written as text in the script. ResultsError where the script's code is not what was run, or a figure has no caption.
    """
    import jupytext

    page, about = jupytext.read(script), captions(NotebookCode(script))
    ran = [cell for cell in executed.cells if cell.cell_type == "code"]
    injected = [cell for cell in ran if "injected-parameters" in cell.metadata.get("tags", ())]
    ran = [cell for cell in ran if cell not in injected]
    code = [cell for cell in page.cells if cell.cell_type == "code"]
    if len(code) != len(ran):
        raise ResultsError(f"{script.name} has {len(code)} cells of code, and {len(ran)} were run; run it again")
    for cell, before in zip(code, ran, strict=True):
        cell.outputs, cell.execution_count = before.outputs, before.execution_count
    for cell in injected:
        after = next(n for n, own in enumerate(page.cells) if "parameters" in own.metadata.get("tags", ()))
        page.cells.insert(after + 1, cell)
    page.metadata = executed.metadata
    for number, cell in enumerate(page.cells):
        cell["id"] = f"cell-{number:03d}"
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and not CHOSEN & set(tags):
            cell.metadata["tags"] = [*tags, "hide-input"]
    _caption(page, script, about)
    if (results / "run.json").is_file():
        _furnish(page, script.stem, read_json(results / "run.json"))
    return page, {name: texts["caption"] for name, texts in about.items() if "caption" in texts}


def _caption(page, script: Path, about: Mapping[str, Mapping]) -> None:
    """Give the cells of figures what Jupyter Book makes a numbered figure of."""
    for cell in page.cells:
        shown = [output for output in cell.get("outputs", ()) if _is_figure(output)]
        for output in shown:
            given = output.metadata.pop("image/svg+xml", {}).get("vadlib")
            if given is None and "mystnb" not in cell.metadata:
                first = cell.source.partition("\n")[0]
                raise ResultsError(
                    f"notebooks/{script.name}: the cell that begins with {first!r} shows a figure without caption and "
                    "alternative text; show it with chapter.figure(name, figure, caption, alt=...)"
                )
            if given is not None:
                name, written = given.pop("of"), about
                texts = written.get(name, {})
                given["figure"]["caption"] = texts.get("caption", given["figure"]["caption"])
                given["image"]["alt"] = texts.get("alt", given["image"]["alt"])
                cell.metadata["mystnb"] = given


def _is_figure(output: Mapping) -> bool:
    return any(kind.startswith("image/") for kind in output.get("data", ()))


def _furnish(page, name: str, run: Mapping) -> None:
    """Put a run's line and the data note under the title, and downloads at the end."""
    from nbformat.v4 import new_markdown_cell

    glued = {
        output.get("metadata", {}).get("scrapbook", {}).get("name")
        for cell in page.cells
        for output in cell.get("outputs", ())
    }
    furniture = [text for key, text in FURNITURE.items() if key in glued]
    if not furniture:  # a chapter that has its own
        return
    first = page.cells[0]
    title, _, rest = first.source.partition("\n")
    first.source = "\n\n".join([title, *furniture, rest.strip("\n")])
    links = [("this chapter's script", f"{name}.py"), *(NAMED[file] for file in run["files"] if file in NAMED)]
    links += [("run record", "run.json"), *((f"{figure} as SVG", f"figures/{figure}.svg") for figure in run["figures"])]
    text = " · ".join(f"{{download}}`{words} <../results/{name}/{file}>`" for words, file in links)
    page.cells.append(new_markdown_cell(f"Downloads: {text}", id=f"cell-{len(page.cells):03d}"))

"""What every page has, put in when its notebook has run, so that no author types it."""

from __future__ import annotations

from collections.abc import Mapping

NOTE = ":::{admonition} What these numbers are\n:class: data-note\n{glue:text}`data_note`\n:::"
NAMED = {"scores.parquet": ("scores", "scores.csv"), "metrics.json": ("metrics", "metrics.json")}
SHOWN = {"show-input", "hide-input", "remove-input", "hide-cell", "remove-cell"}  # an author's own choice


def figure_label(chapter: str, figure: str) -> str:
    """What a figure is cited by: `fig-padim-roc` for `roc` of `02_padim`."""
    return f"fig-{chapter.partition('_')[2] or chapter}-{figure}".replace("_", "-")


def furnish(notebook, name: str, run: Mapping) -> None:
    """Put a run's line and the data note under the title, captions at the figures, downloads at the end; hide code.

    Parameters
    ----------
    notebook : NotebookNode
        Executed.
    name : str
        The chapter's, such as `02_padim`.
    run : mapping
        Its `run.json`: `files` and `figures`.
    """
    from nbformat.v4 import new_markdown_cell

    glued = set()
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        tags = cell.metadata.get("tags", [])
        if not SHOWN & set(tags):
            cell.metadata["tags"] = [*tags, "hide-input"]
        for output in cell.get("outputs", ()):
            glued.add(output.get("metadata", {}).get("scrapbook", {}).get("name"))
            about = output.get("metadata", {}).pop("image/svg+xml", {}).get("vadlib")
            if about:
                cell.metadata["mystnb"] = about
    first = notebook.cells[0]
    title, _, rest = first.source.partition("\n")
    furniture = [
        f"{{glue:text}}`{key}`" if key == "chapter_line" else NOTE
        for key in ("chapter_line", "data_note")
        if key in glued
    ]
    first.source = "\n\n".join([title, *furniture, rest.strip("\n")])
    links = [("this chapter's script", f"{name}.py"), *(NAMED[file] for file in run["files"] if file in NAMED)]
    links += [("run record", "run.json"), *((f"{figure} as SVG", f"figures/{figure}.svg") for figure in run["figures"])]
    text = " · ".join(f"{{download}}`{words} <../results/{name}/{file}>`" for words, file in links)
    last = new_markdown_cell(f"Downloads: {text}", id=f"cell-{len(notebook.cells):03d}")
    notebook.cells.append(last)

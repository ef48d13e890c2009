"""From an executed notebook to a page: today's prose and captions around yesterday's results."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from vadlib.errors import ResultsError
from vadlib.report.page import make_page

SVG = "<svg/>"


def shown(name="line", caption="An old caption."):
    about = {"of": name, "figure": {"name": "fig-first-line", "caption": caption}, "image": {"alt": "Old words for it"}}
    return new_output("display_data", {"image/svg+xml": SVG}, metadata={"image/svg+xml": {"vadlib": about}})


def glued(name):
    return new_output("display_data", {"text/plain": "x"}, metadata={"scrapbook": {"name": name, "mime_prefix": "a/"}})


@pytest.fixture
def executed(small_book):
    """The first chapter as it ran, with other parameters injected, and its results."""
    (small_book / "results").mkdir()
    record = {"files": ["metrics.json", "run.json"], "figures": {"line": "An old caption."}}
    (small_book / "results" / "run.json").write_text(json.dumps(record))
    injected = new_code_cell("seed = 2")
    injected.metadata["tags"] = ["injected-parameters", "hide-input"]
    cells = [new_code_cell("seed = 0"), injected, *(new_code_cell("x", execution_count=n) for n in (1, 2, 3))]
    cells[3].outputs = [shown()]
    cells[4].outputs = [glued("chapter_line"), glued("data_note"), glued("n_seen")]
    return new_notebook(cells=cells)


def page_of(executed, small_book):
    return make_page(executed, small_book / "notebooks/01_first.py", small_book / "results")


def test_prose_code_and_captions_are_the_script_s_and_outputs_the_run_s(executed, small_book, edit):
    edit("notebooks/01_first.py", "It says", "It tells")
    edit("notebooks/01_first.py", '"A line."', '"A thin line."')
    page, captions = page_of(executed, small_book)
    nbformat.validate(nbformat.from_dict(page))
    assert "It tells" in page.cells[0].source
    assert [cell.source for cell in page.cells if "injected-parameters" in cell.metadata.get("tags", ())] == [
        "seed = 2"
    ]
    figure = next(cell for cell in page.cells if "mystnb" in cell.metadata)
    assert figure.source.startswith('chapter.figure("line"')
    assert figure.metadata["mystnb"] == {
        "figure": {"name": "fig-first-line", "caption": "A thin line."},
        "image": {"alt": "A line that goes up"},
    }
    assert captions == {"line": "A thin line."}
    assert all("hide-input" in cell.metadata["tags"] for cell in page.cells if cell.cell_type == "code")


def test_line_note_and_downloads_are_put_in(executed, small_book):
    page, _ = page_of(executed, small_book)
    title, line, note, *_ = page.cells[0].source.split("\n\n")
    assert (title, line) == ("# The first chapter", "{glue:text}`chapter_line`")
    assert "data-note" in note
    assert "{download}`line as SVG <../results/01_first/figures/line.svg>`" in page.cells[-1].source


def test_a_chapter_without_a_line_keeps_its_own_head_and_end(executed, small_book):
    for cell in executed.cells:
        cell.outputs = [output for output in cell.outputs if "scrapbook" not in output.metadata]
    page, _ = page_of(executed, small_book)
    assert page.cells[0].source.startswith("# The first chapter\n\nIt says")
    assert page.cells[-1].cell_type == "code"


def test_a_figure_without_caption_is_named(executed, small_book):
    executed.cells[3].outputs = [new_output("display_data", {"image/png": "", "text/plain": "<Figure>"})]
    with pytest.raises(ResultsError, match=r"01_first.py: the cell that begins with 'chapter.figure.* without caption"):
        page_of(executed, small_book)


def test_a_script_with_other_cells_than_ran_is_refused(executed, small_book):
    del executed.cells[-1]
    with pytest.raises(ResultsError, match="01_first.py has 4 cells of code, and 3 were run; run it again"):
        page_of(executed, small_book)

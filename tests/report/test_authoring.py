"""Slips in the book's sources are found before anything runs, and said by script, line and cell."""

import pytest

from vadlib.errors import ParameterError
from vadlib.report.authoring import check_sources, require_sound_sources

FIRST, SECOND, PROFILE = "notebooks/01_first.py", "notebooks/02_second.py", "notebooks/profiles/demo.yml"


def test_the_books_own_sources_are_sound():
    assert check_sources() == []


def test_a_sound_project_has_no_problem(small_book):
    assert check_sources() == []
    require_sound_sources()


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (FIRST, "text}`n_seen`", "text}`n_sen`", f"{FIRST}:4 (cell 1): no value 'n_sen' is given to the prose by"),
        (FIRST, "text}`n_seen`", "text}`n_sen`", "Did you mean 'n_seen'?"),
        (FIRST, "fig-first-line", "fig-first-lime", "no figure with a caption has the label 'fig-first-lime'. Did you"),
        (FIRST, "known2020", "know2020", "no entry of references.bib is called 'know2020'. Did you mean 'known2020'?"),
        (FIRST, "(02_second)", "(02_secnd)", "the link '02_secnd' leads nowhere. Did you mean '02_second'?"),
        (FIRST, '"A line.", ', "", f"{FIRST}:16 (cell 4): this figure has no caption"),
        (FIRST, ', alt="A line that goes up"', "", "this figure has no alternative text; pass alt=..."),
        (FIRST, "seed = 0  # of the draw", "seed = 0", f"{FIRST}:7 (cell 2): parameter seed has no comment"),
        (FIRST, "chapter.close(found=1)", "pass", f"{FIRST}: never calls chapter.close(...)"),
        (FIRST, 'Chapter("01_first"', 'Chapter("02_second"', "the chapter is called '02_second'; its file is 01_first.py"),
        (FIRST, "chapter.close(found=1)", "chapter.close(", f"{FIRST}: notebooks/01_first.py:19: not Python"),
        (FIRST, "chapter.say(n_seen=1)", 'chapter.figure("a", f, "A.", alt="b")\nchapter.figure("b", f, "B.", alt="b")',
         "a second figure in one cell"),
        (FIRST, "chapter = Chapter", "from vadlib.report import Chapters\nchapter = Chapter",
         f"{FIRST}:12 (cell 3): vadlib.report has no 'Chapters'. Did you mean 'Chapter'?"),
        (FIRST, "chapter = Chapter", "import os\nfrom vadlib.reports import x\nchapter = Chapter",
         "there is no module vadlib.reports"),
        (SECOND, '"01_first")', '"01_frist")', None),  # a text like any other: the run says it
        ("book/index.md", "::n_seen", "::n_sen", "book/index.md:3: no value 'n_sen' is given to the prose by 01_first"),
        ("_toc.yml", "notebooks/02_second", "notebooks/02_secnd", "there is no notebooks/02_secnd.py. Did you mean"),
        ("_toc.yml", ", {file: notebooks/02_second}", "", f"{SECOND}: is not in _toc.yml, so the book would not have it"),
        (PROFILE, "{seed: 2}", "{sed: 2}", f"{PROFILE}: 01_first.py: unknown parameter 'sed'. Did you mean 'seed'?"),
        (PROFILE, "01_first:", "01_frist:", "chapters: there is no notebook '01_frist'. Did you mean '01_first'?"),
        (PROFILE, "{seed: 2}", "{seed: two}", "parameter 'seed' must be a whole number; got 'two'"),
        (PROFILE, "profile: demo", "profile: demos", "profile is 'demos', and the file is demo.yml"),
        (PROFILE, "seed: 1", "only: [02_second]", "only: 01_first is no chapter, or is read by a chapter named there"),
    ],
)  # fmt: skip
def test_a_slip_is_named_with_its_place(edit, file, old, new, message):
    edit(file, old, new)
    said = "\n".join(map(str, check_sources()))
    if message is None:
        assert said == ""
        return
    assert message in said
    with pytest.raises(ParameterError, match="nothing was run"):
        require_sound_sources()

"""A project of two small chapters, for what reads a book's sources."""

import pytest

FIRST = """\
# %% [markdown]
# # The first chapter
#
# It says {glue:text}`n_seen` of {numref}`fig-first-line` and {cite}`known2020`; see [the other](02_second).

# %% tags=["parameters"]
seed = 0  # of the draw
results_dir = "_build/manual/01_first"  # folder
profile = "demo"  # row

# %%
chapter = Chapter("01_first", globals())
chapter.say(n_seen=1)

# %%
chapter.figure("line", draw(), "A line.", alt="A line that goes up")

# %%
chapter.close(found=1)
"""
SECOND = """\
# %% [markdown]
# # The second chapter

# %% tags=["parameters"]
results_dir = "_build/manual/02_second"  # folder

# %%
chapter = Chapter("02_second", globals())
first = chapter.upstream("01_first")
chapter.close(found=2)
"""
TOC = """\
root: book/index
parts:
  - caption: All
    chapters: [{file: notebooks/01_first}, {file: notebooks/02_second}, {file: book/more}]
"""


@pytest.fixture
def small_book(tmp_path, monkeypatch):
    """A folder that the library takes for the project."""
    files = {
        "notebooks/01_first.py": FIRST,
        "notebooks/02_second.py": SECOND,
        "notebooks/profiles/demo.yml": "profile: demo\nseed: 1\nchapters:\n  01_first: {seed: 2}\n",
        "book/index.md": "# All\n\n{glue:text}`../notebooks/01_first.ipynb::n_seen`\n",
        "book/more.md": "# More\n",
        "book/references.bib": "@book{known2020,\n}\n",
        "_toc.yml": TOC,
        "pyproject.toml": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def edit(small_book):
    """Replace a text in one of its files."""

    def replace(name, old, new):
        text = (small_book / name).read_text()
        assert old in text, name
        (small_book / name).write_text(text.replace(old, new))

    return replace

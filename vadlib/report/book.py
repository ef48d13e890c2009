"""The report itself: with the notebooks up to date, its pages are built by Jupyter Book."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

import nbformat
import pandas as pd
import yaml

from vadlib.environment import clean_environment
from vadlib.errors import ResultsError, VadError
from vadlib.report.contents import select_contents
from vadlib.report.machine_paths import hide_paths, without_machine_paths
from vadlib.report.page import make_page
from vadlib.report.workflow import bring_up_to_date, project_folder
from vadlib.runs.results import read_json

MAX_LOG_LINES = 40
ANSI = re.compile(r"\x1b\[[0-9;]*m")
JUPYTER_BOOK = ("-m", "vadlib.report.warm", "jupyter_book.cli.main")  # of this very Python, wherever its scripts are
VIEWER = "viewer.html"  # in an experiment's results, as `write_viewer` makes it


def build_book(
    profile: str = "demo",
    *,
    root: str | None = None,
    weights: str | None = None,
    skip_unreadable: bool = False,
    allow_missing: bool = False,
    cores: str = "all",
) -> tuple[Path, bool]:
    """Run what is out of date and build the pages; gives the opening page, and whether anything was out of date.

    `profile` is the name of a file in ``notebooks/profiles``, whose data set and network weights `root` and `weights`
    replace. With `skip_unreadable`, clips and frames that cannot be read are left out, and named in the run's record;
    with `allow_missing`, an incomplete copy of the data set will do. `cores` is a number, or ``"all"``.

    BusyError where another run builds this profile, ParameterError where there is none of that name or a path does not
    exist, the errors of `open_dataset` where a folder of one's own cannot be scored, and ResultsError where a notebook
    failed or the pages have a defect; what went wrong has then been printed.
    """
    project = project_folder()
    index = project / "_build" / profile / "html" / "index.html"
    before = index.stat().st_mtime_ns if index.is_file() else None
    options = {"skip_unreadable": skip_unreadable, "allow_missing": allow_missing}
    bring_up_to_date(profile, root=root, weights=weights, cores=cores, **options)
    return index, index.stat().st_mtime_ns != before


def assemble(out: Path, chapters: Collection[str] | None = None) -> Path:
    """Lay out the sources of the pages: prose, executed notebooks, their scripts and results, as ``out/source``.

    A book of some `chapters` only is without the pages of prose that take a number or a figure from another one. In the
    copies of notebooks and of records of runs, ``path/to/NAME`` stands for the folders and files that the runs'
    parameters name: a book is made to be given away.
    """
    project, source = project_folder(), out / "source"
    shutil.rmtree(source, ignore_errors=True)
    (source / "notebooks").mkdir(parents=True)
    shutil.copytree(project / "book", source / "book")
    whole = yaml.safe_load((project / "_toc.yml").read_text(encoding="utf-8"))
    contents = select_contents(whole, source, chapters)
    settings = yaml.safe_load((project / "_config.yml").read_text(encoding="utf-8"))
    if contents["root"] != whole["root"]:  # another book, called as its opening page
        settings["title"] = (
            (source / f"{contents['root']}.md").read_text(encoding="utf-8").partition("\n")[0].strip("# ")
        )
    for name, values in (("_toc.yml", contents), ("_config.yml", settings)):
        (source / name).write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    hidden = hide_paths(_paths_given(project, out / "results"))
    for notebook in sorted((out / "notebooks").glob("*.ipynb")):
        script = project / "notebooks" / f"{notebook.stem}.py"
        if not script.is_file() or notebook.stem.endswith(".failed"):
            continue  # of a chapter that is no more, or that failed
        if chapters is not None and notebook.stem not in chapters:
            continue  # left by a build with other chapters
        results = out / "results" / notebook.stem
        target = source / "results" / notebook.stem
        shutil.copytree(results, target, ignore=shutil.ignore_patterns(".*", "detector", "*.parquet", VIEWER))
        shutil.copy(script, target / script.name)
        page, captions = make_page(nbformat.read(notebook, as_version=4), script, results)
        _write_json(source / "notebooks" / notebook.name, hidden(page))
        if (results / "run.json").is_file():  # offered for download, to whoever is given the book
            run = read_json(results / "run.json")
            run["figures"] = run.get("figures", {}) | {n: text for n, text in captions.items() if n in run["figures"]}
            _write_json(target / "run.json", without_machine_paths(hidden(run)))
        if (results / "scores.parquet").is_file():
            pd.read_parquet(results / "scores.parquet").to_csv(target / "scores.csv", index=False)
    return source


def _paths_given(project: Path, results: Path) -> set[str]:
    """Absolute paths of what is named in the parameters of runs."""
    found, waiting = set(), [read_json(path).get("parameters") for path in results.glob("*/run.json")]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict | list):
            waiting += value.values() if isinstance(value, dict) else value
        elif isinstance(value, str):
            named = (value, value.partition(":")[2])  # the file of resnet18:FILE, too
            found |= {str(project / os.path.expanduser(path)) for path in named if "/" in path}
    return found


def _write_json(path: Path, value: Mapping) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def build_pages(out: Path, chapters: Collection[str] | None = None) -> Path:
    """Build ``out/html`` from nothing, warnings being errors; the former pages stay until the new ones are whole.

    ResultsError, with what Sphinx said, where the pages have a defect.
    """
    source, built, html = assemble(out, chapters), out / "jupyter-book", out / "html"
    shutil.rmtree(built, ignore_errors=True)
    command = [sys.executable, *JUPYTER_BOOK, "build", str(source), "--path-output", str(built)]
    environment = clean_environment() | {"PYTHONWARNINGS": "ignore"}
    result = subprocess.run(
        [*command, "-W", "-n", "--keep-going", "-q"], capture_output=True, text=True, env=environment, check=False
    )
    pages = built / "_build" / "html"
    if result.returncode or not (pages / "index.html").is_file():
        raise ResultsError(pages_error(result.stdout + result.stderr))
    _copy_viewers(source, out, pages)
    former = out / ".html-former"
    shutil.rmtree(former, ignore_errors=True)
    if html.exists():
        html.rename(former)
    pages.rename(html)
    for leftover in (former, built):
        shutil.rmtree(leftover, ignore_errors=True)
    return html / "index.html"


def pages_error(output: str) -> str:
    """What went wrong, from what Jupyter Book printed: defects of the pages, or an error that stopped it."""
    said, stopped, _ = ANSI.sub("", output).strip().partition("\n\nThe above exception was the direct cause")
    lines = [line for line in said.splitlines() if line.strip()] or ["it said nothing"]
    telling = [line for line in lines if "WARNING" in line or "ERROR" in line]
    if telling and not stopped:
        return "the pages have defects:\n" + "\n".join(telling[-MAX_LOG_LINES:])
    return f"Jupyter Book, which builds the pages, stopped: {lines[-1].strip()}"


def _copy_viewers(source: Path, out: Path, pages: Path) -> None:
    """Lay clip viewers beside the pages: Sphinx copies what a page links to by its own means, not an iframe's page."""
    for viewer in sorted(out.glob(f"results/*/{VIEWER}")):
        if (source / "results" / viewer.parent.name).is_dir():
            place = pages / "results" / viewer.parent.name / VIEWER
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(viewer, place)


def main() -> None:
    """Build the pages of the folder, with the chapters, that this process's arguments name."""
    try:
        build_pages(Path(sys.argv[1]), sys.argv[2:] or None)
    except VadError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        reason = error.args[0][0][2] if isinstance(error, shutil.Error) else error  # of many files: the first one's
        sys.exit(f"error: the pages could not be put together in {sys.argv[1]}: {reason}. Mend that, and run it again.")


if __name__ == "__main__":
    main()

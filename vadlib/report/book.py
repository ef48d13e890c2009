"""The report itself: brings the notebooks up to date with Snakemake, then builds the pages with Jupyter Book."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd

from vadlib.errors import ParameterError, ResultsError, VadError
from vadlib.storage import RunLock, project_root, user_path

MAX_LOG_LINES = 40
JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"  # of this very Python, wherever its scripts are


def build_book(
    profile: str = "demo",
    *,
    root: str | None = None,
    weights: str | None = None,
    skip_unreadable: bool = False,
    cores: str = "all",
) -> tuple[Path, bool]:
    """Run what is out of date and build the pages.

    Parameters
    ----------
    profile : str
        Name of a file in ``notebooks/profiles``, without its ending.
    root : str, optional
        Folder of the data set, instead of the profile's.
    weights : str, optional
        Network weights, instead of the profile's.
    skip_unreadable : bool
        Leave out frames that cannot be read, and count them in the run's record, instead of stopping.
    cores : str
        How many cores Snakemake may use; ``"all"`` or a number.

    Returns
    -------
    index : Path
        The built page.
    changed : bool
        Whether anything was out of date.

    Raises
    ------
    BusyError
        Another run builds this profile.
    ParameterError
        There is no such profile, or a path given does not exist.
    ResultsError
        A notebook failed, or the pages have a defect; what went wrong has been printed.
    """
    project = _project()
    profiles = sorted(path.stem for path in (project / "notebooks" / "profiles").glob("*.yml"))
    if profile not in profiles:
        raise ParameterError(f"profile: expected one of {', '.join(profiles)}, found {profile!r}")
    overrides = {"profile": profile}
    if root:
        overrides["dataset_root"] = _existing(root, "ROOT")
    if weights:
        overrides["weights"] = _weights(weights)
    if skip_unreadable:
        overrides["skip_unreadable"] = "True"
    index = project / "_build" / profile / "html" / "index.html"
    before = index.stat().st_mtime_ns if index.is_file() else None
    with RunLock(project / "_build" / profile / "book") as lock:
        code = subprocess.run(
            _snakemake_command(project, overrides, cores), cwd=project, pass_fds=lock.descriptors, check=False
        ).returncode
    if code:
        raise ResultsError(
            f"the report of profile {profile} was not finished (see above); mend what is wrong and run the same "
            "command again: it goes on from the last notebook that finished"
        )
    return index, index.stat().st_mtime_ns != before


def assemble(out: Path) -> Path:
    """Lay out the sources of the pages: prose, executed notebooks, their scripts and results, as ``out/source``."""
    project, source = _project(), out / "source"
    shutil.rmtree(source, ignore_errors=True)
    (source / "notebooks").mkdir(parents=True)
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(project / name, source)
    shutil.copytree(project / "book", source / "book")
    for notebook in sorted((out / "notebooks").glob("*.ipynb")):
        script = project / "notebooks" / f"{notebook.stem}.py"
        if not script.is_file() or notebook.stem.endswith(".failed"):
            continue  # of a chapter that is no more, or that failed
        shutil.copy(notebook, source / "notebooks")
        results = out / "results" / notebook.stem
        target = source / "results" / notebook.stem
        shutil.copytree(results, target, ignore=shutil.ignore_patterns(".*", "detector", "*.parquet"))
        shutil.copy(script, target / script.name)
        if (results / "scores.parquet").is_file():
            pd.read_parquet(results / "scores.parquet").to_csv(target / "scores.csv", index=False)
    return source


def build_pages(out: Path) -> Path:
    """Build ``out/html`` from nothing, warnings being errors; the former pages stay until the new ones are whole.

    Raises
    ------
    ResultsError
        The pages have a defect; the message holds Sphinx's own.
    """
    source, built, html = assemble(out), out / "jupyter-book", out / "html"
    shutil.rmtree(built, ignore_errors=True)
    command = [sys.executable, "-c", JUPYTER_BOOK, "build", str(source), "--path-output", str(built)]
    environment = os.environ | {"PYTHONWARNINGS": "ignore", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    result = subprocess.run(
        [*command, "-W", "-n", "--keep-going", "-q"], capture_output=True, text=True, env=environment, check=False
    )
    pages = built / "_build" / "html"
    if result.returncode or not (pages / "index.html").is_file():
        lines = (result.stdout + result.stderr).strip().splitlines()
        telling = [line for line in lines if "WARNING" in line or "ERROR" in line] or lines
        raise ResultsError("the pages have defects:\n" + "\n".join(telling[-MAX_LOG_LINES:]))
    former = out / ".html-former"
    shutil.rmtree(former, ignore_errors=True)
    if html.exists():
        html.rename(former)
    pages.rename(html)
    for leftover in (former, built):
        shutil.rmtree(leftover, ignore_errors=True)
    return html / "index.html"


def _snakemake_command(project: Path, overrides: dict[str, str], cores: str) -> list[str]:
    # Snakemake's own lock would survive a kill; ours does not, and is held around all of this.
    return [
        sys.executable,
        *("-m", "snakemake", "--snakefile", str(project / "Snakefile"), "--cores", cores),
        *("--nolock", "--rerun-incomplete", "--quiet", "all", "--config"),
        *(f"{name}={value}" for name, value in overrides.items()),
    ]


def _project() -> Path:
    project = project_root()
    if project is None:
        raise ParameterError(
            f"{Path.cwd()} is not inside the project: expected _toc.yml and pyproject.toml here or above; go to the "
            "clone's folder first"
        )
    return project


def _existing(path: str, name: str) -> str:
    absolute = user_path(path).absolute()
    if not absolute.exists():
        raise ParameterError(f"{name}: nothing is at {absolute}; give the folder of the data set")
    return str(absolute)


def _weights(weights: str) -> str:
    """A file's path made absolute; the name of published weights as it is."""
    names_file = os.sep in weights or Path(weights).suffix in (".safetensors", ".pth", ".pt")
    return _existing(weights, "WEIGHTS") if names_file else weights


if __name__ == "__main__":
    try:
        build_pages(Path(sys.argv[1]))
    except VadError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: the pages could not be written to {sys.argv[1]}: {error}. Make room, and run it again.")

"""Notebooks run from top to bottom, with checked parameters, and made ready for the book.

`handler` is what papermill finds under the entry point `jupytext://` (see `papermill_handler`). From a shell:
`python -m vadlib.report.notebooks SOURCE OUTPUT --profile PROFILE NAME=VALUE ...`.
"""

import json
import os
import re
import sys
import time
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from vadlib.errors import LayoutError, ParameterError, ResultsError, VadError
from vadlib.report.papermill_handler import MARK, SCHEME, handler
from vadlib.runs.parameters import NotebookParameterError, Parameter, notebook_parameters, results_place, values_for
from vadlib.storage import RunLock, project_path, project_root, write_atomically

__all__ = [
    "NotebookError",
    "NotebookParameterError",
    "Parameter",
    "finish_notebook",
    "handler",
    "notebook_parameters",
    "run_notebook",
]

ANSI = re.compile(r"\x1b\[[0-9;]*m")
N_ERROR_LINES = 12
AT_LINE = re.compile(r"^-+> ?(\d+) ", re.MULTILINE)  # in a traceback, first of the cell's own line


class NotebookError(VadError):
    """A notebook that stopped with an error; its output up to there is kept."""


def finish_notebook(in_path: str | os.PathLike, out_path: str | os.PathLike) -> None:
    """Make an executed notebook, as papermill wrote it, ready for the book, and move it to its place in one step.

    Parameters cells get the tag that hides them behind a click; what papermill noted (times, absolute paths) goes.
    """
    import nbformat

    in_path, out_path = Path(in_path), Path(out_path)
    notebook = nbformat.read(in_path, as_version=4)
    for key in ("papermill", MARK, "widgets"):
        notebook.metadata.pop(key, None)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:03d}"
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        tags = cell.metadata.get("tags", [])
        if {"parameters", "injected-parameters"} & set(tags) and "hide-input" not in tags:
            tags = [*tags, "hide-input"]
        cell.metadata.pop("tags", None)
        if tags:
            cell.metadata["tags"] = tags
    out_path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out_path, nbformat.writes(notebook) + "\n")
    if in_path != out_path:
        in_path.unlink()


def run_notebook(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    profile: str | os.PathLike | None = None,
    parameters: Mapping | None = None,
    progress_bar: bool = False,
) -> Path:
    """Run one notebook from top to bottom, in the project's root, and put the finished page at `output`.

    While it runs its output grows in `.NAME.running.ipynb` beside `output`; if it fails, that becomes
    `NAME.failed.ipynb`, traceback and all, and `output` stays as it was.

    Parameters
    ----------
    source : path-like
        A percent script.
    output : path-like
        Ends in `.ipynb`.
    profile : path-like, optional
        YAML file of parameters, for all notebooks of a book.
    parameters : mapping, optional
        These win over the profile's.
    progress_bar : bool

    Raises
    ------
    NotebookParameterError
        A parameter is unknown or of the wrong type.
    NotebookError
        A cell raised, or the kernel died (the message has the cell and the error's last lines), or no results were
        written.
    KernelError
        The kernel did not start.
    BusyError, ResultsError
        Another process is writing `output`; it cannot be written.
    """
    import papermill
    from nbclient.exceptions import DeadKernelError

    source, output = Path(source), Path(output)
    values = values_for(source.stem, read_profile_file(profile)) | dict(parameters or {})
    declared = notebook_parameters(source)
    results = project_path(str(results_place(declared, values)[0])) if "results_dir" in declared else None
    before = _version_of(results)
    running = output.with_name(f".{output.stem}.running.ipynb")
    failed = output.with_name(f"{output.stem}.failed.ipynb")
    with RunLock(output), _writing(output, running):
        running.unlink(missing_ok=True)
        try:
            papermill.execute_notebook(
                f"{SCHEME}{_literal(source)}", _literal(running), values, cwd=project_root(), progress_bar=progress_bar
            )
        except papermill.PapermillExecutionError as error:
            running.replace(failed)
            raise NotebookError(_failure(source, failed, error)) from None
        except DeadKernelError as error:
            running.replace(failed)
            raise NotebookError(
                f"{source.name}: the kernel died ({error}); often the machine was out of memory. "
                f"The output up to there is in {failed}."
            ) from None
        if results is not None and _version_of(results) == before:
            running.replace(failed)
            raise NotebookError(
                f"{source.name} ran to its end but wrote no results to {results}; does it call chapter.close()? "
                f"The output is in {failed}."
            )
        finish_notebook(running, output)
        failed.unlink(missing_ok=True)
    return output


def _version_of(results: Path | None) -> tuple[int, int] | None:
    """What tells one run's record in a results folder from the next one's."""
    try:
        found = (results / "run.json").stat()
    except (OSError, TypeError):
        return None
    return found.st_ino, found.st_mtime_ns


@contextmanager
def _writing(output: Path, running: Path):
    """Say which page could not be written, where one could not, and leave no part of one that was not run."""
    from vadlib.report.kernel import KernelError

    try:
        yield
    except KernelError:
        running.unlink(missing_ok=True)
        raise
    except OSError as error:
        running.unlink(missing_ok=True)
        # Of an open file, an error may carry the descriptor, and of a name in bytes, those.
        named = error.filename if isinstance(error.filename, str) else None
        if named and not Path(named).is_relative_to(output.parent.absolute()):
            raise NotebookError(f"{output} could not be made: {error}. Mend that, and run it again.") from error
        raise ResultsError(
            f"{output} could not be written: {error.strerror or error}. Make room, or give another place."
        ) from error


def _literal(path: Path) -> str:
    """A path as papermill wants it, which formats braces in paths; absolute, since the notebook changes directory."""
    return os.path.abspath(path).replace("{", "{{").replace("}", "}}")


def read_profile_file(path: str | os.PathLike | None) -> dict:
    """Parameters in a YAML file, none without one; LayoutError or ParameterError where it cannot be read."""
    import yaml

    if path is None:
        return {}
    path = Path(path)
    if not path.is_file():
        there = ", ".join(sorted(other.stem for other in path.parent.glob("*.yml"))) or "none"
        raise LayoutError(f"No profile {path}. Profiles in {path.parent}: {there}.")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ParameterError(f"Profile {path} is not YAML: {error}") from None
    if not isinstance(values or {}, dict):
        raise ParameterError(
            f"Profile {path} must hold one parameter a line, 'name: value'; got a {type(values).__name__}."
        )
    return values or {}


def _failure(source: Path, failed: Path, error) -> str:
    """What a person needs first: which cell, its lines around the one that failed, and the error's last lines."""
    traceback = ANSI.sub("", "\n".join(error.traceback))
    lines, at = error.source.splitlines(), AT_LINE.search(traceback)
    first = max(0, int(at[1]) - 1 - N_ERROR_LINES // 2) if at else 0
    cell = "\n".join(f"    {line}" for line in lines[first : first + N_ERROR_LINES])
    last = traceback.splitlines()[-N_ERROR_LINES:] or [f"{error.ename}: {error.evalue}"]
    where = f"The cell, from its line {first + 1}" if first else "The cell"
    return (
        f"{source.name}: cell [{error.exec_count}] raised {error.ename}: {ANSI.sub('', error.evalue)}\n"
        f"  {where}:\n{cell}\n  The error:\n" + "\n".join(f"    {line}" for line in last) + "\n"
        f"  The whole output is in {failed}."
    )


def _parse(pair: str, declared: Mapping[str, Parameter]) -> tuple[str, object]:
    """NAME=VALUE from a command line, the value read as papermill's -p does, or as text where only that will do."""
    name, equals, text = pair.partition("=")
    if not (name and equals):
        raise ParameterError(f"parameters are given as NAME=VALUE; got {pair!r}.")
    value = {"True": True, "False": False, "None": None}.get(text, text)
    for kind in (int, float):
        if value is text:
            try:
                value = kind(text)
            except ValueError:
                continue
    parameter = declared.get(name)
    as_text = parameter is not None and not parameter.accepts(value) and parameter.accepts(text)
    return name, text if as_text else value


def run_command(
    source: Annotated[Path, typer.Argument(help="a percent script")],
    output: Annotated[Path, typer.Argument(help="ends in .ipynb")],
    pairs: Annotated[list[str] | None, typer.Argument(metavar="NAME=VALUE")] = None,
    profile: Annotated[Path | None, typer.Option("-f", "--profile", help="YAML of parameters; NAME=VALUE wins")] = None,
    results_root: Annotated[Path | None, typer.Option(help="folder in which results_dir is made")] = None,
    progress_bar: Annotated[bool, typer.Option("--progress-bar", help="show one, on stderr")] = False,
    done: Annotated[Path | None, typer.Option(help="file that says what the results are", hidden=True)] = None,
    inputs: Annotated[str, typer.Option(help="list of files, as JSON; the same as before: no run", hidden=True)] = "[]",
) -> None:
    """Run the notebook SOURCE and write the executed one to OUTPUT."""
    try:
        declared = notebook_parameters(source)
        parameters = dict(_parse(pair, declared) for pair in pairs or ())
        if results_root is not None:
            defaults = {"results_dir": str(results_root / source.stem), "upstream_dir": str(results_root)}
            parameters = {name: value for name, value in defaults.items() if name in declared} | parameters

        def run() -> None:
            typer.echo(f"{source.stem}: running")
            start = time.perf_counter()
            run_notebook(source, output, profile=profile, parameters=parameters, progress_bar=progress_bar)
            typer.echo(f"{source.stem}: done in {time.perf_counter() - start:.0f} s")

        if done is None:
            run()
        else:
            from vadlib.report.changes import run_if_changed

            run_if_changed(done, project_path(parameters["results_dir"]), json.loads(inputs), run)
    except VadError as error:
        typer.echo(str(error), err=True)
        sys.exit(1)


def main() -> None:
    """Do what this process's arguments say."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(context_settings={"help_option_names": ["-h", "--help"]})(run_command)
    app()


if __name__ == "__main__":
    main()

"""`vadlib record`: run notebooks under a profile and keep their results, made small, in `book/recorded`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from vadlib.errors import ParameterError, ResultsError
from vadlib.report.contents import read_contents
from vadlib.report.machine_paths import machine_paths, placeholder, without_machine_paths
from vadlib.report.notebooks import read_profile_file
from vadlib.report.records.recorded import Recorded, check_recorded, load_recorded, recorded_name
from vadlib.report.workflow import bring_up_to_date
from vadlib.runs import provenance
from vadlib.runs.code_state import changed_parts, dependencies
from vadlib.runs.parameters import ONLY
from vadlib.runs.provenance import RECORDED_DIR
from vadlib.runs.results import Results, load_results, read_json, write_json
from vadlib.storage import RunLock, check_replaceable, project_path, project_root, replace_folder

MAX_SCORES_BYTES = 1_000_000
MAX_FIGURE_BYTES = 300_000


def record(
    profile: str,
    notebooks: Sequence[str],
    *,
    root: str | None = None,
    weights: str | None = None,
    skip_unreadable: bool = False,
    allow_missing: bool = False,
    allow_dirty: bool = False,
    cores: str = "all",
) -> list[Path]:
    """Bring notebooks' results up to date and write each to `book/recorded/PROFILE-NOTEBOOK`; gives those folders.

    A result counts as up to date only if it was made by this very code, and not with uncommitted changes around, unless
    `allow_dirty` is set: the record then says so. ResultsError where a notebook failed, or its code changed while it
    ran, and nothing was recorded; or where some cannot be recorded, and the others were. Other arguments as for
    `build_book`.
    """
    notebooks = list(dict.fromkeys(notebooks))
    if not notebooks:
        raise ParameterError("notebooks: give the names of those to record, such as 02_padim")
    contents = read_contents(read_profile_file(project_path(f"notebooks/profiles/{profile}.yml")).get(ONLY))
    upstream = {notebook: contents.all_upstream(notebook) for notebook in notebooks}
    involved = sorted({*notebooks, *chain.from_iterable(upstream.values())})
    check_revision(allow_dirty)
    targets = [f"done/{notebook}" for notebook in notebooks]
    again = [name for name in involved if _needs_run(profile, name, allow_dirty)]
    options = {"skip_unreadable": skip_unreadable, "allow_missing": allow_missing}
    bring_up_to_date(profile, targets, again=again, root=root, weights=weights, cores=cores, **options)
    changed = [name for name in involved if _needs_run(profile, name, allow_dirty)]
    if changed:
        raise ResultsError(
            f"{', '.join(changed)}: the code, or whether all of it is committed, changed while the notebooks ran; "
            "nothing was recorded. Run the same command again."
        )
    command = record_command(profile, "{}", root, weights, **options)
    written, refused = [], []
    for notebook in notebooks:
        read = {name: load_results(_results_dir(profile, name)) for name in upstream[notebook]}
        try:
            folder = write_recorded(
                load_results(_results_dir(profile, notebook)),
                profile,
                notebook,
                command=command.format(notebook),
                depends_on=dependencies(notebook, profile, upstream=upstream[notebook]),
                upstream={name: results.run["started"] for name, results in read.items()},
            )
        except ResultsError as error:  # the others are none the worse for it
            refused.append(str(error))
        else:
            written.append(folder)
    if refused:
        raise ResultsError("\n".join([*refused, f"recorded: {', '.join(path.name for path in written) or 'none'}"]))
    return written


def record_command(
    profile: str,
    notebook: str,
    root: str | None = None,
    weights: str | None = None,
    *,
    skip_unreadable: bool = False,
    allow_missing: bool = False,
) -> str:
    """The command that records a run, with placeholders for this machine's folders."""
    options = {"--root": root, "--weights": weights}
    words = [f"{option} {placeholder(value)}" for option, value in options.items() if value]
    words += ["--skip-unreadable"] * skip_unreadable + ["--allow-missing"] * allow_missing
    return " ".join([".venv/bin/vadlib record", profile, notebook, *words])


def write_recorded(
    results: Results,
    profile: str,
    notebook: str,
    *,
    command: str,
    depends_on: Mapping[str, str | None],
    upstream: Mapping[str, str],
) -> Path:
    """Write a results folder, made small and without paths of this machine, to its place; whole or not at all.

    `depends_on` is from `dependencies`, and `upstream` says when the run of each chapter started whose results it read.
    ResultsError where the scores take more than `MAX_SCORES_BYTES`, the metrics do not follow from the scores, a path
    of this machine is left in a file, or the folder holds something that no run wrote.
    """
    folder = project_path(f"{RECORDED_DIR}/{recorded_name(profile, notebook)}")
    facts = {
        "profile": profile,
        "notebook": notebook,
        "title": notebook_title(notebook),
        "command": command,
        "depends_on": dict(depends_on),
        "upstream": dict(upstream),
    }

    def fill(partial: Path) -> None:
        metrics, run = without_machine_paths(results.metrics), without_machine_paths(results.run)
        write_json(partial / "metrics.json", metrics)
        if (results.path / "scores.parquet").is_file():
            _write_scores(partial / "scores.parquet", results.scores)
        left_out = _copy_figures(results, partial)
        run["figures"] = {name: text for name, text in run["figures"].items() if name not in left_out}
        run["recorded"] = facts | {"figures_left_out": left_out}
        run["files"] = sorted(path.relative_to(partial).as_posix() for path in partial.rglob("*") if path.is_file())
        write_json(partial / "run.json", run)
        _check_whole(Recorded(partial, metrics, run), folder.name)

    with RunLock(folder):
        check_replaceable(folder)
        replace_folder(folder, fill)
        load_recorded(folder.name)
    return folder


def notebook_title(notebook: str) -> str:
    """A notebook's first heading; its name where it has none."""
    source = project_path(f"notebooks/{notebook}.py").read_text(encoding="utf-8")
    found = re.search(r"^# # (.+)$", source, re.MULTILINE)
    return found[1].strip() if found else notebook


def _results_dir(profile: str, notebook: str) -> str:
    return f"_build/{profile}/results/{notebook}"


def check_revision(allow_dirty: bool) -> None:
    """Raise ParameterError unless a revision says which code makes the numbers, or that need not be so."""
    git = provenance.git_revision(project_root() or Path.cwd())
    if allow_dirty or (git and git["revision"] and not git["dirty"]):
        return
    raise ParameterError(
        "record: the project has uncommitted changes, or is not under git, so no revision would say which code made "
        "the numbers; commit first, or say --allow-dirty, and the record will say so"
    )


def _needs_run(profile: str, notebook: str, allow_dirty: bool) -> bool:
    """Whether the results there are, if any, come from other code than this, or from code that no revision holds."""
    folder = project_path(_results_dir(profile, notebook))
    if not (folder / "run.json").is_file():
        return False  # Snakemake sees that itself
    run = read_json(folder / "run.json")
    same = bool(run.get("depends_on")) and not changed_parts(run["depends_on"])
    committed = bool(run.get("git")) and bool(run["git"]["revision"]) and not run["git"]["dirty"]
    return not (same and (committed or allow_dirty))


def _write_scores(path: Path, scores: pd.DataFrame) -> None:
    table = pa.Table.from_pandas(scores.rename(columns=without_machine_paths), preserve_index=False)
    floats = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=19,
        use_dictionary=[name for name in table.column_names if name not in floats],
        use_byte_stream_split=floats,  # alike bytes of neighbouring scores together: smaller
    )
    if path.stat().st_size > MAX_SCORES_BYTES:
        raise ResultsError(
            f"record: the scores take {path.stat().st_size:,} bytes ({len(scores):,} frames, {len(floats)} scores), "
            f"and a recorded run may have {MAX_SCORES_BYTES:,}; record fewer score columns or fewer test frames"
        )


def _copy_figures(results: Results, folder: Path) -> dict[str, str]:
    """Copy the SVGs that are small and hold no path; gives the others, and why each was left out."""
    left_out = {}
    for name in results.run["figures"]:
        source = results.figure(name)
        text = source.read_text(encoding="utf-8")
        size = source.stat().st_size
        if size > MAX_FIGURE_BYTES:
            left_out[name] = f"{size / 1000:,.0f} kB, above the {MAX_FIGURE_BYTES / 1000:,.0f} kB of a recorded figure"
        elif machine_paths(text):
            left_out[name] = "it shows a path of the machine"
        else:
            (folder / "figures").mkdir(exist_ok=True)
            (folder / "figures" / source.name).write_text(text, encoding="utf-8")
    return left_out


def _check_whole(recorded: Recorded, name: str) -> None:
    """Refuse to keep what would not pass the project's own tests."""
    for path in recorded.path.glob("*.json"):
        found = machine_paths(path.read_text(encoding="utf-8"))
        if found:
            raise ResultsError(f"record: {name}/{path.name} would hold a path of this machine, {found[0]}")
    wrong = [str(check) for check in check_recorded(recorded) if not check.agrees]
    if wrong:
        raise ResultsError(
            f"record: the metrics of {name} do not follow from its scores ({len(wrong)} figures), first: {wrong[0]}. "
            "If the notebook judges other frames or columns than it saves, save those too."
        )

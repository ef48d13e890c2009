"""Snakemake, told what to make and with which changes of a profile, and its own errors in a sentence each.

`python -m vadlib.report.workflow ARGUMENTS` is `snakemake ARGUMENTS`, except that nothing is printed but what went
wrong with Snakemake itself: what its jobs run speaks for itself.
"""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from vadlib.environment import clean_environment
from vadlib.errors import ParameterError, ResultsError
from vadlib.report.authoring import require_sound_sources
from vadlib.report.notebooks import read_profile_file
from vadlib.report.warm import warm_process
from vadlib.runs.parameters import ONLY
from vadlib.storage import RunLock, project_root, user_path, write_atomically

TRACE = re.compile(r'^Traceback .*$|^ *File ".*$(\n {4,}.*$)*', re.MULTILINE)  # says where, not what
FOLLOWS = ("At least one job did not complete", "Exiting because a job execution failed")  # from an error said before
EXIT_STATUS = re.compile(r"returned non-zero exit status (\d+)|died with <Signals\.(\w+)")


def bring_up_to_date(
    profile: str,
    targets: Sequence[str] = (),
    *,
    again: Sequence[str] = (),
    root: str | None = None,
    weights: str | None = None,
    skip_unreadable: bool = False,
    allow_missing: bool = False,
    cores: str = "all",
) -> None:
    """Have Snakemake make what is out of date of a profile's book; errors as `build_book`.

    `targets` are files of the Snakefile's rules, relative to the profile's folder in `_build`, such as `done/02_padim`;
    without them it is the whole book. Chapters in `again` run even where they are up to date.
    """
    project = project_folder()
    profiles = sorted(path.stem for path in (project / "notebooks" / "profiles").glob("*.yml"))
    if profile not in profiles:
        raise ParameterError(f"profile: expected one of {', '.join(profiles)}, found {profile!r}")
    if not (cores == "all" or (cores.isdecimal() and int(cores))):
        raise ParameterError(f"cores: expected a whole number from 1 on, or all; found {cores!r}")
    values = read_profile_file(project / "notebooks" / "profiles" / f"{profile}.yml")
    overrides = profile_overrides(values, root, weights)
    overrides |= {"skip_unreadable": skip_unreadable, "allow_missing": allow_missing}
    check_own_folder(project, values | overrides)
    require_sound_sources(values.get(ONLY))
    out = project / "_build" / profile
    with RunLock(out / "book") as lock, warm_process(clean_environment()) as environment:
        write_atomically(out / "book.json", json.dumps({"profile": profile, "again": list(again), **overrides}))
        command = snakemake_command(
            project, out / "book.json", cores, [str(Path("_build", profile, t)) for t in targets]
        )
        options = {"cwd": project, "env": environment, "pass_fds": lock.descriptors}
        code = subprocess.run(command, **options, check=False).returncode
    if code:
        raise ResultsError(
            f"the report of profile {profile} was not finished (see above); mend what is wrong and run the same "
            "command again: it goes on from the last notebook that finished"
        )


def profile_overrides(values: Mapping, root: str | None, weights: str | None) -> dict[str, str]:
    """The parameters of a profile that another folder and other weights set, as the command line has them."""
    overrides = {"dataset_root": _existing(root, "ROOT")} if root else {}
    return overrides | (_networks(values, _weights(weights)) if weights else {})


def check_own_folder(project: Path, values: Mapping) -> None:
    """Open a folder of one's own before anything runs: what is wrong with it is said in a line, not in a notebook."""
    if values.get("dataset") != "folder":
        return
    root = project / values.get("dataset_root", "my_videos")
    if not root.exists():
        raise ParameterError(
            f"ROOT: profile {values['profile']} needs the folder of your videos, and {root} does not exist; say "
            f"make book PROFILE={values['profile']} ROOT=path/to/my_videos"
        )
    from vadlib.data import open_dataset

    open_dataset("folder", root, **{name: bool(values.get(name)) for name in ("allow_missing", "skip_unreadable")})


def _networks(values: Mapping, weights: str) -> dict[str, str]:
    """The profile's backbone with other weights, and its classifier where that is the same network."""
    architecture = values["backbone"].partition(":")[0]
    alike = (name for name in ("backbone", "classifier") if values.get(name, "").partition(":")[0] == architecture)
    return dict.fromkeys(alike, f"{architecture}:{weights}")


def _existing(path: str, name: str) -> str:
    absolute = user_path(path).absolute()
    if not absolute.exists():
        raise ParameterError(f"{name}: nothing is at {absolute}; give the folder of the data set")
    return str(absolute)


def _weights(weights: str) -> str:
    """A file's path made absolute; the name of published weights as it is."""
    names_file = os.sep in weights or Path(weights).suffix in (".safetensors", ".pth", ".pt")
    return _existing(weights, "WEIGHTS") if names_file else weights


def project_folder() -> Path:
    """The project that the working directory is in; ParameterError where it is in none."""
    project = project_root()
    if project is None:
        raise ParameterError(
            f"{Path.cwd()} is not inside the project: expected _toc.yml and pyproject.toml here or above; go to the "
            "clone's folder first"
        )
    return project


def snakemake_command(project: Path, settings: Path, cores: str, targets: Sequence[str] = ()) -> list[str]:
    """The command that has Snakemake make files of the project, with `settings`, a JSON file, as its `config`."""
    # Snakemake's own lock would survive a kill; ours does not, and is held around all of this.
    return [
        *(sys.executable, "-m", "vadlib.report.workflow", *targets),
        *("--snakefile", str(project / "Snakefile"), "--cores", cores, "--profile", "none"),
        *("--nolock", "--rerun-incomplete", "--quiet", "all", "--configfile", str(settings)),
    ]


def own_error(kind: str, text: str) -> str | None:
    """What an error that Snakemake reports says; None where a job has said it already, or the user knows."""
    if kind == "KeyboardInterrupt" or any(follows in text for follows in FOLLOWS):
        return None
    ended = EXIT_STATUS.search(text)
    if ended is not None and "CalledProcessError" in text:
        status, signal = ended.groups()
        if status == "1":  # with a message
            return None
        how = f"was stopped by {signal}" if signal else f"ended with status {status}"
        return f"a command of the Snakefile {how}, without a word. 137 and SIGKILL often mean too little memory."
    return f"Snakemake, which runs the notebooks, stopped: {' '.join(TRACE.sub('', text).split()) or kind}"


def main() -> None:
    """Run Snakemake with the arguments of this process."""
    from snakemake.cli import main as snakemake
    from snakemake.logging import LogEvent, logger

    told = []

    def collect(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.ERROR and getattr(record, "event", None) != LogEvent.JOB_ERROR:
            said = own_error(getattr(record, "exception", ""), record.getMessage())
            if said is not None and said not in told:
                told.append(said)
        return False

    logger.addFilter(collect)
    try:
        snakemake(sys.argv[1:])
    except SystemExit as ended:
        if ended.code:
            for said in told:
                print(f"error: {said}", file=sys.stderr)
        raise


if __name__ == "__main__":
    main()

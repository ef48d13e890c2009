"""Snakemake, told what to make, and its own errors in a sentence each.

`python -m vadlib.report.workflow ARGUMENTS` is `snakemake ARGUMENTS`, except that nothing is printed but what went
wrong with Snakemake itself: what its jobs run speaks for itself.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Sequence
from pathlib import Path

TRACE = re.compile(r'^Traceback .*$|^ *File ".*$(\n {4,}.*$)*', re.MULTILINE)  # says where, not what
FOLLOWS = ("At least one job did not complete", "Exiting because a job execution failed")  # from an error said before
EXIT_STATUS = re.compile(r"returned non-zero exit status (\d+)|died with <Signals\.(\w+)")


def snakemake_command(project: Path, settings: Path, cores: str, targets: Sequence[str] = ()) -> list[str]:
    """The command that has Snakemake make what is out of date.

    Parameters
    ----------
    project : Path
    settings : Path
        JSON file of the Snakefile's `config`.
    cores : str
    targets : sequence of str
        Files to make, relative to the project; none: the whole book.
    """
    # Snakemake's own lock would survive a kill; ours does not, and is held around all of this.
    return [
        *(sys.executable, "-m", "vadlib.report.workflow", *targets),
        *("--snakefile", str(project / "Snakefile"), "--cores", cores, "--profile", "none"),
        *("--nolock", "--rerun-incomplete", "--quiet", "all", "--configfile", str(settings)),
    ]


def own_error(kind: str, text: str) -> str | None:
    """What an error that Snakemake reports says, without where in its code it arose.

    Parameters
    ----------
    kind : str
        The exception's name.
    text : str
        As Snakemake writes it.

    Returns
    -------
    str or None
        None where a job has said it already, or the user knows.
    """
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

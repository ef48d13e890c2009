"""Recorded runs: results kept in the project, because not every reader has the data set or the machine.

`book/recorded/PROFILE-NOTEBOOK/` is a results folder like any other (see `experiment`), made small: `metrics.json`,
`scores.parquet`, figures as SVG, and `run.json` with one entry more, `recorded`: what the run depends on, and the
command that makes it. `vadlib record` writes it (see `recording`).
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from vadlib.errors import ResultsError
from vadlib.runs.code_state import changed_parts
from vadlib.runs.provenance import RECORDED_DIR
from vadlib.runs.results import Results, load_results
from vadlib.storage import project_path


@dataclass(frozen=True)
class Recorded(Results):
    """One recorded run.

    Attributes
    ----------
    path, metrics, run
        As `Results` has them.
    """

    @property
    def name(self) -> str:
        """Its folder's name: `PROFILE-NOTEBOOK`."""
        return self.path.name

    @property
    def profile(self) -> str:
        """The profile that it was run under."""
        return self.run["recorded"]["profile"]

    @property
    def notebook(self) -> str:
        """The notebook that was run, such as `02_padim`."""
        return self.run["recorded"]["notebook"]

    @property
    def title(self) -> str:
        """The notebook's title."""
        return self.run["recorded"]["title"]

    @property
    def command(self) -> str:
        """What to run to have it again, with placeholders for the folders and files of one's own machine."""
        return self.run["recorded"]["command"]

    @property
    def date(self) -> str:
        """The day of the run (UTC), as `2026-01-31`."""
        return f"{datetime.fromisoformat(self.run['started']):%Y-%m-%d}"

    @property
    def revision(self) -> str:
        """The git revision in short, with a word if files had been changed since."""
        git = self.run["git"]
        if not git or not git["revision"]:
            return "not under git"
        return git["revision"][:10] + (" and uncommitted changes" if git["dirty"] else "")

    @cached_property
    def changed(self) -> tuple[str, ...]:
        """The parts of the project that it depends on and that are no longer what they were; paths."""
        return tuple(changed_parts(self.run["recorded"]["depends_on"]))

    @property
    def is_stale(self) -> bool:
        """Whether code or parameters that its numbers depend on have changed since."""
        return bool(self.changed)

    @property
    def state(self) -> str:
        """`up to date`, or `stale` with what has changed since."""
        return f"stale: {', '.join(self.changed)} changed since" if self.is_stale else "up to date"

    @property
    def brief(self) -> str:
        """When, with what and on what it was recorded; whether it is stale is on the page of recorded runs."""
        return f"recorded on {self.date} with {self.revision}, {self.run['device']}"

    @property
    def origin(self) -> str:
        """`brief` as a sentence, with the command, and whether it is stale: plain text."""
        stale = f" Stale: {', '.join(self.changed)} changed since." if self.is_stale else ""
        return f"{self.brief[0].upper()}{self.brief[1:]}; run it yourself: {self.command}.{stale}"

    @property
    def line(self) -> str:
        """When, with what and on what it was recorded, how to run it, and whether it is stale: Markdown, one line."""
        line = f"{self.brief}; run it yourself: `{self.command}`"
        if not self.is_stale:
            return line
        changed = ", ".join(f"`{part}`" for part in self.changed)
        return f"{line}. **Stale**: {changed} changed since, so a run today may give other numbers"


def recorded_name(profile: str, notebook: str) -> str:
    """Name of the recorded run of a notebook under a profile."""
    return f"{profile}-{notebook}"


def list_recorded() -> list[str]:
    """Names of all recorded runs, sorted; none where there is no such folder."""
    folder = project_path(RECORDED_DIR)
    return sorted(path.parent.name for path in folder.glob("*/run.json") if not path.parent.name.startswith("."))


def load_recorded(name: str) -> Recorded:
    """Read one recorded run.

    Parameters
    ----------
    name : str
        `PROFILE-NOTEBOOK`, such as `ped2-02_padim`.

    Returns
    -------
    Recorded

    Raises
    ------
    ResultsError
        There is none of that name, it is incomplete, or was not written by `vadlib record`.
    """
    there = list_recorded()
    if name not in there:
        raise ResultsError(
            f"recorded: no run {name!r} in {RECORDED_DIR}; there are {', '.join(there) or 'none'}. "
            "`vadlib record PROFILE NOTEBOOK` writes one."
        )
    results = load_results(f"{RECORDED_DIR}/{name}")
    recorded = results.run.get("recorded")
    wanted = {"profile", "notebook", "title", "command", "depends_on"}
    lacking = wanted - set(recorded) if isinstance(recorded, dict) else wanted
    if lacking or name != recorded_name(recorded["profile"], recorded["notebook"]):
        raise ResultsError(
            f"{results.path / 'run.json'} was not written by `vadlib record`: "
            + (f"its entry `recorded` lacks {', '.join(sorted(lacking))}." if lacking else "it names another run.")
        )
    return Recorded(results.path, results.metrics, results.run)


def recorded_or_none(name: str) -> Recorded | None:
    """A recorded run, or None where there is none of that name."""
    return load_recorded(name) if name in list_recorded() else None

"""Recorded runs: results kept in the project, because not every reader has the data set or the machine.

`book/recorded/PROFILE-NOTEBOOK/` is a results folder like any other (see `experiment`), made small: `metrics.json`,
`scores.parquet`, figures as SVG, and `run.json` with one entry more, `recorded`: what the run depends on, and the
command that makes it. `vadlib record` writes it (see `recording`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from numbers import Real

import numpy as np
import pandas as pd

from vadlib.errors import ResultsError
from vadlib.evaluation import bootstrap_auroc, summarize
from vadlib.report.words.common import revision_name
from vadlib.runs.code_state import changed_parts
from vadlib.runs.provenance import RECORDED_DIR
from vadlib.runs.results import Results, load_results
from vadlib.storage import project_path

KEYS = ("clip", "frame", "label", "scene", "split")
TOLERANCE = 1e-9
HEAD = "micro_auroc_interval"
AUROC_TABLES = ("trials", "auroc", "micro_auroc", HEAD)  # of columns, each an interval, or a mapping that holds one


@dataclass(frozen=True)
class Recorded(Results):
    """One recorded run."""

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
        return revision_name(self.run["git"])

    @cached_property
    def changed(self) -> tuple[str, ...]:
        """The parts of the project that it depends on and that are no longer what they were; paths."""
        return tuple(changed_parts(self.run["recorded"]["depends_on"]))

    @property
    def is_stale(self) -> bool:
        """Whether code or parameters that its numbers depend on have changed since."""
        return bool(self.changed)

    @property
    def brief(self) -> str:
        """When, with what and on what it was recorded; whether it is stale is on the page of recorded runs."""
        return f"recorded on {self.date} with {self.revision}, {self.run['device']}"

    @property
    def origin(self) -> str:
        """`brief` as sentences, with where the command stands: typography may change this text, and a command not."""
        stale = f" Stale: {', '.join(self.changed)} changed since." if self.is_stale else ""
        return f"{self.brief[0].upper()}{self.brief[1:]}.{stale} The page of recorded runs has the command."

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


# ---- whether the figures of merit follow from the scores


@dataclass(frozen=True)
class Check:
    """One figure: where it stands, of which score, what is written there and what comes out again."""

    where: str
    score: str
    stated: float
    again: float

    @property
    def agrees(self) -> bool:
        """Whether the two are the same number."""
        return abs(self.stated - self.again) <= TOLERANCE

    def __str__(self) -> str:
        """For a message."""
        return f"{self.where} is {self.stated!r}, and {self.again!r} by the scores ({self.score})"


def check_metrics(metrics: Mapping, scores: pd.DataFrame, resampling: Mapping | None = None) -> list[Check]:
    """Compute again every figure of merit that `metrics` states of a column of `scores`.

    Understood is, wherever it stands, what is named like a column (`{"max": {"micro_auroc": 0.6}}`), figures of
    `summarize` with a value for each column (`{"micro_auroc": {"max": 0.6}}`), and figures at the top, of one and the
    same column; an interval counts by its estimate. With `resampling` (``n_resamples``, ``seed``), that of the
    bootstrap over clips, the bounds of every interval of a column's AUROC are checked, too.
    """
    columns = [name for name in scores.columns if name not in KEYS]
    again = cache(lambda column: _again(scores, column))
    checks = []
    for place, column, value in _entries(metrics, set(columns)):
        where = ".".join((*place, column))
        checks += [
            Check(f"{where}{ending}", column, stated, again(column)[figure])
            for ending, figure, stated in _figures(place, value)
            if figure in again(column)
        ]
        ending, interval = _interval(place, value)
        if resampling and interval:
            found = bootstrap_auroc(scores["label"], scores[column], clusters=scores["clip"], **resampling)
            bounds = {"low": found.low, "high": found.high}
            checks += [Check(f"{where}{ending}.{name}", column, interval[name], bounds[name]) for name in bounds]
    known = again(columns[0]) if columns else {}
    head = {figure: value for figure, value in _flat(metrics).items() if figure in known}
    tried = [[Check(figure, column, head[figure], again(column)[figure]) for figure in head] for column in columns]
    return checks + max(tried, key=lambda found: sum(check.agrees for check in found), default=[])


def check_recorded(recorded: Recorded) -> list[Check]:
    """Compute a recorded run's figures again from its scores; ResultsError where none of its metrics is understood.

    The bounds of intervals are checked while the run is not stale: another revision may have another interval.
    """
    if not (recorded.path / "scores.parquet").is_file():
        return []
    parameters, scores = recorded.run["parameters"], recorded.scores
    resampling = {name: parameters[name] for name in ("n_resamples", "seed") if name in parameters}
    checks = check_metrics(
        recorded.metrics, scores, resampling if len(resampling) == 2 and not recorded.is_stale else None
    )
    if all(check.where.split(".")[-1].startswith("n_") for check in checks):
        columns = [name for name in scores.columns if name not in KEYS]
        raise ResultsError(
            f"{recorded.name}: metrics.json states no figure of a score ({', '.join(columns)}) that can be computed "
            "again; name a mapping in it after each score, with figures as `summarize` names them."
        )
    return checks


def _again(scores: pd.DataFrame, column: str) -> dict[str, float]:
    figures = _flat(summarize(scores, column))
    return figures | {HEAD: figures["micro_auroc"]}


def _entries(metrics: Mapping, columns: set[str], place: tuple[str, ...] = ()) -> Iterator[tuple]:
    """Everything in the metrics that is named like a column: where that is, the column, and what stands there."""
    for name, value in metrics.items():
        if name in columns:
            yield place, name, value
        if isinstance(value, Mapping):
            yield from _entries(value, columns, (*place, name))


def _figures(place: tuple[str, ...], value) -> Iterator[tuple[str, str, float]]:
    """What an entry states: where in it, of which figure, and the number."""
    number = _number(value)
    if number is not None:
        container = place[-1] if place else ""
        yield "", "micro_auroc" if container in AUROC_TABLES else container, number
    elif isinstance(value, Mapping):
        for figure, stated in _flat(value).items():
            yield f".{figure}", figure, stated


def _interval(place: tuple[str, ...], value) -> tuple[str, Mapping | None]:
    """Where in an entry the interval of its AUROC is, and the interval; None where there is none."""
    if isinstance(value, Mapping) and isinstance(value.get(HEAD), Mapping):
        return f".{HEAD}", value[HEAD]
    is_auroc = place and place[-1] in AUROC_TABLES and isinstance(value, Mapping) and _number(value) is not None
    return "", value if is_auroc else None


def _flat(figures: Mapping) -> dict[str, float]:
    """Numbers by name; intervals by their estimate, `per_scene` scene by scene."""
    flat = {name: number for name, value in figures.items() if (number := _number(value)) is not None}
    scenes = figures.get("per_scene")
    if isinstance(scenes, Mapping):
        flat |= {f"per_scene.{scene}": number for scene, number in scenes.items()}
    return flat


def _number(value) -> float | None:
    """A number, or an interval's estimate; None for anything else."""
    if isinstance(value, Mapping) and {"estimate", "low", "high"} <= set(value):
        value = value["estimate"]
    is_number = isinstance(value, Real) and not isinstance(value, bool) and np.isfinite(value)
    return float(value) if is_number else None

"""Whether the figures of merit in `metrics.json` follow from the scores beside it.

What is understood, wherever it stands in the file: a mapping named like a score column (`{"max": {"micro_auroc":
0.6}}`), a figure named like one of `summarize` with a value for each column (`{"micro_auroc": {"max": 0.6}}`), and
figures at the top, which must be those of one and the same column. An interval counts by its estimate.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from numbers import Real

import numpy as np
import pandas as pd

from vadlib.errors import ResultsError
from vadlib.evaluation import bootstrap_auroc, summarize
from vadlib.report.records.recorded import Recorded

KEYS = ("clip", "frame", "label", "scene", "split")
TOLERANCE = 1e-9
HEAD = "micro_auroc_interval"
AUROC_TABLES = ("trials", "auroc", "micro_auroc", HEAD)  # of columns, each an interval, or a mapping that holds one


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

    With `resampling` (``n_resamples``, ``seed``), that of the bootstrap over clips, the bounds of every interval of a
    column's AUROC are checked, too.
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

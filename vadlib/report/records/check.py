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


def check_metrics(metrics: Mapping, scores: pd.DataFrame) -> list[Check]:
    """Compute again every figure of merit that `metrics` states of a column of `scores`.

    Parameters
    ----------
    metrics : mapping
        Of `metrics.json`.
    scores : DataFrame
        Of `scores.parquet`.

    Returns
    -------
    list of Check
        Empty where nothing in `metrics` is understood.
    """
    columns = [name for name in scores.columns if name not in KEYS]
    again = cache(lambda column: _again(scores, column))
    checks = [
        Check(where, column, stated, again(column)[figure])
        for where, column, figure, stated in _stated(metrics, set(columns))
        if figure in again(column)
    ]
    known = again(columns[0]) if columns else {}
    head = {figure: value for figure, value in _flat(metrics).items() if figure in known}
    if head:
        tried = {
            column: [Check(figure, column, value, again(column)[figure]) for figure, value in head.items()]
            for column in columns
        }
        checks += max(tried.values(), key=lambda found: sum(check.agrees for check in found))
    return checks


def check_interval(metrics: Mapping, scores: pd.DataFrame, *, n_resamples: int, seed: int) -> list[Check]:
    """Compute again the bounds of every interval of a column's AUROC.

    Parameters
    ----------
    metrics, scores
        As in `check_metrics`.
    n_resamples, seed : int
        Of the bootstrap over clips.

    Returns
    -------
    list of Check
    """
    checks = []
    for where, column, interval in _intervals(metrics, set(scores.columns) - set(KEYS)):
        again = bootstrap_auroc(
            scores["label"], scores[column], clusters=scores["clip"], n_resamples=n_resamples, seed=seed
        )
        checks += [
            Check(f"{where}.{bound}", column, interval[bound], getattr(again, bound)) for bound in ("low", "high")
        ]
    return checks


def check_recorded(recorded: Recorded) -> list[Check]:
    """Compute a recorded run's figures again from its scores.

    Parameters
    ----------
    recorded : Recorded

    Returns
    -------
    list of Check
        All that was computed again, whether it agrees or not. The bounds of intervals are among them while the
        run is not stale: another revision may have another interval.

    Raises
    ------
    ResultsError
        The run has scores of its own, and nothing in its metrics was understood.
    """
    if not (recorded.path / "scores.parquet").is_file():
        return []
    scores = recorded.scores
    checks = check_metrics(recorded.metrics, scores)
    of_merit = [check for check in checks if not check.where.split(".")[-1].startswith("n_")]
    if not of_merit:
        columns = [name for name in scores.columns if name not in KEYS]
        raise ResultsError(
            f"{recorded.name}: metrics.json states no figure of a score ({', '.join(columns)}) that can be computed "
            "again; name a mapping in it after each score, with figures as `summarize` names them."
        )
    parameters = recorded.run["parameters"]
    if not recorded.is_stale and {"n_resamples", "seed"} <= set(parameters):
        resampling = {"n_resamples": parameters["n_resamples"], "seed": parameters["seed"]}
        checks += check_interval(recorded.metrics, scores, **resampling)
    return checks


def _again(scores: pd.DataFrame, column: str) -> dict[str, float]:
    figures = _flat(summarize(scores, column))
    return figures | {HEAD: figures["micro_auroc"]}


def _flat(figures: Mapping) -> dict[str, float]:
    """Numbers by name; intervals by their estimate, `per_scene` scene by scene."""
    flat = {}
    for name, value in figures.items():
        number = _number(value)
        if number is not None:
            flat[name] = number
        elif name == "per_scene" and isinstance(value, Mapping):
            flat |= {f"per_scene.{scene}": number for scene, number in value.items()}
    return flat


def _stated(metrics: Mapping, columns: set[str], path: tuple[str, ...] = ()) -> Iterator[tuple[str, str, str, float]]:
    """Where, column, figure and value of what the metrics state of single columns."""
    for name, value in metrics.items():
        here, where = (*path, name), ".".join((*path, name))
        container = path[-1] if path else ""
        if name in columns:
            number = _number(value)
            if number is not None:
                figure = "micro_auroc" if container in AUROC_TABLES else container
                yield where, name, figure, number
            elif isinstance(value, Mapping):
                for figure, stated in _flat(value).items():
                    yield f"{where}.{figure}", name, figure, stated
        if isinstance(value, Mapping):
            yield from _stated(value, columns, here)


def _intervals(metrics: Mapping, columns: set[str], path: tuple[str, ...] = ()) -> Iterator[tuple[str, str, Mapping]]:
    for name, value in metrics.items():
        if not isinstance(value, Mapping):
            continue
        if name in columns and isinstance(value.get(HEAD), Mapping):
            yield ".".join((*path, name, HEAD)), name, value[HEAD]
        elif name in columns and path and path[-1] in AUROC_TABLES and _number(value) is not None:
            yield ".".join((*path, name)), name, value
        yield from _intervals(value, columns, (*path, name))


def _number(value) -> float | None:
    """A number, or an interval's estimate; None for anything else."""
    if isinstance(value, Mapping) and {"estimate", "low", "high"} <= set(value):
        value = value["estimate"]
    is_number = isinstance(value, Real) and not isinstance(value, bool) and np.isfinite(value)
    return float(value) if is_number else None

"""Results of one experiment as they lie on disk, and how scores and values are put there."""

import dataclasses
import json
import math
import numbers
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from vadlib.errors import ParameterError, ResultsError
from vadlib.storage import project_path

FORMAT = 1  # of the folder; grows when a reader of old folders would go wrong
KEY_COLUMNS = ("clip", "frame", "label")
EXTRA_COLUMNS = ("scene", "split")


@dataclass(frozen=True)
class Results:
    """One experiment's results, as read from its folder: its `metrics.json`, and `run.json`, how they came about."""

    path: Path
    metrics: dict
    run: dict

    @cached_property
    def scores(self) -> pd.DataFrame:
        """`scores.parquet`: clip, frame, label, scene, split, then one float32 column a score."""
        path = self.path / "scores.parquet"
        if not path.is_file():
            raise ResultsError(f"{self.path}: this experiment has no scores.parquet.")
        try:
            return pd.read_parquet(path)
        except Exception as error:
            raise ResultsError(f"{path} cannot be read ({error}). Run the experiment again.") from error

    def figure(self, name: str, ending: str = "svg") -> Path:
        """Where a figure lies, as ``svg`` or ``png``; ResultsError where there is none."""
        path = self.path / "figures" / f"{name}.{ending}"
        if not path.is_file():
            raise ResultsError(f"{self.path}: no figure {name}.{ending}; there are {sorted(self.run['figures'])}.")
        return path


def load_results(results_dir: str | os.PathLike) -> Results:
    """Read what an `Experiment` saved; a relative path is one of the project's root.

    Raises
    ------
    ResultsError
        The folder is missing, incomplete, or not results; the message says what to run.
    """
    path = project_path(results_dir)
    if not path.is_dir():
        raise ResultsError(f"No results at {path}. Run the notebook that writes them, {path.name}, first.")
    run, metrics = read_json(path / "run.json"), read_json(path / "metrics.json")
    if run.get("format") != FORMAT:
        raise ResultsError(
            f"{path / 'run.json'} has format {run.get('format')!r}; this vadlib reads {FORMAT}. Run it again."
        )
    absent = [name for name in run.get("files", []) if not (path / name).is_file()]
    if absent:
        raise ResultsError(f"{path} is incomplete: {', '.join(absent)} missing. Run {path.name} again.")
    return Results(path, metrics, run)


def join_scores(results: Iterable[Results]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """One table of the scores of detectors' results, of the frames that all of them scored; and the detectors' titles.

    It has ``clip``, ``frame``, ``label``, ``scene`` and, by its title, for each of ``detectors`` in a chapter's metrics
    the column that it is judged by. ResultsError where there are no results, or no frame that all of them scored.
    """
    results, titles = list(results), []
    if not results:
        raise ResultsError("There are no results of detectors to put together; run a detector's chapter first.")
    scores = results[0].scores[["clip", "frame", "label", "scene"]]
    for found in results:
        for title, column in found.metrics["detectors"].items():
            own = found.scores[["clip", "frame", column]].rename(columns={column: title})
            scores = scores.merge(own, on=["clip", "frame"], how="inner", validate="one_to_one")
            titles.append(title)
    if scores.empty:
        raise ResultsError(
            f"{results[0].path.parent}: the detectors' experiments have no test frame in common; run them with the "
            "same data set, seed and numbers of test frames"
        )
    return scores, tuple(titles)


def scores_table(
    table: pd.DataFrame, columns: Mapping[str, np.ndarray], skipped: Iterable[int]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The frames that were scored, with float32 score columns, and those that were skipped; see `Experiment.scores`."""
    missing = [name for name in KEY_COLUMNS if name not in table.columns]
    if missing:
        raise ParameterError(f"scores: the table has no column {missing}; it has {list(table.columns)}.")
    if not columns:
        raise ParameterError("scores: no score column given; pass at least one, such as {'max': scores}.")
    kept = [*KEY_COLUMNS, *(name for name in EXTRA_COLUMNS if name in table.columns)]
    keep = np.ones(len(table), dtype=bool)
    keep[_positions(skipped, len(table))] = False
    scored = table.loc[keep, kept].reset_index(drop=True)
    for name, values in columns.items():
        scored[name] = _score_column(name, values, table, keep, kept)
    return scored, table.loc[~keep]


def _positions(skipped: Iterable[int], n_rows: int) -> np.ndarray:
    positions = np.asarray(list(skipped), dtype=np.int64)
    if len(positions) and not ((positions >= 0) & (positions < n_rows)).all():
        raise ParameterError(
            f"skipped must hold positions in the table of {n_rows} rows; got {positions.tolist()[:5]}."
        )
    return positions


def _score_column(name, values, table, keep, taken) -> np.ndarray:
    values = np.asarray(values)
    if not isinstance(name, str) or name in taken:
        raise ParameterError(f"scores: {name!r} cannot name a score; the table itself has {taken}.")
    if values.shape != (len(table),):
        raise ParameterError(f"scores: {name} must have one value a row, ({len(table)},); got {values.shape}.")
    with np.errstate(over="ignore"):  # what float32 cannot hold is not finite, and said below
        narrow = values.astype(np.float32)
    wrong = np.flatnonzero(keep & ~np.isfinite(narrow))
    if len(wrong):
        row = table.iloc[wrong[0]]
        raise ParameterError(
            f"scores: {name} is not finite for {len(wrong)} frames, first clip {row['clip']} frame {row['frame']} "
            f"({values[wrong[0]]}). Frames that could not be read belong in skipped=reader.skipped."
        )
    return narrow[keep]


def plain(value, where: str):
    """`value`, called `where` in messages, in JSON's own types: paths are text, Intervals and DataFrames mappings.

    ParameterError where a number is not finite, a key is not text, or a type has no place in JSON.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if hasattr(value, "itertuples"):  # a DataFrame: its rows by their index, NaN where there is no number
        value = value.astype(object).where(value.notna(), None).to_dict("index")
    if isinstance(value, Mapping):
        wrong = [key for key in value if not isinstance(key, str)]
        if wrong:
            raise ParameterError(f"{where}: keys must be text; got {wrong[0]!r}.")
        return {key: plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if value is None or isinstance(value, str | bool | np.bool_):
        return bool(value) if isinstance(value, np.bool_) else value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        if not math.isfinite(value):
            raise ParameterError(f"{where} is {value}: only finite numbers are recorded; use None where there is none.")
        return float(value)
    raise ParameterError(
        f"{where} is a {type(value).__name__}, which has no place in JSON; give numbers, text or lists."
    )


def write_json(path: Path, value: dict) -> None:
    """Write `value`, already plain, as readable JSON."""
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict:
    """Read an object from a file of a results folder; ResultsError where it is missing, unreadable or no object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ResultsError(
            f"{path.parent} is incomplete: {path.name} is missing. Run {path.parent.name} again."
        ) from None
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path} cannot be read ({error}). Run {path.parent.name} again.") from error
    if not isinstance(value, dict):
        raise ResultsError(f"{path} does not hold an object. Run {path.parent.name} again.")
    return value

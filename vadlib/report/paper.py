"""The paper's numbers beside ours.

`book/paper_values.yml` holds every number the paper states, where it stands, what in our results compares with it, and
the tolerance, fixed before anything was measured. The verdict follows from that alone.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd
import yaml

from vadlib.detectors import catalogue
from vadlib.errors import ParameterError, ResultsError
from vadlib.evaluation import Interval
from vadlib.runs.results import Results
from vadlib.storage import project_path

PAPER_DATASET = "shanghaitech"
SYNTHETIC_DATASET = "synthcampus"
PAPER_NETWORKS = {"02_padim": "resnet18", "03_gradcam_ssim": "resnet18", "04_clip_prototypes": "clip_vision"}
NOT_MEASURED = "not measured in this build"
KINDS = ("result", "data", "setting", "statement")


@dataclass(frozen=True)
class PaperValue:
    """One thing the paper states.

    Attributes
    ----------
    id : str
    claim : str
        What it is about.
    value : int, float or str
        As stated.
    where : str
        Section, table, figure.
    kind : {"result", "data", "setting", "statement"}
        Measured by the paper; a count of its data set; a choice of its method; or words, which get no verdict.
    tolerance : float or None
        The largest difference that counts as reproduced; None for words.
    ours : str or None
        `EXPERIMENT:PATH` into that experiment's `metrics.json`, or `EXPERIMENT:run.PATH` into its `run.json`.
    unit : str
        Follows numbers, ours and the paper's.
    deviation : str
        What we do otherwise and why, or what is doubtful in the statement.
    evidence : list of mapping
        What recorded runs say of it, the nearest to the paper's own run first: `what` in words, `record`, and `path`
        into its `metrics.json`, to an interval or a number.
    """

    id: str
    claim: str
    value: int | float | str
    where: str
    kind: str
    tolerance: float | None = None
    ours: str | None = None
    unit: str = ""
    deviation: str = ""
    evidence: list[dict[str, str]] = field(default_factory=list)


def load_paper_values(path: str | os.PathLike = "book/paper_values.yml") -> dict[str, PaperValue]:
    """Read and check the paper's values, by id, in the file's order, which is relative to the project's root.

    ParameterError where the file is missing or an entry is wrong; the message names the entry.
    """
    path = project_path(path)
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParameterError(f"No file of the paper's values at {path}.") from None
    except yaml.YAMLError as error:
        raise ParameterError(f"{path} is not YAML: {error}") from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ParameterError(f"{path} must be a list of entries, each a mapping.")
    values: dict[str, PaperValue] = {}
    for entry in entries:
        name = entry.get("id", f"number {len(values) + 1}")
        try:
            value = PaperValue(**entry)
        except TypeError as error:
            raise ParameterError(
                f"{path.name}, entry {name}: {str(error).partition('__init__() ')[2] or error}."
            ) from None
        if name in values:
            raise ParameterError(f"{path.name}: two entries have the id {name}.")
        problem = _problem(value)
        if problem:
            raise ParameterError(f"{path.name}, entry {name}: {problem}")
        values[name] = value
    return values


def stated_aurocs() -> dict[str, float]:
    """The AUROCs that the paper reports, by detector."""
    values = load_paper_values()
    named = {entry.title: entry.cls.paper for entry in catalogue.entries(variants=False) if entry.cls.paper}
    return {title: values[f"{prefix}_auroc"].value for title, prefix in named.items()}


def compare_with_paper(values: Mapping[str, PaperValue], results: Mapping[str, Results]) -> pd.DataFrame:
    """The table of the paper's statements against what was measured.

    Parameters
    ----------
    values : mapping
        From `load_paper_values`.
    results : mapping of str to Results
        Experiment name to what `load_results` gave; those not run yet are simply not in it.

    Returns
    -------
    DataFrame
        Index `id`; columns `claim`, `kind`, `paper`, `where`, `ours` (with its interval where the results hold one),
        `measured on` (data set, clips, seed), `verdict`, `deviations`. All text.

    Raises
    ------
    ResultsError
        An experiment was run but its results lack the value that the file points to.
    """
    columns = ["id", "claim", "kind", "paper", "where", "ours", "measured on", "verdict", "deviations"]
    other = _other_settings(values, results)
    rows = [[value.id, *_row(value, results, other)] for value in values.values()]
    return pd.DataFrame(rows, columns=columns).set_index("id")


def evidence_table(values: Mapping[str, PaperValue], records: Mapping[str, Results]) -> pd.DataFrame:
    """What recorded runs say of each of the paper's results.

    Parameters
    ----------
    values : mapping
        From `load_paper_values`.
    records : mapping of str to Results
        Recorded runs by name; a row whose run is not recorded is left out.

    Returns
    -------
    DataFrame
        A row for each piece of evidence: `claim`, `paper`, `evidence`, `ours` with its interval, `recorded run`.

    Raises
    ------
    ResultsError
        A record lacks the value that the file points to.
    """
    rows = []
    for value in values.values():
        for entry in value.evidence:
            if entry["record"] in records:
                ours, bounds = _look_up(records[entry["record"]], entry["path"], value)
                text = _with_interval(ours, bounds)
                rows.append([value.claim, _number(value.value), entry["what"], text, entry["record"]])
    return pd.DataFrame(rows, columns=["claim", "paper", "evidence", "ours", "recorded run"])


def _other_settings(values: Mapping[str, PaperValue], results: Mapping[str, Results]) -> dict[str, str]:
    """By experiment, why its results say nothing of the paper's even on the paper's data: weights, or settings."""
    other = {}
    for name, found in results.items():
        settings = [v for v in values.values() if v.kind == "setting" and (v.ours or "").startswith(f"{name}:")]
        differing = [v.claim for v in settings if _look_up(found, v.ours.partition(":")[2], v)[0] != v.value]
        weights = found.run.get("weights", {})
        if not weights.get("trained", True):
            other[name] = "random weights: not comparable"
        elif weights.get("source") == "bundled" or weights.get("architecture") not in (None, PAPER_NETWORKS.get(name)):
            other[name] = "another network: not comparable"
        elif differing:
            other[name] = f"another setting ({differing[0]}): not comparable"
    return other


def _row(value: PaperValue, results: Mapping[str, Results], other: Mapping[str, str]) -> list[str]:
    experiment, _, path = (value.ours or "").partition(":")
    if value.ours is None:
        ours, place, verdict = "", "", f"no verdict: {'words' if value.kind == 'statement' else 'not measured'}"
    elif experiment not in results:
        ours, place, verdict = NOT_MEASURED, "", NOT_MEASURED
    else:
        found = results[experiment]
        measured, bounds = _look_up(found, path, value)
        ours, place = _with_interval(measured, bounds, value.unit), _measured_on(found)
        verdict = _verdict(value, measured, _dataset(found))
        if value.kind == "result" and "not comparable" not in verdict:
            verdict = other.get(experiment, verdict)
    stated = _number(value.value, value.unit)
    return [value.claim, value.kind, stated, value.where, ours, place, verdict, value.deviation]


def _verdict(value: PaperValue, ours, dataset: str) -> str:
    """By kind, data set and tolerance, nothing else."""
    if value.kind == "statement":
        return "no verdict: words"
    if value.kind != "setting" and dataset == SYNTHETIC_DATASET:
        return "synthetic data: not comparable"
    if value.kind != "setting" and dataset != PAPER_DATASET:
        return "another data set: not comparable"
    if isinstance(ours, str) or isinstance(value.value, str):
        return "as in the paper" if ours == value.value else "differs from the paper"
    difference = ours - value.value
    within = abs(difference) <= value.tolerance + 1e-12  # 0.623 - 0.603 is a hair over 0.02 in floating point
    if value.kind == "setting":
        return "as in the paper" if within else f"differs from the paper by {_signed(difference)}"
    if value.tolerance == 0:
        return "equal" if within else f"not equal: {_signed(difference)}"
    return f"{'reproduced' if within else 'not reproduced'}: {_signed(difference)}, tolerance {value.tolerance:g}"


def _look_up(results: Results, path: str, value: PaperValue):
    """What `path` points to, a number or text, and its interval's bounds or None."""
    in_run = path.startswith("run.")
    keys = path.removeprefix("run.").split(".")
    place = results.run if in_run else results.metrics
    try:
        for key in keys[:-1]:
            place = place[key]
        found = place[keys[-1]]
    except (KeyError, TypeError):
        raise ResultsError(
            f"{results.path / ('run.json' if in_run else 'metrics.json')} has no {path!r}, to which the entry "
            f"{value.id!r} of paper_values.yml points; mend the entry or the notebook."
        ) from None
    interval = found if isinstance(found, dict) else place.get(f"{keys[-1]}_interval")
    if isinstance(found, dict):
        found = found.get("estimate")
    if found is None:
        raise ResultsError(f"{results.path}: {path!r} is no number or text, which the entry {value.id!r} needs.")
    return found, (interval["low"], interval["high"]) if interval else None


def _dataset(results: Results) -> str:
    recorded = results.run.get("dataset")
    if isinstance(recorded, dict):
        recorded = recorded.get("name")
    return str(recorded or results.run["parameters"].get("dataset", "unknown data set"))


def _measured_on(results: Results) -> str:
    parts = [_dataset(results)]
    if "n_clips" in results.metrics:
        parts.append(f"{results.metrics['n_clips']} clips")
    for name in ("seeds", "seed"):
        if name in results.run["parameters"]:
            given = results.run["parameters"][name]
            parts.append(f"seeds {', '.join(map(str, given))}" if isinstance(given, list) else f"seed {given}")
            break
    return ", ".join(parts)


def _problem(value: PaperValue) -> str | None:
    if value.kind not in KINDS:
        return f"kind must be one of {', '.join(KINDS)}; got {value.kind!r}."
    needs = value.kind != "statement" and not isinstance(value.value, str)
    if needs and not isinstance(value.tolerance, int | float):
        return "a number that gets a verdict needs a tolerance (0 for equal)."
    if value.ours is not None and not all(value.ours.partition(":")):
        return f"ours must read EXPERIMENT:PATH; got {value.ours!r}."
    if any(set(entry) != {"what", "record", "path"} for entry in value.evidence):
        return f"evidence must have what, record and path each; got {value.evidence}."
    return None


def _with_interval(value, bounds: tuple[float, float] | None, unit: str = "") -> str:
    return f"{Interval(value, *bounds)}" if bounds else _number(value, unit)


def _number(value, unit: str = "") -> str:
    """Thousands with commas, three decimals for fractions."""
    if isinstance(value, float):
        text = f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"
    else:
        text = f"{value:,}" if isinstance(value, int) else str(value)
    return f"{text} {unit}".strip() if not isinstance(value, str) else text


def _signed(value) -> str:
    return f"{value:+,}" if isinstance(value, int) else f"{value:+.3f}"

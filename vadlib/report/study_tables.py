"""Tables that show what a study found, as text, or as rows of a figure; and what runs took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import pandas as pd

from vadlib.data import Split
from vadlib.detectors import catalogue
from vadlib.evaluation import Interval
from vadlib.report.words.common import interval_of, revision_name
from vadlib.report.words.protocols import standing_sentence
from vadlib.report.words.studies import setting_in_words
from vadlib.studies.ablation import LUCK, Setting

if TYPE_CHECKING:
    from vadlib.report.scored import ScoredFrames
    from vadlib.studies.runner import DetectorRunner, DetectorSpec

PROCESSING = {
    "micro": "all frames pooled",
    "normalised": "each clip to [0, 1]",
    "smoothed": "smoothed, best width",
    "sigma": "that width, rows",
    "both": "both",
    "macro": "mean of clips",
    "padded": "mean of padded clips",
    "balanced": "balanced draw",
}


# ---- protocols


def blind_table(
    scored: ScoredFrames, titles: Mapping[str, str], on_all_frames: Mapping[str, float], stated: Mapping[str, float]
) -> pd.DataFrame:
    """A row for each score that looks at no picture, beside the values that the paper states (by detector)."""
    rows = {}
    for name, interval in scored.intervals.items():
        macro = scored.summaries[name]["macro_auroc"]
        rows[titles[name]] = {
            "AUROC, 95 % interval": f"{interval:.3f}",
            "the same on every test frame": f"{on_all_frames[name]:.3f}" if name in on_all_frames else "",
            "mean of the clips' own AUROCs": "no clip has both classes" if macro is None else f"{macro:.3f}",
        } | {f"its interval, to the paper's {v:.3f}": standing_sentence(interval, v) for v in stated.values()}
    return pd.DataFrame.from_dict(rows, orient="index")


def leakage_table(leakage: Mapping[str, Mapping], splits: Mapping[str, Split]) -> pd.DataFrame:
    """`leakage_report` of each protocol, a column each."""
    columns = {}
    for protocol, found in leakage.items():
        median, shares = found["median_distance_frames"], found.get("near_duplicates")
        columns[protocol] = {
            "folds": found["n_folds"],
            "fit frames, each fold": f"{len(splits[protocol].folds[0].fit):,}",
            "test frames": f"{found['n_test_frames']:,}",
            "clips both fitted and tested": f"{found['n_shared_clips']} of {found['n_test_clips']}",
            "test frames in them": f"{found['share_in_shared_clips']:.0%}",
            "frames to the nearest fit frame, median": "none in the clip" if median is None else f"{median:g}",
            "test frames within 1 s of a fit frame": f"{found['share_within_1_s']:.0%}",
            "test frames fitted on": f"{found['share_reused']:.0%}",
            "test frames whose scene is fitted on": f"{found['share_in_shared_scenes']:.0%}",
        } | ({"near duplicates": f"{shares['share']:.0%}"} if shares else {})
    return pd.DataFrame(columns)


def gains_table(against: Mapping[str, Mapping[str, Interval]]) -> pd.DataFrame:
    """Differences by protocol (a column) and detector."""
    rows = {where: {name: f"{gain:+.3f}" for name, gain in group.items()} for where, group in against.items()}
    return pd.DataFrame(rows).fillna("needs labels")


def answers_table(answers: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """A row for each question and each source of an answer to it."""
    rows = [(question, source, text) for question, group in answers.items() for source, text in group.items()]
    return pd.DataFrame(rows, columns=["question", "on", "answer"]).style.hide(axis="index")


# ---- certainty and operation


def coverage_table(simulated: pd.DataFrame) -> pd.DataFrame:
    """How often each method's interval holds the truth: a row a method, a column a design (of `coverage_study`)."""
    designs = simulated["quantity"] + ", " + simulated["n_units"].astype(str) + " " + simulated["unit"]
    return (
        simulated.assign(design=designs)
        .pivot_table(index="method", columns=["design", "auroc"], values="coverage", sort=False)
        .rename_axis(columns=["what, from how many", "true AUROC"])
        .map("{:.1%}".format, na_action="ignore")
        .fillna("")
    )


def units_table(units: Mapping[str, Mapping], seeds: Mapping[str, Mapping]) -> pd.DataFrame:
    """One AUROC's intervals by what is taken to be chance: frames, clips, scenes (`auroc_by_unit`), seeds."""
    rows = {}
    for name, found in units.items():
        spread = seeds.get(name)
        moved = f"{spread['low']:.3f} to {spread['high']:.3f} ({len(spread['estimates'])} seeds)" if spread else ""
        rows[name] = {
            "frames (DeLong)": f"{found['frames']:.3f}",
            "clips": f"{found['clips']:.3f}" if found["clips"] else "too few",
            "scenes": f"{found['scenes']:.3f}" if found["scenes"] else "too few scenes",
            "seeds, lowest to highest": moved or "no draw, or not varied",
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def processing_table(processing: Mapping[str, Mapping]) -> pd.DataFrame:
    """`auroc_after_postprocessing` of each detector."""
    table = pd.DataFrame(processing).T.rename(columns=PROCESSING)
    return table.map(lambda value: "none" if pd.isna(value) else f"{value:.3f}")


def operation_table(costs: Mapping[str, Mapping], prevalence: float) -> pd.DataFrame:
    """`operating_costs` of each detector."""
    return pd.DataFrame(
        {
            name: {
                f"average precision, {found['share']:.0%} anomalous": f"{found['here']:.3f}",
                f"average precision, {prevalence:.0%} anomalous": f"{found['rare']:.3f}",
                "minutes of false alarm per hour of normal video": f"{found['false_alarm_minutes_per_hour']:.0f}",
                "false alarms in that hour": f"{found['false_alarms_per_hour']:.0f}",
            }
            for name, found in costs.items()
        }
    ).T


# ---- limits, choices, networks


def visibility_rows(by_visibility: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """For `vadlib.figures.interval_rows`: a row for each detector and group of `auroc_by_visibility`."""
    return pd.concat(
        [
            found.set_index(f"{name}: " + found.index).assign(
                colour=catalogue.entry(name).colour,
                note=[f"{row.n_frames} frames, {row.n_clips} clips" for row in found.itertuples()],
            )
            for name, found in by_visibility.items()
        ]
    )


def merit_rows(merit: pd.DataFrame, tried: Mapping[str, Setting | DetectorSpec]) -> pd.DataFrame:
    """For `vadlib.figures.interval_rows`: a row for each trial of `compare_trials`, in its detector's colour."""
    return merit.assign(
        colour=[catalogue.entry(tried[name].detector).colour for name in merit.index],
        note=[f"{value:.3f}" for value in merit["estimate"]],
    )


def effect_table(merit: pd.DataFrame, settings: Mapping[str, Setting]) -> pd.DataFrame:
    """For `vadlib.figures.effect_rows`: each setting's gain over the default, grouped by detector and choice."""
    rows = [
        {
            **{"group": setting.detector, "choice": setting.choice, "label": setting.value},
            **{"estimate": row.gain.estimate, "low": row.gain.low, "high": row.gain.high},
            **{"colour": catalogue.entry(setting.detector).colour, "note": f"{row.estimate:.3f}"},
        }
        for name, setting in settings.items()
        if (row := merit.loc[name]).gain is not None
    ]
    return pd.DataFrame(rows)


def span_table(ranked: pd.DataFrame, settings: Mapping[str, Setting], merit: pd.DataFrame) -> pd.DataFrame:
    """For `vadlib.figures.span_rows`: the AUROCs of each choice's settings, in the order of `rank_choices`."""
    rows = {}
    for row in ranked.itertuples():
        names = [n for n, s in settings.items() if s.detector == row.detector and s.choice in ("", row.choice)]
        rows[f"{row.detector}: {row.choice}"] = {
            **{"values": merit.loc[names, "estimate"].to_numpy(), "base": row.base},
            **{"colour": catalogue.entry(row.detector).colour, "note": f"{row.span.estimate:.3f}"},
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def table_of_choices(
    choices: Iterable[Mapping], settings: Mapping[str, Setting] | None = None, *, n: int | None = None
) -> pd.DataFrame:
    """A row a choice: its lowest and its highest AUROC, and their difference.

    Parameters
    ----------
    choices : iterable of mapping
        Rows of `rank_choices`, or ``choices`` of the metrics of ``25_choices``.
    settings : mapping of str to Setting, optional
        By which both ends are named.
    n : int, optional
        How many choices at most, without the seed's luck, which is none; by default all, with it.
    """

    def end(row: Mapping, value: str, setting: str) -> str:
        name = f", {setting_in_words(settings, row[setting], row['choice'])}" if settings else ""
        return f"{row[value]:.3f}{name}"

    rows = {}
    for row in choices:
        if n is None or row["choice"] != LUCK:
            corrected = interval_of(row["corrected"])
            rows[f"{row['detector']}: {row['choice']}"] = {
                "lowest AUROC": end(row, "lowest", "worst"),
                "highest AUROC": end(row, "highest", "best"),
                "difference [95 %]": f"{interval_of(row['span']):+.3f}",
                "corrected": f"[{corrected.low:+.3f}, {corrected.high:+.3f}]",
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("choice").iloc[:n]


def networks_table(runner: DetectorRunner) -> pd.DataFrame:
    """The weights of every network that a runner used, with the digest of their file."""
    rows = {
        name: {
            "weights": network.record.name,
            "SHA-256 of the file": network.record.sha256 or "no file: drawn from the seed",
            "million parameters": f"{network.n_parameters / 1e6:.1f}",
        }
        for name, network in runner.networks.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


# ---- runs


def runs_table(runs: Mapping[str, Mapping]) -> pd.DataFrame:
    """When each chapter ran (its `run.json`), how long, with how much memory, what it left out, from which revision."""
    rows = {
        name: {
            "started (UTC)": run["started"].replace("T", " ").removesuffix("+00:00"),
            "seconds": f"{run['seconds']:.1f}",
            "peak memory, GB": f"{run['peak_host_bytes'] / 1e9:.2f}",
            "frames left out as unreadable": run["skipped"]["count"] if run["skipped"] else 0,
            "clips that do not open, left out": len(run.get("dataset", {}).get("left_out", [])),
            "revision": revision_name(run["git"]),
        }
        for name, run in runs.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def stages_table(runs: Mapping[str, Mapping]) -> pd.DataFrame:
    """Seconds of each stage that a chapter timed."""
    rows = [
        {"chapter": name, "stage": stage, "seconds": f"{found['seconds']:.1f}"}
        for name, run in runs.items()
        for stage, found in run["stages"].items()
    ]
    return pd.DataFrame(rows, columns=["chapter", "stage", "seconds"]).set_index(["chapter", "stage"])


def weights_table(runs: Mapping[str, Mapping]) -> pd.DataFrame:
    """The first network of each chapter that computed with one: its weights, their digest, its arithmetic."""
    rows = {
        name: {
            "network": run["weights"]["architecture"],
            "weights": run["weights"]["name"],
            "SHA-256 of the weights file": run["weights"]["sha256"] or "no file: drawn from the seed",
            "arithmetic": run["precision"],
        }
        for name, run in runs.items()
        if run.get("weights") and run.get("precision")
    }
    return pd.DataFrame.from_dict(rows, orient="index")

"""What ablations show, in words and in tables for figures: nothing is computed here but what is read off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from vadlib.detectors import catalogue
from vadlib.evaluation import Interval
from vadlib.report.records.recorded import Recorded
from vadlib.report.words.common import network_name
from vadlib.runs.results import plain
from vadlib.studies.ablation import LUCK, Setting, default_text
from vadlib.studies.runner import DetectorRunner

DEVIATIONS = {  # what the page on deviations says of a choice: its name there, the detector, the choice
    "reduction_effect": ("PaDiM", "reduction"),
    "dimensions_effect": ("PaDiM", "dimensions"),
    "fit_frames_effect": ("PaDiM", "frames fitted"),
    "target_effect": ("Grad-CAM + SSIM", "class explained"),
    "weights_effect": ("Prototypes", "ensemble's weights"),
}


def setting_in_words(settings: Mapping[str, Setting], name: str, choice: str) -> str:
    """A setting of a choice by its value; the default by the value it has, and the word."""
    setting = settings[name]
    return setting.value if setting.choice else f"{default_text(setting, choice)} (default)"


def table_of_choices(ranked: pd.DataFrame, settings: Mapping[str, Setting]) -> pd.DataFrame:
    """`rank_choices` as text, a row a choice."""
    rows = [
        {
            "choice": f"{row.detector}: {row.choice}",
            "lowest AUROC": f"{row.lowest:.3f}, {setting_in_words(settings, row.worst, row.choice)}",
            "highest AUROC": f"{row.highest:.3f}, {setting_in_words(settings, row.best, row.choice)}",
            "difference [95 %]": f"{row.span:+.3f}",
            "corrected": f"[{row.corrected.low:+.3f}, {row.corrected.high:+.3f}]",
        }
        for row in ranked.itertuples()
    ]
    return pd.DataFrame(rows).set_index("choice")


def most_important(ranked: pd.DataFrame, settings: Mapping[str, Setting]) -> str:
    """Which choice moves the AUROC most, in words that follow from the intervals.

    Parameters
    ----------
    ranked : DataFrame
        From `rank_choices`. The seed's luck is no choice and is passed over.
    settings : mapping of str to Setting
    """
    row = next(row for row in ranked.itertuples() if row.choice != LUCK)
    best, worst = (setting_in_words(settings, name, row.choice) for name in (row.best, row.worst))
    words = (
        f"The choice that moves the AUROC most is “{row.choice}” ({row.detector}): from {row.lowest:.3f} with {worst} "
        f"to {row.highest:.3f} with {best}, a difference of {row.span:+.3f}"
    )
    if leaves_out_zero(row.corrected):
        return f"{words}, which leaves out zero, even after a correction for having looked for the largest one."
    if leaves_out_zero(row.span):
        return (
            f"{words}, which leaves out zero taken alone; corrected for having looked for the largest one, it does not "
            f"([{row.corrected.low:+.3f}, {row.corrected.high:+.3f}])."
        )
    return f"{words}, an interval that holds zero: these clips cannot tell even that apart."


def effect_of_choice(ranked: pd.DataFrame, detector: str, choice: str) -> str:
    """Difference between the best and the worst setting of one choice, as text; "not varied" where it was not."""
    rows = ranked[(ranked["detector"] == detector) & (ranked["choice"] == choice)]
    return f"{rows['span'].iloc[0]:+.3f}" if len(rows) else "not varied in this build"


def recorded_choices(choices: Sequence[Mapping] | pd.DataFrame, n: int = 5) -> pd.DataFrame:
    """The choices of a recorded run that move the AUROC most, as text, a row each.

    Parameters
    ----------
    choices : sequence of mapping, or DataFrame
        ``choices`` of the metrics of ``25_choices``, or what `rank_choices` gave.
    n : int
        How many rows at most; the seed's luck is no choice and is passed over.
    """
    if isinstance(choices, pd.DataFrame):
        choices = plain(choices.to_dict("records"), "choices")
    rows = [
        {
            "detector": entry["detector"],
            "choice": entry["choice"],
            "lowest AUROC": f"{entry['lowest']:.3f}",
            "highest AUROC": f"{entry['highest']:.3f}",
            "difference [95 %]": f"{Interval(**entry['span']):+.3f}",
            "corrected": "[{low:+.3f}, {high:+.3f}]".format(**entry["corrected"]),
        }
        for entry in choices
        if entry["choice"] != LUCK
    ]
    return pd.DataFrame(rows[:n]).set_index(["detector", "choice"])


def beyond_chance(merit: pd.DataFrame, settings: Mapping[str, Setting]) -> str:
    """How many settings differ from their default by more than their own interval, in words."""
    gains = [row.gain for row in merit.itertuples() if row.gain is not None and settings[row.Index].choice != LUCK]
    better, worse = sum(gain.low > 0 for gain in gains), sum(gain.high < 0 for gain in gains)
    return (
        f"Of {len(gains)} settings other than the defaults, {better} raise the AUROC and {worse} lower it by an amount "
        f"whose own 95 % interval leaves out zero; by chance alone about {0.05 * len(gains):.0f} would"
    )


def effect_table(merit: pd.DataFrame, settings: Mapping[str, Setting]) -> pd.DataFrame:
    """Gains over the default for `vadlib.figures.effect_rows`, a row a setting, grouped by detector and choice.

    Parameters
    ----------
    merit : DataFrame
        From `vadlib.studies.runner.compare_trials`.
    settings : mapping of str to Setting
    """
    rows = []
    for name, setting in settings.items():
        gain = merit.loc[name, "gain"]
        if gain is not None:
            rows.append({
                "group": setting.detector, "choice": setting.choice, "label": setting.value,
                "estimate": gain.estimate, "low": gain.low, "high": gain.high,
                "colour": catalogue.entry(setting.detector).colour, "note": f"{merit.loc[name, 'estimate']:.3f}",
            })  # fmt: skip
    return pd.DataFrame(rows)


def span_table(ranked: pd.DataFrame, settings: Mapping[str, Setting], merit: pd.DataFrame) -> pd.DataFrame:
    """`rank_choices` for `vadlib.figures.span_rows`; parameters as `effect_table`."""
    rows = {}
    for row in ranked.itertuples():
        names = [n for n, s in settings.items() if s.detector == row.detector and s.choice in ("", row.choice)]
        rows[f"{row.detector}: {row.choice}"] = {
            "values": merit.loc[names, "estimate"].to_numpy(), "base": row.base,
            "colour": catalogue.entry(row.detector).colour, "note": f"{row.span.estimate:.3f}",
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index")


def default_table(merit: pd.DataFrame, settings: Mapping[str, Setting]) -> pd.DataFrame:
    """The defaults for `vadlib.figures.interval_rows`; parameters as `effect_table`."""
    names = [name for name, setting in settings.items() if not setting.choice]
    rows = merit.loc[names, ["estimate", "low", "high"]]
    return rows.assign(
        colour=[catalogue.entry(name).colour for name in names], note=[f"{value:.3f}" for value in rows["estimate"]]
    )


def luck_in_words(ranked: pd.DataFrame) -> str:
    """How far another seed alone moves each detector that draws anything."""
    moved = {row.detector: row.span.estimate for row in ranked.itertuples() if row.choice == LUCK}
    if not moved:
        return "No seed was varied."
    parts = " and ".join(f"that of {detector} by {span:.3f}" for detector, span in moved.items())
    return f"The yardstick is luck: another seed alone moves the AUROC{parts.removeprefix('that')}."


def leaves_out_zero(interval: Interval) -> bool:
    """Whether a difference is above 0, or below it, over its whole interval."""
    return interval.low > 0 or interval.high < 0


def effects_words(
    ranked: pd.DataFrame,
    settings: Mapping[str, Setting],
    merit: pd.DataFrame,
    *,
    commonest: int,
    record: Recorded | None,
) -> dict[str, object]:
    """What the prose on choices, and the page on deviations, say of an ablation, by the name to glue."""
    defaults = merit.loc[[name for name, setting in settings.items() if not setting.choice], "estimate"]
    choices = ranked[ranked["choice"] != LUCK]
    effects = {name: effect_of_choice(ranked, *choice) for name, choice in DEVIATIONS.items()}
    return effects | {
        "most_important": most_important(ranked, settings),
        "beyond_chance": beyond_chance(merit, settings),
        "luck_sentence": luck_in_words(ranked),
        "n_choices": len(choices),
        "n_settings": len(settings),
        "detector_range": f"{defaults.max() - defaults.min():.3f}",
        "widest_range": f"{choices['span'].iloc[0].estimate:.3f}",
        "commonest_sentence": "The class that the classifier most often sees in the normal frames is number "
        f"{commonest}.",
        "recorded_sentence": recorded_sentence(record),
    }


def recorded_sentence(record: Recorded | None) -> str:
    """What the table of choices beside this build's own is of."""
    if record is None:
        return (
            "No run on real data is recorded in this copy of the project; the table repeats this build's widest ones."
        )
    return f"The choices that move the AUROC most on UCSD Ped2, all with EfficientNet-Lite0: {record.brief}."


def choices_metrics(
    runner: DetectorRunner, settings: Mapping[str, Setting], merit: pd.DataFrame, ranked: pd.DataFrame
) -> dict[str, object]:
    """What `metrics.json` keeps of an ablation: each setting with its figures, and the choices by how far they move."""
    trials = {
        name: {
            "detector": setting.detector,
            "network": network_name(runner.network(setting.trial.network)),
            "choice": setting.choice,
            "value": setting.value,
            **merit.loc[name].to_dict(),
        }
        for name, setting in settings.items()
    }
    return {"n_frames": len(runner.tested), "trials": trials, "choices": ranked.to_dict("records")}

"""What ablations show, in words and in tables for figures: nothing is computed here but what is read off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from vadlib.evaluation import Interval
from vadlib.studies.ablation import LUCK, Setting, default_text


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


def recorded_choices(choices: Sequence[Mapping], n: int = 5) -> pd.DataFrame:
    """The choices of a recorded run that move the AUROC most, as text, a row each.

    Parameters
    ----------
    choices : sequence of mapping
        ``choices`` of the metrics of ``25_choices``.
    n : int
        How many rows at most; the seed's luck is no choice and is passed over.
    """
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


def effect_table(merit: pd.DataFrame, settings: Mapping[str, Setting], colours: Mapping[str, str]) -> pd.DataFrame:
    """Gains over the default for `vadlib.figures.effect_rows`, a row a setting, grouped by detector and choice.

    Parameters
    ----------
    merit : DataFrame
        From `vadlib.studies.runner.compare_trials`.
    settings : mapping of str to Setting
    colours : mapping of str to str
        By detector.
    """
    rows = []
    for name, setting in settings.items():
        gain = merit.loc[name, "gain"]
        if gain is not None:
            rows.append({
                "group": setting.detector, "choice": setting.choice, "label": setting.value,
                "estimate": gain.estimate, "low": gain.low, "high": gain.high,
                "colour": colours[setting.detector], "note": f"{merit.loc[name, 'estimate']:.3f}",
            })  # fmt: skip
    return pd.DataFrame(rows)


def span_table(
    ranked: pd.DataFrame, settings: Mapping[str, Setting], merit: pd.DataFrame, colours: Mapping[str, str]
) -> pd.DataFrame:
    """`rank_choices` for `vadlib.figures.span_rows`; parameters as `effect_table`."""
    rows = {}
    for row in ranked.itertuples():
        names = [n for n, s in settings.items() if s.detector == row.detector and s.choice in ("", row.choice)]
        rows[f"{row.detector}: {row.choice}"] = {
            "values": merit.loc[names, "estimate"].to_numpy(), "base": row.base,
            "colour": colours[row.detector], "note": f"{row.span.estimate:.3f}",
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index")


def default_table(merit: pd.DataFrame, settings: Mapping[str, Setting], colours: Mapping[str, str]) -> pd.DataFrame:
    """The defaults for `vadlib.figures.interval_rows`; parameters as `effect_table`."""
    names = [name for name, setting in settings.items() if not setting.choice]
    rows = merit.loc[names, ["estimate", "low", "high"]]
    return rows.assign(colour=[colours[name] for name in names], note=[f"{value:.3f}" for value in rows["estimate"]])


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

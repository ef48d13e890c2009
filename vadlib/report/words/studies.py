"""Sentences that follow from a study's numbers, and from them alone."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from vadlib.evaluation import Interval
from vadlib.report.records.recorded import Recorded
from vadlib.studies.ablation import LUCK, Setting, default_text
from vadlib.studies.runner import DetectorSpec
from vadlib.studies.supervision import NOBODY, SAME_FOR_ALL

DEVIATIONS = {  # what the page on deviations says of a choice: its name there, the detector, the choice
    "reduction_effect": ("PaDiM", "reduction"),
    "target_effect": ("Grad-CAM + SSIM", "class explained"),
    "weights_effect": ("Prototypes", "ensemble's weights"),
}


# ---- certainty and operation


def pairs_sentence(comparisons: pd.DataFrame) -> str:
    """How many of all pairs of detectors can be told apart (of `compare_all`)."""
    told = int((comparisons["better"] != "").sum())
    return f"of the {len(comparisons)} pairs of detectors, {told} can be told apart on these clips"


def intervals_sentence(simulated: pd.DataFrame, shaped_like: str) -> str:
    """How often three of the intervals hold the truth, over all designs (of `coverage_study`)."""
    shares = {name: group["coverage"].agg(["min", "max"]) for name, group in simulated.groupby("method")}
    held = {name: f"{low:.1%} to {high:.1%}" for name, (low, high) in shares.items()}
    return (
        f"Does a 95 % interval hold the truth 95 times in 100? Simulated on clips shaped like {shaped_like}: over the "
        f"designs below the interval in use holds it in {held['studentized']} of the data sets, the plain percentile "
        f"interval in {held['percentile']}, and DeLong's in {held['delong']} (standard error of such a share: up to "
        f"{simulated['standard_error'].max():.1%})."
    )


def operation_sentence(costs: Mapping[str, Mapping]) -> str:
    """Which detectors stand under false alarm for the shortest time (of `operating_costs`)."""
    minutes = {name: f"{found['false_alarm_minutes_per_hour']:.0f}" for name, found in costs.items()}
    fewest = min(minutes.values(), key=float)
    return (
        "At a threshold that finds that share of the anomalous frames, the shortest time under false alarm is that of "
        f"{_listed([name for name in minutes if minutes[name] == fewest])}: {fewest} minutes per hour of normal video."
    )


# ---- the same labels for all


def ranking_sentence(merit: Mapping[str, Interval], comparisons: pd.DataFrame) -> str:
    """Detectors from the highest AUROC down, and how many of their pairs (of `compare_all`) are told apart."""
    listed = ", ".join(f"{name} {merit[name].estimate:.3f}" for name in sorted(merit, key=lambda n: -merit[n].estimate))
    told = int((comparisons["better"] != "").sum())
    return f"{listed} ({told} of {len(comparisons)} pairs told apart after Holm's correction)"


def prototypes_sentence(
    prototypes: Mapping[str, str], merits: Mapping[str, Mapping[str, Interval]], comparisons: Mapping[str, pd.DataFrame]
) -> str:
    """Whether the prototypes' lead survives when all see the same.

    `prototypes` are their names, by what all see (`NOBODY`, `SAME_FOR_ALL`), and by the same are `merits`, AUROCs by
    detector, and `comparisons`, from `compare_all`.
    """
    parts = []
    for seen, title in ((NOBODY, "Without labels for anyone"), (SAME_FOR_ALL, "With the same labels for all")):
        ours, merit = prototypes[seen], merits[seen]
        first = max(merit, key=lambda name: merit[name].estimate)
        said = [f"{words} {_listed(names)}" for words, names in _relations(ours, comparisons[seen]).items() if names]
        lead = "the prototypes'" if first == ours else f"that of {first}"
        parts.append(f"{title} the highest AUROC is {lead}; the prototypes are {', '.join(said)}.")
    return " ".join(parts)


def _relations(ours: str, comparisons: pd.DataFrame) -> dict[str, list[str]]:
    """Which scores ours is surely above, surely below, and which it is neither; those furthest away first."""
    found = {"above": [], "below": [], "not told apart from": []}
    for row in comparisons.sort_values("estimate", key=abs, ascending=False, kind="stable").itertuples():
        if ours in (row.a, row.b):
            words = "not told apart from" if not row.better else "above" if row.better == ours else "below"
            found[words].append(row.b if row.a == ours else row.a)
    return found


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


# ---- choices


def setting_in_words(settings: Mapping[str, Setting], name: str, choice: str) -> str:
    """A setting of a choice by its value; the default by the value it has, and the word."""
    setting = settings[name]
    return setting.value if setting.choice else f"{default_text(setting, choice)} (default)"


def effects_words(
    ranked: pd.DataFrame,
    settings: Mapping[str, Setting],
    merit: pd.DataFrame,
    *,
    commonest: int,
    record: Recorded | None,
) -> dict[str, object]:
    """What the prose on choices, and the page on deviations, say of an ablation, by the name to cite.

    `ranked` is from `rank_choices`, `merit` from `compare_trials`; `commonest` is the class that the classifier sees
    most often in normal frames, and `record` the run whose choices stand beside this build's.
    """
    defaults = merit.loc[[name for name, setting in settings.items() if not setting.choice], "estimate"]
    choices = ranked[ranked["choice"] != LUCK]
    effects = {name: effect_sentence(ranked, *choice) for name, choice in DEVIATIONS.items()}
    return effects | {
        "most_important": importance_sentence(choices, settings),
        "beyond_chance": beyond_chance_sentence(merit, settings),
        "luck_sentence": luck_sentence(ranked),
        "n_settings": len(settings),
        "detector_range": f"{defaults.max() - defaults.min():.3f}",
        "widest_range": f"{choices['span'].iloc[0].estimate:.3f}",
        "commonest_sentence": "The class that the classifier most often sees in the normal frames is number "
        f"{commonest}.",
        "recorded_sentence": "The choices that move the AUROC most on UCSD Ped2, all with EfficientNet-Lite0: "
        f"{record.brief}."
        if record
        else "No run on real data is recorded in this copy of the project; the table repeats this build's widest ones.",
    }


def importance_sentence(choices: pd.DataFrame, settings: Mapping[str, Setting]) -> str:
    """Which choice (of `rank_choices`, without luck) moves the AUROC most, as far as the intervals say."""
    row = next(choices.itertuples())
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


def leaves_out_zero(interval: Interval) -> bool:
    """Whether a difference is above 0, or below it, over its whole interval."""
    return interval.low > 0 or interval.high < 0


def effect_sentence(ranked: pd.DataFrame, detector: str, choice: str) -> str:
    """Difference between the best and the worst setting of one choice; "not varied" where it was not."""
    rows = ranked[(ranked["detector"] == detector) & (ranked["choice"] == choice)]
    return f"{rows['span'].iloc[0]:+.3f}" if len(rows) else "not varied in this build"


def beyond_chance_sentence(merit: pd.DataFrame, settings: Mapping[str, Setting]) -> str:
    """How many settings differ from their default by more than their own interval."""
    gains = [row.gain for row in merit.itertuples() if row.gain is not None and settings[row.Index].choice != LUCK]
    better, worse = sum(gain.low > 0 for gain in gains), sum(gain.high < 0 for gain in gains)
    return (
        f"Of {len(gains)} settings other than the defaults, {better} raise the AUROC and {worse} lower it by an amount "
        f"whose own 95 % interval leaves out zero; by chance alone about {0.05 * len(gains):.0f} would"
    )


def luck_sentence(ranked: pd.DataFrame) -> str:
    """How far another seed alone moves each detector that draws anything."""
    moved = {row.detector: row.span.estimate for row in ranked.itertuples() if row.choice == LUCK}
    if not moved:
        return "No seed was varied."
    parts = " and ".join(f"that of {detector} by {span:.3f}" for detector, span in moved.items())
    return f"The yardstick is luck: another seed alone moves the AUROC{parts.removeprefix('that')}."


# ---- networks


def undecided_sentence(merit: pd.DataFrame, by_kind: pd.DataFrame, wanted: Mapping[str, DetectorSpec]) -> str:
    """Which pairings trained weights do not raise for certain, and what their gain is for each kind of anomaly.

    `merit` is from `compare_trials` with `random_bases`, and `by_kind` from `gains_by_kind` with the same.
    """
    parts = []
    for name, gain in merit["gain"].items():
        if gain is None or gain.low > 0:
            continue
        gains = [f"{gain:+.3f} in all"]
        gains += [f"{apart:+.3f} for anomalies of {kind}" for kind, apart in by_kind.loc[name].items()]
        parts.append(f"{wanted[name].detector} ({'; '.join(gains)})")
    if not parts:
        return "Every pairing is raised by more than its interval allows for chance."
    return f"Not raised for certain: {', and '.join(parts)}."


def trained_sentence(merit: pd.DataFrame, wanted: Mapping[str, DetectorSpec]) -> str:
    """For which detectors trained weights beat random ones of the same architecture (of `compare_trials`)."""
    gains = {name: gain for name, gain in merit["gain"].items() if gain is not None}
    if not gains:
        return "No network was tried with and without training."
    better, worse = sum(gain.low > 0 for gain in gains.values()), sum(gain.high < 0 for gain in gains.values())
    largest = max(gains, key=lambda name: gains[name].estimate)
    lowers = f" and lowers it in {worse}" if worse else ""
    return (
        f"Of {len(gains)} pairings of a detector with a network tried trained and untrained, training raises the AUROC "
        f"in {better} by more than its interval allows for chance{lowers}; the largest gain is "
        f"{wanted[largest].detector}'s, {gains[largest]:+.3f}."
    )

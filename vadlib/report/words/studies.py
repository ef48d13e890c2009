"""Sentences that follow from a study's numbers, and from them alone."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from vadlib.evaluation import Interval
from vadlib.studies.runner import DetectorSpec
from vadlib.studies.supervision import NOBODY, SAME_FOR_ALL

# ---- certainty


def pairs_sentence(comparisons: pd.DataFrame) -> str:
    """How many of all pairs of detectors can be told apart (of `compare_all`)."""
    told = int((comparisons["better"] != "").sum())
    return f"of the {len(comparisons)} pairs of detectors, {told} can be told apart on these clips"


def coverage_sentence(simulated: pd.DataFrame) -> str:
    """How often each method's interval holds the truth, over all designs (of `coverage_study`)."""
    share = simulated.groupby("method")["coverage"].agg(["min", "max"])
    parts = [f"{row['min']:.1%} to {row['max']:.1%} of the data sets ({name})" for name, row in share.iterrows()]
    return f"Over all designs, the 95 % interval holds the truth in {'; '.join(parts)}."


def intervals_sentence(simulated: pd.DataFrame, shaped_like: str) -> str:
    """The same for the interval in use, the plain percentile interval and DeLong's."""
    shares = {name: group["coverage"].agg(["min", "max"]) for name, group in simulated.groupby("method")}
    held = {name: f"{low:.1%} to {high:.1%}" for name, (low, high) in shares.items()}
    return (
        f"Does a 95 % interval hold the truth 95 times in 100? Simulated on clips shaped like {shaped_like}: over the "
        f"designs below the interval in use holds it in {held['studentized']} of the data sets, the plain percentile "
        f"interval in {held['percentile']}, and DeLong's in {held['delong']} (standard error of such a share: up to "
        f"{simulated['standard_error'].max():.1%})."
    )


def processing_sentence(processing: Mapping[str, Mapping]) -> str:
    """The detector whose AUROC gains most by stretching and smoothing."""
    most = max(processing, key=lambda name: processing[name]["both"] - processing[name]["micro"])
    return f"{most}, from {processing[most]['micro']:.3f} to {processing[most]['both']:.3f}"


def padding_sentence(processing: Mapping[str, Mapping]) -> str:
    """The detector whose mean over clips gains most by padding them."""
    most = max(processing, key=lambda name: processing[name]["padded"] - (processing[name]["macro"] or 0))
    without = f"{processing[most]['macro']:.3f} without" if processing[most]["macro"] else "undefined without"
    return f"{most}: {processing[most]['padded']:.3f} padded, {without}"


def operation_sentence(costs: Mapping[str, Mapping]) -> str:
    """Which detectors call least for nothing, and how often (of `operating_costs`)."""
    hourly = {name: found["false_alarms_per_hour"] for name, found in costs.items()}
    least = [name for name in hourly if f"{hourly[name]:.0f}" == f"{min(hourly.values()):.0f}"]
    return (
        "At a threshold that finds that share of the anomalous frames, the fewest false alarms are those of "
        f"{_listed(least)}: {min(hourly.values()):.0f} in an hour of normal video."
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

    Parameters
    ----------
    prototypes : mapping of str to str
        Their name, by what all see (`NOBODY`, `SAME_FOR_ALL`).
    merits, comparisons : mapping
        By the same, AUROCs by detector and `compare_all` of all pairs.
    """
    parts = []
    for seen, title in ((NOBODY, "Without labels for anyone"), (SAME_FOR_ALL, "With the same labels for all")):
        ours, merit = prototypes[seen], merits[seen]
        first = max(merit, key=lambda name: merit[name].estimate)
        above, below, rest = _relations(ours, comparisons[seen])
        said = [
            f"{words} {_listed(names)}"
            for words, names in (("above", above), ("below", below), ("not told apart from", rest))
            if names
        ]
        lead = "the prototypes'" if first == ours else f"that of {first}"
        parts.append(f"{title} the highest AUROC is {lead}; the prototypes are {', '.join(said)}.")
    return " ".join(parts)


def _relations(ours: str, comparisons: pd.DataFrame) -> tuple[list[str], list[str], list[str]]:
    """Which scores are surely lower than ours, which surely higher, which cannot be told apart; widest first."""
    above, below, rest = [], [], []
    for row in comparisons.sort_values("estimate", key=abs, ascending=False, kind="stable").itertuples():
        if ours in (row.a, row.b):
            group = rest if not row.better else above if row.better == ours else below
            group.append(row.b if row.a == ours else row.a)
    return above, below, rest


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


# ---- limits


def motion_sentence(gaps: Mapping[str, float]) -> str:
    """What each detector loses where an anomaly shows in its motion alone (AUROC for appearance minus that)."""
    if not gaps:
        return "motion cannot be told from appearance, because its events are not named; the demo's are."
    words = "; ".join(f"{name} {gap:+.3f}" for name, gap in gaps.items())
    return f"the AUROC for anomalies of appearance minus that for anomalies of motion alone is: {words}."


def scene_cost_sentence(scenes: pd.DataFrame) -> str:
    """What pooling all scenes costs each detector (of `auroc_pooled_and_by_scene`)."""
    words = [
        f"{name} {row['all frames pooled']:.3f} pooled, {row['mean of the scenes']:.3f} by scene"
        for name, row in scenes.dropna().iterrows()
    ]
    return "; ".join(words) or "not measured: no scene has both classes"


# ---- networks


def undecided_sentence(merit: pd.DataFrame, by_kind: pd.DataFrame, wanted: Mapping[str, DetectorSpec]) -> str:
    """Which pairings trained weights do not raise for certain, and what their gain is for each kind of anomaly.

    Parameters
    ----------
    merit : DataFrame
        From `compare_trials` with `random_bases`.
    by_kind : DataFrame
        From `gains_by_kind` with the same.
    wanted : mapping of str to DetectorSpec
    """
    parts = []
    for name, entry in merit.iterrows():
        if entry["gain"] is None or entry["gain"].low > 0:
            continue
        gains = [f"{entry['gain']:+.3f} in all"]
        gains += [f"{gain:+.3f} for anomalies of {kind}" for kind, gain in by_kind.loc[name].items()]
        parts.append(f"{wanted[name].detector} ({'; '.join(gains)})")
    if not parts:
        return "Every pairing is raised by more than its interval allows for chance."
    return f"Not raised for certain: {', and '.join(parts)}."


def trained_sentence(merit: pd.DataFrame, wanted: Mapping[str, DetectorSpec]) -> str:
    """For which detectors trained weights beat random ones of the same architecture, in words that follow from `merit`.

    Parameters
    ----------
    merit : DataFrame
        From `compare_trials` with `random_bases`.
    wanted : mapping of str to DetectorSpec
    """
    gains = {name: entry["gain"] for name, entry in merit.iterrows() if entry["gain"] is not None}
    if not gains:
        return "No network was tried with and without training."
    better = [name for name, gain in gains.items() if gain.low > 0]
    worse = [name for name, gain in gains.items() if gain.high < 0]
    largest = max(gains, key=lambda name: gains[name].estimate)
    words = (
        f"Of {len(gains)} pairings of a detector with a network tried trained and untrained, training raises the AUROC "
        f"in {len(better)} by more than its interval allows for chance"
    )
    words += f" and lowers it in {len(worse)}" if worse else ""
    return f"{words}; the largest gain is {wanted[largest].detector}'s, {gains[largest]:+.3f}."


def best_setting_words(what: str, merit: pd.DataFrame) -> dict[str, object]:
    """Which of the settings of one thing has the highest AUROC, and how high, by the name to glue."""
    best = merit["estimate"].idxmax()
    return {f"best_{what}": best.partition(", ")[2], f"best_{what}_auroc": float(merit.loc[best, "estimate"])}

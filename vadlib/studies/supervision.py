"""The same information for all detectors: without labels of anomalies, and with them; and what the rankings say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from vadlib.detectors import LearnsFrom, catalogue
from vadlib.errors import ParameterError
from vadlib.evaluation import Interval, compare_all
from vadlib.studies.runner import LABELLED, DetectorSpec

WITHOUT, WITH = "no labels", "labels"
LEAST_RESAMPLES = 1000  # fewer cannot reach a verdict over many pairs
INFORMATION = (WITHOUT, WITH)


def specs_by_supervision(
    trials: Mapping[str, DetectorSpec], heads: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, DetectorSpec]]:
    """Each detector as it is without any labelled anomaly, and with the labelled frames of the prototypes.

    Parameters
    ----------
    trials : mapping of str to DetectorSpec
        By the detector's name. One that learns from labelled anomalies becomes, where nobody sees a label, the entry of
        the catalogue of the same class that does without.
    heads : mapping of str to mapping
        The detectors that a logistic regression on their heatmaps gives labels to, and its options (see
        `DetectorSpec`).
        A detector without a heatmap gets one on its embeddings. One with neither head nor labels has no place where
        all see labels.

    Returns
    -------
    dict of str to dict of str to DetectorSpec
        By one of `INFORMATION`, then by what to call it.

    Raises
    ------
    ParameterError
        For a head of a detector that is not there.
    """
    strange = sorted(set(heads) - set(trials))
    if strange:
        raise ParameterError(f"heads: no detector {strange[0]!r}; there are {', '.join(trials)}")
    without: dict[str, DetectorSpec] = {}
    informed: dict[str, DetectorSpec] = {}
    for name, trial in trials.items():
        headed = replace(trial, head=dict(heads[name])) if name in heads else None
        entry = catalogue.entry(trial.detector)
        if entry.learns_from not in LABELLED:
            without[name] = trial
        else:
            informed[name] = trial
            for other in catalogue.entries(learns_from=LearnsFrom.NORMAL):
                if other.cls is entry.cls:
                    without[other.title] = replace(trial, detector=other.title)
        if headed:
            on_embeddings = entry.cls.heat_label is None
            informed["Embeddings with a head" if on_embeddings else f"{name} with a head"] = headed
    return {WITHOUT: without, WITH: informed}


def paired_differences(
    scores: pd.DataFrame, names: Mapping[str, str], *, n_resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Every pair of scores: the AUROC of the one minus that of the other, on the same resamples of the clips.

    Parameters
    ----------
    scores : DataFrame
        ``clip``, ``label`` and the scores' columns.
    names : mapping of str to str
        What to call each score, and its column.
    n_resamples, seed : int

    Returns
    -------
    DataFrame
        ``first``, ``second``, ``difference``, an `Interval`, ``p_adjusted`` (Holm) and ``apart``, whether the two are
        told apart by it; the better of the two is first, the widest apart on top.

    Raises
    ------
    ParameterError
        With fewer than two scores, or as the bootstrap does.
    """
    if len(names) < 2:
        raise ParameterError(f"names: expected at least two scores to compare, found {list(names)}")
    compared = compare_all(
        scores["label"],
        {name: scores[column] for name, column in names.items()},
        clusters=scores["clip"],
        n_resamples=max(n_resamples, LEAST_RESAMPLES),
        seed=seed,
    )
    rows = []
    for row in compared.itertuples():
        first, second, sign = (row.a, row.b, 1) if row.estimate >= 0 else (row.b, row.a, -1)
        low, high = sorted((sign * row.low, sign * row.high))
        rows.append(
            {
                "first": first,
                "second": second,
                "difference": Interval(sign * row.estimate, low, high),
                "p_adjusted": row.p_adjusted,
                "apart": bool(row.better),
            }
        )
    return pd.DataFrame(sorted(rows, key=lambda row: -row["difference"].estimate))


def ranking_in_words(merit: Mapping[str, Interval], pairs: pd.DataFrame) -> str:
    """Detectors from the highest AUROC down, and how many of the pairs the clips tell apart.

    Parameters
    ----------
    merit : mapping of str to Interval
        AUROCs, by detector.
    pairs : DataFrame
        From `paired_differences` of the same.
    """
    ordered = sorted(merit, key=lambda name: -merit[name].estimate)
    n_apart = int(pairs["apart"].sum())
    listed = ", ".join(f"{name} {merit[name].estimate:.3f}" for name in ordered)
    return f"{listed} ({n_apart} of {len(pairs)} pairs told apart after Holm's correction)"


def verdict(
    prototypes: Mapping[str, str], merits: Mapping[str, Mapping[str, Interval]], pairs: Mapping[str, pd.DataFrame]
) -> str:
    """Whether the prototypes' lead survives when all see the same, in words that follow from the paired intervals.

    Parameters
    ----------
    prototypes : mapping of str to str
        Their name under each of `INFORMATION`.
    merits, pairs : mapping
        By one of `INFORMATION`, as for `ranking_in_words`.
    """
    parts = []
    for information, title in ((WITHOUT, "Without labels for anyone"), (WITH, "With the same labels for all")):
        ours, merit = prototypes[information], merits[information]
        first = max(merit, key=lambda name: merit[name].estimate)
        above, below, rest = _relations(ours, pairs[information])
        said = [f"above {_listed(above)}"] if above else []
        said += [f"below {_listed(below)}"] if below else []
        said += [f"not told apart from {_listed(rest)}"] if rest else []
        lead = "the prototypes'" if first == ours else f"that of {first}"
        parts.append(f"{title} the highest AUROC is {lead}; the prototypes are {', '.join(said)}.")
    return " ".join(parts)


def _relations(ours: str, pairs: pd.DataFrame) -> tuple[list[str], list[str], list[str]]:
    """Which scores are surely lower than ours, which surely higher, and which cannot be told from it."""
    above, below, rest = [], [], []
    for row in pairs.itertuples():
        if ours in (row.first, row.second):
            other = row.second if row.first == ours else row.first
            apart = above if row.first == ours else below
            (apart if row.apart else rest).append(other)
    return above, below, rest


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def table_of_pairs(pairs: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """`paired_differences` under each information as text, a row a pair."""
    rows = [
        {
            "what all see": information,
            "higher": row.first,
            "lower": row.second,
            "difference [95 %]": f"{row.difference:+.3f}",
            "p after Holm": f"{row.p_adjusted:.3f}",
            "told apart": "yes" if row.apart else "no",
        }
        for information, found in pairs.items()
        for row in found.itertuples()
    ]
    return pd.DataFrame(rows).set_index(["what all see", "higher"])

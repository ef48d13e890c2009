"""Sentences that every page needs: where its numbers come from, and how they stand to chance."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np

from vadlib.data import VideoDataset
from vadlib.errors import ParameterError
from vadlib.evaluation import Interval
from vadlib.networks import FeatureNetwork
from vadlib.networks.weights import WeightsRecord

DATASET_NAMES = {
    "synthcampus": "SynthCampus (synthetic)",
    "shanghaitech": "ShanghaiTech Campus",
    "avenue": "CUHK Avenue",
    "ucsd-ped1": "UCSD Ped1",
    "ucsd-ped2": "UCSD Ped2",
    "shanghaitech-published": "ShanghaiTech Campus, by tables that others published",
    "folder": "a folder of videos",
}

SCORE_NAMES = {"max": "maximum", "mean": "mean", "top1%": "mean of the top 1 %"}


def chapter_line(
    *,
    profile: str | None,
    dataset: str | None,
    network: str = "",
    n_fit: int = 0,
    n_test: int = 0,
    seconds: float,
    date: str,
) -> str:
    """The line under a chapter's title: what ran on what, for how long, on the day of an ISO `date`."""
    parts = [f"profile {profile}"] if profile else []
    parts += [DATASET_NAMES.get(dataset, dataset)] if dataset else []
    parts += [network] if network else []
    if n_test:
        parts.append(f"{n_fit:,} frames fitted, {n_test:,} tested" if n_fit else f"{n_test:,} frames tested")
    parts += [f"{seconds:.0f} s", f"{datetime.fromisoformat(date):%Y-%m-%d}"]
    return " · ".join(parts)


def network_name(network: FeatureNetwork) -> str:
    """Architecture and weights for the line under a title; a file by its name, not its path."""
    return f"{network.record.architecture} ({network.record.name})"


def revision_name(git: dict | None) -> str:
    """The git revision of a run record in short, with a word if files had been changed since."""
    if not git or not git["revision"]:
        return "not under git"
    return git["revision"][:10] + (" and uncommitted changes" if git["dirty"] else "")


def data_sentence(
    dataset: str, weights: WeightsRecord | dict | None = None, *, copy: VideoDataset | None = None
) -> str:
    """What the numbers of a page can and cannot say, by data set and by where the network's weights come from.

    `weights` are the record of the chapter's network, or what `run.json` has of it. Of a `copy` that was opened it is
    said what it lacks, and what was left out of it.
    """
    if dataset == "synthcampus":
        first = "Synthetic data: these numbers show the method, not the world."
    elif dataset == "shanghaitech":
        first = "Real data, and the data set of the paper."
    elif dataset == "shanghaitech-published":
        first = "Real data, and the data set of the paper; no video was read, only tables that others made of it."
    elif dataset == "folder":
        first = "A folder of videos, not a published data set: nothing here compares with the paper."
    else:
        first = (
            f"Real data, but {DATASET_NAMES.get(dataset, dataset)}, not the data set of the paper: its numbers and "
            "these do not compare."
        )
    if copy is not None and copy.missing:
        first += f" This copy is incomplete: {'; '.join(copy.missing)}."
    if copy is not None and copy.left_out:
        first += f" Left out: {copy.facts['left out']}."
    if weights is None:
        return first
    weights = weights if isinstance(weights, dict) else weights.as_dict()
    if weights["source"] == "bundled":
        return f"{first} The network was trained on synthetic pictures too, of other places than these."
    if weights["trained"]:
        return first
    return (
        f"{first} The network has random weights, no training at all: what it finds, colours and edges alone can show. "
        "A trained network can do better, or worse; nothing here says which."
    )


def chance_sentence(interval: Interval) -> str:
    """How an AUROC stands to chance, by its interval alone."""
    if interval.low > 0.5:
        return "above chance"
    return "below chance" if interval.high < 0.5 else "not distinguishable from chance"


def difference_sentence(first: str, second: str, difference: Interval) -> str:
    """Which of two paired AUROCs is higher, or that the interval of their difference does not tell."""
    if difference.low > 0:
        return f"the AUROC of {first} is above that of {second}"
    if difference.high < 0:
        return f"the AUROC of {second} is above that of {first}"
    return f"the AUROCs of {first} and {second} cannot be told apart on these clips"


def interval_of(entry: Mapping | Interval) -> Interval:
    """An interval as `metrics.json` has it, or as it was before."""
    return entry if isinstance(entry, Interval) else Interval(**entry)


def in_words(value) -> str:
    """A value as prose has it."""
    match value:
        case None:
            return "not measured"
        case bool() | str():
            return str(value)
        case int() | np.integer():
            return f"{value:,}"
        case float() | np.floating() | Interval():
            return f"{value:.3f}"
    raise ParameterError(f"say: a {type(value).__name__} has no words; give text")

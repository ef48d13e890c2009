"""What the audit chapter puts side by side: detectors under every protocol, and what is done to a score afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from vadlib.data import Split
from vadlib.data.progress import progress_bar
from vadlib.errors import ParameterError
from vadlib.evaluation import (
    Interval,
    auroc,
    average_precision,
    average_precision_at,
    balanced_rows,
    macro_auroc,
    normalise_per_clip,
    padded_macro_auroc,
    tune_smoothing,
)
from vadlib.studies.draws import ProtocolDraws, against_stated
from vadlib.studies.runner import LABELLED, DetectorRunner, DetectorSpec, main_score

SHARE_CLIPS = ("reused-frames", "same-clips")
BLIND_ROW = "no picture: the fit frames' labels"


def scores_by_protocol(
    trials: DetectorRunner, wanted: Mapping[str, DetectorSpec], splits: Mapping[str, Split]
) -> dict[str, dict[str, pd.Series]]:
    """The main score of every detector under every protocol; what learns from labels only where there are any.

    Parameters
    ----------
    trials : DetectorRunner
        Which holds the frames of all these splits.
    wanted : mapping of str to DetectorSpec
        By detector.
    splits : mapping of str to Split
        By protocol.

    Returns
    -------
    dict of str to dict of str to Series float32
        By protocol, then by detector: a row a test frame, with the frame table's index; NaN where it could not be read.
    """
    found: dict[str, dict[str, pd.Series]] = {protocol: {} for protocol in splits}
    with progress_bar(len(splits) * len(wanted), "Protocols", "fits", shown=True) as bar:
        for name, trial in sorted(wanted.items(), key=lambda item: item[1].network):  # network by network
            needs_labels = trials.detector(trial).learns_from in LABELLED
            for protocol, split in splits.items():
                bar.update()
                if needs_labels and not all(fold.fit["label"].any() for fold in split.folds):
                    continue
                found[protocol][name] = trials.run_under(trial, split)[main_score(trial)]
    return {protocol: {name: group[name] for name in wanted if name in group} for protocol, group in found.items()}


def processed(scores: pd.DataFrame, name: str) -> dict[str, float | None]:
    """One score by each of the ways in which published code turns frame scores into a number.

    Parameters
    ----------
    scores : DataFrame
        ``clip``, ``frame``, ``label`` and the score's column.
    name : str

    Returns
    -------
    dict of str to float or None
        ``micro``: all frames pooled, as everywhere in this report; ``normalised``: each clip stretched to [0, 1] first;
        ``smoothed``: with the width, in rows of a clip, that is best on these very labels, ``sigma``; ``both``: the one
        after the other; ``macro``: mean over clips with both classes, None where there is none; ``padded``: mean over
        all clips, each with a made-up frame of each class; ``balanced``: on as many frames of each class.
    """
    labels, values, clips, frames = (scores[column].to_numpy() for column in ("label", name, "clip", "frame"))
    stretched = normalise_per_clip(values, clips)
    smoothed = tune_smoothing(labels, values, clips, frames=frames)
    both = tune_smoothing(labels, stretched, clips, frames=frames)
    rows = balanced_rows(labels)
    return {
        "micro": auroc(labels, values),
        "normalised": auroc(labels, stretched),
        "smoothed": smoothed.auroc,
        "sigma": smoothed.sigma,
        "both": both.auroc,
        "macro": macro_auroc(labels, values, clips)[0],
        "padded": padded_macro_auroc(labels, stretched, clips),
        "balanced": auroc(labels[rows], values[rows]),
    }


def precisions(labels, values, prevalence: float) -> dict[str, float]:
    """Average precision with the table's share of anomalous frames, and at a share that a real camera might have.

    Parameters
    ----------
    labels, values : (n,)
    prevalence : float
        In (0, 1).

    Returns
    -------
    dict of str to float
        ``share`` of anomalous frames here, ``here`` and ``rare``: the two average precisions.
    """
    return {
        "share": float(np.mean(labels)),
        "here": average_precision(labels, values),
        "rare": average_precision_at(labels, values, prevalence),
    }


def require_protocols(draws: ProtocolDraws, names: Iterable[str]) -> dict[str, Split]:
    """The splits drawn, if those are among them that the chapter compares with.

    Raises
    ------
    ParameterError
        If one was not asked for, or cannot be drawn from this data set; the message says why.
    """
    for name in names:
        if name not in draws.splits:
            why = draws.left_out.get(name, "it is not among audited_protocols")
            raise ParameterError(
                f"audited_protocols: {name} is needed here, but {why}; add it, or leave the audit out of this book "
                "(chapters, in the profile)"
            )
    return dict(draws.splits)


def beside(blind: Mapping, value: float, whose: str) -> str:
    """A blind score's AUROC with its interval, and where it stands to a value that the paper states, in words."""
    interval = interval_of(blind["micro_auroc_interval"])
    standing = against_stated(interval, value, f"{whose}'s {value:.3f}")
    return f"{interval:.3f} ({standing})"


def interval_of(entry: Mapping | Interval) -> Interval:
    """An interval as `metrics.json` has it, or as it was before."""
    return entry if isinstance(entry, Interval) else Interval(**entry)


def quality_sentence(metrics: Mapping, *, trained: str = "Prototypes") -> str:
    """What prototypes get by protocol, and what the labels alone would have got, in words from an audit's metrics.

    Parameters
    ----------
    metrics : mapping
        Of ``23_protocols``.
    trained : str
        The detector that sees labels.

    Raises
    ------
    ParameterError
        If these are no metrics of an audit.
    """
    if "by_protocol" not in metrics:
        raise ParameterError(f"metrics: expected those of an audit, with by_protocol, found {', '.join(metrics)}")
    parts = [
        f"{interval_of(found[trained]):.3f} under {protocol}, where the fit frames' labels alone get "
        f"{interval_of(metrics['blind_by_protocol'][protocol]):.3f}"
        for protocol, found in metrics["by_protocol"].items()
        if trained in found
    ]
    return f"Prototypes: {'; '.join(parts)}."


def comparison_sentence(metrics: Mapping, first: str = "PaDiM", second: str = "Grad-CAM + SSIM") -> str:
    """Whether one detector is above another, by Holm's correction over all pairs, in words from an audit's metrics."""
    for row in metrics["comparisons"]:
        if {row["a"], row["b"]} == {first, second}:
            sign = 1 if row["a"] == first else -1
            low, high = sorted((sign * row["low"], sign * row["high"]))
            difference = Interval(sign * row["estimate"], low, high)
            verdict = f"{row['better']} is the better" if row["better"] else "these clips do not tell them apart"
            return f"{first} minus {second}: {difference:+.3f}, p = {row['p_adjusted']:.3f} after Holm: {verdict}."
    return f"{first} and {second} were not compared."


def within_folds(scores: pd.DataFrame, name: str, folds) -> float:
    """AUROC over the pairs of frames that one and the same fit has scored, all folds' pairs together.

    Scores of several fits are not on one scale, so pooling them costs some AUROC by itself.

    Parameters
    ----------
    scores : DataFrame
        ``clip``, ``frame``, ``label`` and the score's column.
    name : str
    folds : sequence of Fold
        Whose test frames they are.
    """
    pairs = wins = 0.0
    for fold in folds:
        part = scores.merge(fold.test[["clip", "frame"]], on=["clip", "frame"])
        anomalous = int(part["label"].sum())
        weight = anomalous * (len(part) - anomalous)
        if weight:
            pairs, wins = pairs + weight, wins + weight * auroc(part["label"], part[name])
    if not pairs:
        raise ParameterError("folds: none of them tests frames of both classes, so there is no pair to compare")
    return wins / pairs


def lost_without_leakage(against: Mapping[str, Mapping[str, Interval]], detector: str) -> str:
    """How much higher a detector is where fit and test share clips than where they do not, in words.

    Parameters
    ----------
    against : mapping of str to mapping of str to Interval
        By protocol, by detector: AUROC there minus AUROC under ``disjoint-clips``.
    detector : str
    """
    parts = [
        f"{interval_of(found[detector]):+.3f} under {protocol}"
        for protocol, found in against.items()
        if detector in found and protocol in SHARE_CLIPS
    ]
    return "; ".join(parts) if parts else "not measured here"

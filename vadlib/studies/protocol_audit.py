"""What a protocol lets through: scores that look at no picture, detectors under each, scores after smoothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from vadlib.data import Split
from vadlib.data.progress import progress_bar
from vadlib.errors import ParameterError
from vadlib.evaluation import (
    BLIND_BASELINES,
    SeedSpread,
    auroc,
    auroc_over_seeds,
    balanced_rows,
    blind_scores,
    macro_auroc,
    nearest_fit_label,
    normalise_per_clip,
    padded_macro_auroc,
    tune_smoothing,
)
from vadlib.studies.draws import ProtocolDraws
from vadlib.studies.runner import LABELLED, DetectorRunner, DetectorSpec, main_score


def blind_columns(table: pd.DataFrame, draws: ProtocolDraws) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Scores of the frames tested that look at no picture, and what each is.

    Parameters
    ----------
    table : DataFrame
        `dataset.frame_table()`.
    draws : ProtocolDraws
        Of it. Each protocol gives the label of the nearest fit frame (see `nearest_label_column`).

    Returns
    -------
    columns : dict of str to (n,)
        In the order of `draws.tested`.
    titles : dict of str to str
    """
    columns = blind_scores(table, draws.tested)
    titles = {name: BLIND_BASELINES[name] for name in columns}
    for protocol, split in draws.splits.items():
        name = nearest_label_column(protocol)
        columns[name] = nearest_fit_label(split, draws.tested)
        titles[name] = f"nearest fit frame's label, {protocol}"
    return columns, titles


def nearest_label_column(protocol: str) -> str:
    """What the score is called that is the label of the nearest fit frame under a protocol."""
    return f"nearest_fit_label_{protocol.replace('-', '_')}"


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


def scores_by_seed(
    runner: DetectorRunner, specs: Mapping[str, DetectorSpec], split: Split, seeds: Sequence[int]
) -> dict[str, dict[int, pd.Series]]:
    """The main score of every detector with each of some seeds of its own, as in `scores_by_protocol`."""
    found: dict[str, dict[int, pd.Series]] = {}
    with progress_bar(len(specs) * len(seeds), "Seeds", "fits", shown=True) as bar:
        for name, spec in specs.items():
            found[name] = {}
            for seed in seeds:
                seeded = replace(spec, options={**spec.options, "seed": seed})
                found[name][seed] = runner.run_under(seeded, split)[main_score(spec)]
                bar.update()
    return found


def score_columns(
    by_protocol: Mapping[str, Mapping[str, pd.Series]], tested: pd.DataFrame
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """`scores_by_protocol` as columns of one table, and the rows of it that some detector could not read.

    Returns
    -------
    columns : dict of str to float32 (n,)
        Named ``DETECTOR, PROTOCOL``, in the order of `tested`.
    skipped : int (m,)
        Positions in `tested`.
    """
    columns = {
        f"{name}, {protocol}": values.loc[tested.index].to_numpy()
        for protocol, group in by_protocol.items()
        for name, values in group.items()
    }
    readable = np.logical_and.reduce([np.isfinite(values) for values in columns.values()])
    return columns, np.flatnonzero(~readable)


def auroc_after_postprocessing(scores: pd.DataFrame, name: str) -> dict[str, float | None]:
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


def require_protocols(draws: ProtocolDraws, names: Iterable[str]) -> dict[str, Split]:
    """The splits drawn, if those are among them that the chapter compares with.

    Raises
    ------
    ParameterError
        If one was not asked for, or cannot be drawn from this data set; the message says why.
    """
    for name in names:
        if name not in draws.splits:
            why = draws.left_out.get(name, "it is not among protocols")
            raise ParameterError(
                f"protocols: {name} is needed here, but {why}; add it, or leave this chapter out of the book "
                "(only, in the profile)"
            )
    return dict(draws.splits)


def spread_over_seeds(
    by_seed: Mapping[str, Mapping[int, pd.Series]], tested: pd.DataFrame, *, n_resamples: int, seed: int
) -> dict[str, SeedSpread]:
    """How far each detector's AUROC of the tested frames moves with its seed, from `scores_by_seed`."""
    resampling = {"clusters": tested["clip"], "n_resamples": n_resamples, "seed": seed}
    return {
        name: auroc_over_seeds(
            tested["label"],
            {value: column.loc[tested.index].to_numpy() for value, column in group.items()},
            **resampling,
        )
        for name, group in by_seed.items()
    }


def aurocs_within_folds(scores: pd.DataFrame, detectors: Iterable[str], protocol: str, folds) -> dict[str, float]:
    """AUROC of each detector over the pairs of frames that one and the same fit has scored, all folds' pairs together.

    Scores of several fits are not on one scale, so pooling them costs some AUROC by itself.

    Parameters
    ----------
    scores : DataFrame
        ``clip``, ``frame``, ``label`` and the columns of `score_columns`.
    detectors : iterable of str
    protocol : str
    folds : sequence of Fold
        Of that protocol.
    """
    parts = [scores.merge(fold.test[["clip", "frame"]], on=["clip", "frame"]) for fold in folds]
    anomalous = [int(part["label"].sum()) for part in parts]
    weights = [n * (len(part) - n) for n, part in zip(anomalous, parts, strict=True)]
    if not sum(weights):
        raise ParameterError("folds: none of them tests frames of both classes, so there is no pair to compare")
    return {
        name: sum(
            weight * auroc(part["label"], part[f"{name}, {protocol}"])
            for weight, part in zip(weights, parts, strict=True)
            if weight
        )
        / sum(weights)
        for name in detectors
    }

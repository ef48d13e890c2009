"""Which networks to try under which detectors, and what the trials say of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from vadlib.data import VideoDataset
from vadlib.detectors import LearnsFrom, catalogue
from vadlib.errors import WeightsError
from vadlib.evaluation import Interval, auroc_by_group, event_of_frames
from vadlib.networks.weights import is_available_offline
from vadlib.studies.runner import DetectorRunner, DetectorSpec, compare_trials


def network_trials(
    trials: DetectorRunner,
    networks: Iterable[str],
    embedders: Iterable[str],
    image_size: int,
    options: Mapping[str, Mapping[str, Any]],
) -> tuple[dict[str, DetectorSpec], dict[str, str]]:
    """Every detector with every network that is on this machine and has what the detector needs; nothing is downloaded.

    Parameters
    ----------
    trials : DetectorRunner
    networks : iterable of str
        ``ARCHITECTURE:WEIGHTS``, for detectors that read layers or a classifier.
    embedders : iterable of str
        Likewise, for detectors that read embeddings.
    image_size : int
    options : mapping of str to mapping
        Of the detectors, by name.

    Returns
    -------
    wanted : dict of str to DetectorSpec
        By ``DETECTOR, NETWORK``, detector by detector.
    left_out : dict of str to str
        The other networks, and why.
    """
    wanted: dict[str, DetectorSpec] = {}
    left_out: dict[str, str] = {}
    networks = list(networks)
    taken = {"embedder": list(embedders), None: []}
    pairs = [
        (entry.title, network)
        for entry in catalogue.entries(learns_from=set(LearnsFrom) - {LearnsFrom.NOTHING}, variants=False)
        for network in taken.get(entry.cls.network, networks)
    ]
    for detector, network in dict.fromkeys(pairs):
        if not is_available_offline(*network.split(":", 1)):
            left_out[network] = "not on this machine; the command vadlib weights says how to get it"
            continue
        trial = DetectorSpec(detector, network, image_size, options=options.get(detector, {}))
        try:
            trials.detector(trial)
        except WeightsError as error:
            left_out[f"{detector}, {network}"] = str(error)
            continue
        wanted[f"{detector}, {network}"] = trial
    return wanted, left_out


def random_bases(wanted: Mapping[str, DetectorSpec]) -> dict[str, str | None]:
    """For each trial, the one of the same detector with random weights of the same architecture, or None."""
    bases = {}
    for name, trial in wanted.items():
        base = f"{trial.detector}, {trial.network.split(':', 1)[0]}:random"
        bases[name] = base if base in wanted else None
    return bases


def kinds_of_anomaly(scores: pd.DataFrame, videos: VideoDataset) -> np.ndarray:
    """For each frame ``appearance`` or ``motion``, by its event; empty where it is normal or that is not said.

    Parameters
    ----------
    scores : DataFrame
        ``clip``, ``frame``, ``label``.
    videos : VideoDataset
    """
    return event_of_frames(scores, videos.events, column="seen_in")


def table_of_trials(
    merit: pd.DataFrame,
    scores: pd.DataFrame,
    kinds: np.ndarray,
    *,
    against: str = "gain over random weights",
    n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """One row a trial, as text: AUROC, its gain over its base, and its AUROC for each kind of anomaly that there is.

    Parameters
    ----------
    merit : DataFrame
        From `compare_trials`.
    scores : DataFrame
        What it was made from.
    kinds : (n,)
        From `kinds_of_anomaly`.
    against : str
        Title of the gain's column.
    n_resamples, seed : int
    """
    rows = {}
    for name, entry in merit.iterrows():
        rows[name] = {
            "AUROC [95 %]": f"{Interval(entry['estimate'], entry['low'], entry['high']):.3f}",
            f"{against} [95 %]": "" if entry["gain"] is None else f"{entry['gain']:+.3f}",
        }
        for kind in sorted(set(kinds) - {""}):
            found = auroc_by_group(scores, name, kinds, n_resamples=n_resamples, seed=seed)
            if kind in found.index:
                row = found.loc[kind]
                interval = f"{Interval(row['estimate'], row['low'], row['high']):.3f}"
                rows[name][f"{kind} only"] = interval if row["n_clips"] > 1 else f"{row['estimate']:.3f} (one clip)"
    return pd.DataFrame.from_dict(rows, orient="index").fillna("")


def gains_by_kind(
    scores: pd.DataFrame, kinds: np.ndarray, bases: Mapping[str, str | None], *, n_resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Gain of each setting over its base, apart for each kind of anomaly: it against all normal frames.

    Parameters
    ----------
    scores : DataFrame
        As in `compare_trials`.
    kinds : (n,)
        From `kinds_of_anomaly`.
    bases : mapping of str to str or None
        As in `compare_trials`; settings without a base are left out.
    n_resamples, seed : int

    Returns
    -------
    DataFrame
        Index: setting; one column of `Interval` a kind that more than one clip holds.
    """
    paired = {name: base for name, base in bases.items() if base not in (None, name)}
    found = {}
    for kind in sorted(set(kinds) - {""}):
        of_kind = kinds == kind
        if paired and scores.loc[of_kind, "clip"].nunique() > 1:
            kept = scores[of_kind | (scores["label"] == 0)]
            merit = compare_trials(kept, bases, n_resamples=n_resamples, seed=seed)
            found[kind] = merit.loc[list(paired), "gain"]
    return pd.DataFrame(found, index=list(paired), dtype=object)


def undecided_gains(merit: pd.DataFrame, by_kind: pd.DataFrame, wanted: Mapping[str, DetectorSpec]) -> str:
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


def trained_against_random(merit: pd.DataFrame, wanted: Mapping[str, DetectorSpec]) -> str:
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

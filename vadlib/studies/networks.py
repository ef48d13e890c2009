"""Which networks to try under which detectors, and what the trials say of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from vadlib.data import VideoDataset
from vadlib.detectors import catalogue
from vadlib.errors import WeightsError
from vadlib.evaluation import Interval, auroc_by_group, event_of_frames
from vadlib.networks.weights import is_available_offline
from vadlib.studies.runner import DetectorRunner, DetectorSpec, compare_trials


def network_trials(
    runner: DetectorRunner, networks: Mapping[str, Iterable[str]], image_size: int, parameters: Mapping[str, Any]
) -> tuple[dict[str, DetectorSpec], dict[str, str]]:
    """Every detector with every network that is on this machine and has what the detector needs; nothing is downloaded.

    Parameters
    ----------
    runner : DetectorRunner
    networks : mapping of str to iterable of str
        ``ARCHITECTURE:WEIGHTS`` by role: ``embedder``, and ``backbone`` for every other.
    image_size : int
    parameters : mapping
        The chapter's, which detectors take their options from.

    Returns
    -------
    wanted : dict of str to DetectorSpec
        By ``DETECTOR, NETWORK``, detector by detector.
    left_out : dict of str to str
        The other networks, and why.
    """
    wanted: dict[str, DetectorSpec] = {}
    left_out: dict[str, str] = {}
    for entry in catalogue.entries(learns_from=catalogue.FITTED, variants=False):
        taken = networks.get(entry.cls.network, networks["backbone"]) if entry.cls.network else ()
        for network in dict.fromkeys(taken):
            if not is_available_offline(*network.split(":", 1)):
                left_out[network] = "not on this machine; the command vadlib weights says how to get it"
                continue
            options = catalogue.chapter_options(entry, parameters)
            spec = DetectorSpec(entry.title, network, image_size, options=options)
            try:
                runner.detector(spec)
            except WeightsError as error:
                left_out[f"{entry.title}, {network}"] = str(error)
                continue
            wanted[f"{entry.title}, {network}"] = spec
    return wanted, left_out


def layer_trials(own: DetectorSpec, layers: Iterable[str]) -> dict[str, DetectorSpec]:
    """A detector reading other layers, each a text such as "layer1 layer2", by ``DETECTOR, LAYERS``."""
    return {
        f"{own.detector}, {text}": replace(own, options={**own.options, "layers": tuple(text.split())})
        for text in layers
    }


def size_trials(own: DetectorSpec, sizes: Iterable[int]) -> dict[str, DetectorSpec]:
    """A detector on frames of other sizes, in pixels a side, by ``DETECTOR, SIZE px``."""
    return {f"{own.detector}, {size} px": replace(own, image_size=size) for size in sizes}


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

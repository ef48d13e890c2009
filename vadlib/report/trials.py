"""Detectors under varied settings, all fitted on the same frames and scored on the same, so that settings compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch

from vadlib import networks
from vadlib.data import FrameReader, Split, VideoDataset
from vadlib.data.frames import Batch
from vadlib.data.progress import progress_bar
from vadlib.detectors import (
    ClipPrototypes,
    Detector,
    GradCamSsim,
    Padim,
    SpadeKnn,
    embed_frames,
    frames_of,
    score_split,
)
from vadlib.errors import ParameterError
from vadlib.evaluation import bootstrap_auroc, bootstrap_difference

KINDS = {"PaDiM": Padim, "Grad-CAM + SSIM": GradCamSsim, "SPADE": SpadeKnn, "Prototypes": ClipPrototypes}
MAIN_SCORES = {"PaDiM": "max", "Grad-CAM + SSIM": "ssim", "SPADE": "knn", "Prototypes": "ensemble"}


@dataclass(frozen=True)
class Trial:
    """One detector under one setting.

    Attributes
    ----------
    detector : str
        A key of `KINDS`.
    network : str
        ``ARCHITECTURE:WEIGHTS``, such as ``resnet18:bundled``: a constructor in `vadlib.networks` and its argument.
    image_size : int
        Pixels, height and width of the frames as read.
    n_fit : int, optional
        Normal frames to fit on, spread over those held; all of them by default. Not for prototypes.
    options : mapping
        Further arguments of the detector; a ``n_components`` above the layers' channels is brought down to them.
    """

    detector: str
    network: str
    image_size: int = 224
    n_fit: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


class Trials:
    """The frames that trials are fitted and scored on, held in memory at the size in use.

    Parameters
    ----------
    videos : VideoDataset
    normal : Split
        Of the protocol ``official-split``: the detectors that see normal frames only.
    labelled : Split
        The prototypes'; its test frames must be those of ``normal``.
    batch_size : int
    seed : int
        Of reductions, K-Means and random weights.
    device : str
    skip_unreadable : bool

    Raises
    ------
    ParameterError
        If the two splits test on different frames.
    """

    def __init__(
        self,
        videos: VideoDataset,
        normal: Split,
        labelled: Split,
        *,
        batch_size: int = 32,
        seed: int = 0,
        device: str = "auto",
        skip_unreadable: bool = False,
    ):
        self.normal, self.labelled, self.seed, self.device = normal, labelled, seed, device
        self.tested = normal.test
        tested_there = pd.Index(np.concatenate([fold.test.index for fold in labelled.folds])).sort_values()
        if not tested_there.equals(self.tested.index.sort_values()):
            raise ParameterError(
                "labelled: its test frames are not those of normal; draw both with the same seed and test counts"
            )
        self._reading = {"videos": videos, "batch_size": batch_size, "skip_unreadable": skip_unreadable}
        self._frames: HeldFrames | None = None
        self._networks: dict[str, Any] = {}

    def run(self, trials: Mapping[str, Trial]) -> dict[str, dict[str, np.ndarray]]:
        """Every score of every trial, float32 (n_tested,) each, by trial and by the detector's own name of it.

        Trials of one frame size follow each other, whatever their order here, so that frames are read once a size, and
        equal trials are run once.

        Parameters
        ----------
        trials : mapping of str to Trial

        Raises
        ------
        ParameterError, WeightsError
            From a trial's network or detector; the message is theirs.
        """
        found = {}
        with progress_bar(len(trials), "Trials", "trials", shown=True) as bar:
            for name in sorted(trials, key=lambda name: trials[name].image_size):
                twin = next((done for done in found if trials[done] == trials[name]), None)
                found[name] = found[twin] if twin else self._run(trials[name])
                bar.update()
        return {name: found[name] for name in trials}

    def network(self, name: str):
        """The network called ``ARCHITECTURE:WEIGHTS``, built once, on the device."""
        if name not in self._networks:
            architecture, _, weights = name.partition(":")
            if not weights or not callable(build := getattr(networks, architecture, None)):
                raise ParameterError(f"network: expected ARCHITECTURE:WEIGHTS, as resnet18:bundled, found {name!r}")
            self._networks[name] = build(weights, seed=self.seed).to(networks.resolve_device(self.device))
        return self._networks[name]

    def detector(self, trial: Trial) -> Detector:
        """The unfitted detector of a trial.

        Raises
        ------
        ParameterError, WeightsError
            If it cannot be made with these options, or its network lacks what it needs.
        """
        if trial.detector not in KINDS:
            raise ParameterError(f"detector: expected one of {', '.join(KINDS)}, found {trial.detector!r}")
        network, options = self.network(trial.network), dict(trial.options)
        if trial.detector == "PaDiM":
            layers = options.get("layers", ("layer1", "layer2", "layer3"))
            n_channels = sum(network.channels[layer] for layer in layers)
            options["n_components"] = min(options.get("n_components", 300), n_channels)
        return KINDS[trial.detector](network, seed=self.seed, device=self.device, **options)

    def _run(self, trial: Trial) -> dict[str, np.ndarray]:
        frames = self._held(trial.image_size)
        if trial.detector == "Prototypes":
            return self._run_prototypes(trial, frames)
        fitted = self.normal.fit
        if trial.n_fit is not None:
            fitted = fitted.iloc[np.linspace(0, len(fitted) - 1, trial.n_fit).round().astype(int)]
        detector = self.detector(trial).fit(frames.select(fitted))
        return detector.score_columns(frames.select(self.tested))

    def _run_prototypes(self, trial: Trial, frames: HeldFrames) -> dict[str, np.ndarray]:
        wanted = frames_of(frames.table, [self.labelled])
        embedded = embed_frames(self.network(trial.network), frames.select(wanted))
        embeddings = pd.DataFrame(embedded, index=wanted.index)
        tested, columns, _ = score_split(self.labelled, embeddings, lambda: self.detector(trial))
        order = tested.index.get_indexer(self.tested.index)
        return {name: values[order] for name, values in columns.items()}

    def _held(self, image_size: int) -> HeldFrames:
        if self._frames is None or self._frames.size[0] != image_size:
            self._frames = None  # before the next ones are read
            table = self._reading["videos"].frame_table()
            table = table[table.index.isin(self.normal.fit.index) | table.index.isin(self._labelled_index)]
            self._frames = HeldFrames(FrameReader(
                self._reading["videos"], table, (image_size, image_size), self._reading["batch_size"],
                skip_unreadable=self._reading["skip_unreadable"], description=f"frames, {image_size} px",
            ))  # fmt: skip
        return self._frames

    @cached_property
    def _labelled_index(self) -> pd.Index:
        return pd.Index(np.concatenate([part.index for f in self.labelled.folds for part in (f.fit, f.test)])).unique()


class HeldFrames:
    """Frames of a reader in memory, from which readers of some of them are made.

    Parameters
    ----------
    reader : FrameReader
        Read once, here. Its table's index says which frames `select` means.
    """

    def __init__(self, reader: FrameReader):
        self.table, self.size, self.batch_size = reader.table, reader.size, reader.batch_size
        self._images = torch.empty((reader.n_frames, 3, *reader.size), dtype=torch.uint8).to(
            memory_format=torch.channels_last
        )  # (N, 3, H, W)
        self._read = np.zeros(reader.n_frames, dtype=bool)
        for batch in reader:
            self._images[batch.rows] = batch.images
            self._read[batch.rows] = True

    def select(self, table: pd.DataFrame) -> HeldReader:
        """A reader of these rows of the table."""
        return HeldReader(self, table)


class HeldReader:
    """What detectors need of a `FrameReader`, for frames already in memory: `table`, `n_frames`, batches."""

    def __init__(self, frames: HeldFrames, table: pd.DataFrame):
        self._frames, self.table, self.size, self.batch_size = frames, table, frames.size, frames.batch_size
        self._positions = frames.table.index.get_indexer(table.index)  # (n,)
        if (self._positions < 0).any():
            raise ParameterError(f"table: {(self._positions < 0).sum()} of its rows are not among the frames held")

    @property
    def n_frames(self) -> int:
        """Frames in the table."""
        return len(self.table)

    @property
    def skipped(self) -> np.ndarray:
        """Positions in the table of frames that could not be read."""
        return np.flatnonzero(~self._frames._read[self._positions])

    def __len__(self) -> int:
        """Batches of one iteration, at most."""
        return -(-self.n_frames // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches in the table's order."""
        readable = np.flatnonzero(self._frames._read[self._positions])
        labels = self.table["label"].to_numpy(np.int8)
        for rows in np.array_split(readable, range(self.batch_size, len(readable), self.batch_size)):
            if len(rows):
                yield Batch(self._frames._images[self._positions[rows]], rows, labels[rows])


def compare_trials(
    scores: pd.DataFrame, bases: Mapping[str, str | None], *, n_resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """AUROC of each setting, and its difference from another one on the same resamples of the clips.

    Parameters
    ----------
    scores : DataFrame
        ``clip``, ``label`` and one column a setting; no NaN.
    bases : mapping of str to str or None
        The settings, and what each is compared with.
    n_resamples, seed : int
        Of the bootstrap over clips.

    Returns
    -------
    DataFrame
        Index: setting; ``estimate``, ``low``, ``high`` of its AUROC; ``gain``: `Interval` of its AUROC minus
        its base's, None where there is no base or it is the setting itself.

    Raises
    ------
    ParameterError
        If a setting has no column, or as the bootstrap does.
    """
    lacking = sorted({name for pair in bases.items() for name in pair if name is not None} - set(scores.columns))
    if lacking:
        raise ParameterError(f"scores: no column {lacking[0]!r}; found {', '.join(scores.columns)}")
    resampling = {"clusters": scores["clip"], "n_resamples": n_resamples, "seed": seed}
    rows = {}
    for name, base in bases.items():
        interval = bootstrap_auroc(scores["label"], scores[name], **resampling)
        gain = None
        if base not in (None, name):
            gain = bootstrap_difference(scores["label"], scores[name], scores[base], **resampling)
        rows[name] = {
            "estimate": interval.estimate, "low": interval.low, "high": interval.high, "gain": gain,
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "low", "high", "gain"])


def main_scores(trials: Mapping[str, Trial], found: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Of each trial's scores (see `Trials.run`) the one that its detector is judged by."""
    return {name: found[name][MAIN_SCORES[trial.detector]] for name, trial in trials.items()}

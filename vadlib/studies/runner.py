"""Detectors under varied settings, all fitted on the same frames and scored on the same, so that settings compare."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from vadlib import networks
from vadlib.data import FrameReader, Split, VideoDataset
from vadlib.data.progress import progress_bar
from vadlib.data.reading.inputs import Frames
from vadlib.data.reading.views import check_view
from vadlib.detectors import Detector, LearnsFrom, catalogue, embed_frames
from vadlib.detectors.embedding_detector import EmbeddingDetector
from vadlib.detectors.supervised_head import SupervisedHead, pooled_heatmaps
from vadlib.errors import ParameterError
from vadlib.evaluation import bootstrap_auroc, bootstrap_difference
from vadlib.studies.cross_fit import cross_fit, embedded_frames, frames_of
from vadlib.studies.memory import CachedNetwork, KeptFrames

LABELLED = (LearnsFrom.LABELLED_FRAMES, LearnsFrom.LABELLED_CLIPS)


@dataclass(frozen=True)
class DetectorSpec:
    """One detector under one setting.

    A `head` gives it the labels that prototypes see: a logistic regression, cross-fitted on its pooled heatmaps (where
    it has none: on its embeddings); ``grid`` of `pooled_heatmaps`, ``inverse_regularisation`` of `SupervisedHead`. Its
    score is ``head``. Trials that differ in nothing but `score` are run once.
    """

    detector: str  # a title of `vadlib.detectors.catalogue`
    network: str  # ARCHITECTURE:WEIGHTS; empty for a detector that takes none
    image_size: int = 224  # pixels, height and width of the frames as read
    n_fit: int | None = None  # normal frames to fit on, spread over those held, where no label is learnt from
    options: Mapping[str, Any] = field(default_factory=dict)  # brought down to what its network allows
    view: str = "whole"  # the part of the frame that is read (see `vadlib.data.reading.views`)
    head: Mapping[str, Any] | None = None
    score: str | None = field(default=None, compare=False)  # what it is judged by (see `main_scores`)


def default_specs(
    networks: Mapping[str, str], image_size: int, parameters: Mapping[str, Any], **which: Any
) -> dict[str, DetectorSpec]:
    """Every detector of the catalogue (`which` of them) as a chapter's parameters make it, by title.

    Networks are ``ARCHITECTURE:WEIGHTS`` by role: ``backbone``, ``classifier``, ``embedder``.
    """
    return {
        entry.title: DetectorSpec(
            entry.title,
            networks[entry.cls.network] if entry.cls.network else "",
            image_size,
            options=catalogue.chapter_options(entry, parameters),
        )
        for entry in catalogue.entries(**which)
    }


class DetectorRunner:
    """Runs detectors on the same frames, which are kept at the size in use.

    `normal`, of the protocol ``official-split``, is for the detectors that see normal frames only, `labelled` for those
    that see labels; their test frames must be the same. Frames of `others` are held too, for `run_under`. The seed is
    that of reductions, K-Means and random weights.
    """

    def __init__(
        self,
        videos: VideoDataset,
        normal: Split,
        labelled: Split,
        *,
        others: Sequence[Split] = (),
        batch_size: int = 32,
        seed: int = 0,
        device: str = "auto",
        skip_unreadable: bool = False,
    ):
        self.normal, self.labelled, self.seed, self.device = normal, labelled, seed, device
        self._splits = (normal, labelled, *others)
        self.tested = normal.test
        tested_there = pd.Index(np.concatenate([fold.test.index for fold in labelled.folds])).sort_values()
        if not tested_there.equals(self.tested.index.sort_values()):
            raise ParameterError(
                "labelled: its test frames are not those of normal; draw both with the same seed and test counts"
            )
        self._reading = {"videos": videos, "batch_size": batch_size, "skip_unreadable": skip_unreadable}
        self._frames: tuple[tuple[int, str], KeptFrames] | None = None  # their size and view, and they
        self._networks: dict[str, CachedNetwork] = {}

    def run(self, trials: Mapping[str, DetectorSpec]) -> dict[str, dict[str, np.ndarray]]:
        """Every score of every trial, float32 (n_tested,) each, by trial and by the detector's own name of it."""
        # Trials of one frame size, view and network follow each other, whatever their order here: frames are read once
        # a size, a network's features of a frame computed once. Equal trials are run once.
        found = {}
        with progress_bar(len(trials), "DetectorRunner", "trials", shown=True) as bar:
            held = self._frames[0] if self._frames else None
            groups = {name: (trial.image_size, trial.view) for name, trial in trials.items()}
            for name in sorted(trials, key=lambda name: (groups[name] != held, groups[name], trials[name].network)):
                self._forget(besides=trials[name].network)  # those of one network are kept
                twin = next((done for done in found if trials[done] == trials[name]), None)
                found[name] = found[twin] if twin else self._run(trials[name])
                bar.update()
        self._forget()
        return {name: found[name] for name in trials}

    def run_under(self, trial: DetectorSpec, split: Split) -> pd.DataFrame:
        """Scores of a trial under another protocol; each fold's detector is fitted on its frames, and on no others."""
        if trial.head is not None or trial.n_fit is not None:
            raise ParameterError("trial: under a protocol of its own, a trial has no head and no n_fit")
        self._forget(besides=trial.network)
        open_reader = self._opener(trial, self.detector(trial))
        return cross_fit(split, lambda: self.detector(trial), open_reader)[0].sort_index()

    def keep_features(self, trial: DetectorSpec, split: Split, layers: Sequence[str]) -> None:
        """Compute layers of a split's frames in one pass, for trials that take some of them next."""
        self._forget(besides=trial.network)
        held = self._held(trial.image_size, trial.view)
        for batch in held.select(frames_of(held.table, [split])):
            self.network(trial.network).features(batch.images, layers)

    def embeddings(self, network: str, image_size: int) -> pd.DataFrame:
        """Embeddings of all frames held, float32 (n, D), with the frame table's index."""
        frames = self._held(image_size)
        return pd.DataFrame(embed_frames(self.network(network), frames.select(frames.table)), index=frames.table.index)

    def _forget(self, besides: str = "") -> None:
        for name, network in self._networks.items():
            if name != besides:
                network.forget()

    @property
    def networks(self) -> dict[str, CachedNetwork]:
        """Those in use so far, by name."""
        return dict(self._networks)

    def network(self, name: str):
        """The network called ``ARCHITECTURE:WEIGHTS``, built once, on the device."""
        if name not in self._networks:
            built = networks.open_network(name, seed=self.seed).to(networks.resolve_device(self.device))
            self._networks[name] = CachedNetwork(built)
        return self._networks[name]

    def commonest_class(self, network: str, image_size: int) -> int:
        """The class that is most often a network's first choice on the normal frames fitted on."""
        logits = [self.network(network).logits(b.images).cpu() for b in self._held(image_size).select(self.normal.fit)]
        return int(np.bincount(np.concatenate([part.argmax(dim=1).numpy() for part in logits])).argmax())

    def detector(self, trial: DetectorSpec) -> Detector:
        """The unfitted detector of a trial."""
        entry = catalogue.entry(trial.detector)
        networks_by_role = {entry.cls.network: self.network(trial.network)} if entry.cls.network else {}
        return catalogue.make(entry, networks_by_role, **{"seed": self.seed, "device": self.device} | trial.options)

    def _opener(self, trial: DetectorSpec, detector: Detector) -> Callable[[pd.DataFrame], Iterable]:
        """Opens readers of tables: of frames from memory, of anything else that a detector reads from the videos."""
        if detector.reads == Frames():
            return self._held(trial.image_size, trial.view).select
        videos, size = self._reading["videos"], (trial.image_size, trial.image_size)
        reading = {name: self._reading[name] for name in ("batch_size", "skip_unreadable")}
        return lambda table: detector.reads.open(videos, table, size=size, view=trial.view, **reading)

    def _run(self, trial: DetectorSpec) -> dict[str, np.ndarray]:
        detector = self.detector(trial)
        open_reader = self._opener(trial, detector)
        if trial.head is not None or detector.learns_from in LABELLED:
            return self._run_labelled(trial, detector, open_reader)
        return detector.fit(open_reader(self._normal_frames(trial))).score_columns(open_reader(self.tested))

    def _normal_frames(self, trial: DetectorSpec) -> pd.DataFrame:
        fitted = self.normal.fit
        if trial.n_fit is not None:
            if not 1 <= trial.n_fit <= len(fitted):
                raise ParameterError(f"n_fit: expected 1 to {len(fitted)}, the frames held, found {trial.n_fit}")
            fitted = fitted.iloc[np.linspace(0, len(fitted) - 1, trial.n_fit).round().astype(int)]
        return fitted

    def _run_labelled(self, trial: DetectorSpec, detector: Detector, open_reader: Callable) -> dict[str, np.ndarray]:
        """Cross-fit a detector, or a head on the embeddings or the maps of one."""
        frames, head = frames_of(self._reading["videos"].frame_table(), [self.labelled]), dict(trial.head or {})
        grid, features = head.pop("grid", 4), None
        if isinstance(detector, EmbeddingDetector):
            features = embed_frames(detector.network, open_reader(frames))  # once for all folds
        elif trial.head is not None:
            detector.fit(open_reader(self._normal_frames(trial)))
            features = _features_of_maps(detector, open_reader(frames), grid)
        if features is not None:
            open_reader = embedded_frames(pd.DataFrame(features, index=frames.index))
        make = (lambda: self.detector(trial)) if trial.head is None else (lambda: SupervisedHead(**head))
        scores, _ = cross_fit(self.labelled, make, open_reader)
        return {name: scores[name].loc[self.tested.index].to_numpy() for name in scores}

    def _held(self, image_size: int, view: str = "whole") -> KeptFrames:
        check_view(view, (image_size, image_size))
        if self._frames is None or self._frames[0] != (image_size, view):
            self._frames = None  # before the next ones are read
            self._forget()
            table = frames_of(self._reading["videos"].frame_table(), self._splits)
            reader = FrameReader(
                self._reading["videos"], table, (image_size, image_size), self._reading["batch_size"], view=view,
                skip_unreadable=self._reading["skip_unreadable"], description=f"frames, {image_size} px",
            )  # fmt: skip
            self._frames = (image_size, view), KeptFrames(reader)
        return self._frames[1]


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

    Returns
    -------
    DataFrame
        By setting: ``estimate``, ``low``, ``high``, and ``gain``, the `Interval` of the difference, or None.
    """
    lacking = sorted({name for pair in bases.items() for name in pair if name is not None} - set(scores.columns))
    if lacking:
        raise ParameterError(f"scores: no column {lacking[0]!r}; found {', '.join(scores.columns)}")
    resampling = {"clusters": scores["clip"], "n_resamples": n_resamples, "seed": seed}
    rows = {}
    for name, base in bases.items():
        interval = bootstrap_auroc(scores["label"], scores[name], **resampling)
        paired = base not in (None, name)
        gain = bootstrap_difference(scores["label"], scores[name], scores[base], **resampling) if paired else None
        rows[name] = [interval.estimate, interval.low, interval.high, gain]
    return pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "low", "high", "gain"])


def main_scores(
    trials: Mapping[str, DetectorSpec], found: Mapping[str, Mapping[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Of each trial's scores (see `DetectorRunner.run`) the one that it, or else its detector, is judged by."""
    return {name: found[name][main_score(trial)] for name, trial in trials.items()}


def main_score(trial: DetectorSpec) -> str:
    """The score that a trial is judged by."""
    return trial.score or ("head" if trial.head is not None else catalogue.entry(trial.detector).cls.main_score)


def _features_of_maps(detector: Detector, reader: Iterable, grid: int) -> np.ndarray:
    """Pooled heatmaps of a reader's frames, float32 (n_frames, features); NaN where a frame could not be read."""
    features = None
    for batch in reader:
        pooled = pooled_heatmaps(detector.heatmap(batch.images, scenes=batch.scenes), grid)
        if features is None:
            features = np.full((reader.n_frames, pooled.shape[1]), np.nan, np.float32)
        features[batch.rows] = pooled
    if features is None:
        raise ParameterError("head: none of the labelled frames could be read")
    return features

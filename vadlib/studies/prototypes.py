"""Prototypes of labelled frames under several protocols, and what the same embeddings give without labels."""

from collections.abc import Callable, Container, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vadlib.data import VideoDataset, read_frame
from vadlib.data.sampling import Split
from vadlib.detectors import ClipPrototypes, ZeroShotText
from vadlib.detectors.catalogue import colours
from vadlib.evaluation import Interval, bootstrap_auroc
from vadlib.figures import contact_sheet, interval_rows
from vadlib.networks import FeatureNetwork
from vadlib.studies.cross_fit import cross_fit, embedded_frames

VARIANTS = {"Prototypes": "ensemble", "One-class prototypes": "one_class_ensemble", "Zero-shot text": "zero_shot"}


@dataclass(frozen=True)
class ScoredProtocol:
    """The test frames under one protocol, their scores, and the detectors, one a fold."""

    split: Split
    table: pd.DataFrame
    columns: dict[str, np.ndarray]
    detectors: list[ClipPrototypes]

    @property
    def skipped(self) -> np.ndarray:
        """Positions of test frames without a score."""
        return np.flatnonzero(~np.isfinite(self.columns["ensemble"]))

    @property
    def n_fit(self) -> int:
        """Labelled frames of a fold."""
        return sum(len(fold.fit) for fold in self.split.folds) // len(self.split.folds)

    @property
    def n_fit_anomalous(self) -> int:
        """Anomalous ones among them."""
        return sum(int(fold.fit["label"].sum()) for fold in self.split.folds) // len(self.split.folds)

    def auroc(self, *, n_resamples: int, seed: int) -> Interval:
        """The ensemble's, over clips."""
        labels, clips, known = self.table["label"], self.table["clip"], np.isfinite(self.columns["ensemble"])
        scores = self.columns["ensemble"][known]
        return bootstrap_auroc(labels[known], scores, clusters=clips[known], n_resamples=n_resamples, seed=seed)


def score_by_protocol(
    splits: Mapping[str, Split],
    embeddings: pd.DataFrame,
    make: Callable[[], ClipPrototypes],
    *,
    stage: Callable[[str], AbstractContextManager] = lambda name: nullcontext(),
) -> dict[str, ScoredProtocol]:
    """Fit and score under each protocol.

    Parameters
    ----------
    splits : mapping of str to Split
        By protocol; the first is the one that the stage `fit and score` times.
    embeddings : DataFrame float32 (n, D)
        Indexed as the table that the splits were drawn from.
    make : callable
        Gives an unfitted detector.
    stage : callable, optional
        `chapter.stage`.
    """
    scored = {}
    for name, split in splits.items():
        with stage(f"fit and score, {name}" if scored else "fit and score"):
            columns, detectors = cross_fit(split, make, embedded_frames(embeddings))
        tested = pd.concat([fold.test for fold in split.folds]).loc[columns.index]
        scored[name] = ScoredProtocol(
            split, tested, {column: columns[column].to_numpy() for column in columns}, detectors
        )
    return scored


def scores_without_labels(
    one_class: ClipPrototypes, split: Split, embeddings: pd.DataFrame, tested: pd.DataFrame, network: FeatureNetwork
) -> dict[str, np.ndarray]:
    """Scores of the tested frames that need no labelled anomaly: one-class prototypes, and text prompts if there are.

    Parameters
    ----------
    one_class : ClipPrototypes
        Of `mode="one-class"`; it is fitted on the split's frames.
    split : Split
    embeddings : DataFrame
    tested : DataFrame
        The frames, indexed as `embeddings`.
    network : FeatureNetwork

    Returns
    -------
    dict of str to float32 (n_tested,)
        NaN for frames that could not be read.
    """
    fit, test = (embeddings.loc[frames.index].to_numpy() for frames in (split.fit, tested))
    one_class.fit_embeddings(fit[np.isfinite(fit[:, 0])], np.zeros(np.isfinite(fit[:, 0]).sum(), np.int8))
    columns = {f"one_class_{name}": values for name, values in one_class.score_embeddings(test).items()}
    if getattr(network, "has_text", False):
        columns |= ZeroShotText(network, device=one_class.device).fit().score_embeddings(test)
    return columns


def variants(columns: Container[str]) -> dict[str, str]:
    """Title to column, of those that were scored: the ensemble, and what needs no labelled anomaly."""
    return {title: name for title, name in VARIANTS.items() if name in columns}


def draw_protocols(by_protocol: Mapping[str, Interval], intervals: Mapping[str, Interval]) -> Figure:
    """AUROC of prototypes by protocol, and of the variants that see no labelled anomaly."""
    rows = {f"prototypes, {name}": ("Prototypes", interval) for name, interval in by_protocol.items()}
    for name, title in (("one-class", "One-class prototypes"), ("text prompts, zero-shot", "Zero-shot text")):
        if VARIANTS[title] in intervals:
            rows[name] = (title, intervals[VARIANTS[title]])
    table = {
        name: (found.estimate, found.low, found.high, colours()[title], f"{found.estimate:.3f}")
        for name, (title, found) in rows.items()
    }
    columns = ["estimate", "low", "high", "colour", "note"]
    return interval_rows(pd.DataFrame.from_dict(table, orient="index", columns=columns))


def draw_prototypes(scored: ScoredProtocol, embeddings: pd.DataFrame, videos: VideoDataset, *, n: int = 4) -> Figure:
    """The fitted frames of the first fold nearest to the largest prototypes of each class."""
    detector, fit = scored.detectors[0], scored.split.folds[0].fit
    nearest = pd.concat([detector.prototype_frames(label).nlargest(n, "n_frames") for label in (0, 1)])
    rows = list(fit.iloc[nearest["row"]].itertuples())
    return contact_sheet(
        [read_frame(videos, row.clip, row.frame) for row in rows],
        [
            f"{'anomalous' if row.label else 'normal'}: {size} frames\n{row.clip}, frame {row.frame}"
            for row, size in zip(rows, nearest["n_frames"], strict=True)
        ],
        masks=[videos.pixel_mask(row.clip, row.frame) if row.label else None for row in rows],
        n_columns=n,
    )

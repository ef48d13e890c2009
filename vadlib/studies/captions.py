"""The paper's prototypes on captions: a model's words for each frame in place of CLIP's vectors of it.

A caption becomes a vector by the words in it: TF-IDF of one and two words, brought down by SVD. Both are learned from
the captions of the fitted frames alone, so that no tested clip shapes its own embedding unless the protocol lets it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Self

import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from threadpoolctl import threadpool_limits

from vadlib.data import Split, draw
from vadlib.detectors import LearnsFrom
from vadlib.detectors.embedding_detector import EmbeddingDetector
from vadlib.detectors.feature_cache import EmbeddedFrames
from vadlib.errors import ParameterError
from vadlib.evaluation import (
    auroc,
    bootstrap_auroc,
    bootstrap_difference,
    delong_auroc,
    nearest_fit_label,
    summarize,
)
from vadlib.studies.cross_fit import cross_fit

CAPTION_PROTOCOLS = ("reused-frames", "same-clips", "disjoint-clips", "disjoint-scenes")
SHARED_CLIPS = ("reused-frames", "same-clips")  # fitted and tested on the same clips
N_DIMENSIONS = 128


class CaptionEmbedder:
    """Captions to vectors float32 (n, D); stands where detectors have an embedding network.

    Parameters
    ----------
    n_dimensions : int
        D, fewer than the captions that it is fitted on.
    seed : int
        Of the SVD.
    """

    def __init__(self, n_dimensions: int = N_DIMENSIONS, seed: int = 0):
        self.embedding_size = n_dimensions
        self.record = SimpleNamespace(architecture="TF-IDF and SVD of captions")
        self.words = TfidfVectorizer(ngram_range=(1, 2))
        self.reduction = TruncatedSVD(n_dimensions, random_state=seed)

    def to(self, device) -> Self:
        """Itself: words are counted on the CPU."""
        return self

    def fit(self, captions: Sequence[str]) -> Self:
        """Learn which words there are, how rare each is, and in which directions captions differ."""
        counted = self.words.fit_transform(captions)
        if min(counted.shape) <= self.embedding_size:
            raise ParameterError(
                f"n_dimensions: {self.embedding_size} are asked for, fewer than {min(counted.shape)} are possible with "
                f"{counted.shape[0]:,} captions of {counted.shape[1]:,} words and pairs of words; give fewer."
            )
        with threadpool_limits(1):  # threads would add up in another order, run by run
            self.reduction.fit(counted)
        return self

    def embed(self, captions: Sequence[str]) -> np.ndarray:
        """float32 (n, D); a caption of unknown words alone is all zeros."""
        with threadpool_limits(1):
            return self.reduction.transform(self.words.transform(captions)).astype(np.float32)


class CaptionDetector:
    """A detector of embeddings that is fitted on, and scores, frames with a column ``caption``; for `cross_fit`.

    Parameters
    ----------
    make : callable
        Gives the detector, unfitted, for an embedder.
    n_dimensions, seed
        As in `CaptionEmbedder`.
    """

    learns_from = LearnsFrom.LABELLED_FRAMES

    def __init__(
        self, make: Callable[[CaptionEmbedder], EmbeddingDetector], n_dimensions: int = N_DIMENSIONS, seed: int = 0
    ):
        self.embedder = CaptionEmbedder(n_dimensions, seed)
        self.detector = make(self.embedder)

    def fit(self, frames: pd.DataFrame) -> Self:
        """Learn the embedding, and in it what normal and anomalous frames are like."""
        vectors = self.embedder.fit(frames["caption"]).embed(frames["caption"])
        self.detector.fit(EmbeddedFrames(vectors, frames["label"].to_numpy(np.int8)))
        return self

    def score_columns(self, frames: pd.DataFrame) -> dict[str, np.ndarray]:
        """Every score, float32 (n,), by name."""
        return self.detector.score_embeddings(self.embedder.embed(frames["caption"]))


def score_captions(split: Split, make: Callable[[CaptionEmbedder], EmbeddingDetector], **embedder) -> pd.DataFrame:
    """The frames that a split tests, with every score of the detector that was fitted without them, in order.

    Parameters
    ----------
    split : Split
        Of frames with a column ``caption``.
    make : callable
        Gives an unfitted detector for an embedder.
    **embedder
        `n_dimensions` and `seed` of it.

    Returns
    -------
    DataFrame
        The tested frames' columns, ``nearest_fit_label`` (see `vadlib.evaluation.nearest_fit_label`), ``seen``: whether
        a fitted frame has the same caption, word for word; and the scores.
    """
    scores, _ = cross_fit(split, lambda: CaptionDetector(make, **embedder), lambda frames: frames)
    tested = pd.concat([fold.test for fold in split.folds]).loc[scores.index]
    seen = pd.concat([fold.test["caption"].isin(fold.fit["caption"]) for fold in split.folds]).loc[scores.index]
    return tested.assign(nearest_fit_label=nearest_fit_label(split, tested), seen=seen).join(scores)


def caption_protocols(
    frames: pd.DataFrame,
    make: Callable[[CaptionEmbedder, int], EmbeddingDetector],
    *,
    n_fit: int,
    n_test: int | None,
    seeds: Sequence[int],
    judge: Callable[[pd.DataFrame], pd.DataFrame] = lambda scored: scored,
    main: str = "ensemble",
    protocols: Iterable[str] = CAPTION_PROTOCOLS,
    n_dimensions: int = N_DIMENSIONS,
    n_folds: int = 5,
    n_resamples: int = 1000,
) -> tuple[dict[str, dict], dict[str, pd.DataFrame]]:
    """A detector of captions under each protocol, with everything drawn anew for each seed.

    Parameters
    ----------
    frames : DataFrame
        The test clips' frame table with a column ``caption``.
    make : callable
        Gives an unfitted detector for an embedder and a seed.
    n_fit, n_test : int
        Frames of each class: fitted in each fold, and tested; the latter None for all.
    seeds : sequence of int
        Of the draw of frames, the SVD and the detector; the first is judged in full.
    judge : callable
        Given scored frames, gives them with columns more that depend on all of them, such as weights chosen there.
    main : str
        Which score the seeds are compared by.
    protocols : iterable of str
    n_dimensions, n_folds, n_resamples : int

    Returns
    -------
    metrics : dict
        By protocol: `judged_protocol` of the first seed; ``by_seed``, the main score's AUROC under each; and
        ``same_clips_minus_this``, what its AUROC lacks of that under ``same-clips``, on the same frames.
    scored : dict of str to DataFrame
        By protocol: what `score_captions` gave, and `judge` made of it, under the first seed.
    """
    metrics, kept = {}, {}
    for protocol in protocols:
        by_seed = {}
        for seed in seeds:
            split = draw(frames, protocol, n_fit, n_fit, n_test, n_test, seed, n_folds=n_folds)
            options = {"n_dimensions": n_dimensions, "seed": seed}
            scored = judge(score_captions(split, lambda network, seed=seed: make(network, seed), **options))
            by_seed[str(seed)] = auroc(scored["label"], scored[main])
            if protocol not in kept:
                kept[protocol] = scored
        judged = judged_protocol(kept[protocol], main, n_resamples=n_resamples, seed=seeds[0])
        metrics[protocol] = judged | {"n_fit": n_fit, "n_folds": len(split.folds), "by_seed": by_seed}
        if protocol not in SHARED_CLIPS and "same-clips" in kept:
            shared, own = kept["same-clips"], kept[protocol]
            metrics[protocol]["same_clips_minus_this"] = bootstrap_difference(
                own["label"], shared[main], own[main], clusters=own["clip"], n_resamples=n_resamples, seed=seeds[0]
            )
    return metrics, kept


def judged_protocol(scored: pd.DataFrame, main: str, *, n_resamples: int, seed: int) -> dict[str, Mapping]:
    """Figures of every score of `score_captions`, and of what the protocol gives away without a caption being read.

    Returns
    -------
    dict
        ``scores``: by score ``micro_auroc_interval`` (over clips) and what `summarize` says; ``frames``: DeLong's
        interval of the main score, as if frames were independent; ``share_seen``: tested frames whose caption a fitted
        frame has.
    """
    facts = {"clip", "split", "scene", "frame", "label", "caption", "seen"}
    columns = [name for name in scored.columns if name not in facts]
    resampling = {"clusters": scored["clip"], "n_resamples": n_resamples, "seed": seed}
    return {
        "scores": {
            name: {"micro_auroc_interval": bootstrap_auroc(scored["label"], scored[name], **resampling)}
            | summarize(scored, name)
            for name in columns
        },
        "main": main,
        "frames": delong_auroc(scored["label"], scored[main]),
        "share_seen": float(scored["seen"].mean()),
        "n_test": len(scored),
    }

"""Leakage: how near the frames that a detector is tested on are to those that it was fitted on."""

from collections.abc import Mapping
from numbers import Real

import numpy as np
import pandas as pd

from vadlib.errors import ParameterError
from vadlib.evaluation.folds import fit_neighbours, fold_pairs

BLOCK_BYTES = 64 * 2**20  # of similarities held at once


def nearest_fit_distance(folds) -> pd.DataFrame:
    """How far, for each tested frame, the nearest fitted frame of its clip is.

    Parameters
    ----------
    folds : iterable, or an object with `.folds`
        Pairs (fit, test) of DataFrames with ``clip`` and ``frame``, or objects with `.fit` and `.test`, such as those
        of `vadlib.data.draw`.

    Returns
    -------
    DataFrame
        A row a tested frame, fold after fold, with the index of the tables given: ``clip``, ``frame``, ``fold``
        (0-based), and ``distance``, float64 in frames: 0 for a frame that is itself fitted on, NaN where the fold has
        fitted no frame of the clip.
    """
    parts = []
    for number, (fit, test) in enumerate(fold_pairs(folds)):
        nearest = fit_neighbours(fit, test)[2]
        distance = np.where(np.isfinite(nearest), nearest, np.nan)
        parts.append(test[["clip", "frame"]].assign(fold=number, distance=distance))
    return pd.concat(parts)


def leakage_report(
    folds,
    fps: float | Mapping[str, float],
    *,
    embeddings: pd.DataFrame | None = None,
    threshold: float = 0.99,
) -> dict:
    """Count what fitted and tested frames have in common.

    Parameters
    ----------
    folds : iterable, or an object with `.folds`
        As in `nearest_fit_distance`. Each tested frame is held against the frames of its own fold's fit only.
    fps : float, or mapping of str to float
        Frames a second, of all clips or by clip.
    embeddings : DataFrame float32 (m, D), optional
        Indexed as the table that the folds were drawn from, a row a frame, of any length but zero. A row of NaN is a
        frame that could not be read; it is left out.
    threshold : float
        Cosine similarity, in (-1, 1), above which two frames count as near duplicates. What is near depends on the
        network: compare values between protocols, not between networks.

    Returns
    -------
    dict
        Plain numbers, ready for `metrics.json`; shares are of all tested frames.

        - `n_folds`, `n_test_frames`, `n_test_clips`
        - `n_shared_clips`: clips of which a fold tests frames that was fitted on frames of it
        - `n_frames_in_shared_clips`, `share_in_shared_clips`: tested frames whose fold was fitted on frames of
          their clip
        - `share_in_shared_scenes`: the same for their scene; None where a table has no ``scene``
        - `median_distance_frames`: to the nearest fitted frame of the clip, over tested frames that have one; None
          where none has
        - `share_within_1_s`: tested frames with a fitted frame of their clip at most one second away
        - `n_reused_frames`, `share_reused`: tested frames that are themselves fitted on
        - `near_duplicates`: None without embeddings; else `threshold`, `n_compared` (tested frames that could be read),
          `share` (of those: nearest fitted frame, of any clip, more similar than the threshold), `median_similarity`

    Raises
    ------
    ParameterError
        As `fold_pairs`; a clip without frame rate, or one that is not above 0; frames without embedding, embeddings of
        length zero, no readable frame, a threshold out of range.
    """
    pairs = fold_pairs(folds)
    nearest = nearest_fit_distance(pairs)
    distance = nearest["distance"].to_numpy()
    shared = np.isfinite(distance)
    n_test, n_shared, n_reused = len(nearest), int(shared.sum()), int((distance == 0).sum())
    seconds = distance / _rates(nearest["clip"], fps)
    return {
        "n_folds": len(pairs),
        "n_test_frames": n_test,
        "n_test_clips": int(nearest["clip"].nunique()),
        "n_shared_clips": int(nearest.loc[shared, "clip"].nunique()),
        "n_frames_in_shared_clips": n_shared,
        "share_in_shared_clips": n_shared / n_test,
        "share_in_shared_scenes": _share_in_shared_scenes(pairs, n_test),
        "median_distance_frames": float(np.median(distance[shared])) if n_shared else None,
        "share_within_1_s": int((seconds <= 1).sum()) / n_test,  # NaN, no frame of the clip, is not
        "n_reused_frames": n_reused,
        "share_reused": n_reused / n_test,
        "near_duplicates": None if embeddings is None else _near_duplicates(pairs, embeddings, threshold),
    }


def nearest_fit_similarity(folds, embeddings: pd.DataFrame) -> pd.Series:
    """Cosine similarity of each tested frame to the most similar frame that its fold was fitted on.

    Parameters as in `leakage_report`. Float32 in [-1, 1], a row a tested frame, fold after fold, with the index of the
    tables given; NaN for frames that could not be read.
    """
    parts = []
    for number, (fit, test) in enumerate(fold_pairs(folds), start=1):
        fitted, to_test = _unit_vectors(embeddings, fit), _unit_vectors(embeddings, test)  # (m, D), (n, D)
        fitted = fitted[np.isfinite(fitted[:, 0])]
        if not len(fitted) and len(to_test):
            raise ParameterError(f"embeddings: fold {number} has no fit frame with one, so nothing to compare with.")
        rows = max(1, BLOCK_BYTES // (4 * max(1, len(fitted))))
        best = [(to_test[start : start + rows] @ fitted.T).max(axis=1) for start in range(0, len(to_test), rows)]
        # rounding can put the similarity of a frame with itself a hair above 1
        parts.append(pd.Series(np.clip(np.concatenate([np.empty(0, np.float32), *best]), -1, 1), index=test.index))
    return pd.concat(parts)


def _near_duplicates(pairs, embeddings: pd.DataFrame, threshold: float) -> dict:
    if not -1 < threshold < 1:
        raise ParameterError(f"threshold: a cosine similarity between -1 and 1 is expected, not {threshold!r}.")
    similarity = nearest_fit_similarity(pairs, embeddings).dropna()
    if not len(similarity):
        raise ParameterError("embeddings: none of the tested frames could be read, so none can be compared.")
    return {
        "threshold": float(threshold),
        "n_compared": len(similarity),
        "share": float((similarity > threshold).mean()),
        "median_similarity": float(similarity.median()),
    }


def _unit_vectors(embeddings: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    """Embeddings of these rows at length 1, float32 (n, D); NaN for frames that could not be read."""
    if not embeddings.index.is_unique:
        raise ParameterError("embeddings: the index has a row twice; it must be that of the frame table.")
    missing = rows.index.difference(embeddings.index)
    if len(missing):
        raise ParameterError(
            f"embeddings: {len(missing)} frames of the split have none; give each a row, indexed as the frame table."
        )
    vectors = embeddings.loc[rows.index].to_numpy(np.float32, copy=True)  # (n, D)
    vectors[~np.isfinite(vectors).all(axis=1)] = np.nan
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)  # (n, 1)
    if (lengths == 0).any():
        raise ParameterError(f"embeddings: {int((lengths == 0).sum())} are zero, which point nowhere; leave them NaN.")
    return vectors / lengths


def _share_in_shared_scenes(pairs, n_test: int) -> float | None:
    if not all("scene" in table.columns for pair in pairs for table in pair):
        return None
    return sum(int(test["scene"].isin(fit["scene"].unique()).sum()) for fit, test in pairs) / n_test


def _rates(clips: pd.Series, fps: float | Mapping[str, float]) -> np.ndarray:
    """Frames a second of each frame's clip, float64 (n,)."""
    if isinstance(fps, Mapping | pd.Series):
        unknown = sorted(set(clips) - set(fps.keys()))
        if unknown:
            raise ParameterError(
                f"fps: {len(unknown)} clips have no frame rate, first {unknown[0]}. Give one for each."
            )
        rates = clips.map(dict(fps)).tolist()
    else:
        rates = [fps] * len(clips)
    wrong = [rate for rate in rates if not (isinstance(rate, Real) and 0 < rate < np.inf)]
    if wrong:
        raise ParameterError(f"fps: frames a second must be a number above 0; got {wrong[0]!r}.")
    return np.array(rates, np.float64)

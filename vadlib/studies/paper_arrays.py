"""What the scores say that the paper's author committed, and what choosing weights on the tested frames is worth.

The frames are not named, so nothing can be resampled but frames; an interval over them is too narrow, for neighbouring
frames of a clip are nearly one observation. `vadlib.studies.captions` says by how much, of the same design.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from vadlib.data.published.tables import CLIP_SCORES, PaperArrays
from vadlib.errors import ParameterError
from vadlib.evaluation import auroc, delong_auroc, overlap_coefficient
from vadlib.studies.published_scores import small_curve

Choice = Callable[[np.ndarray, np.ndarray], np.ndarray]  # labels (n,), scores (n, k) -> weights (k,)


def judge_paper_arrays(arrays: PaperArrays) -> dict[str, dict]:
    """Figures of every array: ``frames``, DeLong's interval over frames; ``n_frames``; ``overlap``; ``curve``.

    Parameters
    ----------
    arrays : PaperArrays

    Returns
    -------
    dict
        By array: ``padim``, those of `CLIP_SCORES`, and ``fused_score``.
    """
    columns = {"padim": (arrays.padim_labels, arrays.padim_scores)}
    columns |= {name: (arrays.clip_labels, values) for name, values in arrays.clip_scores.items()}
    return {
        name: {
            "frames": delong_auroc(labels, values),
            "n_frames": len(labels),
            "overlap": overlap_coefficient(labels, values),
            "curve": small_curve(labels, values),
        }
        for name, (labels, values) in columns.items()
    }


def weights_worth(labels, scores: Mapping[str, np.ndarray], choose: Choice, *, n_splits: int, seed: int = 0) -> dict:
    """What weights get that are chosen on the very frames that they are judged on, and on others.

    Half of each class's frames is drawn for choosing, and the rest judges, `n_splits` times.

    Parameters
    ----------
    labels : (n,)
    scores : mapping of str to (n,)
        Of one detector; each by itself, too.
    choose : callable
        Gives the weights that are best on labels (n,) and scores (n, k).
    n_splits, seed : int

    Returns
    -------
    dict
        ``all``: AUROC with the weights chosen on all frames, and ``weights`` those by score; ``single``: AUROC of each
        score alone; ``chosen_on``, ``judged_on``: mean AUROC over the splits on the half that chose, and on the other;
        ``best_single``: on the other half, of the single score that was best on the half that chose; ``optimism``: mean
        of ``chosen_on`` minus ``judged_on``, with its standard deviation over the splits, ``optimism_sd``.
    """
    if n_splits < 2:
        raise ParameterError(f"n_splits: at least 2 are expected, not {n_splits!r}.")
    labels, names = np.asarray(labels), list(scores)
    columns = np.column_stack([np.asarray(scores[name], np.float64) for name in names])  # (n, k)
    weights = choose(labels, columns)
    rng, found = np.random.default_rng(seed), []
    for _ in range(n_splits):
        chosen = np.zeros(len(labels), bool)
        for label in (0, 1):
            rows = rng.permutation(np.flatnonzero(labels == label))
            chosen[rows[: len(rows) // 2]] = True
        best = choose(labels[chosen], columns[chosen])
        inside, outside = (auroc(labels[rows], columns[rows] @ best) for rows in (chosen, ~chosen))
        single = max(range(len(names)), key=lambda i, rows=chosen: auroc(labels[rows], columns[rows, i]))
        found.append((inside, outside, auroc(labels[~chosen], columns[~chosen, single])))
    inside, outside, single = np.array(found).T
    return {
        "all": auroc(labels, columns @ weights),
        "weights": dict(zip(names, np.asarray(weights, float).tolist(), strict=True)),
        "single": {name: auroc(labels, columns[:, i]) for i, name in enumerate(names)},
        "chosen_on": float(inside.mean()),
        "judged_on": float(outside.mean()),
        "best_single": float(single.mean()),
        "optimism": float((inside - outside).mean()),
        "optimism_sd": float((inside - outside).std(ddof=1)),
        "n_splits": n_splits,
    }


def paper_clip_scores(arrays: PaperArrays) -> dict[str, np.ndarray]:
    """The four scores that the paper's ensemble weighs."""
    return {name: arrays.clip_scores[name] for name in CLIP_SCORES}

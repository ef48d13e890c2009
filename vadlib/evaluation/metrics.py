"""Figures of merit for frame scores.

Vocabulary, the same in every function: `labels` is (n,) of 0 (normal) and 1 (anomalous); `scores` is (n,), finite,
higher = more anomalous. A frame is called anomalous where its score is at least the threshold. TPR is the share of
anomalous frames called so, FPR the share of normal frames called so. Frames with equal scores change sides together,
so ties are exact everywhere. A case that is undefined (one class, no frame, a score that is not a number) is a
`ParameterError`, never a NaN.
"""

import numpy as np
import pandas as pd
from scipy.stats import gaussian_kde, norm, rankdata

from vadlib.errors import ParameterError


def auroc(labels, scores) -> float:
    """Area under the ROC curve: the chance that an anomalous frame scores above a normal one, ties counting half.

    Parameters
    ----------
    labels, scores : (n,)

    Returns
    -------
    float
        In [0, 1]; 0.5 is chance.

    Raises
    ------
    ParameterError
        One class only, lengths that differ, no frame, labels other than 0 and 1, scores that are not finite.

    References
    ----------
    Hanley and McNeil (1982), "The meaning and use of the area under a ROC curve": the rank-sum form.
    """
    labels, scores = check_labels_scores(labels, scores)
    n_anomalous = int(labels.sum())
    n_normal = len(labels) - n_anomalous
    rank_sum = rankdata(scores)[labels].sum()  # midranks: ties count half
    return float((rank_sum - n_anomalous * (n_anomalous + 1) / 2) / (n_anomalous * n_normal))


def roc_curve(labels, scores) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every operating point, from "nothing is anomalous" to "everything is".

    Returns
    -------
    fpr, tpr : float64 (t,)
        Both rise from 0 to 1. One point per distinct score, and (0, 0) before them.
    thresholds : float64 (t,)
        Falling; the first is infinite.
    """
    tp, fp, thresholds = _counts(*check_labels_scores(labels, scores))
    return (
        np.concatenate([[0.0], fp / fp[-1]]),
        np.concatenate([[0.0], tp / tp[-1]]),
        np.concatenate([[np.inf], thresholds]),
    )


def average_precision(labels, scores) -> float:
    """Mean precision over the anomalous frames, without interpolation: sum of (R_k - R_{k-1}) P_k, in (0, 1].

    Its value at chance is the share of anomalous frames, so it compares only between tables with the same share.
    """
    tp, fp, _ = _counts(*check_labels_scores(labels, scores))
    return float(np.sum(np.diff(tp, prepend=0) * (tp / (tp + fp))) / tp[-1])


def equal_error_rate(labels, scores) -> float:
    """The error rate where the ROC curve, its points joined by straight lines, has FPR = 1 - TPR; lower is better."""
    fpr, tpr, _ = roc_curve(labels, scores)
    excess = fpr - (1 - tpr)  # rises from -1 to 1
    after = int(np.argmax(excess >= 0))
    step = -excess[after - 1] / (excess[after] - excess[after - 1])
    return float(fpr[after - 1] + step * (fpr[after] - fpr[after - 1]))


def fpr_at_tpr(labels, scores, *, tpr: float = 0.95) -> float:
    """The smallest share of false alarms among the thresholds that find at least `tpr` of the anomalous frames."""
    if not 0 < tpr <= 1:
        raise ParameterError(f"tpr must lie in (0, 1]; got {tpr!r}.")
    tp, fp, _ = _counts(*check_labels_scores(labels, scores))
    needed = np.ceil(tpr * tp[-1] - 1e-9)  # in frames: 0.95 * 100 is 95, whatever floating point makes of it
    return float(fp[np.argmax(tp >= needed)] / fp[-1])


def overlap_coefficient(labels, scores, *, n_points: int = 2000) -> float:
    """Shared area of the two classes' kernel density estimates: about 1 if they are the same, 0 if they are apart.

    The estimates are those that a plot of the densities shows: Gaussian kernels, Scott's bandwidth for each class.
    Chance keeps two samples of one distribution a little apart: they share about 0.9 with 60 frames each, 0.95 with
    600, 0.98 with 4,000. The smaller of the two is integrated over a grid of `n_points`. ParameterError as `auroc`, and
    for a class with fewer than two different scores, which has no density.
    """
    labels, scores = check_labels_scores(labels, scores)
    classes = scores[~labels], scores[labels]
    for name, values in zip(("normal", "anomalous"), classes, strict=True):
        if np.ptp(values) == 0:
            raise ParameterError(
                f"scores: all {len(values)} {name} frames score {values[0]}; a density needs two values."
            )
    kernels = [gaussian_kde(values) for values in classes]
    width = max(float(np.sqrt(kernel.covariance[0, 0])) for kernel in kernels)
    grid = np.linspace(scores.min() - 4 * width, scores.max() + 4 * width, n_points)
    smaller = np.minimum(kernels[0](grid), kernels[1](grid))
    return float(min(np.trapezoid(smaller, grid), 1.0))


def equal_normal_overlap(auroc: float) -> float:
    """Shared area of two normal curves of one width that a score of this AUROC, in (0, 1), tells apart: 1 at 0.5.

    Their means lie sqrt(2) z(AUROC) apart (Green and Swets 1966), and 2 Phi(-d / 2) of the area is shared.
    """
    if not 0 < auroc < 1:
        raise ParameterError(f"auroc must lie in (0, 1); got {auroc!r}.")
    return float(2 * norm.cdf(-abs(norm.ppf(auroc)) / np.sqrt(2)))


def summarize(table: pd.DataFrame, score: str) -> dict:
    """All figures of one score column, as plain Python numbers ready for `metrics.json`.

    Parameters
    ----------
    table : DataFrame
        One row a frame: `clip`, `label`, the score's column, and `scene` where per-scene values are wanted.
    score : str
        The column to judge.

    Returns
    -------
    dict
        `micro_auroc` (all frames pooled), `macro_auroc` (mean over the `n_macro_clips` clips that hold both classes;
        None where there is none), `per_scene` (AUROC of each scene that holds both classes), `average_precision`,
        `eer`, `fpr_at_95_tpr`, `n_frames`, `n_anomalous`, `n_clips`.

    Raises
    ------
    ParameterError
        A column is missing, or as `auroc`.
    """
    missing = {"clip", "label", score} - set(table.columns)
    if missing:
        raise ParameterError(f"summarize: no column {sorted(missing)} in the table, which has {list(table.columns)}.")
    labels, scores = table["label"].to_numpy(), table[score].to_numpy()
    check_labels_scores(labels, scores, name=score)
    per_clip = auroc_in_each(table["clip"], labels, scores)
    return {
        "micro_auroc": auroc(labels, scores),
        "macro_auroc": float(np.mean(list(per_clip.values()))) if per_clip else None,
        "n_macro_clips": len(per_clip),
        "per_scene": auroc_in_each(table["scene"], labels, scores) if "scene" in table else {},
        "average_precision": average_precision(labels, scores),
        "eer": equal_error_rate(labels, scores),
        "fpr_at_95_tpr": fpr_at_tpr(labels, scores, tpr=0.95),
        "n_frames": len(table),
        "n_anomalous": int(labels.sum()),
        "n_clips": int(table["clip"].nunique()),
    }


def check_labels_scores(labels, scores, *, name: str = "scores") -> tuple[np.ndarray, np.ndarray]:
    """Labels as bool (n,) and scores (`name` in messages) as float64 (n,), or the error that says what is wrong."""
    labels, scores = np.asarray(labels), np.asarray(scores)
    if labels.ndim != 1 or scores.ndim != 1:
        raise ParameterError(
            f"labels and {name} must be one-dimensional; got shapes {labels.shape} and {scores.shape}."
        )
    if len(labels) != len(scores):
        raise ParameterError(
            f"labels and {name} must be of one length, a score a frame; got {len(labels)} and {len(scores)}."
        )
    if len(labels) == 0:
        raise ParameterError(f"labels and {name} are empty: there is no frame to judge.")
    if not np.isin(labels, (0, 1)).all():
        other = [value for value in pd.unique(labels) if value not in (0, 1)]
        raise ParameterError(f"labels must be 0 (normal) or 1 (anomalous); found {other[:5]}.")
    try:
        scores = scores.astype(np.float64)
    except (TypeError, ValueError):
        raise ParameterError(f"{name} must be numbers; got an array of {scores.dtype}.") from None
    finite = np.isfinite(scores)
    if not finite.all():
        raise ParameterError(
            f"{name} must be finite; {int((~finite).sum())} of {len(scores)} are not, the first at row "
            f"{int(np.argmin(finite))} ({scores[np.argmin(finite)]}). Drop those frames and say so, or mend the score."
        )
    labels = labels.astype(bool)
    if labels.all() or not labels.any():
        kind = "anomalous" if labels.all() else "normal"
        raise ParameterError(
            f"labels hold one class only: all {len(labels)} frames are {kind}. "
            "The figure is undefined there; give frames of both classes."
        )
    return labels, scores


def _counts(labels, scores):
    """True and false positives with the threshold at each distinct score, falling; int64, int64, float64 (t,)."""
    order = np.argsort(-scores, kind="stable")
    scores = scores[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    tp = np.cumsum(labels[order])[last_of_tie]
    return tp, last_of_tie + 1 - tp, scores[last_of_tie]


def auroc_in_each(groups, labels, scores) -> dict[str, float]:
    """AUROC inside each group that holds both classes, by the group's name, sorted."""
    found = {}
    for group, rows in pd.Series(np.arange(len(labels))).groupby(np.asarray(groups)):
        inside = labels[rows]
        if 0 < inside.sum() < len(inside):
            found[str(group)] = auroc(inside, scores[rows])
    return found

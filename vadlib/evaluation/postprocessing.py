"""What is done to scores and tables between a detector and its published number, and how much of the number it makes.

Nothing here improves a detector. Each function does one thing that papers do, often without a word, so that the audit
chapter can show the same scores before and after it. Labels and scores as in `vadlib.evaluation.metrics`; frames of a
clip are put in the order of `frames`, and results come back in the order of the rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d

from vadlib.errors import ParameterError
from vadlib.evaluation.metrics import auroc, auroc_in_each, check_labels_scores

SIGMAS = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0, 50.0, 80.0)  # frames; published code has 3 and 20


@dataclass(frozen=True)
class TunedSmoothing:
    """What tuning a smoothing on the test labels yields; AUROCs are micro AUROCs."""

    sigmas: tuple[float, ...]  # the widths tried, in frames
    aurocs: tuple[float, ...]
    sigma: float  # the best of them, the smallest of equals
    auroc: float
    unsmoothed: float  # of the scores as they came

    @property
    def gain(self) -> float:
        """How much the tuned smoothing adds."""
        return self.auroc - self.unsmoothed


def normalise_per_clip(scores, clips) -> np.ndarray:
    """Stretch each clip's scores to [0, 1], as much published code does before pooling the clips.

    It looks at a whole clip before it scores its first frame, and gives every clip a frame with score 1, whether the
    clip holds an anomaly or not. A clip of one value becomes 0.

    Parameters
    ----------
    scores, clips : (n,)

    Raises
    ------
    ParameterError
        Lengths that differ, a frame without a clip, scores that are not finite.
    """
    scores, codes = check_scores_clips(scores, clips)
    grouped = pd.Series(scores).groupby(codes)
    lowest, highest = grouped.transform("min").to_numpy(), grouped.transform("max").to_numpy()
    width = highest - lowest
    return np.divide(scores - lowest, width, out=np.zeros(len(scores)), where=width > 0)


def smooth_per_clip(scores, clips, sigma: float, *, frames=None) -> np.ndarray:
    """Smooth each clip's scores in time with a Gaussian, ends mirrored: float64 (n,), in the order of the rows.

    Parameters
    ----------
    scores, clips : (n,)
    sigma : float
        Standard deviation in rows of the clip: frames, where the table holds every frame. 0 leaves scores as they are.
    frames : (n,), optional
        Frame numbers, for the order within clips; by default the order of the rows.
    """
    scores, codes = check_scores_clips(scores, clips)
    if not (np.isfinite(sigma) and sigma >= 0):
        raise ParameterError(f"sigma must be a number of frames, at least 0; got {sigma!r}.")
    if sigma == 0:
        return scores.copy()
    smoothed = np.empty(len(scores))
    for rows in rows_of_clips(codes, frames):
        smoothed[rows] = gaussian_filter1d(scores[rows], sigma, mode="reflect")
    return smoothed


def tune_smoothing(labels, scores, clips, *, sigmas: Sequence[float] = SIGMAS, frames=None) -> TunedSmoothing:
    """Smooth with each of several widths and keep the one with the best AUROC *on these very labels*.

    The number that comes out is an optimistic one: the width has seen the answers. Compare it with a width fixed before
    (`smooth_per_clip`) or chosen on other clips.

    Parameters
    ----------
    labels, scores, clips : (n,)
    sigmas : sequence of float
        Widths to try, in frames; at least one.
    frames : (n,), optional
        As in `smooth_per_clip`.
    """
    if not len(sigmas):
        raise ParameterError("sigmas is empty; give at least one width to try.")
    aurocs = tuple(auroc(labels, smooth_per_clip(scores, clips, sigma, frames=frames)) for sigma in sigmas)
    best = min(range(len(sigmas)), key=lambda i: (-aurocs[i], sigmas[i]))
    return TunedSmoothing(
        tuple(float(sigma) for sigma in sigmas), aurocs, float(sigmas[best]), aurocs[best], auroc(labels, scores)
    )


def macro_auroc(labels, scores, clips) -> tuple[float | None, int]:
    """Mean over clips of the AUROC within each, over those that hold both classes, and how many these are.

    The mean is None where no clip holds both.
    """
    labels, scores = check_labels_scores(labels, scores)
    _, codes = check_scores_clips(scores, clips)
    values = list(auroc_in_each(codes, labels, scores).values())
    return (float(np.mean(values)) if values else None), len(values)


def padded_macro_auroc(labels, scores, clips) -> float:
    """Mean over *all* clips of their AUROC, each padded with two made-up frames that are scored perfectly.

    Published code gives each clip a normal frame with score 0 and an anomalous one with score 1, so that the AUROC of a
    clip of one class is defined. With scores in [0, 1] the made-up frames are never on the wrong side: every clip
    gains or stays, and a clip of one class comes to 1, less half a pair for each tie, whatever its scores.

    Parameters
    ----------
    labels, scores, clips : (n,)
        Scores in [0, 1].

    Raises
    ------
    ParameterError
        As `auroc` over all frames; scores outside [0, 1].

    References
    ----------
    Evaluation code of Wang et al. (2022), "Video anomaly detection by solving decoupled spatio-temporal jigsaw puzzles"
    (0 and 1), and of Reiss and Hoshen (2022), arXiv:2212.00789 (0 and the largest float).
    """
    labels, scores = check_labels_scores(labels, scores)
    _, codes = check_scores_clips(scores, clips)
    if scores.min() < 0 or scores.max() > 1:
        raise ParameterError(
            f"scores must lie in [0, 1] for the padding, or its frames are no longer the lowest and the highest; got "
            f"{scores.min():.3g} to {scores.max():.3g}. Use normalise_per_clip first."
        )
    values = [
        auroc(np.append(labels[rows], [False, True]), np.append(scores[rows], [0.0, 1.0]))
        for rows in rows_of_clips(codes, None)
    ]
    return float(np.mean(values))


def balanced_rows(labels, *, n_per_class: int | None = None, seed: int = 0) -> np.ndarray:
    """Draw as many frames of each class, without replacement: the paper's 4,000 and 4,000. Row numbers, rising.

    AUROC is the same on average, since it compares one frame of each class; average precision is not. `n_per_class`
    None takes all frames of the rarer class.
    """
    labels, _ = check_labels_scores(labels, np.zeros(np.shape(labels)))
    available = int(min(labels.sum(), (~labels).sum()))
    wanted = available if n_per_class is None else n_per_class
    if not 1 <= wanted <= available:
        raise ParameterError(f"n_per_class must lie in 1 to {available}, the rarer class's frames; got {wanted!r}.")
    rng = np.random.default_rng(seed)
    drawn = [rng.choice(np.flatnonzero(labels == of_class), size=wanted, replace=False) for of_class in (True, False)]
    return np.sort(np.concatenate(drawn))


def check_scores_clips(scores, clips) -> tuple[np.ndarray, np.ndarray]:
    """Scores as float64 (n,) and each frame's clip as a number, int64 (n,), clips in order of appearance."""
    try:
        scores = np.asarray(scores).astype(np.float64)
    except (TypeError, ValueError):
        raise ParameterError(f"scores must be numbers; got an array of {np.asarray(scores).dtype}.") from None
    clips = np.asarray(clips)
    if scores.ndim != 1 or clips.shape != scores.shape:
        raise ParameterError(f"clips must name one clip a frame; got {clips.shape} for scores {scores.shape}.")
    if not np.isfinite(scores).all():
        raise ParameterError(f"scores must be finite; {int((~np.isfinite(scores)).sum())} of {len(scores)} are not.")
    codes, _ = pd.factorize(clips)
    if (codes < 0).any():
        raise ParameterError(f"clips: {int((codes < 0).sum())} frames have none (NaN); name one for each.")
    return scores, codes


def rows_of_clips(codes, frames) -> list[np.ndarray]:
    """Row numbers of each clip, in time."""
    if frames is None:
        order = np.argsort(codes, kind="stable")
    else:
        frames = np.asarray(frames)
        if frames.shape != codes.shape:
            raise ParameterError(f"frames must number every frame; got {frames.shape} for {codes.shape} scores.")
        order = np.lexsort((frames, codes))
    if not len(order):
        return []
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)

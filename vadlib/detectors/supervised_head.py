"""What labels add to a detector without labels: logistic regression on its heatmaps, pooled to a few numbers.

PaDiM and Grad-CAM + SSIM never see an anomaly, the prototypes see labelled ones (paper section 3.3). A head fitted on
the prototypes' own labelled frames gives the other two the same information, so that methods are compared, and not
what they were told.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from vadlib.detectors.detector import LearnsFrom
from vadlib.detectors.feature_cache import EmbeddedFrames
from vadlib.detectors.heatmaps import frame_scores
from vadlib.errors import NotFittedError, ParameterError

MOST_ITERATIONS = 500


def pooled_heatmaps(heatmaps: np.ndarray, grid: int = 4) -> np.ndarray:
    """Heatmaps as a few numbers each, (B, 3 + 2 * grid * grid), that keep where and how strongly they light up.

    Maximum, mean and mean of the top 1 % of the whole map; then the mean of each cell, row by row; then the maximum of
    each cell. Where the sides are no multiple of ``grid``, cells share their edge pixels.
    """
    heatmaps = np.asarray(heatmaps, np.float32)
    if heatmaps.ndim != 3:
        raise ParameterError(f"heatmaps: expected (frames, height, width), found shape {heatmaps.shape}")
    if grid != int(grid) or not 1 <= grid <= min(heatmaps.shape[1:]):
        raise ParameterError(
            f"grid: expected 1 to {min(heatmaps.shape[1:])} cells, the heatmaps' shorter side, found {grid}"
        )
    maps = torch.from_numpy(heatmaps)
    whole = torch.stack(list(frame_scores(maps).values()), dim=1)  # (B, 3)
    means = torch.nn.functional.adaptive_avg_pool2d(maps[:, None], int(grid)).flatten(1)  # (B, grid * grid)
    maxima = torch.nn.functional.adaptive_max_pool2d(maps[:, None], int(grid)).flatten(1)
    return torch.cat([whole, means, maxima], dim=1).numpy()


class SupervisedHead:
    """Logistic regression on standardised features, for `vadlib.studies.cross_fit.cross_fit`.

    `inverse_regularisation` is scikit-learn's C. It is not tuned: a choice made on test frames would be told more than
    the prototypes are. The solver is deterministic: nothing is drawn. A feature without spread over the fit frames
    counts nothing. Classes weigh the same, however many frames they have.
    """

    def __init__(self, inverse_regularisation: float = 0.1):
        if not 0 < inverse_regularisation < float("inf"):
            raise ParameterError(f"inverse_regularisation: expected a number above 0, found {inverse_regularisation!r}")
        self.inverse_regularisation = float(inverse_regularisation)
        self.scaler: StandardScaler | None = None
        self.regression: LogisticRegression | None = None

    learns_from = LearnsFrom.LABELLED_FRAMES

    def fit(self, frames: EmbeddedFrames) -> Self:
        """`fit_embeddings`, without the frames that could not be read."""
        readable = np.isfinite(frames.embeddings[:, 0])
        return self.fit_embeddings(frames.embeddings[readable], frames.labels[readable])

    def score_columns(self, frames: EmbeddedFrames) -> dict[str, np.ndarray]:
        """`score_embeddings`; NaN for frames that could not be read."""
        readable = np.isfinite(frames.embeddings[:, 0])
        column = np.full(len(readable), np.nan, np.float32)
        column[readable] = self.score_embeddings(frames.embeddings[readable])["head"]
        return {"head": column}

    def fit_embeddings(self, embeddings: np.ndarray, labels: np.ndarray) -> Self:
        """Fit to the features (n, D) of frames labelled 0 or 1, some of both."""
        x, labels = _checked(embeddings), np.asarray(labels)
        if labels.shape != (len(x),) or not np.isin(labels, (0, 1)).all():
            raise ParameterError(
                f"labels: expected {len(x)}, one a row of features, each 0 or 1, found shape {labels.shape} with "
                f"values {np.unique(labels)[:5].tolist()}"
            )
        if len(np.unique(labels)) < 2:
            raise ParameterError(
                f"labels: a supervised head needs normal and anomalous frames, found only label "
                f"{np.unique(labels).tolist()} among {len(labels)} frames; draw some of both"
            )
        scaler = StandardScaler().fit(x)
        regression = LogisticRegression(
            C=self.inverse_regularisation, class_weight="balanced", solver="newton-cholesky", max_iter=MOST_ITERATIONS
        )
        with threadpool_limits(1):  # the order in which threads add up would change the last bits
            regression.fit(scaler.transform(x), labels)
        self.scaler, self.regression = scaler, regression
        return self

    def score_embeddings(self, embeddings: np.ndarray) -> dict[str, np.ndarray]:
        """Log-odds of anomalous, ``head``, float32 (n,), of features (n, D)."""
        if self.regression is None:
            raise NotFittedError("SupervisedHead: not fitted yet; call fit_embeddings")
        x = _checked(embeddings, self.scaler.n_features_in_)
        if not len(x):
            return {"head": np.empty(0, np.float32)}
        with threadpool_limits(1):
            return {"head": self.regression.decision_function(self.scaler.transform(x)).astype(np.float32)}


def _checked(features: np.ndarray, size: int | None = None) -> np.ndarray:
    """As float64 (n, D); a ParameterError for anything else."""
    x = np.asarray(features, np.float64)
    if x.ndim != 2 or (size is not None and x.shape[1] != size):
        raise ParameterError(f"embeddings: expected (n, {size or 'features'}), found shape {x.shape}")
    if not np.isfinite(x).all():
        broken = np.flatnonzero(~np.isfinite(x).all(axis=1))
        raise ParameterError(f"embeddings: row {broken[0]} (and {len(broken) - 1} more) is not finite; leave it out")
    return x

"""Bootstrap of AUROC over clips beside the loop that one writes with scikit-learn, at ShanghaiTech's size."""

import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from vadlib.evaluation import bootstrap_auroc

N_FRAMES, N_CLIPS, N_RESAMPLES = 40_000, 107, 1_000


@pytest.fixture(scope="module")
def frames():
    """Labels, float32 scores and clip names of 40,000 frames in 107 clips."""
    rng = np.random.default_rng(0)
    clips = np.array([f"{i:04d}" for i in np.sort(rng.integers(0, N_CLIPS, N_FRAMES))])
    labels = (rng.random(N_FRAMES) < 0.42).astype(np.int8)
    return labels, (rng.normal(size=N_FRAMES) + 0.3 * labels).astype(np.float32), clips


def sklearn_loop(labels, scores, clips, n_resamples):
    """The obvious way: concatenate the drawn clips, score, repeat."""
    rows = [np.flatnonzero(clips == name) for name in np.unique(clips)]
    values = []
    for draw in np.random.default_rng(0).integers(0, len(rows), size=(n_resamples, len(rows))):
        chosen = np.concatenate([rows[c] for c in draw])
        values.append(roc_auc_score(labels[chosen], scores[chosen]))
    return np.quantile(values, [0.025, 0.975])


@pytest.mark.benchmark(group="bootstrap of AUROC, 40,000 frames, 107 clips")
def test_vadlib(benchmark, frames):
    labels, scores, clips = frames
    interval = benchmark(bootstrap_auroc, labels, scores, clusters=clips, n_resamples=N_RESAMPLES)
    assert benchmark.stats["median"] < 2  # seconds for 1,000 resamples
    assert interval.low < interval.estimate < interval.high


@pytest.mark.benchmark(group="bootstrap of AUROC, 40,000 frames, 107 clips")
def test_sklearn_loop_a_fiftieth(benchmark, frames):
    """Twenty resamples only; ours does 1,000 and is compared resample by resample."""
    n = N_RESAMPLES // 50
    low, high = benchmark.pedantic(sklearn_loop, args=(*frames, n), rounds=3)
    start = time.perf_counter()
    labels, scores, clips = frames
    ours = bootstrap_auroc(labels, scores, clusters=clips, n_resamples=N_RESAMPLES)
    seconds = time.perf_counter() - start
    benchmark.extra_info["times_as_fast"] = benchmark.stats["median"] * 50 / seconds
    assert benchmark.extra_info["times_as_fast"] > 20
    few = bootstrap_auroc(labels, scores, clusters=clips, n_resamples=n, method="percentile")
    assert (few.low, few.high) == pytest.approx((low, high), abs=1e-9)
    assert ours.estimate == pytest.approx(roc_auc_score(labels, scores))

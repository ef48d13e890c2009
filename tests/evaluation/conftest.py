import numpy as np
import pytest


def _clips(seed: int, n_clips: int = 12, n_frames: int = 30, ties: bool = True):
    """Labels, scores and clip names; every clip holds both classes, so no resample is ever drawn again."""
    rng = np.random.default_rng(seed)
    clips = np.repeat([f"{i:02d}" for i in range(n_clips)], n_frames)
    labels = rng.random(len(clips)) < np.repeat(rng.uniform(0.1, 0.9, n_clips), n_frames)
    labels[::n_frames], labels[1::n_frames] = False, True
    scores = rng.normal(size=len(clips)) + labels + np.repeat(rng.normal(size=n_clips), n_frames)
    order = rng.permutation(len(clips))
    return labels[order].astype(np.int8), np.round(scores, 1)[order] if ties else scores[order], clips[order]


@pytest.fixture(scope="session")
def make_clips():
    return _clips

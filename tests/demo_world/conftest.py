"""A tiny world and the arguments that make it."""

import pytest

from synthcampus import write_world

TINY = {
    "n_train_clips": 1,
    "n_test_clips": 3,
    "n_scenes": 2,
    "seed": 3,
    "clip_seconds": (1.5, 2.5),
    "fps": 6.0,
    "size": (64, 114),
    "progress": False,
}


@pytest.fixture(scope="session")
def tiny():
    return dict(TINY)


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory):
    """The tiny world, written by one worker; tests must not change it."""
    return write_world(tmp_path_factory.mktemp("synth") / "world", n_workers=1, **TINY)

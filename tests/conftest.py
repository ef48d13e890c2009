"""Fixtures that every part of the tests shares."""

from pathlib import Path

import pytest

from vadlib.synth import write_world

ROOT = Path(__file__).resolve().parents[1]


def _shared(name: str) -> Path:
    folder = ROOT.parent / "shared" / name
    if not folder.is_dir():
        pytest.skip(f"needs real data in ../shared/{name}, which is not on this machine")
    return folder


@pytest.fixture(scope="session")
def project_root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data sets (UCSD Ped2, ShanghaiTech's masks); the test skips where they are not there."""
    return _shared("data")


@pytest.fixture(scope="session")
def shared_weights() -> Path:
    """Real network weights; the test skips where they are not there."""
    return _shared("weights")


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory):
    """A small demo world: two scenes, eight clips of some seconds."""
    root = tmp_path_factory.mktemp("world") / "data"
    return write_world(root, n_train_clips=2, n_test_clips=6, n_scenes=2, seed=5, clip_seconds=(5, 6), progress=False)

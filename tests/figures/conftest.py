import matplotlib.pyplot as plt
import numpy as np
import pytest


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def frames():
    """Five small RGB frames."""
    return list(np.random.default_rng(0).integers(0, 256, (5, 48, 80, 3), dtype=np.uint8))

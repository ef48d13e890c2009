"""Slow, obviously right references, and readers that need no data set."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch


@dataclass
class ArrayBatch:
    images: torch.Tensor
    rows: np.ndarray


class ArrayReader:
    """A reader over frames in memory: the same interface as FrameReader."""

    def __init__(self, images: torch.Tensor, batch_size: int = 8):
        self.images, self.batch_size, self.n_frames = images, batch_size, len(images)

    def __iter__(self):
        for start in range(0, self.n_frames, self.batch_size):
            rows = np.arange(start, min(start + self.batch_size, self.n_frames))
            yield ArrayBatch(self.images[rows], rows)


def reference_padim(fit_taps, test_taps, matrices, *, epsilon):
    """PaDiM's distances as the paper's equations read: float64 NumPy, one dense covariance a position.

    fit_taps, test_taps: one array (N, C, H, W) a layer. Returns (N, H, W) of the finest grid.
    """

    def embed(taps):
        height, width = taps[0].shape[2:]
        layers = []
        for tap, matrix in zip(taps, matrices, strict=True):
            factor = height // tap.shape[2], width // tap.shape[3]
            upsampled = tap.astype(np.float64).repeat(factor[0], axis=2).repeat(factor[1], axis=3)
            layers.append(np.einsum("dc,nchw->ndhw", matrix.astype(np.float64), upsampled))
        return np.concatenate(layers, axis=1)

    fit, test = embed(fit_taps), embed(test_taps)
    n_test, n_components, height, width = test.shape
    distances = np.empty((n_test, height, width))
    for row in range(height):
        for column in range(width):
            x = fit[:, :, row, column]
            covariance = np.cov(x, rowvar=False).reshape(n_components, n_components) + epsilon * np.eye(n_components)
            gap = test[:, :, row, column] - x.mean(axis=0)
            squared = np.einsum("nd,nd->n", gap, np.linalg.solve(covariance, gap.T).T)
            distances[:, row, column] = np.sqrt(squared)
    return distances


@pytest.fixture
def padim_reference():
    return reference_padim


@pytest.fixture
def array_reader():
    return ArrayReader


def scene_frames(n, seed, size=(64, 96)):
    """Noisy frames of one smooth scene, uint8 (n, 3, H, W)."""
    rng = np.random.default_rng(seed)
    height, width = size
    y, x = np.mgrid[:height, :width]
    base = 110 + 60 * np.sin(x / 9) * np.cos(y / 7)
    frames = base + rng.normal(0, 12, (n, 3, height, width)) + rng.normal(0, 10, (n, 3, 1, 1))
    return torch.from_numpy(frames.clip(0, 255).astype(np.uint8))


@pytest.fixture
def make_frames():
    return scene_frames

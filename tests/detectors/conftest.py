"""Slow, obviously right references, and readers that need no data set."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import torch
import torchvision
from torch import nn

from vadlib.networks import FeatureNetwork, WeightsRecord


@dataclass
class ArrayBatch:
    images: torch.Tensor
    rows: np.ndarray
    scenes: np.ndarray | None = None


class ArrayReader:
    """A reader over frames in memory: the same interface as FrameReader."""

    def __init__(self, images: torch.Tensor, batch_size: int = 8):
        self.images, self.batch_size, self.n_frames = images, batch_size, len(images)
        self.table: pd.DataFrame | None = None  # with scenes, where a test knows them

    def __iter__(self):
        for start in range(0, self.n_frames, self.batch_size):
            rows = np.arange(start, min(start + self.batch_size, self.n_frames))
            yield ArrayBatch(
                self.images[rows], rows, None if self.table is None else self.table["scene"].to_numpy(str)[rows]
            )


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


@pytest.fixture
def weights_without_layer4(tmp_path):
    """A ResNet-18 file that lacks the convolutions of layer4, so that there is no classifier."""
    state = torchvision.models.resnet18().state_dict()
    path = tmp_path / "without_layer4.pth"
    torch.save({k: v for k, v in state.items() if not (k.startswith("layer4") and ".conv" in k)}, path)
    return path


def small_network(seed=1):
    """A classifier with the strides of a ResNet and few channels, so that a test takes milliseconds."""
    generator = torch.Generator().manual_seed(seed)

    def stage(channels_in, channels, kernel, stride):
        convolution = nn.Conv2d(channels_in, channels, kernel, stride, padding=kernel // 2)
        nn.init.normal_(convolution.weight, std=(2 / (channels_in * kernel**2)) ** 0.5, generator=generator)
        nn.init.normal_(convolution.bias, std=0.1, generator=generator)
        return nn.Sequential(convolution, nn.ReLU(inplace=True))

    channels = {"layer1": 6, "layer2": 8, "layer3": 10, "layer4": 12}
    stages = {"stem": stage(3, 4, 3, 2), "layer1": stage(4, 6, 3, 2), "layer2": stage(6, 8, 3, 2)}
    stages |= {"layer3": stage(8, 10, 3, 2), "layer4": stage(10, 12, 3, 2)}
    classifier = nn.Linear(12, 7)
    nn.init.normal_(classifier.weight, generator=generator)
    return FeatureNetwork(
        stages,
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1), classifier),
        channels=channels,
        mean=(0.45, 0.45, 0.45),
        std=(0.25, 0.25, 0.25),
        record=WeightsRecord("small", "random", f"random, seed {seed}", None, seed, trained=False),
        precision="float32",
    )


@pytest.fixture
def make_network():
    return small_network

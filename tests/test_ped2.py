"""PaDiM on real data with real weights, beside a plain float64 implementation of the paper's equations."""

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import load_file
from scipy.linalg import solve_triangular
from scipy.ndimage import gaussian_filter

from vadlib.data import FrameReader, draw, open_dataset
from vadlib.detectors import Padim
from vadlib.evaluation import auroc
from vadlib.networks import resnet18

WEIGHTS = "resnet18_imagenet1k_v1_without_layer4_convs.safetensors"
LAYERS = ("layer1", "layer2", "layer3")


def plain_taps(model, reader):
    """torchvision's own network, nothing folded, in float32: one array (N, C, H, W) a layer."""
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    taps = [[], [], []]
    for batch in reader:
        with torch.no_grad():
            x = model.maxpool(model.relu(model.bn1(model.conv1((batch.images.float() / 255 - mean) / std))))
            for name, kept in zip(LAYERS, taps, strict=True):
                x = getattr(model, name)(x)
                kept.append(x.numpy())
    return [np.concatenate(kept) for kept in taps]


def plain_distances(fit, test, matrices, epsilon):
    """One dense Gaussian a position, float64, a position at a time: (N, 56, 56)."""
    distances = np.empty((len(test[0]), 56, 56))
    for row in range(56):
        for column in range(56):
            cells = [(row // f, column // f) for f in (1, 2, 4)]
            x, y = (
                np.concatenate(
                    [
                        t[:, :, r, c].astype(np.float64) @ m.T
                        for t, m, (r, c) in zip(taps, matrices, cells, strict=True)
                    ],
                    axis=1,
                )
                for taps in (fit, test)
            )
            factor = np.linalg.cholesky(np.cov(x, rowvar=False) + epsilon * np.eye(x.shape[1]))
            whitened = solve_triangular(factor, (y - x.mean(axis=0)).T, lower=True)
            distances[:, row, column] = np.sqrt((whitened**2).sum(axis=0))
    return distances


@pytest.mark.long
def test_padim_on_ped2_equals_a_plain_float64_implementation(shared_data, shared_weights):
    dataset = open_dataset("ucsd-ped2", shared_data / "UCSD_Anomaly_Dataset.v1p2")
    split = draw(
        dataset.frame_table(), "official-split", fit_normal=2000, fit_abnormal=0, test_normal=None, test_abnormal=None
    )
    assert len(split.test) == 2010
    fit, test = (FrameReader(dataset, table, batch_size=32, progress=False) for table in (split.fit, split.test))
    detector = Padim(resnet18(shared_weights / WEIGHTS, precision="float32"), 300, seed=0, device="cpu")
    columns = detector.fit(fit).score_columns(test)

    model = torchvision.models.resnet18().eval()
    model.load_state_dict(load_file(shared_weights / WEIGHTS), strict=False)
    matrices = [m.numpy().astype(np.float64) for m in detector._matrices]
    distances = plain_distances(plain_taps(model, fit), plain_taps(model, test), matrices, 0.01)
    resized = torch.nn.functional.interpolate(torch.from_numpy(distances)[:, None], size=(224, 224), mode="bilinear")
    heatmaps = np.stack([gaussian_filter(heatmap, 4) for heatmap in resized[:, 0].numpy()])
    labels = split.test["label"]
    for name, reference in (("max", heatmaps.max(axis=(1, 2))), ("mean", heatmaps.mean(axis=(1, 2)))):
        print(name, auroc(labels, columns[name]), auroc(labels, reference))
        np.testing.assert_allclose(columns[name], reference, rtol=2e-3)
        assert auroc(labels, columns[name]) == pytest.approx(auroc(labels, reference), abs=0.001)
    assert auroc(labels, columns["max"]) == pytest.approx(0.574, abs=0.02)
    assert auroc(labels, columns["mean"]) == pytest.approx(0.763, abs=0.02)

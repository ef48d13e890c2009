"""What the report does with detectors, on a pretended GPU: as on the CPU."""

import numpy as np
import pytest
import torch
from pretended_gpu import pretended_gpu

from vadlib import networks
from vadlib.apps.saved_run import SavedRun
from vadlib.data import FrameReader, draw, open_dataset
from vadlib.networks import open_network
from vadlib.studies.footage import fit_without_labels, gallery_rows, score_together
from vadlib.studies.memory import CachedNetwork, KeptFrames
from vadlib.studies.runner import DetectorRunner, DetectorSpec

GPU = "cuda:1"
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


@pytest.fixture(scope="module")
def videos(tiny_world):
    return open_dataset("synthcampus", tiny_world)


def on_both(work):
    expected = work("cpu")
    with pretended_gpu():
        found = work(GPU)
    return expected, found


def test_trials_keep_their_features_on_the_gpu(videos):
    testing = {"test_normal": 4, "test_abnormal": 4, "seed": 1}
    settings = {
        "padim": DetectorSpec("PaDiM", "resnet18:float32", 64, options={"n_components": 12}),
        "padim again": DetectorSpec("PaDiM", "resnet18:float32", 64, options={"n_components": 6, "layers": ["layer3"]}),
        "maps by scene": DetectorSpec("Grad-CAM + SSIM", "resnet18:float32", 64, options={"reference": "scene"}),
        "spade": DetectorSpec("SPADE", "resnet18:float32", 64, options={"k": 2}),
        "head": DetectorSpec("PaDiM", "resnet18:float32", 64, options={"n_components": 12}, head={"grid": 2}),
        "prototypes": DetectorSpec("Prototypes", "resnet18:float32", 64, options={"k": 2}),
    }

    built = open_network("resnet18:random")  # folding its batch norms copies parameters, which fake tensors refuse
    built.requested_precision = "float32"

    def work(device):
        table = videos.frame_table()
        normal = draw(table, "official-split", 6, 0, **testing)
        labelled = draw(table, "disjoint-clips", 4, 4, n_folds=2, **testing)
        trials = DetectorRunner(videos, normal, labelled, batch_size=4, device=device)
        network = CachedNetwork(built.to(torch.device(device)))
        trials._networks["resnet18:float32"] = network
        kept = []
        forget = network.forget
        network.forget = lambda: (kept.extend(t.device for t in network._kept.values()), forget())
        found = trials.run(settings)
        assert set(kept) == {torch.device(device)}
        found["class"] = {"commonest": np.array([trials.commonest_class("resnet18:float32", 64)])}
        return {f"{name}, {column}": values for name, columns in found.items() for column, values in columns.items()}

    expected, found = on_both(work)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        tolerance = {"rtol": 0.02, "atol": 0.02} if name.startswith("head") else CLOSE  # a regression between
        np.testing.assert_allclose(found[name], values, err_msg=name, **tolerance)


@pytest.mark.filterwarnings("ignore:fit. .* is the same for all")
def test_watchers_watch_on_the_gpu(videos):
    size = (64, 64)

    def work(device):
        table = videos.frame_table()
        fit = table[table["split"] == "train"].iloc[::20].reset_index(drop=True)
        test = table[table["split"] == "test"].iloc[:60:10].reset_index(drop=True)
        classifier = networks.resnet18("random", precision="float32")
        used = dict.fromkeys(("backbone", "classifier"), classifier)
        used["embedder"] = networks.resnet18("random", precision="float32")
        frames = KeptFrames(FrameReader(videos, fit, size, 8, progress=False))
        counts = {"n_components": 12, "n_neighbours": 3, "n_prototypes": 3}
        watchers = fit_without_labels(used, frames.select(frames.table), counts, seed=0, device=device)
        reader = FrameReader(videos, test, size, 8, progress=False)
        found = score_together(watchers, reader)
        first = next(iter(reader))
        scores, heat = SavedRun(None, watchers["PaDiM"], size, {}).scores_and_heatmaps(first)
        shown = test.head(2).assign(kind="hit", second=0.0, strangeness=1.0, detectors="none")
        rows = gallery_rows(videos, watchers, fit, shown, size)
        return found | {f"drawn {k}": v for k, v in scores.items()} | {"heat": heat, "shown": rows[0].heatmap}

    expected, found = on_both(work)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, err_msg=name, **CLOSE)

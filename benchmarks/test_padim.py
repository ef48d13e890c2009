"""PaDiM beside anomalib's, on the same frames in one run: `make bench`. Each side runs in a process of its own.

The figures are ratios; absolute ones belong to the machine they were taken on.
"""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

N_FIT, N_SCORE, BATCH = 500, 96, 32

COMMON = """
import json, sys, time, numpy as np, torch
from pathlib import Path
from types import SimpleNamespace
torch.set_num_threads(1)
def peak():
    line = next(l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmHWM"))
    return int(line.split()[1]) / 2**20  # GiB
n_fit, n_score, batch = {n_fit}, {n_score}, {batch}
def frames(n, seed):
    generator = torch.Generator().manual_seed(seed)
    for start in range(0, n, batch):
        yield torch.randint(0, 256, (min(batch, n - start), 3, 224, 224), dtype=torch.uint8, generator=generator)
"""

OURS = """
from vadlib.detectors import Padim
from vadlib.networks import resnet18
network = resnet18("random", precision="float32")
detector = Padim(network, 300, device="cpu")
network.features(next(frames(2, 9)), detector.layers)
start = time.perf_counter()
detector.fit(SimpleNamespace(images=images) for images in frames(n_fit, 0))
fit = time.perf_counter() - start
rates = {}
for size in (batch, 1):
    images = torch.cat(list(frames(n_score if size > 1 else 24, 1)))
    detector.score_batch(images[:size])
    start = time.perf_counter()
    for part in images.split(size):
        detector.score_batch(part)
    rates[size] = len(images) / (time.perf_counter() - start)
    start = time.perf_counter()
    for part in images.split(size):
        network.features(part, detector.layers)
    rates[f"backbone {size}"] = len(images) / (time.perf_counter() - start)
print(json.dumps({"fit": fit, "rates": rates, "peak": peak()}))
"""

ANOMALIB = """
from anomalib.models.image.padim.torch_model import PadimModel
model = PadimModel(layers=["layer1", "layer2", "layer3"], backbone="resnet18", pre_trained=False, n_features=300)
mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
prepare = lambda images: (images.float() / 255 - mean) / std
model.train()
model.feature_extractor.eval()
model(prepare(next(frames(2, 9))))
model.memory_bank.clear()
start = time.perf_counter()
with torch.no_grad():
    for images in frames(n_fit, 0):
        model(prepare(images))
    model.fit()
fit = time.perf_counter() - start
model.eval()
rates = {}
with torch.no_grad():
    for size in (batch, 1):
        images = torch.cat(list(frames(n_score if size > 1 else 24, 1)))
        model(prepare(images[:size]))
        start = time.perf_counter()
        for part in images.split(size):
            model(prepare(part))
        rates[size] = len(images) / (time.perf_counter() - start)
print(json.dumps({"fit": fit, "rates": rates, "peak": peak()}))
"""


def run(script, **changes):
    sizes = {"n_fit": N_FIT, "n_score": N_SCORE, "batch": BATCH} | changes
    code = COMMON.format(**sizes) + script
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(find_spec("anomalib") is None, reason="needs anomalib: pip install -e '.[bench]'")
def test_padim_beside_anomalib():
    ours, theirs = run(OURS), run(ANOMALIB)
    print(
        f"\nfit of {N_FIT} frames: {ours['fit']:.1f} s against {theirs['fit']:.1f} s, {theirs['fit'] / ours['fit']:.1f} times"
    )
    print(f"peak memory: {ours['peak']:.2f} GiB against {theirs['peak']:.2f} GiB")
    for size in (str(BATCH), "1"):
        mine, other, bare = ours["rates"][size], theirs["rates"][size], ours["rates"][f"backbone {size}"]
        print(
            f"score, batch {size}: {mine:.1f} against {other:.1f} frames/s, {mine / other:.1f} times; backbone alone {bare:.1f}"
        )
    assert ours["fit"] < theirs["fit"]
    assert ours["peak"] < 2


def test_fit_memory_is_the_same_for_more_frames():
    few, many = run(OURS, n_fit=200)["peak"], run(OURS, n_fit=2000)["peak"]
    print(f"\npeak memory of a fit: {few:.2f} GiB with 200 frames, {many:.2f} GiB with 2,000")
    assert many < few * 1.1

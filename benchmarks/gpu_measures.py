"""What `benchmarks/gpu.py` measures: scores on a device beside the CPU's, frames per second, memory, decoding."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch
from scipy.stats import spearmanr

from vadlib import networks
from vadlib.data import Clip, FrameReader, VideoDataset
from vadlib.detectors import ClipPrototypes, GradCamSsim, Padim, SpadeKnn

# Largest difference as a share of the scores' spread, and lowest rank correlation, against float32 on the CPU.
TOLERANCES = {"float32": (0.01, 0.995), "bfloat16": (0.15, 0.98)}  # on a CPU, bfloat16 is off by up to 0.03
NAMES = ("PaDiM", "Grad-CAM + SSIM", "SPADE", "CLIP prototypes")
LAYERS = ("layer1", "layer2", "layer3", "layer4")


class OutOfTime(Exception):
    """The section's time is over."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured: the whole benchmark, or what two cores do in a minute."""

    image: int = 224
    components: int = 300
    prototypes: int = 100
    neighbours: int = 50
    clip: str = "random-vit-b-32"
    batches: tuple[int, ...] = (32, 256)
    repeats: int = 5
    fit_counts: tuple[int, int] = (512, 2048)
    n_score: int = 2048
    n_alike: int = 48
    n_prototype_frames: int = 4000
    n_video_frames: int = 300
    video: tuple[int, int] = (480, 856)


QUICK = Sizes(32, 12, 4, 3, "random", (4, 8), 2, (8, 16), 16, 12, 40, 20, (96, 128))


class Frames:
    """A reader over frames that wait in the host's memory, as a `FrameReader` hands them over."""

    def __init__(self, images: torch.Tensor, n_frames: int, batch_size: int):
        self.images, self.n_frames, self.batch_size = images, n_frames, batch_size

    def __iter__(self) -> Iterator[SimpleNamespace]:
        for start in range(0, self.n_frames, self.batch_size):
            rows = np.arange(start, min(start + self.batch_size, self.n_frames))
            first = start % len(self.images)
            images = self.images[first : first + len(rows)]
            if len(images) < len(rows):  # only where the batches do not divide the frames that there are
                images = self.images[rows % len(self.images)]
            yield SimpleNamespace(images=images, rows=rows, labels=(rows % 2).astype(int), scenes=None, seconds=None)


def make_frames(n: int, size: int, seed: int, patch: np.ndarray | None = None) -> torch.Tensor:
    """A smooth scene with noise, and on it a patch of the brightness given (n,): uint8 (n, 3, size, size)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    scene = (110 + 60 * np.sin(x / 9) * np.cos(y / 7))[..., None].astype(np.float32)
    frames = np.empty((n, size, size, 3), np.uint8)
    for i in range(n):
        one = scene + rng.normal(0, 10, (size, size, 3)).astype(np.float32) + rng.normal(0, 8, 3).astype(np.float32)
        one[size // 4 : size // 2, size // 4 : size // 2] += 0 if patch is None else patch[i]
        frames[i] = one.clip(0, 255)
    return torch.from_numpy(frames).permute(0, 3, 1, 2)


def make_detector(name: str, sizes: Sizes, device: str, precision: str):
    """An unfitted detector on a network with random weights of real size."""
    if name == "CLIP prototypes":
        network = networks.clip_vision(sizes.clip, precision=precision)
        return ClipPrototypes(network, sizes.prototypes, device=device, top_k=min(5, sizes.prototypes))
    network = networks.resnet18("random", precision=precision)
    if name == "PaDiM":
        return Padim(network, sizes.components, device=device)
    if name == "SPADE":
        return SpadeKnn(network, sizes.neighbours, device=device)
    # One class for all frames: the likeliest of an untrained network hangs on the last bits of its logits.
    return GradCamSsim(network, device=device, target=7)


def wait(device: str) -> None:
    """Until the device has done what it was given."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def compare(found: np.ndarray, expected: np.ndarray, precision: str) -> dict[str, Any]:
    """How far scores are from the CPU's in float32, the tolerance, and whether they are within it."""
    found, expected = np.asarray(found, np.float64).ravel(), np.asarray(expected, np.float64).ravel()
    most, least = TOLERANCES[precision]
    difference = float(np.abs(found - expected).max())
    share = difference / max(float(np.ptp(expected)), 1e-12)
    rank = float(spearmanr(found, expected).statistic)
    passed = bool(np.isfinite(found).all() and share <= most and rank >= least)
    return {
        "precision": precision, "n": len(found), "max_difference": difference, "share_of_spread": share,
        "rank_correlation": rank, "largest_share": most, "lowest_rank_correlation": least, "passed": passed,
    }  # fmt: skip


def network_agreement(architecture: str, sizes: Sizes, device: str, precision: str) -> dict[str, Any]:
    """Features, embeddings and, of a classifier, logits and Grad-CAM's gradients beside the CPU's."""
    from vadlib.detectors.gradcam import raw_grad_cam

    images = make_frames(4, sizes.image, 1, np.array([0.0, 40.0, 80.0, 120.0]))
    source = sizes.clip if architecture == "clip_vision" else "random"

    def outputs(where: str, arithmetic: str) -> dict[str, np.ndarray]:
        network = getattr(networks, architecture)(source, precision=arithmetic).to(where)
        found = {"embedding": network.embed(images)}
        if architecture != "clip_vision":
            found |= network.features(images, LAYERS) | {"logits": network.logits(images)}
            found["gradients"] = raw_grad_cam(network, images, ["layer3"], target=7)[0]
        return {name: values.float().cpu().numpy() for name, values in found.items()}

    expected, found = outputs("cpu", "float32"), outputs(device, precision)
    parts = {name: compare(found[name], expected[name], precision) for name in expected}
    return {"outputs": parts, "passed": all(part["passed"] for part in parts.values())}


class Agreement:
    """A detector's scores on a device beside those on the CPU, which are computed once."""

    def __init__(self, name: str, sizes: Sizes):
        self.name, self.sizes = name, sizes
        n = max(sizes.n_alike, 2 * sizes.prototypes, sizes.neighbours) if sizes.n_alike > 12 else 16
        # The prototypes' anomalous frames, every second one, have the patch; the others' frames are all normal.
        patch = np.arange(n) % 2 * 120.0 if name == "CLIP prototypes" else None
        self.fit = Frames(make_frames(n, sizes.image, 0, patch), n, 8)
        rising = np.linspace(0, 120, sizes.n_alike)
        self.test = Frames(make_frames(sizes.n_alike, sizes.image, 1, rising), sizes.n_alike, 8)
        self.cpu = make_detector(name, sizes, "cpu", "float32").fit(self.fit)
        self.expected = self.cpu.score(self.test)

    def on(self, device: str, precision: str) -> dict[str, Any]:
        """Fitted there, and, in float32, fitted on the CPU and loaded there; the same frames twice, too."""
        there = make_detector(self.name, self.sizes, device, precision).fit(self.fit)
        scores = there.score(self.test)
        found = {"fitted there": compare(scores, self.expected, precision)}
        found["repeatable"] = {"passed": bool(np.array_equal(scores, there.score(self.test)))}
        if precision == "float32":
            with tempfile.TemporaryDirectory() as folder:
                self.cpu.save(Path(folder) / "detector")
                network = make_detector(self.name, self.sizes, "cpu", precision).network
                loaded = type(self.cpu).load(Path(folder) / "detector", network=network, device=device)
            found["fitted on the CPU"] = compare(loaded.score(self.test), self.expected, precision)
        return found | {"passed": all(part["passed"] for part in found.values())}


def rates(work: Callable[[], Any], n_frames: int, repeats: int, device: str) -> dict[str, Any]:
    """Frames per second of `work`, after one run that is not counted: median, lowest and highest."""
    work()
    seconds = []
    for _ in range(repeats):
        wait(device)
        start = time.perf_counter()
        work()
        wait(device)
        seconds.append(time.perf_counter() - start)
    found = n_frames / np.array(seconds)
    spread = {"median": float(np.median(found)), "low": float(found.min()), "high": float(found.max())}
    return {"frames_per_second": spread, "seconds": float(np.median(seconds)), "n_frames": n_frames, "repeats": repeats}


def with_peak(work: Callable[[], dict], device: str) -> dict[str, Any]:
    """What `work` gives, and the most device memory that tensors held meanwhile; None on a CPU."""
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    found = work()
    return found | {"peak_device_bytes": int(torch.cuda.max_memory_allocated(device)) if on_gpu else None}


def speed(name: str, sizes: Sizes, device: str, batch: int, pool: torch.Tensor) -> dict[str, Any]:
    """Fit (two sizes, so that a fixed part shows), score and heatmap; the copy to the device is in all of them."""
    few, many = (max(n, 2 * sizes.prototypes, sizes.neighbours) for n in sizes.fit_counts)
    repeats = max(sizes.repeats // 2, 1)
    detector = make_detector(name, sizes, device, "auto")

    def fit(n: int) -> dict[str, Any]:
        return rates(lambda: detector.fit(Frames(pool, n, batch)), n, repeats, device)

    found = {
        "precision": detector.network.precision,
        "fit_few": with_peak(lambda: fit(few), device),
        "fit": with_peak(lambda: fit(many), device),
    }
    reader = Frames(pool, max(sizes.n_score, 2 * batch), batch)
    found["score"] = with_peak(
        lambda: rates(lambda: detector.score_columns(reader), reader.n_frames, sizes.repeats, device), device
    )
    if detector.heat_label:
        images = pool[: min(32, batch)]
        found["heatmap"] = with_peak(
            lambda: rates(lambda: detector.heatmap(images), len(images), repeats, device), device
        )
    return found


def transfer(sizes: Sizes, device: str, pool: torch.Tensor) -> dict[str, Any]:
    """Frames per second from the host's memory to the device, from ordinary and from pinned memory."""
    images = pool[: sizes.batches[-1]].contiguous()
    found = {"ordinary": rates(lambda: images.to(device, copy=True), len(images), sizes.repeats, device)}
    if torch.device(device).type == "cuda":
        pinned = images.pin_memory()
        found["pinned"] = rates(lambda: pinned.to(device, non_blocking=True), len(images), sizes.repeats, device)
    return found


def prototype_seconds(sizes: Sizes, device: str) -> dict[str, Any]:
    """K-Means and statistics of prototypes alone, at the paper's size: embeddings are drawn, not computed."""
    detector = make_detector("CLIP prototypes", sizes, device, "auto")
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(sizes.n_prototype_frames, detector.network.embedding_size)).astype(np.float32)
    labels = np.arange(len(embeddings)) % 2
    start = time.perf_counter()
    detector.fit_embeddings(embeddings, labels)
    return {"seconds": time.perf_counter() - start, "n_frames": len(embeddings), "k": detector.k}


def decoding(sizes: Sizes, folder: Path) -> dict[str, Any]:
    """Frames per second that the reader decodes and resizes, of videos that are written here; no device is in it."""
    rng = np.random.default_rng(0)
    height, width = sizes.video
    paths = [folder / f"{i}.avi" for i in range(4)]
    scene = cv2.GaussianBlur(rng.integers(0, 256, (height, width, 3), dtype=np.uint8), (0, 0), 3)
    for path in paths:
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, (width, height))
        for frame in range(sizes.n_video_frames):
            moving = np.roll(scene, 2 * frame, axis=1)
            writer.write(cv2.add(moving, rng.integers(0, 8, moving.shape, dtype=np.uint8)))
        writer.release()
    n = sizes.n_video_frames
    clips = tuple(Clip(path.stem, "train", "scene", path, n, 25.0) for path in paths)
    videos = VideoDataset("benchmark", folder, clips, {clip.id: np.zeros(n, np.int8) for clip in clips})
    reader = FrameReader(videos, videos.frame_table(), (sizes.image, sizes.image), 64, progress=False)
    found = rates(lambda: [None for _ in reader], reader.n_frames, 1, "cpu")
    return found | {"threads": reader.n_threads, "video": f"{width}x{height}, MPEG-4"}

"""Embedding frames from videos, beside the bare network on frames that are already in memory, one thread each.

Run with ``pytest benchmarks/test_embedding.py -o addopts="-q -s"``. The network is a ResNet-18 with its last stage averaged:
a light one, so that what the reader and the cache cost shows. The videos are synthetic, of ShanghaiTech's size (856x480);
decoding has one thread of its own, which works while the network does. The figures are ratios; absolute ones belong to the
machine they were taken on. Processor time, less that of reading alone, is what the pipeline itself adds; unlike the rates, it
hardly feels other work on the machine.
"""

import json
import subprocess
import sys

import pytest

CODE = """
import json, sys, tempfile, time
from pathlib import Path
import cv2, numpy as np, torch
torch.set_num_threads(1)
cv2.setNumThreads(1)
from vadlib.data import Clip, FrameReader, VideoDataset
from vadlib.detectors import embed_frames
from vadlib.networks import resnet18

n_videos, n_frames, one_in, batch = {n_videos}, {n_frames}, {one_in}, 32

class Averaged:
    def __init__(self):
        self.tapped = resnet18("random", precision="float32")
        self.record, self.precision, self.embedding_size = self.tapped.record, "float32", 512
    def embed(self, images):
        return self.tapped.features(images, ["layer4"])["layer4"].mean(dim=(2, 3))

def write(path, seed):
    scene = cv2.GaussianBlur(np.random.default_rng(seed).integers(0, 256, (480, 856, 3), dtype=np.uint8), (0, 0), 3)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, (856, 480))
    for frame in range(n_frames):
        picture = np.roll(scene, frame // 4, axis=1)
        cv2.rectangle(picture, (4 * frame, 200), (4 * frame + 40, 320), (40, 40, 200), -1)
        writer.write(picture)
    writer.release()

def seconds(work):
    start, start_cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - start_cpu  # on the clock, of the processor

with tempfile.TemporaryDirectory() as folder:
    root, clips = Path(folder), []
    for number in range(n_videos):
        write(root / f"{{number}}.avi", number)
        clips.append(Clip(str(number), "train", "s", root / f"{{number}}.avi", n_frames, 25.0))
    labels = {{clip.id: np.zeros(n_frames, np.int8) for clip in clips}}
    dataset = VideoDataset("synthetic", root, tuple(clips), labels)
    table = dataset.frame_table().iloc[::one_in]
    reader = lambda: FrameReader(dataset, table, (224, 224), batch, progress=False, n_threads=1)
    network = Averaged()
    frames = torch.cat([b.images for b in reader()])
    bare = lambda: [network.embed(part) for part in frames.split(batch)]
    network.embed(frames[:batch])
    figures = {{"reading": [], "bare": [], "pipeline": [], "filling": [], "cached": []}}
    for turn in range({turns}):  # in turns, so that a busy moment of the machine meets them all
        cache = root / f"cache_{{turn}}"
        figures["reading"].append(seconds(lambda: sum(len(b.rows) for b in reader())))
        figures["bare"].append(seconds(bare))
        figures["pipeline"].append(seconds(lambda: embed_frames(network, reader())))
        figures["filling"].append(seconds(lambda: embed_frames(network, reader(), cache=cache)))
        figures["cached"].append(seconds(lambda: embed_frames(network, reader(), cache=cache)))
print(json.dumps({{"n": len(table)}} | {{name: np.median(t, axis=0).tolist() for name, t in figures.items()}}))
"""


@pytest.mark.parametrize(
    ("n_videos", "n_frames", "one_in"), [(2, 48, 1), (2, 240, 10)], ids=["every frame", "one in 10"]
)
def test_pipeline_beside_the_bare_network(n_videos, n_frames, one_in):
    code = CODE.format(n_videos=n_videos, n_frames=n_frames, one_in=one_in, turns=3)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    figures = json.loads(done.stdout.splitlines()[-1])
    rate = {name: figures["n"] / figures[name][0] for name in ("bare", "pipeline", "filling", "cached", "reading")}
    print(f"\n{figures['n']} frames, one in {one_in}; frames/s: " + ", ".join(f"{k} {v:.0f}" for k, v in rate.items()))
    print(
        f"pipeline {rate['pipeline'] / rate['bare']:.2f} of the bare network, filling a cache "
        f"{rate['filling'] / rate['bare']:.2f}, from the cache {rate['cached'] / rate['bare']:.0f} times it"
    )
    cpu = {name: figures[name][1] for name in rate}
    added = {name: (cpu[name] - cpu["reading"]) / cpu["bare"] for name in ("pipeline", "filling")}
    print(
        f"processor time less reading, of the bare network's: {added['pipeline']:.2f}, filling {added['filling']:.2f}"
    )
    assert rate["cached"] > 5 * rate["bare"]
    # The slower of reading and embedding sets the pace; a fifth is allowed for what they take from each other.
    assert rate["pipeline"] > 0.8 * min(rate["bare"], rate["reading"])

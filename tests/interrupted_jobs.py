"""What `test_interruption.py` interrupts: a process that has imported everything, and forks for each job it is told.

A line of JSON on standard input, ``{"job": NAME, "out": FOLDER}``, starts a job in a process of its own, whose id is
answered at once; an empty line waits for it, and is answered with its exit status. So a job's first moment is work,
not the import of libraries.
"""

import json
import os
import signal
import sys
import traceback
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import torch

from synthcampus import write_world
from vadlib.apps.score import score_videos
from vadlib.data import FrameReader, draw, extract_frames, open_dataset
from vadlib.detectors import Padim, embed_frames, feature_cache
from vadlib.evaluation import auroc
from vadlib.figures import timeline
from vadlib.networks import resnet18
from vadlib.report import Experiment

mpl.use("Agg")
cv2.setNumThreads(1)
torch.set_num_threads(1)
WORLD = Path(sys.argv[1])
SIZE = (64, 64)
WORLD_PARAMETERS = {"n_train_clips": 2, "n_test_clips": 3, "n_scenes": 1, "clip_seconds": (2, 3), "size": (120, 160)}
QUIET = {"progress": False}
feature_cache.SHARD_FRAMES = 20  # the small data set is several shards, too
NETWORK = resnet18("random", seed=0)


def read(table, dataset):
    return FrameReader(dataset, table, SIZE, 8, **QUIET)


def extraction(out: Path) -> None:
    extract_frames(open_dataset("synthcampus", WORLD), out, **QUIET)


def embedding(out: Path) -> None:
    dataset = open_dataset("synthcampus", WORLD)
    found = embed_frames(NETWORK, read(dataset.frame_table(), dataset), cache=out / "cache")
    (out / "embeddings").write_bytes(found.tobytes())


def experiment(out: Path) -> None:
    """What a notebook does: draw, fit, score, evaluate, draw figures, save."""
    dataset = open_dataset("synthcampus", WORLD)
    split = draw(dataset.frame_table(), "official-split", 30, 0, 20, 20, seed=0)
    run = Experiment("02_padim", out / "02_padim", {"seed": 0})
    detector = Padim(NETWORK, n_components=20, seed=0, device="cpu").fit(read(split.fit, dataset))
    scores = detector.score_columns(read(split.test, dataset))
    table = run.scores(split.test, scores)
    run.metrics({"auroc": float(auroc(table["label"], table["max"]))})
    run.figure("timeline", timeline(table["max"].to_numpy(), 25, title="scores", ylabel="score"))
    run.attach("detector", detector.save)
    run.save()


def saved_detector(out: Path) -> None:
    dataset = open_dataset("synthcampus", WORLD)
    table = dataset.frame_table()
    Padim(NETWORK, n_components=20, seed=0, device="cpu").fit(read(table[:20], dataset)).save(out / "detector")


def scoring(out: Path) -> None:
    clips = sorted((WORLD / "testing/frames").iterdir())[:2]
    score_videos(clips, out.parent / "saved_detector/detector", out / "scores", size=SIZE, device="cpu", **QUIET)


def world(out: Path) -> None:
    write_world(out / "world", **WORLD_PARAMETERS, n_workers=1, **QUIET)


JOBS = {job.__name__: job for job in (extraction, embedding, experiment, saved_detector, scoring, world)}


def do(job: str, out: str) -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        JOBS[job](Path(out))
    except KeyboardInterrupt:
        return 130
    except BaseException as error:
        traceback.print_exc()
        return 3 if type(error).__name__ == "BusyError" else 1
    return 0


def main() -> None:
    np.random.seed(0)  # noqa: NPY002  (a library that draws from it would be found out: all jobs begin alike)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print("ready", flush=True)
    started = []
    for line in sys.stdin:
        if line.strip():
            process = os.fork()
            if not process:
                sys.stdin.close()
                status = do(**json.loads(line))
                sys.stderr.flush()
                os._exit(status)
            started.append(process)
            print(process, flush=True)
        else:
            print(os.waitstatus_to_exitcode(os.waitpid(started.pop(0), 0)[1]), flush=True)


if __name__ == "__main__":
    main()

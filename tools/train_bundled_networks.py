"""Train the networks that ship with vadlib, from nothing: `python tools/train_bundled_networks.py --help`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from bundled_captions import build_tokenizer
from bundled_cards import classifier_card, clip_card
from bundled_learners import IMAGE_SIDE, PATCH, ClassifierLearner, ClipLearner, Images
from bundled_pictures import (
    CLASSES,
    FIRST_TRAINING_SEED,
    FIRST_VALIDATION_SEED,
    PictureSet,
    place_seeds,
    render_pictures,
)
from bundled_training import Progress, train
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPImageProcessor, CLIPModel

from vadlib.networks.clip import MEAN as CLIP_MEAN
from vadlib.networks.clip import STD as CLIP_STD
from vadlib.networks.resnet import IMAGENET_MEAN, IMAGENET_STD
from vadlib.storage import RunLock, replace_folder

BUNDLED = Path(__file__).resolve().parents[1] / "vadlib" / "networks" / "bundled"


@dataclass(frozen=True)
class Plan:
    """Everything that decides what is trained."""

    seed: int = 0
    n_training_places: int = 60
    n_validation_places: int = 12
    stills_per_training_place: int = 96
    stills_per_validation_place: int = 48
    size: tuple[int, int] = (480, 856)
    classifier_steps: int = 1400
    clip_steps: int = 3500
    classifier_batch: int = 128
    clip_batch: int = 64


SMOKE = Plan(0, 2, 1, 4, 4, (120, 214), 3, 2, 8, 8)
"""Seconds instead of two hours: for tests, and to see that everything is installed."""


def fold_normalisation(
    network: nn.Module, mean: list[float], std: list[float], new_mean=IMAGENET_MEAN, new_std=IMAGENET_STD
) -> None:
    """Make a network that learnt with one normalisation of its input expect another.

    Exact but for the outermost pixels, whose padding then stands for the new mean instead of the old one.
    """
    mean, std, new_mean, new_std = (torch.tensor(v)[None, :, None, None] for v in (mean, std, new_mean, new_std))
    with torch.no_grad():
        kernel = network.conv1.weight
        shift = (kernel * ((new_mean - mean) / std).to(kernel)).sum(dim=(1, 2, 3))
        network.bn1.running_mean -= shift
        kernel *= (new_std / std).to(kernel)


def export_classifier(learner: ClassifierLearner, progress: Progress, folder: Path) -> dict:
    """Write the classifier as float16 and return its part of the log; the figures are the float16 file's."""
    network = learner.model.network
    fold_normalisation(network, learner.mean, learner.std)
    state = {
        name: value.half().contiguous()
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    save_file(state, folder / "resnet18.safetensors", metadata={"format": "pt"})
    network.load_state_dict({name: value.float() for name, value in state.items()}, strict=False)
    learner.images = Images(IMAGENET_MEAN, IMAGENET_STD, learner.images.device)
    part = {
        "classes": list(CLASSES), "mean": IMAGENET_MEAN, "std": IMAGENET_STD,
        "seconds": round(progress.seconds, 1), "history": progress.history, "figures": learner.figures(),
    }  # fmt: skip
    summary = {"steps": progress.step, "seconds": part["seconds"], "validation": part["figures"]}
    _write_json(
        folder / "resnet18.json", {name: part[name] for name in ("classes", "mean", "std")} | {"training": summary}
    )
    return part


def export_clip(learner: ClipLearner, progress: Progress, folder: Path) -> dict:
    """Write the CLIP as `save_pretrained` does, float16, and return its part of the log."""
    clip, target = learner.model.network, folder / "clip"
    clip.half().save_pretrained(target)
    build_tokenizer().save_pretrained(target)  # a fresh one: the used one would save how it last padded
    settings = json.loads((target / "tokenizer_config.json").read_text())
    # The name that every release of transformers knows.
    _write_json(target / "tokenizer_config.json", settings | {"tokenizer_class": "PreTrainedTokenizerFast"})
    CLIPImageProcessor(
        size={"height": IMAGE_SIDE, "width": IMAGE_SIDE}, do_center_crop=False, image_mean=CLIP_MEAN, image_std=CLIP_STD
    ).save_pretrained(target)
    learner.model.network = CLIPModel.from_pretrained(target, dtype=torch.float32).to(learner.device)
    return {
        "n_parameters": sum(p.numel() for p in clip.parameters()), "n_words": len(learner.tokenizer),
        "image_side": IMAGE_SIDE, "patch": PATCH, "seconds": round(progress.seconds, 1),
        "history": progress.history, "figures": learner.figures(),
    }  # fmt: skip


def _readable(folder: Path) -> None:
    """Let everybody read what was written: safetensors files are made for their owner alone."""
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o644)


def _write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")


def _pictures(plan: Plan, work: Path, n_workers: int) -> tuple[PictureSet, PictureSet]:
    groups = (
        (FIRST_TRAINING_SEED, plan.n_training_places, plan.stills_per_training_place),
        (FIRST_VALIDATION_SEED, plan.n_validation_places, plan.stills_per_validation_place),
    )
    return tuple(
        render_pictures(place_seeds(first, n), stills, work / "pictures", size=plan.size, n_workers=n_workers)
        for first, n, stills in groups
    )


def _learn(plan: Plan, work: Path, threads: int, say: Callable[[str], None]) -> Callable[[Path], None]:
    """Train both networks; what comes back writes them into a folder."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    started = time.perf_counter()
    pictures = _pictures(plan, work, threads)
    say(f"pictures: {len(pictures[0].images)} and {len(pictures[1].images)}, {time.perf_counter() - started:.0f} s")
    options = {"seed": plan.seed, "device": device}
    learners = {
        "classifier": ClassifierLearner(*pictures, batch=plan.classifier_batch, **options),
        "clip": ClipLearner(*pictures, batch=plan.clip_batch, **options),
    }
    done = {}
    for name, n_steps in (("classifier", plan.classifier_steps), ("clip", plan.clip_steps)):
        say(f"{name}: {n_steps} steps")
        done[name] = train(learners[name], n_steps, work / f"{name}.pt", seed=plan.seed, say=say)

    def fill(folder: Path) -> None:
        firsts = {"training": FIRST_TRAINING_SEED, "validation": FIRST_VALIDATION_SEED}
        counts = {"training": plan.n_training_places, "validation": plan.n_validation_places}
        log = {
            "plan": asdict(plan), "places": {name: [firsts[name], firsts[name] + counts[name] - 1] for name in firsts},
            "device": "a CPU" if device.type == "cpu" else torch.cuda.get_device_name(), "threads": threads,
            "torch": torch.__version__,
            "classifier": export_classifier(learners["classifier"], done["classifier"], folder),
            "clip": export_clip(learners["clip"], done["clip"], folder),
        }  # fmt: skip
        _write_json(folder / "training_log.json", log)
        (folder / "resnet18.md").write_text(classifier_card(log))
        (folder / "clip.md").write_text(clip_card(log))
        _readable(folder)

    return fill


def main(
    work: Annotated[
        Path, typer.Option(help="Folder of rendered pictures and checkpoints; a run goes on from it.")
    ] = Path("_build/bundled"),
    out: Annotated[Path, typer.Option(help="Where the networks, their cards and their log go.")] = BUNDLED,
    smoke: Annotated[bool, typer.Option("--smoke", help="A few steps on a few small pictures: seconds.")] = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads for torch, and processes for rendering.")] = 2,
) -> None:
    """Render pictures, train the classifier and the CLIP, and write both with their cards and log.

    After an interruption the same command goes on where the last one stopped, and ends with the same networks.
    """
    if smoke and out == BUNDLED:
        raise typer.BadParameter(
            "a smoke run trains nothing worth shipping: give it another folder", param_hint="--out"
        )
    torch.set_num_threads(threads)
    work.mkdir(parents=True, exist_ok=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    with RunLock(work / "training"), RunLock(out):
        fill = _learn(SMOKE if smoke else Plan(), work, threads, lambda text: print(text, flush=True))
        replace_folder(out, fill)
    typer.echo(f"written: {out}")


if __name__ == "__main__":
    typer.run(main)

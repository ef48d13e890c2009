"""How the bundled networks learn: one loop that resumes, whatever the network."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import nn

WARMING = 40  # steps in which the learning rate rises
COOLING = 0.35  # share of the steps in which it falls to zero


class Learner(Protocol):
    """A network that learns: what `train` needs of it."""

    model: nn.Module
    peak_rate: float

    def loss(self, rng: np.random.Generator, step: int) -> dict[str, torch.Tensor]:
        """Parts of the loss of one batch, drawn from `rng`."""

    def validate(self) -> dict[str, float]:
        """Quick figures on held-out places."""


@dataclass
class Progress:
    """What a training has done so far, in seconds of processor time; `history` has a row for every round."""

    step: int = 0
    seconds: float = 0.0
    history: list[dict] = field(default_factory=list)


def train(
    learner: Learner, n_steps: int, checkpoint: Path, *, seed: int, steps_per_round: int = 30, say: Callable = print
) -> Progress:
    """Train for `n_steps`, going on from `checkpoint` where it exists.

    The batch of a step follows from (seed, step) alone, so an interrupted training ends where an uninterrupted one
    does. AdamW; see `learning_rate`.
    """
    optimizer = torch.optim.AdamW(_decay_groups(learner.model), lr=learner.peak_rate, weight_decay=0.05)
    progress, part = Progress(), {}
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        cooled = saved["step"] > (1 - COOLING) * min(n_steps, saved["n_steps"])
        if saved["seed"] != seed or (cooled and saved["n_steps"] != n_steps):
            raise SystemExit(
                f"{checkpoint} is of a training with {saved['n_steps']} steps and seed {saved['seed']}, too far on for "
                f"{n_steps} steps and seed {seed}: give another --work folder, or delete it"
            )
        learner.model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        progress = Progress(saved["step"], saved["seconds"], json.loads(saved["history"]))
    sums, started = {}, time.process_time()
    while progress.step < n_steps:
        rate = learner.peak_rate * learning_rate(progress.step, n_steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        learner.model.train()
        part = learner.loss(np.random.default_rng([seed, progress.step]), progress.step)
        optimizer.zero_grad(set_to_none=True)
        sum(part.values()).backward()
        nn.utils.clip_grad_norm_(learner.model.parameters(), 5.0)
        optimizer.step()
        progress.step += 1
        for name, value in part.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        if progress.step % steps_per_round and progress.step < n_steps:
            continue
        n = (progress.step - 1) % steps_per_round + 1
        row = {"step": progress.step} | {name: round(value / n, 4) for name, value in sums.items()} | learner.validate()
        now = time.process_time()
        progress.seconds, started, sums = progress.seconds + now - started, now, {}
        row["seconds"] = round(progress.seconds, 1)
        progress.history.append(row)
        say(json.dumps(row))
        _save(checkpoint, learner, optimizer, progress, n_steps, seed)
    return progress


def _save(checkpoint: Path, learner: Learner, optimizer, progress: Progress, n_steps: int, seed: int) -> None:
    partial = checkpoint.with_suffix(".partial")
    torch.save(
        {
            "model": learner.model.state_dict(), "optimizer": optimizer.state_dict(), "step": progress.step,
            "seconds": progress.seconds, "history": json.dumps(progress.history), "n_steps": n_steps, "seed": seed,
        },
        partial,
    )  # fmt: skip
    partial.replace(checkpoint)


def learning_rate(step: int, n_steps: int) -> float:
    """Share of the peak rate at a step: up to it, level, and linearly to 0 in the last `COOLING` of the steps.

    Until it cools down it does not depend on `n_steps`, so a training with another budget is the same so far.
    """
    return min(1.0, (step + 1) / WARMING, (n_steps - step) / (COOLING * n_steps))


def _decay_groups(model: nn.Module) -> list[dict]:
    """Weight decay for matrices and kernels, none for biases, norms and positions."""
    flat = [p for p in model.parameters() if p.ndim < 2]
    return [{"params": [p for p in model.parameters() if p.ndim >= 2]}, {"params": flat, "weight_decay": 0.0}]

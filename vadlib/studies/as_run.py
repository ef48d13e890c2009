"""From the detectors as the paper writes them to the same as its author ran them, one difference at a time.

Each step keeps all the steps before it, and is scored on the same test frames, so what it moves can be set against
clips resampled alike. What a step moves depends on those before it; the order is that in which a frame is processed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from vadlib.data import Split
from vadlib.data.sampling import Fold
from vadlib.evaluation import Interval, bootstrap_auroc, bootstrap_difference
from vadlib.studies.ensemble_weights import best_weights, weights_from_other_clips
from vadlib.studies.runner import DetectorRunner, DetectorSpec

PADIM, GRADCAM, PROTOTYPES = "PaDiM", "Grad-CAM + SSIM", "Prototypes"
SCORES = ("max", "mean", "topk", "distance")  # of `PrototypesAsRun`, in the order of the weights
NORMAL, OTHER_CLIPS, SAME_CLIPS, TESTED = (
    "normal",
    "other clips",
    "same clips",
    "tested",
)  # where frames to fit come from
EQUAL, CHOSEN, CONTROL = "equal weights", "weights chosen on the test frames", "weights chosen on other clips"


@dataclass(frozen=True)
class Step:
    """One difference more.

    Attributes
    ----------
    method : str
        The detector as written, by its title.
    key : str
        A short name of the difference, for the prose.
    change : str
        What differs from the step before, for people; of the first step ``as written``.
    spec : DetectorSpec
    fitted_on : str
        One of the splits of `draw_steps`.
    weights : str
        Of the ensemble, where the step is about them; empty otherwise.
    """

    method: str
    key: str
    change: str
    spec: DetectorSpec
    fitted_on: str = NORMAL
    weights: str = ""

    @property
    def name(self) -> str:
        """For tables and columns."""
        return f"{self.method}: {self.change}"


def padim_steps(network: str, image_size: int, n_components: int) -> list[Step]:
    """PaDiM's (notebook cells 27 to 32)."""
    written = DetectorSpec(PADIM, network, image_size, options={"n_components": n_components})
    inner = replace(written, view="inner")
    sharp = replace(inner, options=dict(written.options) | {"sigma": 0.0})
    off = {"n_components": n_components, "layers": ("layer2", "layer3", "layer4"), "grid": 14, "standardise": False}
    off |= {"reduction": "projection", "gaussians": "each", "epsilon": 0.01, "squared": False}
    return [
        Step(PADIM, "written", "as written", written),
        Step(PADIM, "view", view_change(image_size), inner),
        Step(PADIM, "blur", "no blur", sharp),
        *_switched(replace(inner, detector="PaDiM as run", options=off), PADIM, NORMAL, {
            "layers": ("layers 2 to 4, pooled to 14 × 14, projected together", {}),
            "standardised": ("channels standardised", {"standardise": True}),
            "picked": ("channels picked, not projected", {"reduction": "variance"}),
            "gaussians": ("one Gaussian for all positions", {"gaussians": "one"}),
            "epsilon": ("epsilon 0.000001", {"epsilon": 1e-6}),
            "squared": ("distance squared", {"squared": True}),
        }),
    ]  # fmt: skip


def gradcam_steps(network: str, image_size: int) -> list[Step]:
    """Grad-CAM + SSIM's, which the paper calls SPADE (notebook cells 13 to 19)."""
    written = DetectorSpec(GRADCAM, network, image_size)
    inner = replace(written, view="inner")
    off = {"scaling": "max", "merged": False, "sigma": 0.0, "window": "gaussian"}
    steps = [
        Step(GRADCAM, "written", "as written", written),
        Step(GRADCAM, "view", view_change(image_size), inner),
        *_switched(replace(inner, detector="Grad-CAM + SSIM as run", options=off), GRADCAM, NORMAL, {
            "scaling": ("maps scaled from least to largest", {"scaling": "min-max"}),
            "merged": ("the mean of three maps is one map", {"merged": True}),
            "blur": ("map blurred", {"sigma": 4.0}),
            "window": ("SSIM in a square window", {"window": "uniform"}),
        }),
    ]  # fmt: skip
    return [*steps, replace(steps[-1], key="reference", change="reference from the test frames", fitted_on=TESTED)]


def prototype_steps(network: str, image_size: int, n_prototypes: int, n_drawn: int) -> list[Step]:
    """Those of CLIP's prototypes (notebook cells 44 to 56); `n_drawn` frames a class make them."""
    written = DetectorSpec(PROTOTYPES, network, image_size, options={"k": n_prototypes})
    centre = replace(written, view="centre")
    off = {"k": n_prototypes, "n_frames": None, "prototypes": "centres", "n_starts": 1}
    off |= {"standardised": True, "weights": (1, 0, 1, 1)}
    steps = [
        Step(PROTOTYPES, "written", "as written, from other clips", written, OTHER_CLIPS),
        Step(PROTOTYPES, "view", "CLIP's own view of the frame", centre, OTHER_CLIPS),
        Step(PROTOTYPES, "clips", "from the clips tested", centre, SAME_CLIPS),
        *_switched(replace(centre, detector="Prototypes as run", options=off), PROTOTYPES, SAME_CLIPS, {
            "drawn": (f"made of {n_drawn} frames a class", {"n_frames": n_drawn}),
            "starts": ("K-Means from ten starts", {"n_starts": 10}),
            "frames": ("frames in place of centres", {"prototypes": "frames"}),
            "raw": ("scores not standardised", {"standardised": False}),
            "fourth": ("the mean over all prototypes as a fourth score", {"weights": (1, 1, 1, 1)}),
        }),
    ]  # fmt: skip
    steps[-1] = replace(steps[-1], weights=EQUAL)
    return [*steps, replace(steps[-1], key="chosen", change=CHOSEN, weights=CHOSEN)]


def view_change(image_size: int) -> str:
    """What the view `inner` is, in pixels."""
    return f"{round(image_size * 8 / 7)} px, of which the middle {image_size}"


def _switched(
    spec: DetectorSpec, method: str, fitted_on: str, changes: Mapping[str, tuple[str, dict]]
) -> Iterator[Step]:
    """Steps that each set some options more."""
    for key, (change, options) in changes.items():
        spec = replace(spec, options=dict(spec.options) | options)
        yield Step(method, key, change, spec, fitted_on)


def tested_reference(normal: Split, n_reference: int) -> Split:
    """A split whose frames to fit on are the first normal test frames, in the order of files: they are tested, too."""
    tested = normal.test.sort_values(["clip", "frame"])
    first = tested[tested["label"] == 0].head(n_reference)
    return Split("reused-frames", normal.seed, (Fold(first, normal.test),))


def run_steps(
    runner: DetectorRunner, steps: list[Step], splits: Mapping[str, Split], *, n_folds: int = 5
) -> dict[str, np.ndarray]:
    """Scores of the test frames after each step, float32 (n_tested,), by its name, and by `CONTROL`.

    Parameters
    ----------
    runner : DetectorRunner
        It holds the frames of the splits.
    steps : list of Step
    splits : mapping of str to Split
        By `Step.fitted_on`; all of the same test frames.
    n_folds : int
        Of clips, of the weights' control.
    """
    columns: dict[str, np.ndarray] = {}
    done: dict[tuple, pd.DataFrame] = {}
    views = list(dict.fromkeys(step.spec.view for step in steps))
    for step in sorted(steps, key=lambda step: views.index(step.spec.view)):  # a view's frames are read once
        if (step.method, step.key) == (PADIM, "view"):  # one pass for all the layers that the steps after it take
            runner.keep_features(step.spec, splits[NORMAL], ("layer1", "layer2", "layer3", "layer4"))
        key = (repr(step.spec), step.fitted_on)
        if key not in done:
            done[key] = runner.run_under(step.spec, splits[step.fitted_on]).loc[runner.tested.index]
        found = done[key]
        if not step.weights:
            columns[step.name] = found[runner.detector(step.spec).main_score].to_numpy()
            continue
        weighted = weigh(found, runner.tested, n_folds=n_folds, seed=runner.seed)
        columns[step.name] = weighted[step.weights]
        columns[CONTROL] = weighted[CONTROL]
    return columns


def weigh(scores: pd.DataFrame, tested: pd.DataFrame, *, n_folds: int = 5, seed: int = 0) -> dict[str, np.ndarray]:
    """The ensemble of `PrototypesAsRun` under equal weights, those chosen on these frames, and those on other clips.

    Parameters
    ----------
    scores : DataFrame
        With `SCORES`; a row of NaN, a frame that could not be read, stays one.
    tested : DataFrame
        ``clip`` and ``label`` of the same rows. Labels of the test frames are used here and in no detector.
    n_folds, seed : int
        Of clips, for the last.

    Returns
    -------
    dict of str to float32 (n,)
        By `EQUAL`, `CHOSEN` and `CONTROL`.
    """
    values, labels = scores[list(SCORES)].to_numpy(np.float64), tested["label"].to_numpy()
    read = np.isfinite(values).all(axis=1)
    clips = tested["clip"].to_numpy()[read]
    folds = {"n_folds": n_folds, "seed": seed}
    ensembles = {
        EQUAL: values[read].mean(axis=1),
        CHOSEN: values[read] @ best_weights(labels[read], values[read]),
        CONTROL: _alike(values[read], weights_from_other_clips(labels[read], values[read], clips, **folds)),
    }
    found = {name: np.full(len(values), np.nan, np.float32) for name in ensembles}
    for name, ensemble in ensembles.items():
        found[name][read] = ensemble
    return found


def _alike(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Ensembles (n,) of scores (n, k) under weights of several folds, brought to one scale.

    Folds with other weights have ensembles of another spread, and would be told apart instead of frames. So each is
    taken in standard deviations from the mean that its weights give on the frames of the other folds.
    """
    ensemble = np.empty(len(values))
    for chosen in np.unique(weights, axis=0):
        own, weighted = (weights == chosen).all(axis=1), values @ chosen
        others = weighted if own.all() else weighted[~own]
        ensemble[own] = (weighted[own] - others.mean()) / max(others.std(), 1e-12)
    return ensemble


def compare_steps(
    scores: pd.DataFrame, steps: list[Step], *, n_resamples: int = 1000, seed: int = 0
) -> tuple[pd.DataFrame, dict[str, Interval]]:
    """What each step gets, and what it moves.

    Parameters
    ----------
    scores : DataFrame
        ``clip``, ``label``, and a column a step (see `run_steps`); no NaN.
    steps : list of Step
    n_resamples, seed : int
        Of the bootstrap over clips.

    Returns
    -------
    table : DataFrame
        A row a step: ``method``, ``key``, ``change``, ``auroc`` (`Interval`), ``gain`` (of the difference from the
        step before, on the same resamples; None for the first).
    totals : dict of str to Interval
        By method: as run minus as written; by `CONTROL`: what choosing weights on the test frames is worth, the
        ensemble with these minus that with weights chosen on other clips.
    """
    resampling = {"clusters": scores["clip"], "n_resamples": n_resamples, "seed": seed}

    def difference(a: str, b: str) -> Interval:
        return bootstrap_difference(scores["label"], scores[a], scores[b], **resampling)

    rows, first, before = [], {}, {}
    for step in steps:
        first.setdefault(step.method, step.name)
        rows.append(
            {
                "method": step.method,
                "key": step.key,
                "change": step.change,
                "auroc": bootstrap_auroc(scores["label"], scores[step.name], **resampling),
                "gain": difference(step.name, before[step.method]) if step.method in before else None,
            }
        )
        before[step.method] = step.name
    totals = {method: difference(before[method], name) for method, name in first.items()}
    if CONTROL in scores:
        totals[CONTROL] = difference(before[PROTOTYPES], CONTROL)
    return pd.DataFrame(rows, index=[step.name for step in steps]), totals

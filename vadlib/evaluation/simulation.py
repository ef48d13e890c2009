"""Scores whose true AUROC is known, on clips and labels shaped like real ones, to check intervals on.

The population. Its clips are label sequences of a given table, each as likely as any other, in one of the table's
scenes; a data set is drawn from it anew each time, so that every simulated data set has other clips. A frame's score is

    z = shift_c * label + clip_c + scene_s + noise,   shift_c ~ N(shift, shift_sd^2),  clip_c ~ N(0, clip_sd^2),
                                                      scene_s ~ N(0, scene_sd^2),      noise ~ N(0, 1) within a clip,

with noise of autocorrelation `noise_correlation` from one frame to the next. Of two frames of different clips the one
is then the higher with a known chance, so the AUROC of all frames of the population has a closed form: the truth.

Two designs, for two questions. `unit="clips"`: `n_clips` clips are drawn with replacement, the scenes' effects stay as
they are (other clips of the same cameras); the truth is that of these scenes. `unit="scenes"`: as many scenes as there
are, are drawn with replacement, each with all its clips, and each draw has an effect of its own (other cameras).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.signal import lfilter
from scipy.stats import norm

from vadlib.errors import ParameterError

UNITS = ("clips", "scenes")


@dataclass(frozen=True)
class ScoreModel:
    """How scores come about; all in standard deviations of the noise."""

    shift: float = 1.0  # how much higher an anomalous frame scores, on average over clips
    shift_sd: float = 0.5  # spread over clips of that shift
    clip_sd: float = 0.9  # spread over clips of the level
    scene_sd: float = 0.5  # spread over scenes of the level
    noise_correlation: float = 0.95  # of a frame and the next, in [0, 1): lasts about a second at 25 frames a second

    def __post_init__(self) -> None:
        """Refuse what has no meaning."""
        for name in ("shift_sd", "clip_sd", "scene_sd"):
            if not getattr(self, name) >= 0:
                raise ParameterError(f"{name} is a standard deviation, at least 0; got {getattr(self, name)!r}.")
        if not 0 <= self.noise_correlation < 1:
            raise ParameterError(f"noise_correlation must lie in [0, 1); got {self.noise_correlation!r}.")

    def with_auroc(self, auroc: float) -> "ScoreModel":
        """The same model with the shift that gives this AUROC over all clips of all scenes."""
        if not 0 < auroc < 1:
            raise ParameterError(f"auroc must lie in (0, 1); got {auroc!r}.")
        return replace(self, shift=float(norm.ppf(auroc) * np.hypot(self.spread, np.sqrt(2) * self.scene_sd)))

    @property
    def spread(self) -> float:
        """Standard deviation of an anomalous frame's score less a normal one's of another clip, scenes given."""
        return float(np.sqrt(2 * (1 + self.clip_sd**2) + self.shift_sd**2))

    @property
    def auroc(self) -> float:
        """Chance that an anomalous frame scores above a normal one, over all clips of all scenes."""
        return float(norm.cdf(self.shift / np.hypot(self.spread, np.sqrt(2) * self.scene_sd)))

    def auroc_given_scenes(self, effects, anomalous, normal) -> float:
        """The same with the scenes' effects (S,) as they are, which hold these numbers of frames, (S,) each."""
        gap = self.shift + effects[:, None] - effects[None, :]  # (S, S), scene of the anomalous frame first
        return float(anomalous @ norm.cdf(gap / self.spread) @ normal / (anomalous.sum() * normal.sum()))


@dataclass(frozen=True)
class Shapes:
    """The label sequences of a table's clips and the scene, as a number, of each: what a population is made of."""

    labels: tuple[np.ndarray, ...]
    scenes: np.ndarray

    @classmethod
    def of_table(cls, table: pd.DataFrame) -> "Shapes":
        """Take them from ``clip`` and ``label``, and ``frame`` and ``scene`` where there are columns so named."""
        if missing := {"clip", "label"} - set(table.columns):
            raise ParameterError(f"table: no column {sorted(missing)}; it has {list(table.columns)}.")
        found = table["label"].unique()
        if set(found) != {0, 1}:
            raise ParameterError(f"table: labels must be 0 and 1, with frames of both; found {sorted(found)[:5]}.")
        ordered = table.sort_values(["clip", "frame"] if "frame" in table else "clip", kind="stable")
        clips = [clip for _, clip in ordered.groupby("clip")]
        scene = [clip["scene"].iloc[0] if "scene" in clip else 0 for clip in clips]
        return cls(
            tuple(clip["label"].to_numpy().astype(bool) for clip in clips), pd.factorize(np.array(scene), sort=True)[0]
        )

    @property
    def n_scenes(self) -> int:
        """How many scenes there are."""
        return int(self.scenes.max()) + 1

    def frames_by_scene(self) -> tuple[np.ndarray, np.ndarray]:
        """Anomalous and normal frames of each scene, (S,) each."""
        anomalous = np.array([labels.sum() for labels in self.labels])
        normal = np.array([len(labels) for labels in self.labels]) - anomalous
        return tuple(
            np.bincount(self.scenes, weights=of_class, minlength=self.n_scenes) for of_class in (anomalous, normal)
        )


@dataclass(frozen=True)
class DataSet:
    """One simulated data set of n frames: labels, a row of scores for each model, and each model's true AUROC."""

    labels: np.ndarray  # bool (n,)
    scores: np.ndarray  # float64 (models, n)
    clusters: np.ndarray  # int (n,): clip, or scene under `unit="scenes"`
    truth: np.ndarray  # float64 (models,)


def draw_data_set(
    shapes: Shapes,
    models: Sequence[ScoreModel],
    rng: np.random.Generator,
    *,
    unit: str = "clips",
    n_clips: int | None = None,
    shared: float = 0.5,
) -> DataSet:
    """Draw a data set, scored by one or several detectors; again until both classes are in more than one cluster.

    `n_clips` None draws as many as there are shapes. `shared`, in [0, 1], is the correlation of the detectors' effects
    and noise: clips that are hard for one tend to be hard for all.
    """
    if unit not in UNITS:
        raise ParameterError(f"unit must be one of {', '.join(UNITS)}; got {unit!r}.")
    n_clips = len(shapes.labels) if n_clips is None else n_clips
    if n_clips < 2 or not 0 <= shared <= 1:
        raise ParameterError(
            f"n_clips must be at least 2 and shared in [0, 1]; got n_clips={n_clips!r}, shared={shared!r}."
        )
    while True:
        if unit == "clips":
            chosen = rng.integers(0, len(shapes.labels), size=n_clips)
            scenes, n_scenes = shapes.scenes[chosen], shapes.n_scenes
            cluster = np.arange(n_clips)
        else:
            drawn = rng.integers(0, shapes.n_scenes, size=shapes.n_scenes)
            of_scene = [np.flatnonzero(shapes.scenes == scene) for scene in drawn]
            chosen, n_scenes = np.concatenate(of_scene), len(drawn)
            cluster = scenes = np.repeat(np.arange(n_scenes), [len(rows) for rows in of_scene])
        lengths = np.array([len(shapes.labels[i]) for i in chosen])
        labels = np.concatenate([shapes.labels[i] for i in chosen])
        clips, clusters = np.repeat(np.arange(len(chosen)), lengths), np.repeat(cluster, lengths)
        if min(len(np.unique(clusters[labels])), len(np.unique(clusters[~labels]))) > 1:
            break

    def normal(*shape):  # (models, *shape), correlated by `shared` between models
        common, own = rng.normal(size=shape), rng.normal(size=(len(models), *shape))
        return np.sqrt(shared) * common + np.sqrt(1 - shared) * own

    effects, levels, shifts = normal(n_scenes), normal(len(chosen)), normal(len(chosen))
    innovations = normal(len(chosen), lengths.max())  # (models, clips, longest)
    inside = np.arange(lengths.max()) < lengths[:, None]
    scores, truth = [], []
    for model, v, u, d, e in zip(models, effects, levels, shifts, innovations, strict=True):
        phi = model.noise_correlation
        e[:, 1:] *= np.sqrt(1 - phi**2)  # a stationary start: variance 1 from the first frame on
        noise = lfilter([1], [1, -phi], e, axis=1)[inside]
        level = model.clip_sd * u + model.scene_sd * v[scenes]
        scores.append(noise + level[clips] + labels * (model.shift + model.shift_sd * d)[clips])
        conditional = (
            model.auroc_given_scenes(model.scene_sd * v, *shapes.frames_by_scene()) if unit == "clips" else None
        )
        truth.append(model.auroc if conditional is None else conditional)
    return DataSet(labels, np.array(scores), clusters, np.array(truth))

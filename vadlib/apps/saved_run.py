"""A fitted detector out of a results folder, with what the run knew: frame size, data, scores of normal frames."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from vadlib.data.reading.frames import Batch, check_size
from vadlib.data.reading.views import check_view
from vadlib.detectors import Detector, load_detector
from vadlib.errors import ParameterError, ResultsError
from vadlib.runs.results import read_json
from vadlib.storage import file_sha256, user_path

DETECTOR_FOLDER = "detector"


class QuantileThreshold(NamedTuple):
    """A score above which a frame is marked: the quantile of the normal frames' scores of a run, on its data set."""

    value: float
    quantile: float
    n_frames: int
    dataset: str

    def __str__(self) -> str:
        """For people."""
        return f"{self.quantile:g} quantile of the scores of {self.n_frames:,} normal test frames of {self.dataset}"


class ScoreOptions(NamedTuple):
    """How videos are read, and which score is drawn; the scene is for a detector with a reference for each."""

    score: str
    threshold: QuantileThreshold | None
    scene: str | None
    batch_size: int
    skip_unreadable: bool
    progress: bool


@dataclass(frozen=True, eq=False)
class SavedRun:
    """A fitted detector, ready for other videos.

    Attributes
    ----------
    path : Path
        The detector's folder.
    detector : Detector
    size : (height, width)
        Of the frames that it was fitted on, in pixels.
    record : dict
        The run's `run.json`; empty for a detector's folder that lies outside one.
    view : str
        The part of a frame that fills that size (see `vadlib.data.reading.views`).
    """

    path: Path
    detector: Detector
    size: tuple[int, int]
    record: dict
    view: str = "whole"

    @cached_property
    def scores(self) -> pd.DataFrame | None:
        """The run's own `scores.parquet`, or None where it has none."""
        path = self.path.parent / "scores.parquet"
        if not self.record or not path.is_file():
            return None
        try:
            return pd.read_parquet(path)
        except Exception as error:
            raise ResultsError(f"{path} cannot be read ({error}). Run the experiment again.") from error

    def normal_scores(self, column: str) -> np.ndarray:
        """Scores of the run's normal test frames, float32 (n,); none where the run has no such column."""
        if self.scores is None or not {column, "label"} <= set(self.scores.columns):
            return np.empty(0, np.float32)
        values = self.scores.loc[self.scores["label"] == 0, column].to_numpy(np.float32)
        return values[np.isfinite(values)]

    def threshold(self, column: str, quantile: float) -> QuantileThreshold | None:
        """The quantile of `normal_scores`; None where there are none."""
        if not 0 < quantile < 1:
            raise ParameterError(f"quantile: a number between 0 and 1 is expected, such as 0.99, not {quantile}.")
        normal = self.normal_scores(column)
        if not len(normal):
            return None
        dataset = (self.record.get("dataset") or {}).get("name", "the run")
        return QuantileThreshold(float(np.quantile(normal, quantile)), quantile, len(normal), dataset)

    def scores_and_heatmaps(
        self, batch: Batch, *, scene: str | None = None, heatmaps: bool = True
    ) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        """Scores, float32 (B,) each, and, where wanted and had, heatmaps, float32 (B, H, W); all of one scene."""
        batch = batch._replace(scenes=None if scene is None else [scene] * len(batch.images))
        if heatmaps:
            scores, maps = self.detector.scores_and_heatmap(batch)
        else:
            scores, maps = self.detector.score_batch(batch.images, scenes=batch.scenes), None
        return {name: values.float().cpu().numpy() for name, values in scores.items()}, maps

    def check_scene(self, scene: str | None) -> None:
        """Raise ParameterError unless `scene` is one of those that the detector has a reference for; None if none."""
        known = self.detector.scenes
        if known and scene not in known:
            raise ParameterError(
                f"scene: this detector compares with a reference for each scene; say which the videos show, with "
                f"--scene, of {', '.join(known)}; found {scene!r}. For another camera, fit with reference='dataset'."
            )
        if scene is not None and not known:
            raise ParameterError(f"scene: this detector knows none, so {scene!r} would change nothing; leave it out.")

    def describe(self) -> dict:
        """What a record of its use should say: class, parameters, weights, and the run and data of the fit."""
        saved = read_json(self.path / "detector.json")
        return {
            "path": str(self.path),
            "class": saved["detector"],
            "parameters": saved["parameters"],
            "weights": saved["weights"],
            "precision": saved["precision"],
            "state_sha256": file_sha256(self.path / "state.safetensors"),
            "image_size": list(self.size),
            "view": self.view,
            "fitted_by": {key: self.record.get(key) for key in ("experiment", "started", "git")}
            if self.record
            else None,
            "fitted_on": self.record.get("dataset"),
        }


def open_saved_run(
    path: str | os.PathLike,
    *,
    size: tuple[int, int] | None = None,
    view: str | None = None,
    weights: str | os.PathLike | None = None,
    device: str = "auto",
) -> SavedRun:
    """Open a results folder with a fitted detector, a detector's own, or any other that `Detector.save` wrote.

    `size` (height, width) is the frame size of the fit, which a detector outside a run needs said, `view` the part of a
    frame that filled it, and `weights` where the network's weights lie now. ResultsError where there is no fitted
    detector, ParameterError where the size is not known, WeightsError where the weights cannot be had or are not those
    of the fit; the messages say what to do.
    """
    path = Path(os.path.abspath(user_path(path)))
    folder = path if (path / "detector.json").is_file() else path / DETECTOR_FOLDER
    if not (folder / "detector.json").is_file():
        raise ResultsError(_no_detector(path))
    is_of_run = folder.name == DETECTOR_FOLDER and (folder.parent / "run.json").is_file()
    record = read_json(folder.parent / "run.json") if is_of_run else {}
    if size is None:
        size = _recorded_size(record, folder)
    view = view or (record.get("parameters") or {}).get("view", "whole")
    check_size(size)
    check_view(view, size)
    detector = load_detector(folder, weights=weights, device=device)
    return SavedRun(folder, detector, (int(size[0]), int(size[1])), record, view)


def _recorded_size(record: dict, folder: Path) -> tuple[int, int]:
    size = (record.get("parameters") or {}).get("image_size")
    if size is None:
        raise ParameterError(
            f"size: nothing beside {folder} says which frame size the detector was fitted on (a run.json with "
            "image_size would); give it with --size HEIGHT WIDTH (size=(height, width))."
        )
    return tuple(size) if isinstance(size, list) else (size, size)


def _no_detector(path: Path) -> str:
    if not path.exists():
        return f"--detector {path} does not exist. Give a results folder with a fitted detector in it."
    if (path / "run.json").is_file():
        return (
            f"{path} holds a run's results but no fitted detector. Run its notebook again with the parameter "
            f"save_detector=true (papermill: -p save_detector true), which adds {DETECTOR_FOLDER}/."
        )
    return (
        f"{path} is neither a results folder with {DETECTOR_FOLDER}/ in it nor a saved detector (detector.json and "
        "state.safetensors)."
    )

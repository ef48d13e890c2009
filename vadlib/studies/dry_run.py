"""What a profile would draw from a data set, without reading a single frame: a dry run."""

import os
from collections.abc import Mapping

import pandas as pd
import yaml

from vadlib.data import VideoDataset, draw, open_dataset
from vadlib.errors import ParameterError
from vadlib.storage import project_path

# The parameter that says how many frames of each class a detector is fitted on, and the protocol it is drawn by.
_DETECTORS = {
    "PaDiM": ("n_fit_frames", "official-split"),
    "Grad-CAM + SSIM": ("n_fit_frames_gradcam", "official-split"),
    "Prototypes": ("n_fit_frames_clip", None),
}
DEFAULT_PROTOCOL = "disjoint-clips"


def read_profile(name: str) -> dict:
    """Parameters of a profile in ``notebooks/profiles``.

    Raises
    ------
    ParameterError
        If there is no such profile, naming those there are.
    """
    folder = project_path("notebooks/profiles")
    path = folder / f"{name}.yml"
    if not path.is_file():
        there = ", ".join(sorted(other.stem for other in folder.glob("*.yml")))
        raise ParameterError(f"profile: no {name!r} in notebooks/profiles; there are {there}")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def plan(
    parameters: Mapping,
    root: str | os.PathLike | None = None,
    *,
    skip_unreadable: bool = False,
    allow_missing: bool = False,
) -> tuple[VideoDataset, pd.DataFrame]:
    """Draw as the notebooks would, and count.

    Parameters
    ----------
    parameters : mapping
        Of a profile.
    root : path-like, optional
        The data set's folder, instead of the profile's. It may lack videos, as long as it has the labels.
    skip_unreadable : bool
        Leave out clips that do not open.
    allow_missing : bool
        Draw from clips that have pictures only, as a book of an incomplete copy does.

    Returns
    -------
    dataset : VideoDataset
        Its `missing` names what it lacks.
    counts : DataFrame
        One row a detector: ``protocol``; ``fit normal``, ``fit anomalous`` (in each fold), ``test normal``, ``test
        anomalous`` (in all folds together), and ``problem``, empty where the draw succeeds.

    Raises
    ------
    LayoutError
        If the folder is not the data set's, or has no labels of test clips.
    ParameterError
        If the test frames themselves cannot be drawn, or the profile has no chapter that draws frames by class.
    """
    lacking = [name for name in ("n_test_normal", "n_test_abnormal", "n_fit_frames") if name not in parameters]
    if lacking:
        raise ParameterError(
            f"profile: {parameters.get('profile')} says nothing of {', '.join(lacking)}; its chapters draw no frames "
            "by class, so there is nothing to plan"
        )
    root = root or project_path(parameters["dataset_root"])
    skip_unreadable = skip_unreadable or parameters.get("skip_unreadable", False)
    dataset = open_dataset(parameters["dataset"], root, allow_missing=True, skip_unreadable=skip_unreadable)
    if allow_missing or parameters.get("allow_missing", False):
        dataset = dataset.with_pictures()
    table = dataset.frame_table()
    tested = {"test_normal": parameters["n_test_normal"], "test_abnormal": parameters["n_test_abnormal"]}
    rows = {}
    for detector, (count, protocol) in _DETECTORS.items():
        protocol = protocol or parameters.get("protocol", DEFAULT_PROTOCOL)
        n_fit = parameters[count]
        wanted = {"fit_normal": n_fit, "fit_abnormal": 0 if protocol == "official-split" else n_fit}
        problem = ""
        try:
            split = draw(table, protocol, **wanted, **tested, seed=parameters["seed"])
        except ParameterError as error:
            problem = str(error)
            split = draw(table, "same-clips", 0, 0, **tested, seed=parameters["seed"])
        fit, test = split.folds[0].fit["label"], pd.concat([fold.test["label"] for fold in split.folds])
        rows[detector] = {
            "protocol": protocol,
            "fit normal": int((fit == 0).sum()),
            "fit anomalous": int((fit == 1).sum()),
            "test normal": int((test == 0).sum()),
            "test anomalous": int((test == 1).sum()),
            "problem": problem,
        }
    return dataset, pd.DataFrame.from_dict(rows, orient="index")

"""What a command line changes of a profile: the data set's folder and the weights; and whether that can be."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from vadlib.errors import ParameterError
from vadlib.storage import user_path


def profile_overrides(values: Mapping, root: str | None, weights: str | None) -> dict[str, str]:
    """The parameters that another folder and other weights set, paths absolute.

    Parameters
    ----------
    values : mapping
        Of the profile.
    root, weights : str, optional
        As the command line has them.

    Raises
    ------
    ParameterError
        Nothing is there.
    """
    overrides = {"dataset_root": _existing(root, "ROOT")} if root else {}
    return overrides | (_networks(values, _weights(weights)) if weights else {})


def check_own_folder(project: Path, values: Mapping) -> None:
    """Open a folder of one's own before anything runs: what is wrong with it is said in a line, not in a notebook."""
    if values.get("dataset") != "folder":
        return
    root = project / values.get("dataset_root", "my_videos")
    if not root.exists():
        raise ParameterError(
            f"ROOT: profile {values['profile']} needs the folder of your videos, and {root} does not exist; say "
            f"make book PROFILE={values['profile']} ROOT=path/to/my_videos"
        )
    from vadlib.data import open_dataset

    open_dataset("folder", root, **{name: bool(values.get(name)) for name in ("allow_missing", "skip_unreadable")})


def _networks(values: Mapping, weights: str) -> dict[str, str]:
    """The profile's backbone with other weights, and its classifier where that is the same network."""
    architecture = values["backbone"].partition(":")[0]
    alike = (name for name in ("backbone", "classifier") if values.get(name, "").partition(":")[0] == architecture)
    return dict.fromkeys(alike, f"{architecture}:{weights}")


def _existing(path: str, name: str) -> str:
    absolute = user_path(path).absolute()
    if not absolute.exists():
        raise ParameterError(f"{name}: nothing is at {absolute}; give the folder of the data set")
    return str(absolute)


def _weights(weights: str) -> str:
    """A file's path made absolute; the name of published weights as it is."""
    names_file = os.sep in weights or Path(weights).suffix in (".safetensors", ".pth", ".pt")
    return _existing(weights, "WEIGHTS") if names_file else weights

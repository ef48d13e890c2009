"""Open a saved detector without knowing which one it is."""

from __future__ import annotations

import json
from pathlib import Path

import vadlib.detectors
import vadlib.networks
from vadlib.detectors.detector import Detector
from vadlib.errors import ResultsError, WeightsError


def load_detector(path: str | Path, *, weights: str | Path | None = None, device: str = "auto") -> Detector:
    """Read a detector that `Detector.save` wrote, of whichever class.

    Parameters
    ----------
    path : str or Path
        The folder.
    weights : str or Path, optional
        Where the weights of the fit lie now, instead of where they were; others are refused by their digest.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` …

    Returns
    -------
    Detector

    Raises
    ------
    ResultsError
        If there is no saved detector at ``path``, or it is of a class that this vadlib does not have.
    WeightsError
        If the weights cannot be had, or are not those of the fit.
    """
    path = Path(path)
    try:
        description = json.loads((path / "detector.json").read_text(encoding="utf-8"))
        kind, recorded, precision = (description[key] for key in ("detector", "weights", "precision"))
        architecture, seed = recorded["architecture"], recorded["seed"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ResultsError(
            f"load: {path} holds no complete saved detector ({error!r}); expected detector.json and "
            "state.safetensors, as Detector.save writes them"
        ) from error
    found = getattr(vadlib.detectors, str(kind), None)
    if not (isinstance(found, type) and issubclass(found, Detector) and found is not Detector):
        raise ResultsError(f"load: {path} holds a {kind!r}, which this vadlib does not have; use the one that saved it")
    build = getattr(vadlib.networks, str(architecture), None)
    if not callable(build):
        raise ResultsError(
            f"load: {path} was fitted on {architecture!r}, a network that this vadlib does not have; use the one that "
            "saved it"
        )
    try:
        network = None
        if weights is not None:
            network = build(str(weights), precision=precision, **({} if seed is None else {"seed": seed}))
        return found.load(path, network=network, device=device)
    except WeightsError as error:
        raise WeightsError(
            f"the detector in {path} needs the network of its fit: {error}. If its file has moved, say where: "
            "load_detector(..., weights=PATH), or `vadlib score --weights PATH`"
        ) from error

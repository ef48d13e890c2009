"""What a saved detector says of itself, and the network of its fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import vadlib.networks
from vadlib.errors import ResultsError, WeightsError
from vadlib.networks import FeatureNetwork


def read_description(path: str | Path) -> dict[str, Any]:
    """What `Detector.save` wrote of a detector beside its state."""
    try:
        saved = json.loads((Path(path) / "detector.json").read_text(encoding="utf-8"))
        if saved["weights"] is not None:
            saved["weights"]["architecture"], saved["weights"]["seed"]
        saved["parameters"], saved["precision"], saved["detector"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise incomplete(path, error) from error
    return saved


def incomplete(path: str | Path, error: Exception) -> ResultsError:
    """The error for a folder that is no saved detector."""
    return ResultsError(
        f"load: {path} holds no complete saved detector ({error!r}); expected detector.json and state.safetensors, as "
        "Detector.save writes them"
    )


def network_of_the_fit(path: str | Path, saved: Mapping, weights: str | Path | None) -> FeatureNetwork:
    """Build the network that a saved detector was fitted with, from `weights` where its file has moved."""
    recorded = saved["weights"]
    build = getattr(vadlib.networks, str(recorded["architecture"]), None)
    if not callable(build):
        raise ResultsError(
            f"load: {path} was fitted on {recorded['architecture']!r}, a network that this vadlib does not have; use "
            "the one that saved it"
        )
    seed = {} if recorded["seed"] is None else {"seed": recorded["seed"]}
    return build(recorded["source"] if weights is None else str(weights), precision=saved["precision"], **seed)


def check_network(path: str | Path, saved: Mapping, network: FeatureNetwork) -> None:
    """Refuse a network, already on its device, whose scores would not be the fit's."""
    recorded, found = saved["weights"], network.record
    if any(getattr(found, key) != recorded[key] for key in ("architecture", "sha256", "seed")):
        raise WeightsError(
            f"load: {path} was fitted with {recorded['architecture']} weights {recorded['name']} (sha256 "
            f"{recorded['sha256']}), but the network has {found.architecture} {found.name} ({found.sha256}); give the "
            "network of the fit"
        )
    if network.precision != saved["precision"]:  # known only on the detector's device
        raise WeightsError(
            f"load: {path} was fitted in {saved['precision']}, but the network computes in {network.precision} on "
            f"{network.device}: its scores would not be the fit's; build it with precision={saved['precision']!r}"
        )

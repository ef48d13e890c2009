"""What every detector is: fit on frames, score frames, explain a frame, be saved and loaded."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

import vadlib.networks
from vadlib.errors import NotFittedError, ParameterError, ResultsError, WeightsError
from vadlib.networks import FeatureNetwork, resolve_device
from vadlib.storage import RunLock, recover_folder, replace_folder, user_path


class Detector(ABC):
    """Base class: scores are float32, one a frame, and higher means more anomalous.

    Parameters
    ----------
    network : FeatureNetwork
        Moved to ``device``.
    device : str
        ``"auto"`` (a GPU where there is one), ``"cpu"``, ``"cuda"`` …
    """

    main_score: ClassVar[str]

    def __init__(self, network: FeatureNetwork, *, device: str = "auto"):
        self.device = resolve_device(device)
        self.network = network.to(self.device)

    @abstractmethod
    def fit(self, reader: Iterable) -> Self:
        """Learn what is normal from a reader's frames; returns the detector."""

    @abstractmethod
    def score_batch(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Every score of a batch of uint8 RGB frames (B, 3, H, W), float32 (B,) each, by name."""

    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """What the detector was made with, as JSON can hold it."""

    @abstractmethod
    def state(self) -> dict[str, torch.Tensor]:
        """What `fit` has learnt, as named CPU tensors."""

    @abstractmethod
    def set_state(self, state: dict[str, torch.Tensor]) -> None:
        """Take over what `state` gave."""

    def score_columns(self, reader: Iterable) -> dict[str, np.ndarray]:
        """Every score that the detector knows, from one pass over the frames.

        Returns
        -------
        dict of str to numpy float32 (n_frames,)
            In the order of the reader's table. A frame that the reader was told to skip, and did, is NaN.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        columns: dict[str, np.ndarray] = {}
        for batch in reader:
            for name, values in self._scores_of(batch, reader).items():
                column = columns.setdefault(name, np.full(reader.n_frames, np.nan, dtype=np.float32))
                column[batch.rows] = values.float().cpu().numpy()
        if not columns:
            raise ParameterError("score: the reader gave no frame; give it a table with at least one")
        return columns

    def score(self, reader: Iterable) -> np.ndarray:
        """The detector's main score of every frame, numpy float32 (n_frames,); see `score_columns`."""
        return self.score_columns(reader)[self.main_score]

    def save(self, path: str | Path) -> None:
        """Write the fitted detector as a folder: ``detector.json`` and ``state.safetensors``; whole or not at all.

        An earlier one there goes only when the new one is in its place.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ResultsError
            If something other than a saved detector is at ``path``, or it cannot be written.
        BusyError
            If another process is writing there.
        """
        path, state = user_path(path).absolute(), self.state()
        description = {
            "detector": type(self).__name__,
            "parameters": self.parameters(),
            "weights": self.network.record.as_dict(),
            "precision": self.network.precision,
        }

        def fill(folder: Path) -> None:
            save_file(state, folder / "state.safetensors")
            (folder / "detector.json").write_text(json.dumps(description, indent=2) + "\n")

        try:
            with RunLock(path):
                recover_folder(path)
                if path.exists() and not (path / "detector.json").is_file():
                    raise ResultsError(f"save: {path} exists and is no saved detector; choose another folder")
                replace_folder(path, fill)
        except (OSError, SafetensorError) as error:
            raise ResultsError(f"save: {path} cannot be written ({error}); choose a folder with room") from error

    @classmethod
    def load(cls, path: str | Path, *, network: FeatureNetwork | None = None, device: str = "auto") -> Self:
        """Read a detector that `save` wrote.

        Parameters
        ----------
        path : str or Path
            The folder.
        network : FeatureNetwork, optional
            The network it was fitted with; without it, it is rebuilt from the recorded weights and precision.
        device : str
            As for the constructor.

        Raises
        ------
        ResultsError
            If there is no such detector at ``path``.
        WeightsError
            If the network's weights or precision are not those of the fit, or the weights cannot be had.
        """
        path = Path(path)
        try:
            description = json.loads((path / "detector.json").read_text())
            recorded, precision = description["weights"], description["precision"]
            state = load_file(path / "state.safetensors")
        except Exception as error:
            raise ResultsError(
                f"load: {path} holds no complete saved detector ({error}); expected detector.json and "
                "state.safetensors, as save writes them"
            ) from error
        if description["detector"] != cls.__name__:
            raise ResultsError(
                f"load: {path} holds a {description['detector']}, not a {cls.__name__}; load it with that"
            )
        if network is None:
            build = getattr(vadlib.networks, recorded["architecture"])
            seed = {} if recorded["seed"] is None else {"seed": recorded["seed"]}
            network = build(recorded["source"], precision=precision, **seed)
        found = network.record
        if (found.architecture, found.sha256, found.seed) != tuple(
            recorded[key] for key in ("architecture", "sha256", "seed")
        ):
            raise WeightsError(
                f"load: {path} was fitted with {recorded['architecture']} weights {recorded['name']} (sha256 "
                f"{recorded['sha256']}), but the network has {found.architecture} {found.name} ({found.sha256}); "
                "give the network of the fit"
            )
        detector = cls(network, device=device, **description["parameters"])
        if network.precision != precision:  # known only on the detector's device
            raise WeightsError(
                f"load: {path} was fitted in {precision}, but the network computes in {network.precision} on "
                f"{detector.device}: its scores would not be the fit's; build it with precision={precision!r}"
            )
        detector.set_state(state)
        return detector

    def _scores_of(self, batch: Any, reader: Iterable) -> dict[str, torch.Tensor]:
        """Scores of a batch, for detectors that need to know more of its frames than their pixels."""
        return self.score_batch(batch.images)

    def _require_fitted(self, fitted: bool) -> None:
        if not fitted:
            raise NotFittedError(f"{type(self).__name__}: not fitted yet; call fit, or load a saved one")

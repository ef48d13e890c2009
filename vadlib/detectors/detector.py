"""What every detector is: fit on frames, score frames, explain a frame, be saved and loaded."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from vadlib.data.reading.inputs import Frames, Inputs
from vadlib.detectors.loading import check_network, incomplete, network_of_the_fit, read_description
from vadlib.errors import NotFittedError, ParameterError, ResultsError, WeightsError
from vadlib.networks import FeatureNetwork, resolve_device
from vadlib.storage import RunLock, recover_folder, replace_folder, user_path


class LearnsFrom(StrEnum):
    """What a detector is fitted on."""

    NORMAL = "normal frames"
    LABELLED_FRAMES = "labelled frames"
    LABELLED_CLIPS = "labelled clips"
    NOTHING = "nothing"


class Detector(ABC):
    """Base class: scores are float32, one a frame, and higher means more anomalous.

    Parameters
    ----------
    network : FeatureNetwork or None
        Moved to ``device``; None for a detector that takes none.
    device : str
        ``"auto"`` (a GPU where there is one), ``"cpu"``, ``"cuda"`` …

    Attributes
    ----------
    title, colour : str
        Of the class, in tables, legends and figures.
    main_score : str
        The column that it is judged by.
    reads : Inputs
        What a reader has to give it.
    learns_from : LearnsFrom
    network : str or None
        Of the class: which of a chapter's networks it takes (backbone, classifier, embedder). An instance has the
        network itself.
    heat_label : str or None
        What its heatmap shows, at the colour bar; None: it has no heatmap.
    variants : mapping of str to mapping
        Further entries of the catalogue: by title, what differs (see `catalogue.Entry`).
    chapter_options : mapping of str to str
        A chapter's parameters, by the argument of the constructor that each is.
    varied : mapping of str to sequence
        What an ablation tries beside the defaults: by an argument, or a field of `studies.runner.DetectorSpec`.
    paper : str or None
        Prefix of its entries among the paper's values.
    compared : bool
        Whether it stands wherever detectors are compared; what does not is there for the chapters that name it.
    scenes : tuple of str
        Cameras that a fitted instance knows apart, and must be told of; empty where it makes no difference.
    """

    title: ClassVar[str]
    colour: ClassVar[str]
    main_score: ClassVar[str]
    reads: ClassVar[Inputs] = Frames()
    learns_from: ClassVar[LearnsFrom] = LearnsFrom.NORMAL
    network: ClassVar[str | None] = "backbone"
    heat_label: ClassVar[str | None] = None
    variants: ClassVar[Mapping[str, Mapping]] = {}
    chapter_options: ClassVar[Mapping[str, str]] = {}
    varied: ClassVar[Mapping[str, Sequence]] = {}
    paper: ClassVar[str | None] = None
    compared: ClassVar[bool] = True
    scenes: tuple[str, ...] = ()

    def __init__(self, network: FeatureNetwork | None = None, *, device: str = "auto"):
        self.device = resolve_device(device)
        self.network = None if network is None else network.to(self.device)

    @classmethod
    def possible_options(cls, network, options: Mapping[str, Any], n_fit: int | None = None) -> dict[str, Any]:
        """The constructor's arguments, brought down to what the network (and, where known, `n_fit` frames) allows."""
        return dict(options)

    @abstractmethod
    def fit(self, reader: Iterable) -> Self:
        """Learn what is normal from a reader's frames; returns the detector."""

    @abstractmethod
    def score_batch(self, images: torch.Tensor, *, scenes: Sequence[str] | None = None) -> dict[str, torch.Tensor]:
        """Every score of a batch of uint8 RGB frames (B, 3, H, W) of these cameras, float32 (B,) each, by name."""

    def heatmap(self, images: torch.Tensor, *, scenes: Sequence[str] | None = None) -> np.ndarray:
        """Where in each frame it looks anomalous, numpy float32 (B, H, W); only with a `heat_label`."""
        raise ParameterError(f"heatmap: {self.title} has none")

    def scores_and_heatmap(self, batch: Any) -> tuple[dict[str, torch.Tensor], np.ndarray | None]:
        """`score_batch` and `heatmap` (None where there is none) of a reader's batch."""
        scores = self.score_batch(batch.images, scenes=batch.scenes)
        return scores, None if self.heat_label is None else self.heatmap(batch.images, scenes=batch.scenes)

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
            if self.scenes and batch.scenes is None:
                raise ParameterError("score: this detector knows cameras apart; give it a reader that names scenes")
            for name, values in self.score_batch(batch.images, scenes=batch.scenes).items():
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
            "weights": None if self.network is None else self.network.record.as_dict(),
            "precision": None if self.network is None else self.network.precision,
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
    def load(
        cls,
        path: str | Path,
        *,
        network: FeatureNetwork | None = None,
        weights: str | Path | None = None,
        device: str = "auto",
    ) -> Self:
        """Read a detector of this class that `save` wrote.

        Parameters
        ----------
        path : str or Path
            The folder.
        network : FeatureNetwork, optional
            The network it was fitted with; without it, it is rebuilt from the recorded weights and precision.
        weights : str or Path, optional
            Where the weights of the fit lie now, instead of where they were; others are refused by their digest.
        device : str
            As for the constructor.

        Raises
        ------
        ResultsError
            If there is no such detector at ``path``.
        WeightsError
            If the network's weights or precision are not those of the fit, or the weights cannot be had.
        """
        saved = read_description(path)
        if saved["detector"] != cls.__name__:
            raise ResultsError(
                f"load: {path} holds a {saved['detector']}, not a {cls.__name__}; load it with that, or load_detector"
            )
        try:
            state = load_file(Path(path) / "state.safetensors")
        except (OSError, SafetensorError) as error:
            raise incomplete(path, error) from error
        try:
            if network is None and saved["weights"] is not None:
                network = network_of_the_fit(path, saved, weights)
            detector = cls(*(() if network is None else (network,)), device=device, **saved["parameters"])
            if network is not None:
                check_network(path, saved, network)
        except WeightsError as error:
            raise WeightsError(
                f"the detector in {path} needs the network of its fit: {error}. If its file has moved, say where: "
                "load_detector(..., weights=PATH), or `vadlib score --weights PATH`"
            ) from error
        detector.set_state(state)
        return detector

    def _require_fitted(self, fitted: bool) -> None:
        if not fitted:
            raise NotFittedError(f"{type(self).__name__}: not fitted yet; call fit, or load a saved one")

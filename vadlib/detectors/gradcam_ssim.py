"""Grad-CAM + SSIM, which the paper calls SPADE (section 3.2): does the classifier look where it usually looks?

This is not the SPADE of Cohen and Hoshen, the paper's reference [4]; that one is `vadlib.detectors.spade`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch

from vadlib.detectors.detector import Detector
from vadlib.detectors.gradcam import grad_cam
from vadlib.detectors.heatmaps import smoothed_resize
from vadlib.detectors.ssim import WINDOW, SsimReference
from vadlib.errors import ParameterError
from vadlib.networks import FeatureNetwork

REFERENCES = ("dataset", "scene")
ALL = "all"  # the reference of the whole data set
SCENE = "scene "  # before a scene's name


class Steps(NamedTuple):
    """What is compared, for figures: numpy float32 (L, B, H, W) each."""

    cams: np.ndarray
    references: np.ndarray
    similarity: np.ndarray


class GradCamSsim(Detector):
    """One minus the structural similarity of a frame's Grad-CAM maps to the mean maps of normal frames.

    Parameters
    ----------
    network : FeatureNetwork
        One with a classifier; the paper's is ResNet-18.
    seed : int
        Nothing is drawn: there for the sake of one signature for all detectors.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` …
    layers : sequence of str
        Layers of the maps (paper: ``layer2``, ``layer3``, ``layer4``).
    reference : {"dataset", "scene"}
        One mean map of all normal frames (paper), or one for each scene. Then a frame whose scene was not fitted on,
        or not said, is compared with the mean of all, with a warning.
    target : "top1" or int
        The class that the maps explain: each frame's most likely one, or one for all (the paper does not say).
    map_size : int, optional
        Pixels, height and width that the maps are brought to before they are compared (the paper does not say); by
        default the frames' own size.

    Raises
    ------
    ParameterError
        If a parameter is outside its rule.
    WeightsError
        If the network has no classifier.
    """

    title = "Grad-CAM + SSIM"
    colour = "#E69F00"
    main_score = "ssim"
    network = "classifier"
    heat_label = "1 - SSIM"
    varied: ClassVar = {
        "target": ("commonest",),
        "layers": ("layer2", "layer3", "layer4", "layer3 layer4"),
        "reference": ("scene",),
        "map_size": (28, 56, 112),
        "image_size": (112,),
        "n_fit": (15, 30),
    }
    paper = "gradcam"

    def __init__(
        self,
        network: FeatureNetwork,
        seed: int = 0,
        device: str = "auto",
        *,
        layers: Sequence[str] = ("layer2", "layer3", "layer4"),
        reference: str = "dataset",
        target: str | int = "top1",
        map_size: int | None = None,
    ):
        super().__init__(network, device=device)
        network.check_layers(layers)
        network.require_logits()
        if reference not in REFERENCES:
            raise ParameterError(f"reference: expected one of {', '.join(REFERENCES)}, found {reference!r}")
        if target != "top1" and (isinstance(target, bool) or not isinstance(target, int | np.integer)):
            raise ParameterError(f"target: expected 'top1' or a class's number, found {target!r}")
        if map_size is not None and (isinstance(map_size, bool) or map_size != int(map_size) or map_size < WINDOW):
            raise ParameterError(
                f"map_size: expected a whole number of pixels, at least {WINDOW}, SSIM's window, or None for the "
                f"frames' own size, found {map_size!r}"
            )
        self.map_size = None if map_size is None else int(map_size)
        self.layers, self.seed, self.reference = tuple(layers), int(seed), reference
        self.target = target if target == "top1" else int(target)
        self._references: dict[str, torch.Tensor] = {}  # float32 (L, H, W) each
        self._similarities: dict[str, list[SsimReference]] = {}  # one a layer
        self._warned: set[str] = set()
        self._variance: torch.Tensor | None = None  # float32 (L, H, W)

    def fit(self, reader: Iterable) -> Self:
        """Average the maps of normal frames, in one pass and in memory that does not grow with their number."""
        sums: dict[str, torch.Tensor] = {}
        counts: dict[str, int] = {}
        squares = 0.0
        for batch in reader:
            maps = self._maps(batch.images).double()  # (L, B, H, W)
            if sums and maps.shape[2:] != sums[ALL].shape[1:]:
                raise ParameterError(
                    f"fit: expected frames of one size, found {tuple(sums[ALL].shape[1:])} and {tuple(maps.shape[2:])}"
                )
            squares = squares + (maps * maps).sum(dim=1)
            groups = {ALL: np.arange(maps.shape[1])}
            if self.reference == "scene":
                scenes = _scenes_of(batch)
                groups |= {SCENE + name: np.flatnonzero(scenes == name) for name in np.unique(scenes)}
            for name, rows in groups.items():
                sums[name] = sums.get(name, 0.0) + maps[:, rows.tolist()].sum(dim=1)
                counts[name] = counts.get(name, 0) + len(rows)
        if not sums:
            raise ParameterError("fit: the reader gave no frame; give it a table of normal frames")
        means = {name: total / counts[name] for name, total in sums.items()}
        self._set_references({name: mean.float() for name, mean in means.items()})
        self._variance = (squares / counts[ALL] - means[ALL] ** 2).clamp_(min=0).float()
        return self

    @property
    def scenes(self) -> tuple[str, ...]:
        """Cameras that have a reference of their own."""
        return tuple(sorted(name.removeprefix(SCENE) for name in self._references if name.startswith(SCENE)))

    @property
    def references(self) -> dict[str, np.ndarray]:
        """Mean maps of normal frames, float32 (L, H, W): ``"all"``, and ``"scene NAME"`` with a reference a scene."""
        self._require_fitted(bool(self._references))
        return {name: mean.cpu().numpy() for name, mean in self._references.items()}

    @property
    def reference_variance(self) -> np.ndarray:
        """Variance over all normal frames (n, not n - 1) of each pixel of the maps, float32 (L, H, W)."""
        self._require_fitted(self._variance is not None)
        return self._variance.cpu().numpy()

    def score_batch(self, images: torch.Tensor, *, scenes: Sequence[str] | None = None) -> dict[str, torch.Tensor]:
        """One minus SSIM: ``ssim``, the mean of the layers, and ``ssim_LAYER`` for each of them; float32 (B,).

        Parameters
        ----------
        images : uint8 (B, 3, H, W)
            RGB frames of the size that the detector was fitted on.
        scenes : sequence of str (B,), optional
            The frames' scenes, for ``reference="scene"``; ignored otherwise.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ParameterError
            If the frames' size is not the fit's, or there are not as many scenes as frames.
        """
        maps, groups = self._compared(images, scenes)
        scores = maps.new_empty(maps.shape[:2])  # (L, B)
        for name, rows in groups.items():
            for layer, reference in enumerate(self._similarities[name]):
                scores[layer, rows] = 1 - reference.similarity(maps[layer, rows])
        return {"ssim": scores.mean(dim=0)} | {
            f"ssim_{layer}": values for layer, values in zip(self.layers, scores, strict=True)
        }

    def heatmap(self, images: torch.Tensor, *, scenes: Sequence[str] | None = None) -> np.ndarray:
        """One minus local SSIM, mean of the layers, brought to the frames' size: numpy float32 (B, H, W)."""
        heat = 1 - self.steps(images, scenes=scenes).similarity.mean(axis=0)
        if self.map_size is None:
            return heat
        return smoothed_resize(torch.from_numpy(heat), tuple(images.shape[2:]), sigma=0).numpy()

    def cams(self, images: torch.Tensor) -> np.ndarray:
        """The frames' maps before any comparison, numpy float32 (L, B, H, W) in [0, 1]; needs no fit."""
        return self._maps(images).cpu().numpy()

    def steps(self, images: torch.Tensor, *, scenes: Sequence[str] | None = None) -> Steps:
        """Maps, their references and their local similarity; parameters and errors as `score_batch`."""
        maps, groups = self._compared(images, scenes)
        references, similarity = torch.empty_like(maps), torch.empty_like(maps)
        for name, rows in groups.items():
            references[:, rows] = self._references[name][:, None]
            for layer, reference in enumerate(self._similarities[name]):
                similarity[layer, rows] = reference.similarity_map(maps[layer, rows])
        return Steps(*(x.cpu().numpy() for x in (maps, references, similarity)))

    def parameters(self) -> dict[str, Any]:
        """Constructor arguments, but for network and device."""
        return {
            "seed": self.seed,
            "layers": list(self.layers),
            "reference": self.reference,
            "target": self.target,
            "map_size": self.map_size,
        }

    def state(self) -> dict[str, torch.Tensor]:
        """Reference maps and variance."""
        self._require_fitted(bool(self._references))
        means = {f"reference {name}": mean.cpu().contiguous() for name, mean in self._references.items()}
        return means | {"variance": self._variance.cpu().contiguous()}

    def set_state(self, state: dict[str, torch.Tensor]) -> None:
        """Take over saved maps."""
        means = {name.removeprefix("reference "): mean for name, mean in state.items() if name != "variance"}
        self._set_references({name: mean.to(self.device) for name, mean in means.items()})
        self._variance = state["variance"].to(self.device)

    def _set_references(self, references: dict[str, torch.Tensor]) -> None:
        self._references = references
        self._similarities = {name: [SsimReference(mean) for mean in means] for name, means in references.items()}

    def _maps(self, images: torch.Tensor) -> torch.Tensor:  # (L, B, H, W)
        return grad_cam(self.network, images, self.layers, self._size_of_maps(images), target=self.target)

    def _size_of_maps(self, images: torch.Tensor) -> tuple[int, int]:
        return tuple(images.shape[2:]) if self.map_size is None else (self.map_size, self.map_size)

    def _compared(
        self, images: torch.Tensor, scenes: Sequence[str] | None
    ) -> tuple[torch.Tensor, dict[str, list[int]]]:
        """Maps of the frames (L, B, H, W), and which of the frames each reference serves."""
        self._require_fitted(bool(self._references))
        fitted = self._references[ALL].shape[1:]
        if self._size_of_maps(images) != tuple(fitted):
            raise ParameterError(
                f"images: expected frames of {fitted[0]}x{fitted[1]} pixels, as at fit, found "
                f"{images.shape[2]}x{images.shape[3]}; read them in that size"
            )
        if scenes is not None and len(scenes) != len(images):
            raise ParameterError(f"scenes: expected one for each of {len(images)} frames, found {len(scenes)}")
        groups: dict[str, list[int]] = {}
        for row, scene in enumerate([None] * len(images) if scenes is None else scenes):
            groups.setdefault(self._reference_of(scene), []).append(row)
        return self._maps(images), groups

    def _reference_of(self, scene: str | None) -> str:
        if self.reference == "dataset":
            return ALL
        if scene is not None and SCENE + str(scene) in self._references:
            return SCENE + str(scene)
        if str(scene) not in self._warned:
            self._warned.add(str(scene))
            what = "without a scene" if scene is None else f"of scene {scene}, on which nothing was fitted,"
            warnings.warn(f"GradCamSsim: frames {what} are compared with the mean map of all scenes", stacklevel=4)
        return ALL


def _scenes_of(batch: Any) -> np.ndarray:
    if batch.scenes is None:
        raise ParameterError("reference='scene' needs a reader whose batches name scenes, such as a FrameReader")
    return np.asarray(batch.scenes).astype(str)

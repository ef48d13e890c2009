"""A pretrained network seen from outside: uint8 frames in, features of named layers or logits out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from vadlib.errors import ParameterError, WeightsError
from vadlib.networks.devices import PRECISIONS, arithmetic, bfloat16_is_fast
from vadlib.networks.weights import WeightsRecord


class FrozenNetwork(nn.Module):
    """What networks have in common: normalisation, a device, an arithmetic, and the record of their weights."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], record: WeightsRecord, precision: str):
        super().__init__()
        if precision not in PRECISIONS:
            raise ParameterError(f"precision: expected one of {', '.join(PRECISIONS)}, found {precision!r}")
        self.record = record
        self.requested_precision = precision
        # x / 255 and (x - mean) / std in one multiplication and one addition.
        mean_, std_ = torch.tensor(mean), torch.tensor(std)
        self.register_buffer("_scale", (1 / (255 * std_)).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("_offset", (-mean_ / std_).view(1, 3, 1, 1), persistent=False)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self._scale.device

    @property
    def precision(self) -> str:
        """The arithmetic in use on the present device: ``float32`` or ``bfloat16``."""
        if self.requested_precision != "auto":
            return self.requested_precision
        return "bfloat16" if bfloat16_is_fast(self.device) else "float32"

    @property
    def n_parameters(self) -> int:
        """Numbers that training set, as used here (batch normalisations may be folded into convolutions)."""
        return sum(parameter.numel() for parameter in self.parameters())

    def _check_images(self, images: torch.Tensor) -> None:
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
            raise ParameterError(
                f"images: expected uint8 (B, 3, H, W), RGB, found {images.dtype} {tuple(images.shape)}; "
                "normalisation happens inside the network"
            )

    def _arithmetic(self):
        return arithmetic(self.device, self.precision)


class FeatureNetwork(FrozenNetwork):
    """A frozen classifier whose stages can be looked into; normalisation is inside.

    Parameters
    ----------
    stages : dict of str to nn.Module
        The convolutional part in order; a layer is the output of one of them, by name.
    head : nn.Sequential or None
        From the last stage's output to logits, ending in the classifier's Linear; None for a network without one.
    channels : dict of str to int
        Channels of each stage that can be asked for.
    mean, std : sequence of 3 floats
        The training data's normalisation, for images scaled to [0, 1].
    record : WeightsRecord
        Where the weights come from.
    missing : sequence of str
        Parameters that the weights lack; the stages that hold them cannot be used.
    precision : {"auto", "float32", "bfloat16"}
        Arithmetic of the convolutions. ``auto`` is bfloat16 where it is much faster (a GPU, or a CPU with AMX) and
        float32 elsewhere. Outputs are float32 always.

    Notes
    -----
    Convolutions run channels-last. No gradient reaches the weights. Everywhere, images that are not uint8 (B, 3, H, W)
    RGB and unknown layers are a ParameterError, and what the weights do not reach is a WeightsError.
    """

    def __init__(
        self,
        stages: dict[str, nn.Module],
        head: nn.Sequential | None,
        *,
        channels: dict[str, int],
        mean: Sequence[float],
        std: Sequence[float],
        record: WeightsRecord,
        missing: Sequence[str] = (),
        precision: str = "auto",
    ):
        super().__init__(mean, std, record, precision)
        self.stages = nn.ModuleDict(stages)
        self.head = head
        self.channels = dict(channels)
        self.missing = tuple(missing)
        self.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    @property
    def has_logits(self) -> bool:
        """Whether the weights reach as far as the logits."""
        return self.head is not None and not self.missing

    @property
    def embedding_size(self) -> int:
        """Numbers that `embed` gives for an image."""
        self.require_embedding()
        return self.head[-1].in_features

    def prepare(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 RGB (B, 3, H, W) to the network's normalised float32 input, channels-last, on its device."""
        self._check_images(images)
        images = images.to(self.device, non_blocking=True)
        images = images.to(torch.float32, memory_format=torch.channels_last)
        return images.mul_(self._scale).add_(self._offset)

    @torch.inference_mode()
    def features(self, images: torch.Tensor, layers: Sequence[str]) -> dict[str, torch.Tensor]:
        """Outputs of some stages, float32 (B, C, H_layer, W_layer) by name in the order asked; none after them runs."""
        self.check_layers(layers)
        found: dict[str, torch.Tensor] = {}
        with self._arithmetic():
            x = self.prepare(images)
            for name, stage in self.stages.items():
                x = stage(x)
                if name in layers:
                    found[name] = x.float()
                if len(found) == len(set(layers)):
                    break
        return {name: found[name] for name in layers}

    @torch.inference_mode()
    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """Class scores before the softmax, float32 (B, classes)."""
        self.require_logits()
        with self._arithmetic():
            return self.head(self._through(self.prepare(images))).float()

    @torch.inference_mode()
    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """Pooled features float32 (B, embedding_size), which the classifier's last layer reads; not normalised."""
        self.require_embedding()
        with self._arithmetic():
            return self.head[:-1](self._through(self.prepare(images)).float()).float()  # averaged in float32

    @torch.inference_mode()
    def embed_after(self, layer: str, features: torch.Tensor) -> torch.Tensor:
        """As `embed`, of images whose features at a layer are known: only what comes after it runs."""
        self.require_embedding()
        with self._arithmetic():
            x = self._through(features.to(self.device), after=list(self.stages).index(layer))
            return self.head[:-1](x.float()).float()

    def _through(self, x: torch.Tensor, after: int = -1) -> torch.Tensor:
        """Run the stages that come after one, by its number."""
        for stage in list(self.stages.values())[after + 1 :]:
            x = stage(x)
        return x

    def activations_and_logits(
        self, images: torch.Tensor, layers: Sequence[str], earliest: torch.Tensor | None = None
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Outputs of some stages and the logits, in one graph that begins at the earliest of these stages.

        Parameters
        ----------
        images : uint8 (B, 3, H, W)
            RGB frames.
        layers : sequence of str
            Names among ``channels``.
        earliest : float32 (B, C, H_layer, W_layer), optional
            `features` of the first of these stages that the images pass, where they are known: nothing before runs.

        Returns
        -------
        activations : dict of str to (B, C, H_layer, W_layer)
            In the order of ``layers``, float32 whatever the network's precision; `torch.autograd.grad` of anything
            computed from the logits reaches each of them. Nothing before the earliest is recorded, and no weight is.
        logits : float32 (B, classes)

        Raises
        ------
        ParameterError
            For a layer that the network does not have, or images that are not uint8 RGB.
        WeightsError
            If the weights lack a part that logits need.
        """
        self.check_layers(layers)
        self.require_logits()
        stages = list(self.stages.items())
        start = min(number for number, (name, _) in enumerate(stages) if name in layers)
        # Gradients are sums that cancel: in bfloat16 those of EfficientNet-Lite0 keep a rank correlation of 0.85 only.
        with torch.inference_mode(False), torch.enable_grad(), arithmetic(self.device, "float32"):
            if earliest is None:
                x = self.prepare(images)
                for _, stage in stages[: start + 1]:
                    x = stage(x)
            else:
                x = earliest.to(self.device).clone()  # what was computed for inference cannot be differentiated
            x = x.detach().requires_grad_()  # the graph begins here
            activations = {stages[start][0]: x}
            for name, stage in stages[start + 1 :]:
                x = stage(x)
                if name in layers:
                    activations[name] = x
            return {name: activations[name] for name in layers}, self.head(x).float()

    def check_layers(self, layers: Sequence[str]) -> None:
        """Raise unless every layer exists and the weights reach as far as the last of them."""
        unknown = [name for name in layers if name not in self.channels]
        if unknown or not layers:
            raise ParameterError(f"layers: expected some of {', '.join(self.channels)}, found {list(layers)}")
        names = list(self.stages)
        last = max(names.index(name) for name in layers)
        if lacking := self._missing_in(names[: last + 1]):
            raise WeightsError(
                f"layers: {names[last]} needs {_listed(lacking)}, which {self.record.source} lacks; use an earlier "
                "layer, or use complete weights"
            )

    def require_logits(self) -> None:
        """Raise WeightsError unless the network is complete up to its logits."""
        if not self.has_logits:
            raise WeightsError(
                f"logits: {self.record.source} lacks {_listed(self.missing)}, so there is no classifier; use complete "
                "weights for anything that needs one (Grad-CAM does)"
            )

    def require_embedding(self) -> None:
        """Raise WeightsError unless the weights reach as far as `embed`."""
        if self.head is None:
            raise WeightsError(f"embed: {self.record.source} has no pooled features; average a layer instead")
        has_more = any(True for _ in self.head[:-1].parameters())
        if lacking := self.missing if has_more else self._missing_in(self.stages):
            raise WeightsError(
                f"embed: {self.record.source} lacks {_listed(lacking)}, so there are no pooled features; average a "
                "layer further up, or use complete weights"
            )

    def _missing_in(self, stages: Sequence[str]) -> list[str]:
        return [key for key in self.missing if key.partition(".")[0] in stages]


def _listed(keys: Sequence[str]) -> str:
    shown = ", ".join(keys[:4])
    return shown if len(keys) <= 4 else f"{shown} and {len(keys) - 4} more"

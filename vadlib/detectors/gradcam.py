"""Grad-CAM: where in the frame a classifier finds its class (Selvaraju et al. 2017; paper section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from vadlib.errors import ParameterError
from vadlib.networks import FeatureNetwork
from vadlib.networks.devices import exact_convolutions


def raw_grad_cam(
    network: FeatureNetwork,
    images: torch.Tensor,
    layers: Sequence[str],
    *,
    target: str | int | torch.Tensor = "top1",
    earliest: torch.Tensor | None = None,
) -> list[torch.Tensor]:
    """Maps float32 (B, H_layer, W_layer), one a layer, unscaled, at least 0 (Selvaraju et al. 2017, Eq. 1 and 2).

    ReLU of the channels' sum, each weighted by the mean over positions of its gradient of the target's logit. The
    target is the most likely class of each frame, a class for all, or one for each. One forward and one backward pass
    serve all layers and the whole batch: a frame's logit does not depend on the other frames, so the gradient of the
    logits' sum is each frame's own. Nothing before the earliest layer is differentiated, nor computed where its
    features are given.
    """
    if hasattr(network, "raw_grad_cam"):  # it keeps them
        return network.raw_grad_cam(images, layers, target)
    activations, logits = network.activations_and_logits(images, layers, earliest)
    with torch.inference_mode(False), torch.enable_grad(), exact_convolutions(logits.device):
        chosen = _target_classes(logits, target)  # (B,)
        score = logits.gather(1, chosen[:, None]).sum()
        gradients = torch.autograd.grad(score, list(activations.values()))
    with torch.no_grad():
        return [_weighted_sum(a, g).relu_() for a, g in zip(activations.values(), gradients, strict=True)]


def grad_cam(
    network: FeatureNetwork,
    images: torch.Tensor,
    layers: Sequence[str],
    size: tuple[int, int],
    *,
    target: str | int | torch.Tensor = "top1",
) -> torch.Tensor:
    """Maps of several layers in [0, 1], each divided by its maximum, at one `size`: float32 (L, B, height, width).

    A map without anything above 0 stays 0 everywhere.
    """
    return scaled_maps(raw_grad_cam(network, images, layers, target=target), size)


def scaled_maps(raw_maps: Sequence[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
    """Maps (B, H_layer, W_layer), one a layer as `raw_grad_cam` gives them, as `grad_cam` returns them."""
    maps = []
    for raw in raw_maps:
        highest = raw.amax(dim=(1, 2), keepdim=True)  # (B, 1, 1)
        scaled = raw / torch.where(highest > 0, highest, 1.0)
        maps.append(
            torch.nn.functional.interpolate(scaled[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
        )
    return torch.stack(maps).clamp_(max=1)  # between 1 and 1, interpolation can round upwards


def _weighted_sum(activation: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """Both (B, C, H, W) to float32 (B, H, W): channels summed, with their mean gradients as weights."""
    weights = gradient.float().mean(dim=(2, 3))  # (B, C)
    positions = activation.float().permute(0, 2, 3, 1).flatten(1, 2)  # (B, H * W, C), as it lies in memory
    return (positions @ weights[:, :, None]).reshape(len(weights), *activation.shape[2:])


def _target_classes(logits: torch.Tensor, target: str | int | torch.Tensor) -> torch.Tensor:
    if isinstance(target, str):
        if target != "top1":
            raise ParameterError(f"target: expected 'top1' or class numbers, found {target!r}")
        return logits.argmax(dim=1)
    classes = torch.as_tensor(target, device=logits.device)
    if classes.dtype not in (torch.uint8, torch.int16, torch.int32, torch.int64) or (
        classes.ndim > 0 and classes.shape != logits.shape[:1]
    ):
        raise ParameterError(
            f"target: expected 'top1', a class number, or {len(logits)} class numbers, one a frame, found "
            f"{classes.dtype} {tuple(classes.shape)}"
        )
    if classes.numel() and (classes.min() < 0 or classes.max() >= logits.shape[1]):
        raise ParameterError(
            f"target: expected classes 0 to {logits.shape[1] - 1}, found {classes.flatten().tolist()[:5]}"
        )
    return classes.long().expand(len(logits))

"""Where networks compute, and in which arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from vadlib.errors import ParameterError

PRECISIONS = ("auto", "float32", "bfloat16")


@contextmanager
def arithmetic(device: torch.device, precision: str) -> Iterator[None]:
    """Compute in ``float32`` or ``bfloat16`` where that is asked for, the same each time."""
    with exact_convolutions(device):
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            yield


@contextmanager
def exact_convolutions(device: torch.device) -> Iterator[None]:
    """On a GPU, let float32 convolutions be float32, and gradients not depend on the order in which threads finish."""
    # By default, cuDNN rounds float32 to 10 bits (TF32), and torch keeps to that for convolutions alone.
    cudnn = torch.backends.cudnn
    if device.type != "cuda":
        yield
        return
    before = cudnn.allow_tf32, cudnn.deterministic
    cudnn.allow_tf32, cudnn.deterministic = False, True
    try:
        yield
    finally:
        cudnn.allow_tf32, cudnn.deterministic = before


def resolve_device(device: str | torch.device) -> torch.device:
    """``"auto"`` is the current GPU (the first, unless torch was told another) where there is one, else the CPU.

    Raises
    ------
    ParameterError
        For a device that torch does not know or this machine does not have.
    """
    if str(device) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ParameterError(f"device: expected auto, cpu, cuda or cuda:N, found {device!r}") from error
    if resolved.type not in ("cpu", "cuda"):
        raise ParameterError(f"device: expected auto, cpu, cuda or cuda:N, found {device!r}")
    if resolved.type == "cuda" and not torch.cuda.is_available():
        raise ParameterError(f"device: {device!r} asked for, but torch sees no GPU; use 'auto' or 'cpu'")
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        seen = torch.cuda.device_count()
        raise ParameterError(
            f"device: {device!r} asked for, but torch sees {seen} GPU(s), cuda:0 to cuda:{seen - 1}; use one of these"
        )
    return resolved


def bfloat16_is_fast(device: torch.device) -> bool:
    """Whether a device has arithmetic for bfloat16 that is much faster than for float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # AMX multiplies bfloat16 tiles; a CPU without it emulates, several times slower than float32.
    return device.type == "cpu" and torch.cpu._is_amx_tile_supported()

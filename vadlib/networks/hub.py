"""OpenAI's CLIP on the Hugging Face hub: which files it needs, where they lie in the cache, how they get there.

The main branch has no safetensors: its weights are a torch file. Converted ones lie under ``refs/pr/66``, which
transformers falls back on. A cache that transformers filled therefore has the configuration and the tokenizer in one
snapshot and, often, the weights in another; each file is looked for by itself.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple
from urllib.request import getproxies

REPOSITORY = "openai/clip-vit-base-patch32"
MAIN = "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268"
CONVERTED = "c237dc49a33fc61debc9276459120b7eac67e7ef"  # refs/pr/66
SAFETENSORS, TORCH_FILE = "model.safetensors", "pytorch_model.bin"
WEIGHTS = ((SAFETENSORS, CONVERTED), (TORCH_FILE, MAIN))
TOKENIZERS = (  # either will do, and the two read texts alike
    ("tokenizer_config.json", "tokenizer.json"),
    ("tokenizer_config.json", "vocab.json", "merges.txt"),
)
# As several public lists of this revision's files state it. The converted file's is known from its entry in the cache.
PUBLISHED = {(TORCH_FILE, MAIN): "a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4feff1576f"}
REVISIONS = (CONVERTED, MAIN, "refs/pr/66", "main")  # in this order; the names are what the cache says they are


class Files(NamedTuple):
    """A CLIP's files: its configuration, the folder of its tokenizer (None: there is none), and its weights."""

    config: Path
    tokenizer: Path | None
    weights: Path


def cache_folder() -> Path:
    """Where the hub's client keeps what it has of this repository, or would."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"models--{REPOSITORY.replace('/', '--')}"


def cached_files() -> tuple[Files | None, list[str]]:
    """What lies in the cache, whoever put it there, or None, and what is missing; no network is asked."""
    weights = _cached(SAFETENSORS) or _cached(TORCH_FILE)
    config = _cached("config.json")
    tokenizer = _cached_together(TOKENIZERS[0]) or _cached_together(TOKENIZERS[1])
    parts = {
        "config.json": config,
        " and ".join(TOKENIZERS[0]): tokenizer,
        f"{SAFETENSORS} or {TORCH_FILE}": weights,
    }
    missing = [name for name, path in parts.items() if path is None]
    return (None if missing else Files(config, tokenizer, weights)), missing


def fetch_files() -> Files:
    """The files, from the cache or downloaded into it: what is small, then the safetensors, else the torch file."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import FileMetadataError, HfHubHTTPError, LocalEntryNotFoundError

    files, missing = cached_files()
    if files is not None:
        return files
    # Once, and at once: a download would try again for half a minute where there is no network.
    get_hf_file_metadata(hf_hub_url(REPOSITORY, "config.json", revision=MAIN))
    if "config.json" in missing:
        hf_hub_download(REPOSITORY, "config.json", revision=MAIN)
    if " and ".join(TOKENIZERS[0]) in missing:
        for name in TOKENIZERS[0]:
            hf_hub_download(REPOSITORY, name, revision=MAIN)
    if f"{SAFETENSORS} or {TORCH_FILE}" in missing:
        try:
            hf_hub_download(REPOSITORY, SAFETENSORS, revision=CONVERTED)
        except (HfHubHTTPError, LocalEntryNotFoundError) as error:
            # Mirrors often leave out such revisions. What they answer is often wrapped into an error of the cache.
            if not any(isinstance(found, HfHubHTTPError | FileMetadataError) for found in (error, error.__cause__)):
                raise  # no server was reached
            hf_hub_download(REPOSITORY, TORCH_FILE, revision=MAIN)
    files, missing = cached_files()
    if files is None:
        raise FileNotFoundError(f"{', '.join(missing)} did not arrive in {cache_folder()}")
    return files


def way() -> str:
    """What the environment says of the way to the hub, for an error; empty where it says nothing."""
    from huggingface_hub import constants

    said = "" if constants.ENDPOINT == "https://huggingface.co" else f"; HF_ENDPOINT is {constants.ENDPOINT}"
    proxies = getproxies()  # without their addresses, which may hold passwords
    if any(kind in proxies for kind in ("http", "https", "all")):
        said += "; through the proxy that the environment sets"
    return said


def expected_sha256(path: Path) -> str | None:
    """The digest of a cached file: as published, or as the hub said with the file, whose entry it names."""
    # The client itself compares sizes alone where a file comes by plain HTTP.
    published = PUBLISHED.get((path.name, path.parent.name))
    try:
        entry = Path(os.readlink(path))
    except OSError:  # no link: a file system without them
        return published
    named = entry.name if entry.parent.name == "blobs" and re.fullmatch("[0-9a-f]{64}", entry.name) else None
    return published or named


def _cached(name: str) -> Path | None:
    return next((found for revision in REVISIONS if (found := _look_up(name, revision))), None)


def _cached_together(names: tuple[str, ...]) -> Path | None:
    for revision in REVISIONS:
        found = [_look_up(name, revision) for name in names]
        if all(found):
            return found[0].parent
    return None


def _look_up(name: str, revision: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    try:
        found = try_to_load_from_cache(REPOSITORY, name, revision=revision)
    except OSError:  # a cache that may not be read: as none
        return None
    return Path(found) if isinstance(found, str) else None

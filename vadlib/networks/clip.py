"""CLIP (Radford et al. 2021; paper section 3.3): frames and texts as vectors in one space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from vadlib.errors import WeightsError
from vadlib.networks import hub
from vadlib.networks.features import FrozenNetwork
from vadlib.networks.weights import BUNDLED, WeightsRecord, check_finite, load_weights, weights_unavailable

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


class ClipVision(FrozenNetwork):
    """A frozen CLIP: `embed` for frames, `embed_text` for texts.

    Parameters
    ----------
    model : transformers.CLIPModel
    tokenizer : transformers tokenizer or None
        Without one there are no embeddings of texts.
    record : WeightsRecord
    precision : {"auto", "float32", "bfloat16"}
        As in `FeatureNetwork`.

    Attributes
    ----------
    embedding_size : int
        D, the length of the embeddings.
    has_text : bool
        Whether texts can be embedded.
    """

    def __init__(self, model: nn.Module, tokenizer, *, record: WeightsRecord, precision: str = "auto"):
        super().__init__(MEAN, STD, record, precision)
        self.model, self.tokenizer = model, tokenizer
        self.embedding_size = int(model.config.projection_dim)
        self.image_size = int(model.config.vision_config.image_size)
        self.has_text = tokenizer is not None
        self.eval().requires_grad_(False)

    @property
    def logit_scale(self) -> float:
        """Factor of the cosine similarities, about 100 in OpenAI's."""
        return math.exp(float(self.model.logit_scale))

    @torch.inference_mode()
    def embed(self, images: torch.Tensor) -> torch.Tensor:
        """Projected embeddings float32 (B, D), not normalised, of uint8 RGB frames (B, 3, H, W) of any size."""
        # The whole frame is brought to the network's square: CLIP's own transform would cut off the sides, where things
        # happen too.
        self._check_images(images)
        x = images.to(self.device).float()
        if x.shape[2:] != (self.image_size, self.image_size):
            size = (self.image_size, self.image_size)
            x = nn.functional.interpolate(x, size=size, mode="bicubic", antialias=True).clamp_(0, 255)
        with self._arithmetic():
            pooled = self.model.vision_model(pixel_values=x * self._scale + self._offset).pooler_output
            return self.model.visual_projection(pooled).float()

    @torch.inference_mode()
    def embed_text(self, texts: Sequence[str]) -> torch.Tensor:
        """Projected embeddings of texts, not normalised: float32 (n, D)."""
        if not self.has_text:
            put = f"put its {' and '.join(hub.TOKENIZERS[0])} beside the weights"
            remedy = put if self.record.trained else "use trained weights"
            raise WeightsError(f"embed_text: {self.record.name} has no tokenizer, so texts cannot be read; {remedy}")
        tokens = self.tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt").to(self.device)
        with self._arithmetic():
            pooled = self.model.text_model(tokens["input_ids"], tokens["attention_mask"]).pooler_output
            return self.model.text_projection(pooled).float()


def clip_vision(weights: str | Path = "openai", *, seed: int = 0, precision: str = "auto") -> ClipVision:
    """A CLIP in evaluation mode, on the CPU.

    Parameters
    ----------
    weights : str or Path
        ``"openai"``: ViT-B/32 as published, from the Hugging Face hub or from what its client's cache holds.
        ``"bundled"``: the small one that comes with the project, trained on synthetic pictures. ``"random"``: a small
        one without a tokenizer, from ``seed``; ``"random-vit-b-32"``: likewise, of the size of OpenAI's. Anything
        else: a folder as `CLIPModel.save_pretrained` writes it, with a safetensors or a torch file, and its tokenizer.
    seed : int
        Of random weights.
    precision : {"auto", "float32", "bfloat16"}
        See `ClipVision`.

    Raises
    ------
    WeightsError
        If the weights are not there or are not a CLIP's.
    """
    from transformers import AutoTokenizer, CLIPConfig, CLIPModel
    from transformers.utils import logging

    logging.disable_progress_bar()  # a line for every network would stand in the report

    if weights in _RANDOM:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = CLIPModel(CLIPConfig(**_RANDOM[weights]))
        record = WeightsRecord("clip_vision", weights, f"{weights}, seed {seed}", None, seed, False)
        return ClipVision(model, None, record=record, precision=precision)
    if weights == "openai":
        files, name = _openai_files(), hub.REPOSITORY
    else:
        folder = BUNDLED / "clip" if weights == "bundled" else Path(weights)
        name = "bundled, trained on synthetic pictures" if weights == "bundled" else folder.name
        if weights == "bundled" and not (folder / "config.json").is_file():
            raise weights_unavailable("clip_vision", "bundled", f"no {folder / 'config.json'}")
        files = _files_in(folder)
    state, sha256 = load_weights("clip_vision", str(weights), files.weights)
    # Copied to where torch would put them: how they lie in a file decides the last bits of what is computed with them.
    state = {name: value.clone() for name, value in state.items()}
    check_finite(state, str(files.weights))
    try:
        config = CLIPConfig.from_json_file(files.config)
        model, report = CLIPModel.from_pretrained(
            None,
            config=config,
            state_dict=state,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
        tokenizer = None
        if files.tokenizer is not None:
            tokenizer = AutoTokenizer.from_pretrained(files.tokenizer, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # transformers raises many kinds; all mean that these are no CLIP's files
        raise WeightsError(
            f"weights: {files.config} and what belongs to it cannot be read as a CLIP ({_first_line(error)}); fetch "
            "or copy it again"
        ) from error
    _check_fit(report, model, tokenizer, files)
    record = WeightsRecord("clip_vision", str(weights), name, sha256)
    return ClipVision(model, tokenizer, record=record, precision=precision)


def _check_fit(report: dict, model: nn.Module, tokenizer, files: hub.Files) -> None:
    """Refuse what transformers would make up, or leave out: it fills what is missing with random numbers."""
    strange = [*report["missing_keys"], *report["unexpected_keys"], *(key[0] for key in report["mismatched_keys"])]
    if strange:
        raise WeightsError(
            f"weights: {files.weights} is not the CLIP that {files.config} describes: {len(strange)} parameters are "
            f"missing, unknown or of another shape (such as {', '.join(sorted(strange)[:3])}); copy both from the "
            "same place"
        )
    if tokenizer is not None and len(tokenizer) > model.config.text_config.vocab_size:
        raise WeightsError(
            f"weights: the tokenizer in {files.tokenizer} knows {len(tokenizer)} tokens, the network in "
            f"{files.weights} {model.config.text_config.vocab_size}; copy both from the same place"
        )


def _files_in(folder: Path) -> hub.Files:
    """The files of a folder as save_pretrained writes it, now or in its former layout."""
    if (folder / "snapshots").is_dir():
        raise WeightsError(
            f"weights: {folder} is a folder of the hub's cache; give 'openai', with HF_HUB_CACHE={folder.parent} in "
            "the environment"
        )
    if folder.is_file():
        raise WeightsError(f"weights: {folder} is a file; give the folder that has it, with its config.json")
    found = [folder / name for name in (hub.SAFETENSORS, hub.TORCH_FILE) if (folder / name).is_file()]
    if not found or not (folder / "config.json").is_file():
        raise WeightsError(
            f"weights: {folder} holds no CLIP; expected config.json and {hub.SAFETENSORS} or {hub.TORCH_FILE}, as "
            "save_pretrained writes them, and the tokenizer's files"
        )
    # Without its files, transformers makes a tokenizer that knows no word and says nothing.
    whole = any(all((folder / name).is_file() for name in names) for names in hub.TOKENIZERS)
    return hub.Files(folder / "config.json", folder if whole else None, found[0])


def _openai_files() -> hub.Files:
    try:
        return hub.fetch_files()
    except Exception as error:  # the hub raises many kinds; all mean that the weights are not to be had
        reason = _first_line(error.__cause__ or error)  # the client's own sentence is about its cache
        raise weights_unavailable("clip_vision", "openai", reason + hub.way()) from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__


_SMALL = {
    "projection_dim": 128,
    "vision_config": {
        "hidden_size": 128,
        "intermediate_size": 512,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "image_size": 112,
        "patch_size": 16,
        "projection_dim": 128,
    },
    "text_config": {
        "vocab_size": 64,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "projection_dim": 128,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
    },
}
_RANDOM = {"random": _SMALL, "random-vit-b-32": {}}  # transformers' own default is ViT-B/32

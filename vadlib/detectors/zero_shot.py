"""Zero-shot baseline: text prompts alone say what is anomalous (Radford et al. 2021, section 3.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import torch

from vadlib.detectors.detector import LearnsFrom
from vadlib.detectors.embedding_detector import EmbeddingDetector, unit_rows
from vadlib.errors import ParameterError, ResultsError, WeightsError

NORMAL_PROMPTS = (
    "a photo of a person walking",
    "a photo of people walking on a campus",
    "a photo of people standing and talking",
    "a photo of an empty walkway",
)
ANOMALOUS_PROMPTS = (
    "a photo of a person riding a bicycle",
    "a photo of a person on a skateboard",
    "a photo of a car driving on a walkway",
    "a photo of a person running",
    "a photo of people fighting",
    "a photo of a person jumping",
)


class ZeroShotText(EmbeddingDetector):
    """How much better anomalous prompts describe a frame than normal ones.

    With z a frame's embedding, t a prompt's, both of length 1, and s the network's ``logit_scale``, the score is
    log sum exp(s z.t) over anomalous prompts - log sum exp(s z.t) over normal ones: the log odds of "anomalous" when
    CLIP's softmax over all prompts is added up in each group.

    Parameters
    ----------
    network : network with `embed` and `embed_text`
        A CLIP; ``embed_text(list of str) -> float32 (n, D)`` and ``logit_scale`` (a factor, about 100 in OpenAI's).
        Where it has ``has_text``, that must be true: weights without a tokenizer cannot read prompts.
    normal_prompts, anomalous_prompts : sequence of str
        At least one each. More prompts in a group raise or lower all scores alike.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` …
    seed : int
        Nothing is drawn: there for the sake of one signature for all detectors.
    cache : str or Path, optional
        See `EmbeddingDetector`.

    Raises
    ------
    ParameterError
        If the network cannot embed texts, or a group of prompts is empty or no sequence of texts.

    Notes
    -----
    An embedding of zeros, which has no direction, scores log(anomalous prompts / normal prompts).
    """

    title = "Zero-shot text"
    colour = "#5E4FA2"  # Okabe and Ito's last, yellow, is too pale for thin lines
    main_score = "zero_shot"
    learns_from = LearnsFrom.NOTHING

    def __init__(
        self,
        network,
        normal_prompts: Sequence[str] = NORMAL_PROMPTS,
        anomalous_prompts: Sequence[str] = ANOMALOUS_PROMPTS,
        device: str = "auto",
        *,
        seed: int = 0,
        cache: str | Path | None = None,
    ):
        if not getattr(network, "has_text", hasattr(network, "embed_text")):
            raise ParameterError(
                f"network: {network.record.architecture} with weights {network.record.name} cannot embed texts; use a "
                "CLIP with its text tower and tokenizer, such as clip_vision with trained weights"
            )
        for name, prompts in (("normal_prompts", normal_prompts), ("anomalous_prompts", anomalous_prompts)):
            if isinstance(prompts, str) or not prompts or not all(isinstance(p, str) and p.strip() for p in prompts):
                raise ParameterError(f"{name}: expected a list of one text or more, found {prompts!r}")
        super().__init__(network, device=device, cache=cache)
        self.normal_prompts, self.anomalous_prompts = list(normal_prompts), list(anomalous_prompts)
        self._texts: torch.Tensor | None = None  # float32 (normal + anomalous prompts, D), of length 1
        self._logit_scale = 1.0

    def fit(self, reader: Iterable | None = None) -> Self:
        """Embed the prompts; no frame of a reader is looked at."""
        prompts = self.normal_prompts + self.anomalous_prompts
        with torch.inference_mode():
            texts = self.network.embed_text(prompts).float()
        if tuple(texts.shape) != (len(prompts), self.network.embedding_size) or not torch.isfinite(texts).all():
            raise WeightsError(
                f"network: {self.network.record.name} gives text embeddings {tuple(texts.shape)} for {len(prompts)} "
                f"prompts, or NaN in them; expected finite ones, {self.network.embedding_size} long; fetch the "
                "weights again"
            )
        self._texts = unit_rows(texts.to(self.device))
        self._logit_scale = float(self.network.logit_scale)
        return self

    def require_fitted(self) -> None:
        """Raise NotFittedError before `fit`."""
        self._require_fitted(self._texts is not None)

    def score_unit_rows(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """``zero_shot``, float32 (B,), of embeddings of length 1, float32 (B, D)."""
        logits = self._logit_scale * (x @ self._texts.T)  # (B, prompts)
        n_normal = len(self.normal_prompts)
        return {"zero_shot": logits[:, n_normal:].logsumexp(dim=1) - logits[:, :n_normal].logsumexp(dim=1)}

    def parameters(self) -> dict[str, Any]:
        """The prompts."""
        return {"normal_prompts": self.normal_prompts, "anomalous_prompts": self.anomalous_prompts}

    def state(self) -> dict[str, torch.Tensor]:
        """Embeddings of the prompts, and the factor of the logits."""
        self.require_fitted()
        scale = torch.tensor([self._logit_scale], dtype=torch.float64)
        return {"texts": self._texts.cpu().contiguous(), "logit_scale": scale}

    def set_state(self, state: dict[str, torch.Tensor]) -> None:
        """Take over what `state` gave; ResultsError where something of it is missing."""
        try:
            texts, scale = state["texts"], float(state["logit_scale"])
        except KeyError as error:
            raise ResultsError(f"load: the saved ZeroShotText lacks {error}; fit and save it again") from error
        self._texts, self._logit_scale = texts.to(self.device, copy=True), scale

"""What each bundled network does in a step of its training, and how it is judged on held-out places."""

from __future__ import annotations

import numpy as np
import torch
from bundled_captions import (
    MOST_TOKENS,
    PLACES,
    SUBJECTS,
    Facts,
    bare,
    build_tokenizer,
    caption,
    phrases,
    subject_of,
    truth,
)
from bundled_pictures import CLASSES, OBJECTS, SIDE_PX, PictureSet, Window, WindowSampler
from torch import nn
from torch.nn import functional
from torchvision.models import resnet18
from transformers import CLIPConfig, CLIPModel

from synthcampus import TEMPLATES
from vadlib.networks.clip import MEAN as CLIP_MEAN
from vadlib.networks.clip import STD as CLIP_STD

IMAGE_SIDE, PATCH = 160, 16  # what the CLIP's image tower sees
WIDTH = 192
_SMALLEST_CROP, _LARGEST_CROP = 56, 176


def normalisation(pictures: PictureSet) -> tuple[list[float], list[float]]:
    """Mean and standard deviation (3,) of the pictures' channels in [0, 1]."""
    pixels = pictures.images[::16].reshape(-1, 3) / np.float32(255)
    return [round(float(v), 4) for v in pixels.mean(axis=0)], [round(float(v), 4) for v in pixels.std(axis=0)]


class Images:
    """uint8 pictures to a network's input, with or without a drawn change of light."""

    def __init__(self, mean: list[float], std: list[float], device: torch.device):
        self.mean, self.std = (torch.tensor(v).view(1, 3, 1, 1) for v in (mean, std))
        self.device = device

    def __call__(self, pixels: list[np.ndarray], rng: np.random.Generator | None = None) -> torch.Tensor:
        """float32 (B, 3, side, side) from B pictures uint8 (side, side, 3); `rng` draws brightness, tint, contrast."""
        x = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float() / 255  # (B, 3, side, side)
        if rng is not None:
            n = len(x)
            gain = rng.uniform(0.75, 1.25, (n, 1)) * rng.uniform(0.94, 1.06, (n, 3))
            contrast = rng.uniform(0.8, 1.25, (n, 1, 1, 1))
            x = x * torch.from_numpy(gain.astype(np.float32))[:, :, None, None]
            middle = x.mean(dim=(1, 2, 3), keepdim=True)
            x = (middle + (x - middle) * torch.from_numpy(contrast.astype(np.float32))).clamp(0, 1)
        return ((x - self.mean) / self.std).to(self.device, memory_format=torch.channels_last)


class _WithCells(nn.Module):
    """A network and a linear head that says which objects are in each cell of its features; the head is thrown away."""

    def __init__(self, network: nn.Module, width: int):
        super().__init__()
        self.network, self.cells = network, nn.Linear(width, len(OBJECTS))

    def cell_loss(self, features: torch.Tensor, windows: list[Window]) -> torch.Tensor:
        """Cross-entropy of features (B, n, n, width) against the windows' occupancy."""
        filled = np.stack([window.occupancy(features.shape[1]) for window in windows])  # (B, objects, n, n)
        target = torch.from_numpy(filled).permute(0, 2, 3, 1).to(features.device)
        return functional.binary_cross_entropy_with_logits(
            self.cells(features), target, pos_weight=torch.full((len(OBJECTS),), 4.0, device=features.device)
        )


class ClassifierLearner:
    """ResNet-18 that names the most noteworthy object of a window, at the scale of 224 x 224 frames.

    Batches take turns: small windows, larger ones, whole frames, each with as many pixels. A second head on `layer3`
    names the objects of every cell.
    """

    peak_rate = 2e-3
    sides = (64, 64, 112, 64, 64, SIDE_PX)

    def __init__(self, training: PictureSet, validation: PictureSet, *, seed: int, batch: int, device: torch.device):
        torch.manual_seed(seed)
        network = resnet18(num_classes=len(CLASSES))
        self.model = _WithCells(network, 256).to(device, memory_format=torch.channels_last)
        self.training, self.validation, self.batch = training, validation, batch
        self.sampler = WindowSampler(training)
        self.mean, self.std = normalisation(training)
        self.images = Images(self.mean, self.std, device)
        held_out, rng = WindowSampler(validation), np.random.default_rng([seed, 51])
        self.windows = [held_out.draw(rng, 64, mirror=False) for _ in range(4 * batch)]
        self.frames = [held_out.draw(rng, SIDE_PX, mirror=False) for _ in range(3 * batch)]

    def _forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (B, classes) and layer3 (B, n, n, 256)."""
        net = self.model.network
        x = net.layer2(net.layer1(net.maxpool(net.relu(net.bn1(net.conv1(x))))))
        deep = net.layer3(x)
        return net.fc(net.avgpool(net.layer4(deep)).flatten(1)), deep.permute(0, 2, 3, 1)

    def loss(self, rng: np.random.Generator, step: int) -> dict[str, torch.Tensor]:
        """Cross-entropy of the windows' classes, and of the cells' objects."""
        side = self.sides[step % len(self.sides)]
        n = max(2, self.batch * 64**2 // side**2)
        windows = [self.sampler.draw(rng, side) for _ in range(n)]
        logits, deep = self._forward(self.images([w.pixels(self.training.images, side) for w in windows], rng))
        target = torch.tensor([w.target for w in windows], device=logits.device)
        named = functional.cross_entropy(logits, target, label_smoothing=0.05)
        return {"loss": named, "loss_cells": self.model.cell_loss(deep, windows)}

    @torch.inference_mode()
    def predict(self, windows: list[Window], side: int) -> np.ndarray:
        """int64 (len(windows),): classes of held-out windows."""
        self.model.eval()
        found = []
        for i in range(0, len(windows), 64):
            pixels = [w.pixels(self.validation.images, side) for w in windows[i : i + 64]]
            found.append(self._forward(self.images(pixels))[0].argmax(dim=1).cpu().numpy())
        return np.concatenate(found)

    def validate(self) -> dict[str, float]:
        """Top-1 on held-out windows."""
        return {"validation_top1": _share(self.predict(self.windows, 64) == [w.target for w in self.windows])}

    def figures(self) -> dict:
        """Top-1, the commonest class's share, and recall by class, on held-out windows and whole frames."""
        made = {}
        for name, windows, side in (("windows", self.windows, 64), ("frames", self.frames, SIDE_PX)):
            target, found = np.array([w.target for w in windows]), self.predict(windows, side)
            recall = {label: _share(found[target == k] == k) for k, label in enumerate(CLASSES) if (target == k).any()}
            made[name] = {
                "n": len(windows), "top1": _share(found == target), "chance": round(1 / len(CLASSES), 4),
                "commonest_class": _share(target == np.bincount(target).argmax()), "recall": recall,
            }  # fmt: skip
        return made


class ClipLearner:
    """A small CLIP on whole frames and on windows, with captions made from what they show.

    Several captions of a batch may be true of one picture; all of them are its targets. Each picture is also held
    against one phrase for every subject there is, and a second head on the image tower's patches names the objects in
    each: without these two so few pictures teach a transformer little but the place.
    """

    peak_rate = 1e-3

    def __init__(self, training: PictureSet, validation: PictureSet, *, seed: int, batch: int, device: torch.device):
        torch.manual_seed(seed + 1)
        self.tokenizer = build_tokenizer()
        self.model = _WithCells(CLIPModel(clip_config(len(self.tokenizer))), WIDTH)
        self.model.to(device)
        self.training, self.validation, self.batch, self.device = training, validation, batch, device
        self.sampler = WindowSampler(training)
        self.images = Images(CLIP_MEAN, CLIP_STD, device)
        self._whiten_patches(np.random.default_rng([seed, 53]))
        held_out, rng = WindowSampler(validation), np.random.default_rng([seed, 52])
        self.frames = [held_out.draw(rng, SIDE_PX, mirror=False) for _ in range(3 * batch)]
        self.crops = [held_out.draw(rng, self._crop_side(rng), mirror=False) for _ in range(3 * batch)]

    def _whiten_patches(self, rng: np.random.Generator) -> None:
        """Start the patch embedding at the whitened principal components of patches.

        From random kernels a patch's mean colour drowns its shapes: the place is learnt, what happens there is not.
        """
        windows = [self._window(rng, i % 2 == 0) for i in range(8 * self.batch)]
        pixels = self.images([w.pixels(self.training.images, IMAGE_SIDE) for w in windows]).cpu()
        patches = functional.unfold(pixels.contiguous(), PATCH, stride=PATCH).transpose(1, 2).flatten(0, 1)
        value, vector = np.linalg.eigh(np.cov(patches.double().numpy().T))  # ascending; (768,), (768, 768)
        kernels = (vector[:, ::-1] / np.sqrt(value[::-1] + 1e-3)).T[:WIDTH]
        embedding = self.model.network.vision_model.embeddings.patch_embedding
        with torch.no_grad():
            embedding.weight.copy_(torch.from_numpy(kernels.copy()).view_as(embedding.weight))

    def _window(self, rng: np.random.Generator, whole: bool) -> Window:
        return self.sampler.draw(rng, SIDE_PX if whole else self._crop_side(rng))

    @staticmethod
    def _crop_side(rng: np.random.Generator) -> int:
        return int(rng.integers(_SMALLEST_CROP, _LARGEST_CROP + 1))

    def _tokens(self, texts: list[str]) -> dict[str, torch.Tensor]:
        made = self.tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        return {name: made[name].to(self.device) for name in ("input_ids", "attention_mask")}

    def loss(self, rng: np.random.Generator, step: int) -> dict[str, torch.Tensor]:
        """Contrastive loss, every true caption a target; cross-entropy of subjects' phrases and of patches' objects."""
        whole = np.arange(self.batch) % 2 == 0
        windows = [self._window(rng, is_whole) for is_whole in whole]
        facts = [_facts(window, self.training) for window in windows]
        with_place = whole & (rng.random(self.batch) < 0.5)
        texts = [caption(f, TEMPLATES, rng, with_place=bool(p)) for f, p in zip(facts, with_place, strict=True)]
        said = [phrases(s) for s in range(len(SUBJECTS))]
        texts += [bare(ways[rng.integers(len(ways))]) for ways in said]
        clip = self.model.network
        pixels = self.images([w.pixels(self.training.images, IMAGE_SIDE) for w in windows], rng)
        seen = clip.vision_model(pixel_values=pixels)
        pictures = functional.normalize(clip.visual_projection(seen.pooler_output), dim=-1)
        read = functional.normalize(clip.text_projection(clip.text_model(**self._tokens(texts)).pooler_output), dim=-1)
        logits = clip.logit_scale.clamp(max=4.6).exp() * pictures @ read.T  # (B, B + subjects)
        captions, subjects = logits[:, : self.batch], logits[:, self.batch :]
        true = torch.from_numpy(truth(facts, facts, with_place)).to(self.device)
        contrast = (soft_cross_entropy(captions, true) + soft_cross_entropy(captions.T, true.T)) / 2
        named = functional.cross_entropy(subjects, torch.tensor([f.subject for f in facts], device=self.device))
        n = IMAGE_SIDE // PATCH
        patches = clip.vision_model.post_layernorm(seen.last_hidden_state[:, 1:]).unflatten(1, (n, n))
        return {"loss": contrast, "loss_subject": named, "loss_cells": self.model.cell_loss(patches, windows)}

    @torch.inference_mode()
    def embed_pictures(self, windows: list[Window]) -> torch.Tensor:
        """float32 (len(windows), 128), L2-normalised, of held-out windows."""
        self.model.eval()
        clip, made = self.model.network, []
        for i in range(0, len(windows), 128):
            pixels = self.images([w.pixels(self.validation.images, IMAGE_SIDE) for w in windows[i : i + 128]])
            made.append(clip.visual_projection(clip.vision_model(pixel_values=pixels).pooler_output))
        return functional.normalize(torch.cat(made), dim=-1).cpu()

    @torch.inference_mode()
    def embed_texts(self, texts: list[str]) -> torch.Tensor:
        """float32 (128,): L2-normalised mean of the texts' embeddings."""
        self.model.eval()
        clip = self.model.network
        read = clip.text_projection(clip.text_model(**self._tokens(texts)).pooler_output)
        return functional.normalize(functional.normalize(read, dim=-1).mean(dim=0), dim=-1).cpu()

    def _classes(self, template: str | None) -> torch.Tensor:
        """float32 (subjects, 128): each subject's prompts, in a place or in none."""
        if template is None:
            return torch.stack([self.embed_texts([bare(p) for p in phrases(s)]) for s in range(len(SUBJECTS))])
        names = PLACES[template]
        texts = [
            [p.format(on="on", across="across", place=name) for p in phrases(s) for name in names]
            for s in range(len(SUBJECTS))
        ]
        return torch.stack([self.embed_texts(each) for each in texts])

    def validate(self) -> dict[str, float]:
        """Zero-shot top-1 among the subjects, on held-out frames and crops."""
        bare_, made = self._classes(None), {}
        for name, windows in (("frames", self.frames), ("crops", self.crops)):
            few = windows[: self.batch]
            found = (self.embed_pictures(few) @ bare_.T).argmax(dim=1).numpy()
            made[f"validation_{name}_top1"] = _share(found == [subject_of(w) for w in few])
        return made

    def figures(self) -> dict:
        """Zero-shot figures on held-out places, each beside chance and the commonest class's share."""
        classes = torch.stack([self._classes(template) for template in TEMPLATES])  # (places, subjects, 128)
        bare_, made = self._classes(None), {}
        for name, windows in (("frames", self.frames), ("crops", self.crops)):
            subject = np.array([subject_of(w) for w in windows])
            found = (self.embed_pictures(windows) @ bare_.T).argmax(dim=1).numpy()
            made[f"subject_of_{name}"] = _against_chance(found == subject, len(SUBJECTS), subject)
        place = np.array([self.validation.template[w.still] for w in self.frames])
        subject = np.array([subject_of(w) for w in self.frames])
        similar = self.embed_pictures(self.frames) @ classes.flatten(0, 1).T  # (frames, places * subjects)
        joint = place * len(SUBJECTS) + subject
        by_place = similar.unflatten(1, classes.shape[:2]).mean(dim=2).argmax(dim=1).numpy()
        made["place_of_frames"] = _against_chance(by_place == place, len(TEMPLATES), place)
        best = similar.topk(5, dim=1).indices.numpy()
        made["place_and_subject_of_frames"] = _against_chance(best[:, 0] == joint, similar.shape[1], joint)
        made["place_and_subject_of_frames"]["top5"] = _share((best == joint[:, None]).any(axis=1))
        return made


def clip_config(n_words: int) -> CLIPConfig:
    """Architecture of the bundled CLIP: an image tower of four layers, a text tower of two."""
    text = {
        "vocab_size": n_words,
        "hidden_size": 128,
        "intermediate_size": 512,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": MOST_TOKENS,
        "projection_dim": 128,
        "pad_token_id": 0,
        "bos_token_id": 2,
        "eos_token_id": 3,
    }
    vision = {
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": 4,
        "num_attention_heads": 6,
        "image_size": IMAGE_SIDE,
        "patch_size": PATCH,
        "projection_dim": 128,
    }
    return CLIPConfig(text_config=text, vision_config=vision, projection_dim=128)


def _facts(window: Window, pictures: PictureSet) -> Facts:
    return Facts(subject_of(window), int(pictures.template[window.still]))


def soft_cross_entropy(logits: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Cross-entropy against the true columns of each row, in equal shares."""
    share = true / true.sum(dim=1, keepdim=True).clamp(min=1)
    return -(share * logits.log_softmax(dim=1)).sum(dim=1).mean()


def _share(hits: np.ndarray) -> float:
    return round(float(np.mean(hits)), 4)


def _against_chance(hits: np.ndarray, n_classes: int, target: np.ndarray) -> dict:
    return {
        "n": len(hits), "n_classes": n_classes, "top1": _share(hits), "chance": round(1 / n_classes, 4),
        "commonest_class": _share(target == np.bincount(target).argmax()),
    }  # fmt: skip

"""CLIP against transformers' own pipeline, on a tiny model with a tokenizer of its own."""

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoTokenizer, CLIPConfig, CLIPImageProcessor, CLIPModel, PreTrainedTokenizerFast

from vadlib.errors import ParameterError, WeightsError
from vadlib.networks import clip_vision
from vadlib.networks.clip import MEAN, STD

WORDS = ["[PAD]", "[UNK]", "[BOS]", "[EOS]", "a", "person", "walking", "car"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What save_pretrained writes of a tiny CLIP."""
    path = tmp_path_factory.mktemp("clip")
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = tower | {
        "vocab_size": 8,
        "max_position_embeddings": 12,
        "bos_token_id": 2,
        "eos_token_id": 3,
        "pad_token_id": 0,
    }
    torch.manual_seed(3)
    config = CLIPConfig(projection_dim=16, text_config=text, vision_config=tower | {"image_size": 32, "patch_size": 8})
    CLIPModel(config).eval().save_pretrained(path)
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="[BOS] $A [EOS]", special_tokens=[("[BOS]", 2), ("[EOS]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", bos_token="[BOS]", eos_token="[EOS]", unk_token="[UNK]"
    ).save_pretrained(path)
    return path


@pytest.fixture
def frames():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 3, 32, 32), dtype=np.uint8))


def test_frames_are_embedded_as_transformers_does(folder, frames):
    network, model = clip_vision(folder, precision="float32"), CLIPModel.from_pretrained(folder).eval()
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32, image_mean=MEAN, image_std=STD)
    pixels = processor(images=list(frames.permute(0, 2, 3, 1).numpy()), return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        expected = model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)
    np.testing.assert_allclose(network.embed(frames), expected, atol=1e-4)
    assert network.embedding_size == 16


def test_texts_are_embedded_as_transformers_does_whatever_their_company(folder):
    network, model = clip_vision(folder, precision="float32"), CLIPModel.from_pretrained(folder).eval()
    found = network.embed_text(["a person walking", "a car"])
    tokens = torch.tensor([[2, 4, 7, 3]])
    with torch.inference_mode():
        expected = model.text_projection(model.text_model(input_ids=tokens).pooler_output)
    np.testing.assert_allclose(found[1:], expected, atol=1e-5)
    np.testing.assert_allclose(network.embed_text(["a car"]), expected, atol=1e-5)
    assert network.logit_scale == pytest.approx(model.logit_scale.exp().item(), rel=1e-6)


def test_the_whole_frame_is_seen(folder):
    """A frame twice as wide as high, with something at its left edge alone, which a centre crop would cut off."""
    network = clip_vision(folder, precision="float32")
    empty = torch.zeros(1, 3, 32, 64, dtype=torch.uint8)
    marked = empty.clone()
    marked[..., :8] = 255
    assert not torch.allclose(network.embed(empty), network.embed(marked))


def test_random_weights_follow_their_seed_and_read_no_text(frames):
    first, again, other = (clip_vision("random", seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.embed(frames), again.embed(frames))
    assert not torch.equal(first.embed(frames), other.embed(frames))
    assert not first.has_text
    with pytest.raises(WeightsError, match="no tokenizer"):
        first.embed_text(["a car"])


def test_bad_input(folder, frames, tmp_path, monkeypatch):
    network = clip_vision(folder)
    with pytest.raises(ParameterError, match=r"expected uint8 \(B, 3, H, W\)"):
        network.embed(frames.float())
    with pytest.raises(ParameterError, match="precision: expected one of"):
        clip_vision(folder, precision="float16")
    with pytest.raises(WeightsError, match="holds no CLIP; expected config.json"):
        clip_vision(tmp_path)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:300])
    with pytest.raises(WeightsError, match=r"model.safetensors is not a readable weights file"):
        clip_vision(tmp_path)
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(WeightsError, match="cannot be read as a CLIP"):
        clip_vision(tmp_path)
    monkeypatch.setattr("vadlib.networks.clip.BUNDLED", tmp_path / "nowhere")
    with pytest.raises(WeightsError, match=r"clip_vision, weights='bundled': .*could not be had"):
        clip_vision("bundled")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda state: state.pop("logit_scale"), "logit_scale"),
        (lambda state: state.update(unknown=torch.zeros(2)), "unknown"),
        (lambda state: state.update({"visual_projection.weight": torch.zeros(3, 3)}), "visual_projection.weight"),
    ],
)
def test_weights_of_another_clip_are_refused_rather_than_filled_with_random_numbers(folder, tmp_path, change, named):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    state = load_file(tmp_path / "model.safetensors")
    change(state)
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match=rf"not the CLIP that .*config.json describes: 1 .*\(such as {named}\)"):
        clip_vision(tmp_path)


def test_a_folder_without_a_tokenizer_reads_frames_and_no_texts(folder, frames, tmp_path):
    """Transformers would make a tokenizer that knows no word."""
    for name in ("config.json", "model.safetensors"):
        shutil.copy(folder / name, tmp_path)
    network = clip_vision(tmp_path, precision="float32")
    np.testing.assert_array_equal(network.embed(frames), clip_vision(folder, precision="float32").embed(frames))
    with pytest.raises(WeightsError, match=r"put its tokenizer_config.json and tokenizer.json beside the weights"):
        network.embed_text(["a car"])
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(folder / name, tmp_path)
    assert clip_vision(tmp_path).has_text


def test_a_tokenizer_of_another_network_is_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["bicycle"])
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match=r"tokenizer in .* knows 9 tokens, the network in .* 8; copy both"):
        clip_vision(tmp_path)

"""OpenAI's CLIP from a hub on the loopback that has its layout, and from what a cache holds of it."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from loopback_hub import Hub, serving
from safetensors.torch import load_file
from transformers import AutoTokenizer, CLIPConfig, CLIPModel
from typer.testing import CliRunner

from vadlib.cli import app
from vadlib.errors import WeightsError
from vadlib.networks import PUBLISHED_WEIGHTS, clip_vision, hub
from vadlib.networks.weights import is_available_offline
from vadlib.storage import file_sha256

(OPENAI,) = (known for known in PUBLISHED_WEIGHTS if known.name == "openai")
TEXTS = ["a car", "a person in a car " * 9]
SMALL = ("config.json", "merges.txt", "preprocessor_config.json", "special_tokens_map.json")
SMALL += ("tokenizer.json", "tokenizer_config.json", "vocab.json")


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A tiny CLIP's files in both layouts, with the tokenizer's in both of its own, named as the published ones are."""
    path = tmp_path_factory.mktemp("repository")
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "ca", "car</w>", "<|startoftext|>", "<|endoftext|>"]
    (path / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (path / "merges.txt").write_text("#version: 0.2\nc a\nca r</w>\n")
    special = {"unk_token": words[-1], "bos_token": words[-2], "eos_token": words[-1], "pad_token": words[-1]}
    (path / "special_tokens_map.json").write_text(json.dumps(special))
    options = special | {"model_max_length": 12, "tokenizer_class": "CLIPTokenizer"}
    (path / "tokenizer_config.json").write_text(json.dumps(options))
    (path / "preprocessor_config.json").write_text("{}")
    AutoTokenizer.from_pretrained(path).backend_tokenizer.save(str(path / "tokenizer.json"))
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = tower | {"vocab_size": len(words), "max_position_embeddings": 12}
    text |= {"bos_token_id": len(words) - 2, "eos_token_id": len(words) - 1, "pad_token_id": len(words) - 1}
    torch.manual_seed(3)
    config = CLIPConfig(projection_dim=16, text_config=text, vision_config=tower | {"image_size": 32, "patch_size": 8})
    CLIPModel(config).eval().save_pretrained(path)
    state = load_file(path / "model.safetensors")
    state["text_model.embeddings.position_ids"] = torch.arange(12)[None]  # as transformers wrote them then
    state["vision_model.embeddings.position_ids"] = torch.arange(17)[None]
    torch.save(state, path / "pytorch_model.bin")
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, and no hub; what OpenAI published has other bytes than the tiny CLIP."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 5)
    monkeypatch.setattr(hub, "PUBLISHED", {})
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return tmp_path / "cache" / "models--openai--clip-vit-base-patch32"


@pytest.fixture
def server(repository, monkeypatch):
    """The hub: main without safetensors, the conversion beside it."""
    from huggingface_hub import constants

    main = {name: repository / name for name in (*SMALL, "pytorch_model.bin")}
    converted = main | {"model.safetensors": repository / "model.safetensors"}
    refs = {"main": hub.MAIN, "refs/pr/66": hub.CONVERTED}
    with serving(Hub(hub.REPOSITORY, {hub.MAIN: main, hub.CONVERTED: converted}, refs)) as running:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", running.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        yield running


@pytest.fixture(scope="module")
def expected(repository):
    """What transformers itself makes of frames of the network's size, and of texts."""
    model, tokenizer = CLIPModel.from_pretrained(repository).eval(), AutoTokenizer.from_pretrained(repository)
    network = clip_vision(repository, precision="float32")
    with torch.inference_mode():
        pixels = frames() * network._scale + network._offset
        images = model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)
        tokens = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
        return images, model.text_projection(model.text_model(**tokens).pooler_output)


def frames():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 3, 32, 32), dtype=np.uint8))


def check(network, expected, file):
    """The embeddings are those of the reference, and what the record, the list and `is_available_offline` say agrees."""
    np.testing.assert_array_equal(network.embed(frames()), expected[0])
    np.testing.assert_array_equal(network.embed_text(TEXTS), expected[1])
    assert OPENAI.place().name == file
    assert OPENAI.look() == (network.record.sha256, "")
    assert is_available_offline("clip_vision", "openai")
    listed = CliRunner().invoke(app, ["weights"]).output
    assert "clip_vision, weights='openai': there\n  605.2 MB" in listed
    assert f"sha256 {network.record.sha256}\n  {OPENAI.place()}" in listed


def leave(cache, repository, files):
    """Put files into the cache as the hub's client does: contents by their digests, and links to them."""
    for commit, names in files.items():
        for name in names:
            entry = cache / "blobs" / file_sha256(repository / name)
            entry.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(repository / name, entry)
            link = cache / "snapshots" / commit / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(entry, link.parent))
    for name, commit in {"main": hub.MAIN, "refs/pr/66": hub.CONVERTED}.items():
        (cache / "refs" / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / "refs" / name).write_text(commit)


class TestHub:
    def test_the_safetensors_of_the_conversion_are_taken(self, server, expected):
        check(clip_vision("openai", precision="float32"), expected, "model.safetensors")
        assert not any("pytorch_model.bin" in asked for asked in server.asked)
        server.asked.clear()
        check(clip_vision("openai", precision="float32"), expected, "model.safetensors")
        assert server.asked == []  # once it is there, nobody is asked

    @pytest.mark.parametrize("lack", ["file", "commit", "403", "501", "headers"])
    def test_a_hub_without_the_conversion_gives_the_torch_file(self, server, expected, lack):
        if lack == "commit":
            del server.commits[hub.CONVERTED]
        elif lack == "file":
            del server.commits[hub.CONVERTED]["model.safetensors"]
        elif lack == "headers":
            server.bare = hub.CONVERTED
        else:
            server.refused = {hub.CONVERTED: int(lack)}
        check(clip_vision("openai", precision="float32"), expected, "pytorch_model.bin")

    def test_a_broken_connection_is_taken_up_again(self, server, expected):
        server.cut = 1
        check(clip_vision("openai", precision="float32"), expected, "model.safetensors")

    def test_other_bytes_than_the_hub_said_are_refused_and_the_remedy_helps(self, server, expected):
        server.garbage = True
        with pytest.raises(WeightsError, match=r"is not clip_vision's 'openai': expected SHA-256 .* found") as caught:
            clip_vision("openai")
        digest, problem = OPENAI.look()
        assert problem == f"DAMAGED: {caught.value}"
        assert not is_available_offline("clip_vision", "openai")
        assert digest in CliRunner().invoke(app, ["weights"]).output
        server.garbage = False
        Path(str(caught.value).split("remove ")[1].split(" and fetch")[0]).unlink()
        check(clip_vision("openai", precision="float32"), expected, "model.safetensors")

    def test_a_page_that_answers_in_the_hub_s_place(self, server, cache):
        server.portal = True
        with pytest.raises(WeightsError, match=r"'X-Repo-Commit' header, so it does not seem to be served by"):
            clip_vision("openai")
        assert not any(path.is_file() for path in cache.rglob("snapshots/*"))


class TestCache:
    """No hub at all: the fixture `cache` takes it away."""

    @pytest.mark.parametrize(
        ("files", "used"),
        [
            ({hub.MAIN: [*SMALL, "pytorch_model.bin"]}, "pytorch_model.bin"),
            ({hub.MAIN: SMALL, hub.CONVERTED: ["model.safetensors"]}, "model.safetensors"),
            ({hub.MAIN: [*SMALL, "pytorch_model.bin"], hub.CONVERTED: ["model.safetensors"]}, "model.safetensors"),
            ({hub.CONVERTED: [*SMALL, "model.safetensors"]}, "model.safetensors"),
            ({hub.MAIN: ["config.json", "tokenizer_config.json", "tokenizer.json", "pytorch_model.bin"]}, None),
            ({hub.MAIN: [*(name for name in SMALL if name != "tokenizer.json"), "pytorch_model.bin"]}, None),
        ],
    )
    def test_what_an_earlier_use_left_is_taken(self, cache, repository, expected, files, used):
        leave(cache, repository, files)
        check(clip_vision("openai", precision="float32"), expected, used or "pytorch_model.bin")

    def test_a_main_that_has_moved_on(self, cache, repository, expected):
        leave(cache, repository, {"f" * 40: [*SMALL, "model.safetensors"]})
        (cache / "refs" / "main").write_text("f" * 40)
        check(clip_vision("openai", precision="float32"), expected, "model.safetensors")

    def test_the_published_digest_counts_where_one_is_known(self, cache, repository, monkeypatch):
        leave(cache, repository, {hub.MAIN: [*SMALL, "pytorch_model.bin"]})
        monkeypatch.setattr(hub, "PUBLISHED", {("pytorch_model.bin", hub.MAIN): "0" * 64})
        with pytest.raises(WeightsError, match=f"expected SHA-256 {'0' * 64}"):
            clip_vision("openai")

    @pytest.mark.parametrize("lack", ["config.json", "tokenizer_config.json", "model.safetensors"])
    def test_a_half_finished_download_is_named_and_finished(
        self, server, cache, repository, expected, monkeypatch, lack
    ):
        from huggingface_hub import constants

        there = [name for name in (*SMALL, "model.safetensors") if name != lack]
        leave(cache, repository, {hub.CONVERTED: there})
        (cache / "blobs" / "0123.incomplete").write_bytes(b"half")
        assert lack in OPENAI.look()[1]
        assert not is_available_offline("clip_vision", "openai")
        assert f"MISSING: {OPENAI.look()[1].removeprefix('MISSING: ')}" in CliRunner().invoke(app, ["weights"]).output
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(WeightsError, match="HF_HUB_OFFLINE"):
            clip_vision("openai")
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        check(clip_vision("openai", precision="float32"), expected, "model.safetensors")
        assert any(asked.startswith("GET /cdn/") for asked in server.asked) == (lack == "model.safetensors")

    def test_nothing_at_all(self, cache):
        with pytest.raises(WeightsError, match=rf"copy the folder {cache} from a machine .*config.json.*bundled"):
            clip_vision("openai")

    def test_no_network(self, server, monkeypatch):
        from huggingface_hub import constants

        with socket.create_server(("127.0.0.1", 0)) as closed:
            url = f"http://127.0.0.1:{closed.getsockname()[1]}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url)
        with pytest.raises(WeightsError, match=r"could not be had \(.*refused; HF_ENDPOINT is http"):
            clip_vision("openai")

    def test_the_way_to_the_hub_is_told_without_the_proxy_s_password(self, server, monkeypatch):
        server.portal = True
        assert hub.way() == f"; HF_ENDPOINT is {server.url}"
        monkeypatch.setenv("https_proxy", "http://me:secret@127.0.0.1:9")
        with pytest.raises(WeightsError, match=r"; through the proxy that the environment sets\)") as caught:
            clip_vision("openai")
        assert "secret" not in str(caught.value)

    def test_a_cache_that_may_not_be_read(self, cache, monkeypatch):
        def refuse(*_, **__):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", refuse)
        assert OPENAI.look()[1].startswith("MISSING: config.json")
        assert OPENAI.place() == cache

    def test_its_own_folder_given_as_weights(self, cache, repository, monkeypatch, expected):
        from huggingface_hub import constants

        leave(cache, repository, {hub.MAIN: SMALL, hub.CONVERTED: ["model.safetensors"]})
        monkeypatch.setattr(constants, "HF_HUB_CACHE", "elsewhere")
        with pytest.raises(WeightsError, match="give 'openai', with HF_HUB_CACHE=") as caught:
            clip_vision(cache)
        named = str(caught.value).split("HF_HUB_CACHE=")[1].split(" in the")[0]
        monkeypatch.setattr(constants, "HF_HUB_CACHE", named)
        check(clip_vision("openai", precision="float32"), expected, "model.safetensors")


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_a_folder_of_either_layout(repository, expected, tmp_path, file):
    for name in (*SMALL, file):
        shutil.copy(repository / name, tmp_path)
    network = clip_vision(tmp_path, precision="float32")
    np.testing.assert_array_equal(network.embed(frames()), expected[0])
    np.testing.assert_array_equal(network.embed_text(TEXTS), expected[1])
    assert network.record.sha256 == file_sha256(tmp_path / file)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"<!DOCTYPE html>", "a web page, not weights"),
        (b"", "not a readable weights file"),
    ],
)
@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_what_lies_in_the_place_of_weights_is_named(repository, tmp_path, file, content, named):
    for name in SMALL:
        shutil.copy(repository / name, tmp_path)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(WeightsError, match=named):
        clip_vision(tmp_path)
    shutil.copy(repository / file, tmp_path)
    assert clip_vision(tmp_path).has_text
    with pytest.raises(WeightsError, match="is a file; give the folder that has it"):
        clip_vision(tmp_path / file)


@pytest.mark.parametrize(
    "config", ["", "[]", '{"text_config": 5}', '{"vision_config": {"patch_size": "x"}}', '{"projection_dim": -1}']
)
def test_a_configuration_that_makes_no_sense(repository, tmp_path, config):
    shutil.copytree(repository, tmp_path, dirs_exist_ok=True)
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(WeightsError, match="config.json"):
        clip_vision(tmp_path)


OURS = """
from vadlib.networks import clip_vision, hub
hub.PUBLISHED = {}
network = clip_vision("openai", precision="float32")
print(network.record.sha256)
"""


def test_by_the_environment_alone(server, repository, tmp_path):
    """HF_ENDPOINT and HF_HOME, read by the client as it starts."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    environment = kept | {"HF_ENDPOINT": server.url, "NO_PROXY": "*", "HF_HOME": str(tmp_path)}
    run = subprocess.run([sys.executable, "-c", OURS], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split()[0] == file_sha256(repository / "model.safetensors")

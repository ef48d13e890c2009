"""Networks on a pretended GPU, and which device is meant by a name."""

import numpy as np
import pytest
import torch
from pretended_gpu import held, pretended_gpu

from vadlib import networks
from vadlib.errors import ParameterError
from vadlib.networks import resolve_device
from vadlib.networks.devices import exact_convolutions
from vadlib.runs import provenance

GPU = "cuda:1"


def frames(n=2, size=(64, 96)):
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (n, 3, *size), dtype=np.uint8))


def on_both(make, work):
    """What `work(network)` gives, tensors by name, on the CPU and on the pretended GPU."""
    expected = work(make())
    with pretended_gpu():
        network = make().to(GPU)
        assert network.device == torch.device(GPU)
        found = work(network)
        for name, values in found.items():
            assert values.device == torch.device(GPU), name
            assert values.dtype == torch.float32, name
    return {name: held(values).detach() for name, values in found.items()}, expected


@pytest.mark.parametrize("architecture", ["resnet18", "efficientnet_lite0"])
def test_a_classifier_gives_the_same_on_the_gpu(architecture):
    if architecture == "efficientnet_lite0":
        pytest.importorskip("timm")

    def make():
        return getattr(networks, architecture)("random", precision="float32")

    def work(network):
        taps = network.features(frames(), ["layer1", "layer3"])
        activations, logits = network.activations_and_logits(frames(), ["layer2", "layer4"])
        for values in (*taps.values(), *activations.values()):
            assert values.is_contiguous(memory_format=torch.channels_last)
        own = {"logits": network.logits(frames()), "embedding": network.embed(frames()), "again": logits.detach()}
        return taps | {f"activation {name}": values.detach() for name, values in activations.items()} | own

    found, expected = on_both(make, work)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        torch.testing.assert_close(found[name], values, msg=name)


def test_clip_embeds_frames_and_texts_on_the_gpu():
    def work(network):
        return {"frames": network.embed(frames()), "texts": network.embed_text(["a street", "a car on a walkway"])}

    found, expected = on_both(lambda: networks.clip_vision("bundled", precision="float32"), work)
    for name, values in expected.items():
        torch.testing.assert_close(found[name], values, rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize("asked", ["auto", "float32", "bfloat16"])
def test_precision_follows_the_device(asked):
    wanted = {"auto": "bfloat16"}.get(asked, asked)
    with pretended_gpu():
        network = networks.resnet18("random", precision=asked).to("cuda")
        assert network.precision == wanted
        activations, logits = network.activations_and_logits(frames(), ["layer2"])
        assert activations["layer2"].dtype == torch.float32  # for gradients, whatever is asked
        assert logits.dtype == network.features(frames(), ["layer1"])["layer1"].dtype == torch.float32


def test_convolutions_on_a_gpu_are_exact_and_the_users_setting_comes_back():
    cudnn = torch.backends.cudnn
    before = cudnn.allow_tf32, cudnn.deterministic
    with exact_convolutions(torch.device("cuda")):
        assert (cudnn.allow_tf32, cudnn.deterministic) == (False, True)
    assert (cudnn.allow_tf32, cudnn.deterministic) == before
    with exact_convolutions(torch.device("cpu")):
        assert (cudnn.allow_tf32, cudnn.deterministic) == before
    seen = []
    with pretended_gpu():
        network = networks.resnet18("random").to("cuda")
        network.stages["layer1"].register_forward_hook(lambda *_: seen.append(cudnn.allow_tf32))
        network.features(frames(), ["layer1"])
        network.activations_and_logits(frames(), ["layer1"])
    assert seen == [False, False]


def test_auto_is_the_gpu_where_there_is_one():
    assert resolve_device("auto") == torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with pretended_gpu():
        assert resolve_device("auto").type == "cuda"
        assert resolve_device(GPU) == torch.device(GPU)
        assert resolve_device("cpu").type == "cpu"


@pytest.mark.parametrize("wrong", ["cuda:2", "cuda:17"])
def test_a_gpu_that_is_not_there_is_named(wrong):
    with pretended_gpu(), pytest.raises(ParameterError, match=rf"{wrong}.*2 GPU\(s\), cuda:0 to cuda:1"):
        resolve_device(wrong)


@pytest.mark.parametrize("wrong", ["meta", "mps", "gpu", "cuda:x", ""])
def test_what_is_no_device_of_ours_is_refused(wrong):
    with pytest.raises(ParameterError, match="expected auto, cpu, cuda or cuda:N"):
        resolve_device(wrong)


def test_a_run_on_the_second_gpu_says_so(monkeypatch):
    """The first GPU held nothing; the record of the run must not take that for a CPU."""
    waited = []
    for name, answer in {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "device_count": lambda: 2,
        "max_memory_allocated": lambda gpu=0: [0, 123][gpu],
        "get_device_name": lambda gpu=0: ["first", "second"][gpu],
        "synchronize": lambda gpu=0: waited.append(gpu),
    }.items():
        monkeypatch.setattr(torch.cuda, name, answer)
    assert provenance.device_name() == "second"
    assert provenance.peak_device_bytes() == 123
    provenance.synchronize()
    assert waited == [1]

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import vadlib.networks
from vadlib.detectors import ZeroShotText
from vadlib.detectors.zero_shot import ANOMALOUS_PROMPTS, NORMAL_PROMPTS
from vadlib.errors import ParameterError, ResultsError, WeightsError
from vadlib.networks import WeightsRecord

D = 8


class StubClip:
    """Frames and texts as points in one space: a text's from its letters, a frame's from its mean colours."""

    def __init__(self, seed=0, logit_scale=100.0):
        self.embedding_size, self.precision, self.device = D, "float32", torch.device("cpu")
        self.record = WeightsRecord("stub_clip", "random", f"random, seed {seed}", None, seed, trained=False)
        self.logit_scale, self.texts_seen = logit_scale, []
        self.matrix = torch.randn(12, D, generator=torch.Generator().manual_seed(seed))

    def to(self, device):
        return self

    def embed(self, images):
        pooled = torch.nn.functional.adaptive_avg_pool2d(images.float(), 2).flatten(1)  # (B, 12)
        return (pooled / 255 - 0.5) @ self.matrix

    def embed_text(self, texts):
        self.texts_seen.append(list(texts))
        rows = [np.random.default_rng(list(text.encode())).normal(size=D) for text in texts]
        return torch.tensor(np.array(rows), dtype=torch.float32)


def frames(n, seed):
    return torch.randint(0, 256, (n, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def reference(embeddings, normal, anomalous, scale):
    """Log odds of the summed softmax over all prompts, float64."""
    cosine = lambda x, t: x @ t / np.linalg.norm(x) / np.linalg.norm(t)  # noqa: E731
    scores = []
    for x in np.float64(embeddings):
        logits = np.array([scale * cosine(x, t) for t in np.float64([*normal, *anomalous])])
        p = np.exp(logits - logits.max())
        p /= p.sum()
        scores.append(np.log(p[len(normal) :].sum()) - np.log(p[: len(normal)].sum()))
    return np.array(scores)


@pytest.mark.parametrize("scale", [1.0, 14.0, 100.0])
def test_scores_equal_float64_reference(array_reader, scale):
    network, test = StubClip(logit_scale=scale), frames(9, 0)
    detector = ZeroShotText(network, ["a", "b", "c"], ["d", "e"], "cpu").fit()
    texts = network.embed_text(list("abcde")).numpy()
    expected = reference(network.embed(test).numpy(), texts[:3], texts[3:], scale)
    found = detector.score_columns(array_reader(test))
    assert list(found) == ["zero_shot"]
    assert found["zero_shot"].dtype == np.float32
    np.testing.assert_allclose(found["zero_shot"], expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(detector.score_batch(test)["zero_shot"], expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(detector.score(array_reader(test, 2)), expected, rtol=1e-4, atol=1e-4)


def test_what_a_prompt_describes_decides():
    network = StubClip()
    detector = ZeroShotText(network, ["calm"], ["alarm"], "cpu").fit()
    at_normal, at_anomalous = network.embed_text(["calm", "alarm"]).numpy()
    scores = detector.score_embeddings(np.array([at_normal, at_anomalous, 7 * at_anomalous]))["zero_shot"]
    assert scores[0] < 0 < scores[1]
    assert scores[2] == pytest.approx(scores[1], rel=1e-5)
    swapped = ZeroShotText(network, ["alarm"], ["calm"], "cpu").fit()
    np.testing.assert_allclose(swapped.score_embeddings(at_normal[None])["zero_shot"], -scores[:1], rtol=1e-5)


def test_an_embedding_without_direction_scores_the_numbers_of_prompts():
    detector = ZeroShotText(StubClip(), ["a"], ["b", "c", "d"], "cpu").fit()
    scores = detector.score_embeddings(np.zeros((2, D), np.float32))["zero_shot"]
    np.testing.assert_allclose(scores, np.log(3), rtol=1e-5)


def test_fit_looks_at_no_frame():
    class Untouchable:
        def __iter__(self):
            raise AssertionError("a zero-shot detector must not read frames to fit")

    network = StubClip()
    with_reader, without = (ZeroShotText(network, device="cpu").fit(reader) for reader in (Untouchable(), None))
    assert network.texts_seen == [[*NORMAL_PROMPTS, *ANOMALOUS_PROMPTS]] * 2
    assert torch.equal(with_reader.state()["texts"], without.state()["texts"])


def test_saved_and_loaded_scores_are_the_same_without_the_text_tower_running(tmp_path, monkeypatch):
    detector = ZeroShotText(StubClip(3, logit_scale=50.0), ["a", "b"], ["c"], "cpu").fit()
    detector.save(tmp_path / "text")
    built = []

    def build(weights, precision, seed):
        built.append(StubClip(seed))
        return built[-1]

    monkeypatch.setattr(vadlib.networks, "stub_clip", build, raising=False)
    loaded = ZeroShotText.load(tmp_path / "text", device="cpu")
    assert loaded.parameters() == {"normal_prompts": ["a", "b"], "anomalous_prompts": ["c"]}
    test = frames(5, 1)
    np.testing.assert_array_equal(loaded.score_batch(test)["zero_shot"], detector.score_batch(test)["zero_shot"])
    assert built[0].texts_seen == []
    with pytest.raises(ResultsError, match="lacks 'logit_scale'"):
        loaded.set_state({"texts": detector.state()["texts"]})


def test_bad_input_says_what_and_why():
    record = SimpleNamespace(architecture="resnet18", name="random, seed 0")
    with pytest.raises(ParameterError, match="network: resnet18 with weights random, seed 0 cannot embed texts"):
        ZeroShotText(SimpleNamespace(record=record, embed=lambda images: None), device="cpu")
    illiterate = StubClip()
    illiterate.has_text = False  # as of weights that came without a tokenizer
    with pytest.raises(ParameterError, match="with weights random, seed 0 cannot embed texts; .* trained weights"):
        ZeroShotText(illiterate, device="cpu")
    for prompts in ([], "a person walking", ["", "b"], [3]):
        with pytest.raises(ParameterError, match="anomalous_prompts: expected a list of one text or more"):
            ZeroShotText(StubClip(), anomalous_prompts=prompts, device="cpu")
    broken = StubClip()
    broken.embed_text = lambda texts: torch.full((len(texts), D), float("nan"))
    with pytest.raises(WeightsError, match="or NaN in them"):
        ZeroShotText(broken, device="cpu").fit()
    broken.embed_text = lambda texts: torch.ones(len(texts), D + 1)
    with pytest.raises(WeightsError, match=r"gives text embeddings \(10, 9\) for 10 prompts.* 8 long"):
        ZeroShotText(broken, device="cpu").fit()

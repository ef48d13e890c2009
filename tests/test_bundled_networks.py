"""The bundled networks: that nothing they learnt from is in the demo world, how they are trained, and what is shipped."""

import importlib
import json
import sys

import numpy as np
import pytest
import torch
import typer
import yaml
from safetensors.torch import load_file
from torch.nn import functional

from synthcampus import TEMPLATES, draw_place
from synthcampus.world import WorldParameters, draw_places, plan_world, scene_seed
from vadlib.networks import clip_vision, resnet18

CELLS = 4


@pytest.fixture(scope="module")
def tools(project_root):
    """Imports a module of tools/ by name."""
    folder = str(project_root / "tools")
    sys.path.insert(0, folder)
    yield importlib.import_module
    sys.path.remove(folder)


@pytest.fixture(scope="module")
def pictures(tools):
    return tools("bundled_pictures")


@pytest.fixture(scope="module")
def captions(tools):
    return tools("bundled_captions")


@pytest.fixture(scope="module")
def bundled(project_root):
    return project_root / "vadlib" / "networks" / "bundled"


@pytest.fixture(scope="module")
def log(bundled):
    return json.loads((bundled / "training_log.json").read_text())


@pytest.fixture(scope="module")
def seeds(log):
    """Place seeds of training and validation, as the log of the shipped networks has them."""
    return [seed for first, last in log["places"].values() for seed in range(first, last + 1)]


@pytest.fixture(scope="module")
def stills(pictures):
    """Four hand-made stills with known objects: a car and a walker; a walker; nobody; a crowd."""
    OBJECTS = pictures.OBJECTS
    images = np.random.default_rng(0).integers(0, 256, (4, 224, 224, 3), dtype=np.uint8)
    boxes = [(100, 100, 140, 130), (20, 20, 30, 60), (110, 90, 118, 130)] + [
        (10 * i, 150, 10 * i + 8, 190) for i in range(9)
    ]
    label = [OBJECTS.index(name) for name in ("car", "walk", "walk", *["stand"] * 9)]
    return pictures.PictureSet(
        images, np.array([0, 1, 2, 3]), np.array([0, 2, 3, 3, 12]), np.array(label), np.array(boxes, np.float32)
    )


# ---- nothing leaks from the demo world


def _world(seed, n_scenes=6):
    return WorldParameters(12, 24, n_scenes, seed, (11.0, 15.0), 12.0, (480, 856))


def _world_seeds(project_root):
    """Seeds of every world that a profile or a test writes."""
    profiles = [yaml.safe_load(path.read_text()) for path in (project_root / "notebooks" / "profiles").glob("*.yml")]
    return {0, 3, 4, 5} | {p["seed"] for p in profiles if p["dataset"] == "synthcampus"}


def test_no_place_seed_of_a_world_is_among_those_trained_on(seeds, project_root):
    for seed in _world_seeds(project_root):
        used = {scene_seed(_world(seed, 99), i)[0] for i in range(99)}
        assert not used & set(seeds)
    assert len(set(seeds)) == len(seeds)


def test_no_camera_or_layout_of_the_demo_world_is_among_those_trained_on(seeds, pictures):
    cameras = {draw_place(seed, pictures.template_of(seed)).camera for seed in seeds}
    assert len(cameras) == len(seeds)
    assert not cameras & {place.camera for place in draw_places(_world(0))}


def test_no_clip_of_the_demo_world_shares_its_random_draws_with_a_still(seeds):
    parameters = _world(0)
    clips = {
        (0, int(plan.split == "test"), *(int(part) for part in plan.id.split("_")))
        for plan in plan_world(parameters, draw_places(parameters))
    }
    assert len(clips) == 36
    draws = {tuple(np.random.default_rng([*clip, 31]).random(4)) for clip in clips}  # what its actors are drawn from
    assert not draws & {tuple(np.random.default_rng([seed, 41]).random(4)) for seed in seeds}


# ---- windows


def test_a_window_knows_what_is_in_it(pictures, stills):
    CLASSES = pictures.CLASSES
    cases = {  # still, left, top, side: class
        (0, 88, 80, 64): "car",
        (0, 0, 0, 64): "walk",
        (0, 0, 0, 224): "car",
        (0, 130, 90, 64): "empty",  # a quarter of the car
        (1, 80, 80, 64): "walk",
        (2, 0, 0, 224): "empty",
        (3, 0, 140, 64): "stand",
    }
    for case, expected in cases.items():
        assert CLASSES[pictures.cut_window(stills, *case).target] == expected, case


def test_a_mirrored_window_mirrors_pixels_and_boxes(pictures, stills):
    window, mirrored = (pictures.cut_window(stills, 0, 88, 80, 64, mirrored=m) for m in (False, True))
    assert np.array_equal(window.pixels(stills.images, 64), stills.images[0, 80:144, 88:152])
    assert np.array_equal(mirrored.pixels(stills.images, 64), window.pixels(stills.images, 64)[:, ::-1])
    assert np.array_equal(mirrored.occupancy(CELLS), window.occupancy(CELLS)[:, :, ::-1])


def test_occupancy_equals_counting_pixels(pictures, stills):
    for still, left, top, side in ((0, 88, 80, 64), (0, 0, 0, 224), (3, 0, 140, 64), (2, 0, 0, 224)):
        window = pictures.cut_window(stills, still, left, top, side)
        expected = np.zeros((len(pictures.OBJECTS), CELLS, CELLS))
        cell = side // CELLS
        for k in range(stills.first[still], stills.first[still + 1]):
            x0, y0, x1, y1 = stills.box[k].astype(int)
            covered = np.zeros((224 + side, 224 + side))
            covered[y0:y1, x0:x1] = 1
            for row in range(CELLS):
                for column in range(CELLS):
                    y, x = top + row * cell, left + column * cell
                    part = covered[y : y + cell, x : x + cell].sum() / min(cell**2, covered.sum())
                    if part > 0.3:
                        expected[stills.label[k], row, column] = 1
        assert np.array_equal(window.occupancy(CELLS), expected)


def test_every_class_is_drawn_about_equally_often(pictures, stills):
    sampler, rng = pictures.WindowSampler(stills), np.random.default_rng(0)
    windows = [sampler.draw(rng, 64) for _ in range(800)]
    counts = np.bincount([window.target for window in windows], minlength=len(pictures.CLASSES))
    present = [pictures.CLASSES.index(name) for name in ("car", "stand", "walk", "empty")]
    assert counts[present].sum() == 800
    assert counts[present].min() > 120
    assert all(0 <= w.left <= 160 and 0 <= w.top <= 160 for w in windows)


def test_pictures_are_the_same_however_often_a_run_was_interrupted(pictures, tmp_path):
    seeds = pictures.place_seeds(pictures.FIRST_TRAINING_SEED, 2)
    first = pictures.render_pictures(seeds, 2, tmp_path, size=(60, 106), n_workers=1)
    sorted(tmp_path.iterdir())[1].unlink()
    again = pictures.render_pictures(seeds, 2, tmp_path, size=(60, 106), n_workers=1)
    assert first.images.shape == (4, 224, 224, 3)
    assert np.array_equal(first.images, again.images)
    assert np.array_equal(first.box, again.box)
    assert [TEMPLATES[t] for t in first.template] == [pictures.template_of(seed) for seed in seeds for _ in range(2)]


def test_too_many_places_are_refused(pictures):
    with pytest.raises(ValueError, match="expected 1 to 1000 places; got 1001"):
        pictures.place_seeds(0, 1001)


# ---- captions


def test_a_window_is_captioned_by_its_most_noteworthy_object_or_its_people(captions, pictures, stills):
    for case, expected in {
        (0, 0, 0, 224): "car",
        (1, 0, 0, 224): "one walk",
        (2, 0, 0, 224): "empty",
        (3, 0, 0, 224): "many stand",
        (3, 0, 140, 48): "several stand",
        (3, 0, 140, 56): "many stand",
    }.items():
        assert captions.SUBJECTS[captions.subject_of(pictures.cut_window(stills, *case))] == expected, case


def test_every_caption_is_read_whole(captions):
    tokenizer, rng = captions.build_tokenizer(), np.random.default_rng(0)
    for subject in range(len(captions.SUBJECTS)):
        for place in range(len(TEMPLATES)):
            for with_place in (True, False):
                text = captions.caption(captions.Facts(subject, place), TEMPLATES, rng, with_place=with_place)
                tokens = tokenizer(text)["input_ids"]
                assert "{" not in text
                assert tokenizer.unk_token_id not in tokens
                assert tokens[0] == tokenizer.bos_token_id
                assert tokens[-1] == tokenizer.eos_token_id
                assert len(tokens) <= captions.MOST_TOKENS


def test_a_caption_without_a_place_is_true_everywhere(captions):
    facts = [captions.Facts(0, 0), captions.Facts(0, 1), captions.Facts(7, 1)]
    made = captions.truth(facts, facts, np.array([True, False, True]))
    assert made.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]


# ---- training


def test_learning_rate_rises_holds_and_ends_at_zero(tools):
    rate = tools("bundled_training").learning_rate
    shares = np.array([rate(step, 400) for step in range(401)])
    assert shares[0] == pytest.approx(1 / 40)
    assert (shares[39:261] == 1).all()
    assert shares[400] == 0
    assert (np.diff(shares[:40]) > 0).all()
    assert (np.diff(shares[261:]) < 0).all()
    assert rate(250, 400) == rate(250, 600)  # another budget is the same until it cools down


class _Line:
    """The smallest learner: a line through noisy points."""

    peak_rate = 0.05

    def __init__(self):
        torch.manual_seed(0)
        self.model = torch.nn.Linear(2, 1)

    def loss(self, rng, step):
        x = torch.from_numpy(rng.normal(size=(16, 2)).astype(np.float32))
        return {"loss": (self.model(x)[:, 0] - x[:, 0] + 2 * x[:, 1]).square().mean()}

    def validate(self):
        return {"weight": float(self.model.weight[0, 0].detach())}


class _Interrupted(_Line):
    def loss(self, rng, step):
        if step == 45:
            raise KeyboardInterrupt
        return super().loss(rng, step)


def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(tools, tmp_path):
    train = tools("bundled_training").train
    whole, stopped, resumed = _Line(), _Interrupted(), _Line()
    done = train(whole, 80, tmp_path / "whole.pt", seed=1, say=lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        train(stopped, 80, tmp_path / "parts.pt", seed=1, say=lambda _: None)
    rest = train(resumed, 80, tmp_path / "parts.pt", seed=1, say=lambda _: None)
    assert torch.equal(whole.model.weight, resumed.model.weight)
    assert [row["loss"] for row in done.history] == [row["loss"] for row in rest.history]
    assert done.history[-1]["loss"] < 0.5 * done.history[0]["loss"]
    with pytest.raises(SystemExit, match="80 steps and seed 1, too far on for 90 steps and seed 1"):
        train(_Line(), 90, tmp_path / "parts.pt", seed=1)


def test_with_one_true_caption_each_the_loss_is_cross_entropy(tools):
    logits = torch.randn(5, 5, generator=torch.Generator().manual_seed(0))
    loss = tools("bundled_learners").soft_cross_entropy
    assert loss(logits, torch.eye(5)) == pytest.approx(float(functional.cross_entropy(logits, torch.arange(5))))
    true = torch.eye(5)
    true[0, 1] = 1
    rows = -logits.log_softmax(dim=1)
    assert loss(logits, true) == pytest.approx(float((rows.diagonal().sum() + (rows[0, 1] - rows[0, 0]) / 2) / 5))


def test_folding_a_normalisation_changes_nothing_but_the_outermost_pixels(tools):
    from torchvision.models import resnet18 as torchvision_resnet18

    torch.manual_seed(0)
    old, new = torchvision_resnet18().eval(), torchvision_resnet18().eval()
    new.load_state_dict(old.state_dict())
    mean, std = ([0.3, 0.4, 0.5], [0.2, 0.15, 0.1]), ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    tools("train_bundled_networks").fold_normalisation(new, *mean)
    pixels = torch.rand(2, 3, 32, 32)
    first, second = (
        network.bn1(network.conv1((pixels - torch.tensor(m).view(1, 3, 1, 1)) / torch.tensor(s).view(1, 3, 1, 1)))
        for network, (m, s) in ((old, mean), (new, std))
    )
    torch.testing.assert_close(first[..., 2:-2, 2:-2], second[..., 2:-2, 2:-2], rtol=1e-4, atol=1e-4)


@pytest.mark.long
def test_a_smoke_run_writes_everything_and_names_no_machine(python, project_root, tmp_path):
    done = python(
        project_root / "tools" / "train_bundled_networks.py",
        "--smoke", "--work", tmp_path / "work", "--out", tmp_path / "out", "--threads", 1,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {"resnet18.safetensors", "resnet18.json", "resnet18.md", "clip.md", "training_log.json"} < names
    assert {"clip/config.json", "clip/model.safetensors", "clip/tokenizer.json"} < names
    assert not _naming_a_machine(tmp_path / "out")
    assert clip_vision(tmp_path / "out" / "clip").embed_text(["a car on a plaza"]).shape == (1, 128)


def test_a_smoke_run_never_replaces_what_is_shipped(tools):
    with pytest.raises(typer.BadParameter, match="give it another folder"):
        tools("train_bundled_networks").main(smoke=True)


# ---- what is shipped


def _naming_a_machine(folder):
    texts = [path for path in folder.rglob("*") if path.suffix in (".json", ".md")]
    return [path for path in texts for word in ("/work", "/tmp", "/root", "/home") if word in path.read_text()]


def test_shipped_files_are_small_finite_and_name_no_machine(bundled):
    files = [path for path in bundled.rglob("*") if path.is_file()]
    assert max(path.stat().st_size for path in files) <= 30e6
    assert sum(path.stat().st_size for path in files) <= 36e6
    assert not _naming_a_machine(bundled)
    for path in bundled.rglob("*.safetensors"):
        for name, value in load_file(path).items():
            assert value.dtype == torch.float16, name
            assert torch.isfinite(value).all(), name


def test_the_cards_say_what_the_log_says(bundled, log, tools):
    cards = tools("bundled_cards")
    assert (bundled / "resnet18.md").read_text() == cards.classifier_card(log)
    assert (bundled / "clip.md").read_text() == cards.clip_card(log)
    about = json.loads((bundled / "resnet18.json").read_text())
    assert about["classes"] == log["classifier"]["classes"]
    assert about["training"]["validation"] == log["classifier"]["figures"]


def test_the_log_is_of_the_committed_plan(log, tools):
    plan = tools("train_bundled_networks").Plan()
    assert log["plan"] == json.loads(json.dumps(plan.__dict__))
    assert log["classifier"]["history"][-1]["step"] == plan.classifier_steps
    assert log["clip"]["history"][-1]["step"] == plan.clip_steps


def test_the_classifier_is_far_above_chance_on_held_out_windows(log):
    windows, frames = (log["classifier"]["figures"][name] for name in ("windows", "frames"))
    assert windows["top1"] > 4 * max(windows["chance"], windows["commonest_class"])
    assert frames["top1"] > 1.3 * max(frames["chance"], frames["commonest_class"])


def test_the_clip_is_far_above_chance_on_held_out_places(log):
    figures = log["clip"]["figures"]
    place, subject, both = (figures[f"{name}_of_frames"] for name in ("place", "subject", "place_and_subject"))
    assert place["top1"] > 3 * max(place["chance"], place["commonest_class"])
    assert subject["top1"] > 3 * subject["chance"]
    assert subject["top1"] > 1.5 * subject["commonest_class"]
    assert both["top1"] > 8 * both["chance"]


@pytest.fixture(scope="module")
def unseen(pictures, tmp_path_factory):
    """Stills of two places that neither training nor validation saw, at full size."""
    folder = tmp_path_factory.mktemp("unseen")
    return pictures.render_pictures([1_200_001, 1_200_002], 14, folder, n_workers=1)


def test_the_shipped_classifier_names_objects_of_new_places(unseen, pictures, log):
    network, sampler = resnet18("bundled", precision="float32"), pictures.WindowSampler(unseen)
    rng = np.random.default_rng(0)
    windows = [sampler.draw(rng, 64) for _ in range(160)]
    pixels = np.stack([window.pixels(unseen.images, 64) for window in windows])
    logits = network.logits(torch.from_numpy(pixels).permute(0, 3, 1, 2))
    target = np.array([window.target for window in windows])
    assert logits.shape == (160, len(log["classifier"]["classes"]))
    assert (logits.argmax(dim=1).numpy() == target).mean() > 2 * np.bincount(target).max() / len(target)


def test_the_shipped_clip_names_the_kind_of_new_places(unseen, captions):
    network = clip_vision("bundled", precision="float32")
    seen = functional.normalize(network.embed(torch.from_numpy(unseen.images).permute(0, 3, 1, 2)), dim=1)
    read = []
    for template in TEMPLATES:
        texts = [
            f"{who} walking across {place}" for who in ("a person", "two people") for place in captions.PLACES[template]
        ]
        read.append(functional.normalize(network.embed_text(texts), dim=1).mean(dim=0))
    found = (seen @ torch.stack(read).T).argmax(dim=1).numpy()
    assert (found == unseen.template).mean() > 2 / len(TEMPLATES)

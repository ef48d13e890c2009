"""Model cards of the bundled networks, written from the training's log: no figure is typed."""

from __future__ import annotations

_DATA = """\
## What it saw

{n_training} stills of {n_training_places} SynthCampus places (place seeds {training_first} to {training_last}),
rendered at {height} x {width}, compressed as JPEG and squashed to 224 x 224; two in five show normal life, the others
a moment of an event. Validation: {n_validation} stills of {n_validation_places} other places (seeds
{validation_first} to {validation_last}). Every place has its own camera, layout, materials and light. No place, camera
or clip of the demo world is among them.

## What it did not see

Any photograph, any video of a real camera, anything but SynthCampus. Its figures say nothing about real scenes: for
those use the published weights.
"""

_HOW = {
    "classifier": """\
Batches of windows of 64 pixels take turns with as many pixels in windows of 112 and in whole frames, every class about
equally likely; a second head on `layer3`, thrown away afterwards, named the objects of every cell.""",
    "clip": """\
Contrastive, on whole frames and windows of 56 to 176 pixels, with captions made from what each shows; every caption of
a batch that is true of a picture is its target. Each picture was also held against one phrase for every subject; a
second head on the image tower's patches, thrown away afterwards, named the objects in each; the patch embedding began
at the whitened principal components of patches.""",
}


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _data(log: dict) -> str:
    plan, first, second = log["plan"], log["places"]["training"], log["places"]["validation"]
    return _DATA.format(
        n_training=plan["n_training_places"] * plan["stills_per_training_place"],
        n_validation=plan["n_validation_places"] * plan["stills_per_validation_place"],
        n_training_places=plan["n_training_places"],
        n_validation_places=plan["n_validation_places"],
        training_first=first[0],
        training_last=first[1],
        validation_first=second[0],
        validation_last=second[1],
        height=plan["size"][0],
        width=plan["size"][1],
    )


def _training(part: dict, log: dict, how: str) -> str:
    first, last = part["history"][0], part["history"][-1]
    return f"""\
## How it was trained

From nothing, by `python tools/train_bundled_networks.py`, seed {log["plan"]["seed"]}: {last["step"]} steps,
{part["seconds"] / 60:.0f} minutes of processor time on {log["device"]} ({log["threads"]} threads),
torch {log["torch"]}. {how}
Loss of the first round {first["loss"]:.3f}, of the last {last["loss"]:.3f}; `training_log.json` has every round.
"""


def classifier_card(log: dict) -> str:
    """Markdown for `resnet18.md`."""
    part = log["classifier"]
    windows, frames = part["figures"]["windows"], part["figures"]["frames"]
    rows = "\n".join(
        f"| {label} | {_percent(share)} | {_percent(frames['recall'][label]) if label in frames['recall'] else '–'} |"
        for label, share in windows["recall"].items()
    )
    classes = ", ".join(part["classes"])
    return f"""\
# ResNet-18, bundled

torchvision's ResNet-18 with {len(part["classes"])} classes: {classes}.
float16; expects torchvision's usual normalisation. It names the most noteworthy object of a picture, at the scale that
objects have in 224 x 224 frames.

{_data(log)}
{_training(part, log, _HOW["classifier"])}
## Validation

Places that training did not see; the figures are those of the float16 file.

| | pictures | top-1 | chance | commonest class |
|---|---|---|---|---|
| windows of 64 pixels | {windows["n"]} | {_percent(windows["top1"])} | {_percent(windows["chance"])} | {
        _percent(windows["commonest_class"])
    } |
| whole frames | {frames["n"]} | {_percent(frames["top1"])} | {_percent(frames["chance"])} | {
        _percent(frames["commonest_class"])
    } |

| class | recall, windows | recall, whole frames |
|---|---|---|
{rows}

## Limits

A short training on few places. What a person does (stand, walk, run, jump, fight) is told from one picture of ten to
fifty pixels, so classes that differ only in pose are confused; a direction of walking cannot be seen at all.
"""


def clip_card(log: dict) -> str:
    """Markdown for `clip.md`."""
    part = log["clip"]
    names = {
        "subject_of_frames": "subject of whole frames",
        "subject_of_crops": "subject of windows",
        "place_of_frames": "kind of place of whole frames",
        "place_and_subject_of_frames": "place and subject of whole frames",
    }
    rows = "\n".join(
        f"| {text} | {f['n']} | {f['n_classes']} | {_percent(f['top1'])} | {_percent(f['chance'])} | "
        f"{_percent(f['commonest_class'])} |"
        for text, f in ((text, part["figures"][name]) for name, text in names.items())
    )
    subject, n_words = part["figures"]["subject_of_frames"], part["n_words"]
    place = part["figures"]["place_of_frames"]
    return f"""\
# CLIP, bundled

transformers' `CLIPModel`, {part["n_parameters"] / 1e6:.1f} million parameters in both towers. Pictures of
{part["image_side"]} x {part["image_side"]} pixels in patches of {part["patch"]}; a vocabulary of {n_words} words.
float16; CLIP's usual normalisation.

{_data(log)}
{_training(part, log, _HOW["clip"])}
## Validation

Zero-shot, on places that training did not see: each picture against one embedding for each class, the mean of that
class's captions. Top-5 of place and subject: {_percent(part["figures"]["place_and_subject_of_frames"]["top5"])}.
The figures are those of the float16 file.

| | pictures | classes | top-1 | chance | commonest class |
|---|---|---|---|---|---|
{rows}

## Limits

A short training, a tiny vocabulary: it reads captions of SynthCampus and nothing else; other words are unknown to it.
Distant people are smaller than a patch, so counts and actions are coarse. It knows the kind of place
({_percent(place["top1"])}) far better than what happens there ({_percent(subject["top1"])}, where always naming the
commonest subject gives {_percent(subject["commonest_class"])}).
"""

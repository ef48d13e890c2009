"""Captions of SynthCampus windows, which captions are true of which picture, and the tokenizer for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from bundled_pictures import N_NOTABLE, OBJECTS, Window
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

MOST_TOKENS = 20

EVENTS = {
    "car": ("a car {on} {place}", "a car driving {across} {place}", "someone driving a car {across} {place}"),
    "cart": (
        "a cart {on} {place}",
        "a small utility cart driving {across} {place}",
        "someone driving a cart {across} {place}",
    ),
    "bicycle": (
        "a bicycle {on} {place}",
        "a cyclist riding {across} {place}",
        "a person riding a bicycle {across} {place}",
    ),
    "skateboard": (
        "a skateboard {on} {place}",
        "a person riding a skateboard {across} {place}",
        "a person on a skateboard {on} {place}",
        "a skater rolling {across} {place}",
    ),
    "fight": (
        "two people fighting {on} {place}",
        "people fighting {on} {place}",
        "people who fight {on} {place}",
        "a fight {on} {place}",
    ),
    "jump": ("a person jumping {on} {place}", "someone who jumps {on} {place}"),
    "run": ("a person running {across} {place}", "someone who runs {across} {place}", "a runner {on} {place}"),
}
COUNTS = {
    "one": ("one person", "a person", "a single person"),
    "two": ("two people", "a pair of people"),
    "several": ("several people", "a few people", "a group of people"),
    "many": ("many people", "a crowd", "a large group of people"),
}
ACTIONS = {
    "walk": ("walking {across} {place}", "who walk {across} {place}"),
    "stand": ("standing {on} {place}", "standing and talking {on} {place}"),
}
NOBODY = ("an empty scene {on} {place}", "nobody {on} {place}", "no people {on} {place}")
PLACES = {
    "walkway": ("a walkway", "a straight path between trees"),
    "plaza": ("a plaza", "a paved square"),
    "entrance": ("a forecourt", "the entrance of a building"),
    "crossing": ("a road crossing", "a road with a zebra crossing"),
    "courtyard": ("a courtyard", "a curved path over a lawn"),
    "bike_yard": ("a bicycle yard", "a yard with bicycle racks"),
}
ANYWHERE = ("", "", "", " on a campus")
OPENINGS = ("", "", "a photo of ", "a view of ", "a camera picture of ")

SUBJECTS = (*EVENTS, "empty", *(f"{count} {action}" for count in COUNTS for action in ACTIONS))
"""What a picture can show."""


@dataclass(frozen=True)
class Facts:
    """What a picture shows: an index into `SUBJECTS`, and one into the templates of places."""

    subject: int
    place: int


def subject_of(window: Window) -> int:
    """The most noteworthy object in a window; without one, how many people, and what most of them do."""
    labels = window.label[window.visible]
    if len(labels) and labels.min() < N_NOTABLE:
        return int(labels.min())
    if not len(labels):
        return SUBJECTS.index("empty")
    count = ("one", "two", "several", "many")[int(np.searchsorted([1, 2, 5], len(labels)))]
    standing = 2 * int((labels == OBJECTS.index("stand")).sum()) > len(labels)
    return SUBJECTS.index(f"{count} {'stand' if standing else 'walk'}")


def phrases(subject: int) -> list[str]:
    """Every way to say a subject, with {on} or {across} and {place} still open."""
    name = SUBJECTS[subject]
    if name in EVENTS:
        return list(EVENTS[name])
    if name == "empty":
        return list(NOBODY)
    count, action = name.split()
    return [f"{who} {does}" for who in COUNTS[count] for does in ACTIONS[action]]


def caption(facts: Facts, templates: tuple[str, ...], rng: np.random.Generator, *, with_place: bool) -> str:
    """One caption that is true of `facts`, in one of many phrasings."""
    said = phrases(facts.subject)
    phrase = said[rng.integers(len(said))]
    opening = OPENINGS[rng.integers(len(OPENINGS))]
    if not with_place:
        return opening + bare(phrase) + ANYWHERE[rng.integers(len(ANYWHERE))]
    names = PLACES[templates[facts.place]]
    return opening + phrase.format(on="on", across="across", place=names[rng.integers(len(names))])


def bare(phrase: str) -> str:
    """A phrase without its place."""
    return phrase.split(" {")[0]


def truth(pictures: list[Facts], captions: list[Facts], with_place: np.ndarray) -> np.ndarray:
    """float32 (len(pictures), len(captions)): 1 where a caption is true of a picture.

    `with_place` (len(captions),) says which captions name the place; the others are true wherever the subject is.
    """
    subject = np.array([p.subject for p in pictures])[:, None] == np.array([c.subject for c in captions])
    place = np.array([p.place for p in pictures])[:, None] == np.array([c.place for c in captions])
    return (subject & (place | ~with_place)).astype(np.float32)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """One token a word, over every word of every caption; built, not trained."""
    texts = [*OPENINGS, *ANYWHERE, *(name for names in PLACES.values() for name in names), "on across"]
    texts += [bare(phrase) for subject in range(len(SUBJECTS)) for phrase in phrases(subject)]
    texts += ["in at the an of with scene street path"]
    words = sorted({word for text in texts for word in text.lower().split()})
    special = ["<pad>", "<unk>", "<start>", "<end>"]
    vocabulary = {token: i for i, token in enumerate([*special, *words])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = Lowercase(), Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="<start> $A <end>", special_tokens=[(token, vocabulary[token]) for token in ("<start>", "<end>")]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", bos_token="<start>", eos_token="<end>",
        model_max_length=MOST_TOKENS,
    )  # fmt: skip

"""Every detector by its title: what each module of this package has, so that a new one is in it by being there."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import vadlib.detectors
from vadlib.detectors.detector import Detector, LearnsFrom
from vadlib.detectors.loading import read_description
from vadlib.errors import ParameterError, ResultsError

FITTED = frozenset(LearnsFrom) - {LearnsFrom.NOTHING}  # what detectors learn from that learn from anything
FIRST = ("padim", "gradcam_ssim", "spade", "prototypes")  # modules in the paper's order; then the others by name


@dataclass(frozen=True)
class Entry:
    """A detector as tables name it: a class, with some of its options set."""

    title: str
    cls: type[Detector]
    options: Mapping[str, Any] = field(default_factory=dict)  # of the constructor, instead of its defaults
    colour: str = ""
    learns_from: LearnsFrom | None = None

    def __post_init__(self):
        """Take from the class what is not said."""
        object.__setattr__(self, "colour", self.colour or self.cls.colour)
        object.__setattr__(self, "learns_from", self.learns_from or self.cls.learns_from)


def entries(
    learns_from: LearnsFrom | Collection[LearnsFrom] | None = None, *, variants: bool = True, compared: bool = True
) -> list[Entry]:
    """The detectors, the paper's first.

    Parameters
    ----------
    learns_from : LearnsFrom or several, optional
        Only those that are fitted on this.
    variants : bool
        False: each class once, as its defaults make it.
    compared : bool
        False: also those that are not compared with the others.
    """
    wanted = {learns_from} if isinstance(learns_from, LearnsFrom) else learns_from
    found = [entry for entry in _catalogue().values() if wanted is None or entry.learns_from in wanted]
    found = [entry for entry in found if entry.cls.compared or not compared]
    return found if variants else [entry for entry in found if entry.title == entry.cls.title]


def entry(title: str) -> Entry:
    """The detector of this title; ParameterError where there is none."""
    if title not in _catalogue():
        raise ParameterError(f"detector: expected one of {', '.join(_catalogue())}, found {title!r}")
    return _catalogue()[title]


def colours() -> dict[str, str]:
    """Colour of every detector, by title."""
    return {title: entry.colour for title, entry in _catalogue().items()}


def register(new: Entry) -> None:
    """Add a detector whose class is in no module of this package."""
    _catalogue()[new.title] = new


def unregister(title: str) -> None:
    """Take out what `register` added."""
    del _catalogue()[title]


def make(
    which: Entry | str,
    networks: Mapping[str, Any],
    seed: int = 0,
    device: str = "auto",
    *,
    n_fit: int | None = None,
    **options: Any,
) -> Detector:
    """An unfitted detector.

    Parameters
    ----------
    which : Entry or str
    networks : mapping of str to network
        By role: ``backbone``, ``classifier``, ``embedder``.
    seed : int
    device : str
    n_fit : int, optional
        How many frames it is going to be fitted on, where options are to be brought down to what they allow.
    **options
        Of the constructor; they go before the entry's. What the network has not enough of is brought down to what it
        has (see `Detector.possible_options`).

    Raises
    ------
    ParameterError, WeightsError
        A network that is not there, or what the constructor refuses.
    """
    which = entry(which) if isinstance(which, str) else which
    role, network = which.cls.network, ()
    if role is not None:
        if role not in networks:
            raise ParameterError(f"networks: {which.title} takes a {role}, and there are {', '.join(networks)}")
        network = (networks[role],)
    wanted = which.cls.possible_options(*(network or (None,)), {**which.options, **options}, n_fit)
    return which.cls(*network, **({"seed": seed, "device": device} | wanted))


def chapter_options(which: Entry, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The entry's options, with what a chapter's parameters say of them (see `Detector.chapter_options`)."""
    said = {option: parameters.get(name) for option, name in which.cls.chapter_options.items()}
    return {**which.options, **{option: value for option, value in said.items() if value is not None}}


def load_detector(path: str | Path, *, weights: str | Path | None = None, device: str = "auto") -> Detector:
    """Read a detector that `Detector.save` wrote, of whichever class.

    Parameters
    ----------
    path : str or Path
        The folder.
    weights : str or Path, optional
        Where the weights of the fit lie now, instead of where they were; others are refused by their digest.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` …

    Raises
    ------
    ResultsError
        If there is no saved detector at ``path``, or it is of a class that this vadlib does not have.
    WeightsError
        If the weights cannot be had, or are not those of the fit.
    """
    kind = read_description(path)["detector"]
    cls = {entry.cls.__name__: entry.cls for entry in _catalogue().values()}.get(kind)
    if cls is None:
        raise ResultsError(f"load: {path} holds a {kind!r}, which this vadlib does not have; use the one that saved it")
    return cls.load(path, weights=weights, device=device)


@cache
def _catalogue() -> dict[str, Entry]:
    names = [module.name for module in pkgutil.iter_modules(vadlib.detectors.__path__)]
    names.sort(key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))
    return {entry.title: entry for name in names for entry in _entries_of(f"vadlib.detectors.{name}")}


def _entries_of(module: str) -> Iterator[Entry]:
    for cls in vars(import_module(module)).values():
        if (
            inspect.isclass(cls)
            and issubclass(cls, Detector)
            and f"{cls.__module__}.".startswith(f"{module}.")  # a module's own, or those of a package's modules
            and not inspect.isabstract(cls)
        ):
            yield Entry(cls.title, cls)
            yield from (Entry(title, cls, **more) for title, more in cls.variants.items())

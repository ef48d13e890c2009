"""Opening the clips of a data set, several at a time; those that do not open stop it, or are left out and named."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

from vadlib.data.progress import progress_bar
from vadlib.data.reading.files import ALLOWING, SKIPPING, printable
from vadlib.errors import LayoutError, UnreadableError

MAX_NAMED = 5  # of the clips left out, in a sentence
N_THREADS = 8  # opening many clips waits for the disk
SPLITS = {"train": "the footage to fit on", "test": "the clips to score"}

Opened = TypeVar("Opened")


class Opening(NamedTuple):
    """How strictly a data set is opened: see `vadlib.data.open_dataset`."""

    allow_missing: bool = False
    skip_unreadable: bool = False


def refuse_incomplete(name: str, home: Path, missing: Sequence[str], opening: Opening, remedy: str) -> None:
    """Raise LayoutError saying what is missing, unless that is allowed."""
    if missing and not opening.allow_missing:
        raise LayoutError(f"{name} in {home} is incomplete: {'; '.join(missing)}. {remedy}, {ALLOWING}.")


def list_unmatched(
    present: Collection[str], labelled: Collection[str], eventful: Collection[str], no_pictures: str, no_labels: str
) -> list[str]:
    """Say in the words given which clips have labels but are not there, and the other way round."""
    unmatched = []
    if present and (without_pictures := sorted(set(eventful) - set(present))):
        unmatched.append(f"{count_and_list(without_pictures)} {no_pictures}")
    if labelled and (without_labels := sorted(set(present) - set(labelled))):
        unmatched.append(f"{count_and_list(without_labels)} {no_labels}")
    return unmatched


def count_and_list(names: Sequence[str], n: int = 5) -> str:
    """Say how many there are, and the first few: "107 clips (01_0014, 01_0015, …)"."""
    noun = "clip" if len(names) == 1 else "clips"
    return f"{len(names)} {noun} ({', '.join(names[:n])}{', …' if len(names) > n else ''})"


class LeftOut(NamedTuple):
    """A clip that could not be opened, and was left out."""

    clip: str  # its file or folder, below the data set's
    split: str
    why: str  # a sentence, without the data set's folder in it

    @classmethod
    def by(cls, message: str, path: Path, split: str, home: Path) -> LeftOut:
        """The entry of a file or folder, from an error's message about it."""
        return cls(below(path, home), split, first_sentence(message, path, home))


def open_each(
    sources: Iterable[tuple[str, Path]], open_one: Callable[[str, Path], Opened], home: Path, *, skip_unreadable: bool
) -> tuple[dict[Path, Opened], list[LeftOut]]:
    """Open clips, (split, path) each, by threads: what `open_one` gives by path, and those that do not open."""

    def attempt(pair: tuple[str, Path]) -> Opened | Exception:
        try:
            return open_one(*pair)
        except (UnreadableError, LayoutError) as error:
            if not skip_unreadable or not os.path.lexists(pair[1]):
                raise
            return error
        except OSError as error:
            refusal = UnreadableError(
                f"{printable(pair[1])} cannot be read: {error.strerror or error}. Check its permissions, {SKIPPING}."
            )
            if skip_unreadable:
                return refusal
            raise refusal from error

    sources = list(sources)
    opened, left_out = {}, []
    with (
        ThreadPoolExecutor(N_THREADS) as pool,
        progress_bar(len(sources), "Opening", "clips", shown=True, delay_s=3) as bar,
    ):
        for (split, path), result in zip(sources, pool.map(attempt, sources), strict=True):
            if isinstance(result, Exception):
                left_out.append(LeftOut.by(str(result), path, split, home))
            else:
                opened[path] = result
            bar.update()
    check_some_left([split for (split, path) in sources if path in opened], left_out, home)
    return opened, left_out


def check_some_left(opened_splits: Iterable[str], left_out: Sequence[LeftOut], home: Path) -> None:
    """Raise UnreadableError where every clip of a split was left out."""
    for split in {clip.split for clip in left_out} - set(opened_splits):
        of_split = [clip for clip in left_out if clip.split == split]
        raise UnreadableError(
            f"{printable(home)}: none of {SPLITS[split]} can be read: {listed(of_split)}. Copy them again; a recording "
            "that goes on, once it is finished."
        )


def below(path: Path, home: Path) -> str:
    """A path as it is called below the data set's folder."""
    return printable(path.relative_to(home).as_posix() if path.is_relative_to(home) else path.name)


def first_sentence(message: str, path: Path, home: Path) -> str:
    """The first sentence of a message about a file, without the data set's folder; the others say what to do."""
    name, here = printable(path), below(path, home)
    before, found, after = message.partition(name)
    if found:  # the name may hold what looks like an end
        return before + here + re.split(r"\.\s", after, maxsplit=1)[0].removesuffix(".")
    return re.split(r"\.\s", message, maxsplit=1)[0].removesuffix(".").replace(f"{printable(home)}/", "")


def listed(left_out: Sequence[LeftOut]) -> str:
    """Why each clip was left out: the first few, and how many more there are."""
    more = f"; and {len(left_out) - MAX_NAMED} more" if len(left_out) > MAX_NAMED else ""
    return "; ".join(clip.why for clip in left_out[:MAX_NAMED]) + more


def left_out_facts(left_out: Sequence[LeftOut]) -> dict[str, str]:
    """Say which clips were left out, as an entry of `VideoDataset.facts`; none where none was."""
    if not left_out:
        return {}
    clips = "1 clip that does" if len(left_out) == 1 else f"{len(left_out)} clips that do"
    return {"left out": f"{clips} not open: {listed(left_out)}"}

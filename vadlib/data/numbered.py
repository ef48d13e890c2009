"""Folders of pictures: which of their files are frames, and in which order they are played."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from vadlib.data.files import visible
from vadlib.errors import LayoutError, UnreadableError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")


def list_numbered(folder: Path, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> list[Path]:
    """List a folder's pictures, sorted by the last number in their names (`2.jpg` before `10.jpg`).

    Returns
    -------
    list of Path
        Empty where the folder has no such files.

    Raises
    ------
    UnreadableError
        A folder that is not there, or may not be read.
    LayoutError
        Names without a number, two files of one number, or a gap in the numbers: then positions would not be frames.
    """
    numbered: dict[int, Path] = {}
    try:
        paths = list(folder.iterdir())
    except OSError as error:
        raise UnreadableError(f"{folder} cannot be listed: {error.strerror}.") from error
    for path in paths:
        if path.suffix.lower() not in suffixes or not visible(path):
            continue
        digits = re.findall(r"\d+", path.stem)
        if not digits:
            raise LayoutError(f"{path}: frames are named by their number (001.jpg, frame12.png), this one has none.")
        number = int(digits[-1])
        if number in numbered:
            raise LayoutError(
                f"{folder}: {numbered[number].name} and {path.name} are both frame {number}. Keep one of them."
            )
        numbered[number] = path
    numbers = sorted(numbered)
    n_missing = numbers[-1] - numbers[0] + 1 - len(numbers) if numbers else 0
    if n_missing:
        before = next(number for number, after in itertools.pairwise(numbers) if after != number + 1)
        raise LayoutError(
            f"{folder}: frames {numbers[0]} to {numbers[-1]} with {n_missing} missing, first {before + 1}. "
            "Labels count frames by position, so every frame is needed: copy the folder again."
        )
    return [numbered[number] for number in numbers]

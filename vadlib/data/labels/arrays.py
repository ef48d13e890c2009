"""Labels and masks in `.npy` files that nobody vouches for."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from vadlib.data.reading.files import require_file
from vadlib.errors import LabelError, UnreadableError

KINDS = "biuf"  # truth values, whole numbers, real numbers


def open_array(path: Path) -> np.ndarray:
    """Map the numbers or truth values of an `.npy` file, read only; never run what a pickle in it would."""
    try:
        require_file(path)
    except UnreadableError as error:
        raise LabelError(f"Labels: {path} cannot be read: {error}") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old spellings
            array = np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # NumPy's parser meets a hostile header with any of a dozen kinds
        raise LabelError(
            f"{path} is not a plain array: {str(error)[:200]}. Files with pickled objects are refused, as they can "
            "run code; a truncated file must be copied again, an object array saved again as numbers."
        ) from error
    if array.dtype.kind not in KINDS:
        raise LabelError(f"{path} holds {array.dtype}, where numbers are expected. Save it again as numbers.")
    return array

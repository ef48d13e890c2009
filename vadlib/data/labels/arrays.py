"""Arrays of numbers from `.npy` files that nobody vouches for."""

from __future__ import annotations

import io
import math
import warnings
from pathlib import Path

import numpy as np

from vadlib.data.reading.files import require_file
from vadlib.errors import LabelError, UnreadableError

MAX_HEADER_BYTES = 10_000
KINDS = "biuf"  # truth values, whole numbers, real numbers
MAGIC = b"\x93NUMPY"


def open_array(path: Path) -> np.ndarray:
    """Open an `.npy` file without reading its numbers, and never run what a pickle in it would.

    Parameters
    ----------
    path : Path

    Returns
    -------
    array
        Read only, of numbers or truth values; mapped from the file, so that memory is used only for what is looked at.

    Raises
    ------
    LabelError
        A file that cannot be read, is no plain array of numbers, or has fewer numbers than its header says.
    """
    try:
        n_bytes = require_file(path)
        with path.open("rb") as file:
            header = io.BytesIO(file.read(MAX_HEADER_BYTES + 20))
    except (UnreadableError, OSError) as error:
        raise LabelError(f"Labels: {path} cannot be read: {error}") from error
    try:
        shape, fortran_order, kind = _read_header(header)
    except Exception as error:  # NumPy's parser meets a hostile header with any of a dozen kinds
        raise LabelError(_no_array(path, error)) from error
    if kind.hasobject:
        raise LabelError(_no_array(path, "it holds Python objects"))
    if kind.kind not in KINDS:
        raise LabelError(f"{path} holds {kind}, where numbers are expected. Save it again as numbers.")
    n_expected = math.prod(shape) * kind.itemsize
    if n_bytes - header.tell() < n_expected:
        raise LabelError(
            _no_array(path, f"its header promises {shape} of {kind}, {n_expected:,} bytes, and {n_bytes:,} are there")
        )
    if n_expected == 0:
        return np.empty(shape, kind)
    try:
        return np.memmap(path, kind, "r", header.tell(), shape, "F" if fortran_order else "C")
    except (OSError, ValueError) as error:
        raise LabelError(_no_array(path, error)) from error


def _read_header(file: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    if not file.getvalue().startswith(MAGIC):
        raise ValueError("it does not begin as an .npy file does")
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"it has format version {version}, of which plain arrays have no need")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of old spellings
        shape, fortran_order, kind = readers[version](file, max_header_size=MAX_HEADER_BYTES)
    if len(shape) > 8 or any(isinstance(side, bool) or side < 0 for side in shape):
        raise ValueError(f"{shape} is no shape")
    return shape, fortran_order, kind


def _no_array(path: Path, reason: object) -> str:
    return (
        f"{path} is not a plain array: {str(reason)[:200]}. Files with pickled objects are refused, as they can "
        "run code; a truncated file must be copied again, an object array saved again as numbers."
    )

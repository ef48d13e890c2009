"""One picture file to pixels, with its size known before anything is decoded.

What a decoder allocates follows the size that the file's header gives, true or not: a JPEG file of 600 bytes can ask
for gigabytes. So the header is read first, by Pillow, and pictures beyond `MAX_PIXELS` are refused. The pixels are
OpenCV's.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from vadlib.data.reading.files import require_file
from vadlib.errors import UnreadableError

MAX_PIXELS = 2**26  # 8192 x 8192: twice what the largest cameras give
SMALL_PIXELS = 2**24  # 4096 x 4096: up to here a header may say what it likes
PIXELS_A_BYTE = 1024  # beyond, a file is as long as that; one colour all over comes to a third of it in JPEG and PNG
MAX_FILE_BYTES = 2**30
FORMATS = ("JPEG", "PNG", "TIFF", "BMP")


def read_image(path: Path, *, like: tuple[Path, tuple[int, int]] | None = None) -> np.ndarray:
    """Read one picture as uint8 (H, W, 3) RGB, of the size of another of its clip: its path and `picture_size`."""
    image = cv2.cvtColor(_decode(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    if like is not None and image.shape[:2] != like[1]:
        raise UnreadableError(
            f"{path} is {image.shape[0]} x {image.shape[1]} pixels (height x width), but {like[0].name} beside it "
            f"{like[1][0]} x {like[1][1]}. Frames of one clip have one size: copy the folder again."
        )
    return image


def read_mask(path: Path) -> np.ndarray:
    """Read a mask picture as bool (H, W): True where it is not black."""
    return _decode(path, cv2.IMREAD_GRAYSCALE) > 0


def picture_size(path: Path) -> tuple[int, int]:
    """(height, width) of a picture as `read_image` gives it, from its header alone where that says all."""
    content, size = _read(path)
    turned = b"Exif" in content or b"eXIf" in content or content.startswith((b"II", b"MM"))  # or may be, when shown
    return read_image(path).shape[:2] if turned else size


def _read(path: Path) -> tuple[bytes, tuple[int, int]]:
    """The bytes of a picture, and its size by its header, which is one that may be decoded."""
    n_bytes = require_file(path)
    if n_bytes > MAX_FILE_BYTES:
        raise UnreadableError(f"{path} has {n_bytes:,} bytes; pictures have at most {MAX_FILE_BYTES:,}.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}.") from error
    size = header_size(content)
    if size is None:
        raise _no_picture(path, content)
    limit = min(MAX_PIXELS, max(SMALL_PIXELS, PIXELS_A_BYTE * len(content)))
    if size[0] * size[1] > limit:
        raise UnreadableError(
            f"{path}: its header gives {size[0]} x {size[1]} pixels (height x width); at most {limit:,} in all are "
            f"read from {len(content):,} bytes. Copy it again, or make it smaller."
        )
    return content, size


def _no_picture(path: Path, content: bytes) -> UnreadableError:
    kinds = "JPEG, PNG, TIFF and BMP are read"
    return UnreadableError(f"{path} is no picture, or ends early ({len(content):,} bytes; {kinds}). Copy it again.")


def _decode(path: Path, flag: int) -> np.ndarray:
    content, _ = _read(path)
    # A JPEG without its end marker is decoded in silence, with a grey rest.
    whole = not content.startswith(b"\xff\xd8") or b"\xff\xd9" in content[-1024:]
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flag) if whole else None
    except cv2.error as error:
        raise UnreadableError(f"{path} cannot be read: {error}") from error
    if image is None:
        raise _no_picture(path, content)
    return image


def header_size(content: bytes) -> tuple[int, int] | None:
    """(height, width) in the header of a JPEG, PNG, TIFF or BMP file; None where it is none of these."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures, which are refused below, and of odd tags
            with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
                width, height = picture.size
    except Exception:  # Pillow's parsers meet a hostile header with any of a dozen kinds
        return None
    return (height, width) if min(height, width) > 0 else None

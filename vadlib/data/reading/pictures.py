"""One picture file to pixels, with its size known before anything is decoded.

What a decoder allocates follows the size that the file's header gives, true or not: a JPEG file of 600 bytes can ask
for gigabytes. So the header is read here, and pictures beyond `MAX_PIXELS` are refused.
"""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np

from vadlib.data.reading.files import require_file
from vadlib.errors import UnreadableError

MAX_PIXELS = 2**26  # 8192 x 8192: twice what the largest cameras give
SMALL_PIXELS = 2**24  # 4096 x 4096: up to here a header may say what it likes
PIXELS_A_BYTE = 1024  # beyond, a file is as long as that; one colour all over comes to a third of it in JPEG and PNG
MAX_FILE_BYTES = 2**30
JPEG_MARKERS_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD9))
JPEG_FRAME_HEADERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15, but for three that are none
TIFF_WIDTH, TIFF_HEIGHT = 256, 257


def read_image(path: Path, *, like: tuple[Path, tuple[int, int]] | None = None) -> np.ndarray:
    """Read one picture as uint8 (H, W, 3) RGB.

    Parameters
    ----------
    path : Path
    like : (Path, (height, width)), optional
        Another picture of the same clip, and its `picture_size`, which this one must have, too.

    Raises
    ------
    UnreadableError
        A file that cannot be read, is no picture, ends early, is larger than `MAX_PIXELS`, or of another size.
    """
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
    """(height, width) of a picture as `read_image` gives it, from its header alone where that says all.

    Raises
    ------
    UnreadableError
        As `read_image`, as far as the header shows it.
    """
    content = _content(path)
    size = _checked_size(path, content)
    turned = b"Exif" in content or b"eXIf" in content or content.startswith((b"II", b"MM"))  # or may be, when shown
    return read_image(path).shape[:2] if turned else size


def _content(path: Path) -> bytes:
    n_bytes = require_file(path)
    if n_bytes > MAX_FILE_BYTES:
        raise UnreadableError(f"{path} has {n_bytes:,} bytes; pictures have at most {MAX_FILE_BYTES:,}.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}.") from error


def _checked_size(path: Path, content: bytes) -> tuple[int, int]:
    try:
        size = header_size(content)
    except (struct.error, IndexError):  # the header ends early
        size = None
    if size is None or min(size) < 1:
        raise UnreadableError(_no_picture(path, content))
    limit = min(MAX_PIXELS, max(SMALL_PIXELS, PIXELS_A_BYTE * len(content)))
    if size[0] * size[1] > limit:
        raise UnreadableError(
            f"{path}: its header gives {size[0]} x {size[1]} pixels (height x width); at most {limit:,} in all are "
            f"read from {len(content):,} bytes. Copy it again, or make it smaller."
        )
    return size


def _no_picture(path: Path, content: bytes) -> str:
    return (
        f"{path} is no picture, or ends early ({len(content):,} bytes; JPEG, PNG, TIFF and BMP are read). "
        "Copy it again."
    )


def _decode(path: Path, flag: int) -> np.ndarray:
    content = _content(path)
    _checked_size(path, content)
    # A JPEG without its end marker is decoded in silence, with a grey rest.
    whole = not content.startswith(b"\xff\xd8") or b"\xff\xd9" in content[-1024:]
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flag) if whole else None
    except cv2.error as error:
        raise UnreadableError(f"{path} cannot be read: {error}") from error
    if image is None:
        raise UnreadableError(_no_picture(path, content))
    return image


def header_size(content: bytes) -> tuple[int, int] | None:
    """(height, width) in the header of a JPEG, PNG, TIFF or BMP file; None where it is none of these."""
    if content.startswith(b"\xff\xd8"):
        return _jpeg_size(content)
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = struct.unpack_from(">II", content, 16)
        return height, width
    if content.startswith((b"II*\0", b"MM\0*")):
        return _tiff_size(content, "<" if content.startswith(b"II") else ">")
    if content.startswith(b"BM"):
        (length,) = struct.unpack_from("<I", content, 14)
        width, height = struct.unpack_from("<HH" if length == 12 else "<ii", content, 18)
        return abs(height), width  # a negative height: rows from the top
    return None


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    position = 2
    while (position := content.find(b"\xff", position)) >= 0:
        marker = content[position + 1]
        if marker in (0x00, 0xFF):
            position += 1
        elif marker in JPEG_FRAME_HEADERS:
            return struct.unpack_from(">HH", content, position + 5)
        elif marker in JPEG_MARKERS_WITHOUT_LENGTH:
            position += 2
        elif marker in (0xD9, 0xDA):  # end of the picture, or its first scan: a frame header comes before
            return None
        else:
            position += 2 + struct.unpack_from(">H", content, position + 2)[0]
    return None


def _tiff_size(content: bytes, order: str) -> tuple[int, int] | None:
    (start,) = struct.unpack_from(f"{order}I", content, 4)
    (n_entries,) = struct.unpack_from(f"{order}H", content, start)
    found = {}
    for entry in range(start + 2, start + 2 + 12 * n_entries, 12):
        tag, kind = struct.unpack_from(f"{order}HH", content, entry)
        if tag in (TIFF_WIDTH, TIFF_HEIGHT):
            (found[tag],) = struct.unpack_from(f"{order}H" if kind == 3 else f"{order}I", content, entry + 8)
    return (found[TIFF_HEIGHT], found[TIFF_WIDTH]) if len(found) == 2 else None

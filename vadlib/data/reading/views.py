"""Which part of a frame is read: the whole of it, brought to the size asked for, or its middle.

Resizing averages (`cv2.INTER_AREA`) where both sides shrink, so that distant people do not vanish between
sampled pixels, and interpolates (`cv2.INTER_LINEAR`) otherwise.

=======  ======================================================================================================
whole    all of the frame, stretched to the size
centre   scaled, in its proportions, until it covers the size, of which the middle is kept: CLIP's own transform
inner    stretched to 8/7 of the size (256 pixels for 224), of which the middle is kept: torchvision's usual one
=======  ======================================================================================================
"""

from __future__ import annotations

import cv2
import numpy as np

from vadlib.errors import ParameterError

VIEWS = ("whole", "centre", "inner")

Size = tuple[int, int]  # (height, width)


def check_view(view: str, size: Size | None) -> None:
    """Raise ParameterError where there is no such view, or none without a size."""
    if view not in VIEWS:
        raise ParameterError(f"view: expected one of {', '.join(VIEWS)}, found {view!r}")
    if view != "whole" and size is None:
        raise ParameterError(f"view: {view!r} cuts a frame to a size, and size is None; give a size, or view='whole'")


def resize(image: np.ndarray, size: Size) -> np.ndarray:
    """Resize a picture (H, W, ...) to (height, width), averaging where both sides shrink."""
    height, width = image.shape[:2]
    shrinks = size[0] <= height and size[1] <= width
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def picture_in_view(image: np.ndarray, size: Size, view: str = "whole") -> np.ndarray:
    """A picture (H, W, ...) as a detector sees it: (height, width, ...)."""
    return _middle(resize(image, _uncut(image.shape[:2], size, view)), size)


def mask_in_view(mask: np.ndarray, size: Size, view: str = "whole") -> np.ndarray:
    """The same of a mask, bool (H, W), without grey in between."""
    uncut = _uncut(mask.shape, size, view)
    return _middle(cv2.resize(mask.astype(np.uint8), uncut[::-1], interpolation=cv2.INTER_NEAREST), size).astype(bool)


def heatmap_in_frame(heatmap: np.ndarray, shape: Size, view: str = "whole") -> np.ndarray:
    """A heatmap (h, w) of a view in a map of the proportions of its frame, of this shape; its minimum is around it."""
    uncut = _uncut(shape, heatmap.shape, view)
    if uncut == heatmap.shape:
        return heatmap
    placed = np.full(uncut, heatmap.min(), heatmap.dtype)
    _middle(placed, heatmap.shape)[:] = heatmap
    return placed


def _uncut(shape: Size, size: Size, view: str) -> Size:
    """The size that a frame is resized to before its middle is cut out."""
    if view == "inner":
        return tuple(round(side * 8 / 7) for side in size)
    if view == "centre":
        (height, width), (h, w) = shape, size
        wanted, there = (h, height) if h * width >= w * height else (w, width)
        return tuple(round(side * wanted / there) for side in shape)
    return tuple(size)


def _middle(image: np.ndarray, size: Size) -> np.ndarray:
    top, left = ((whole - part) // 2 for whole, part in zip(image.shape, size, strict=False))
    return image[top : top + size[0], left : left + size[1]]

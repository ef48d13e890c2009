"""Windows of frames: each frame with those before it, from pictures that are decoded once and in sequence."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vadlib.errors import UnreadableError


def window_frames(frames: np.ndarray, window: int, stride: int) -> np.ndarray:
    """Number the frames of windows: ``t - (window - 1) * stride, …, t - stride, t``, and 0 before a clip's start.

    Of frames t, int (n,), come int64 (n, window).
    """
    back = stride * np.arange(window - 1, -1, -1)
    return np.maximum(np.asarray(frames, np.int64)[:, None] - back, 0)


def assemble_windows(
    windows: np.ndarray, pictures: Iterator[np.ndarray | UnreadableError]
) -> Iterator[list[np.ndarray] | UnreadableError]:
    """Yield the pictures of each window, or the first error among them.

    The windows, int (n, T), are of one clip and for ascending frames; the pictures are those of ``np.unique(windows)``,
    one after the other. No more are taken than a window needs, and those behind it are let go.
    """
    numbers = iter(np.unique(windows).tolist())
    held: dict[int, np.ndarray | UnreadableError] = {}
    for window in windows.tolist():
        held = {number: picture for number, picture in held.items() if number >= window[0]}
        while window[-1] not in held:
            held[next(numbers)] = next(pictures)
        parts = [held[number] for number in window]
        yield next((part for part in parts if isinstance(part, UnreadableError)), parts)

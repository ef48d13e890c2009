"""A video of the frames with their heatmaps and scores drawn in.

MPEG-4 in .mp4: of what the `opencv-python` wheels can write it alone is fast, small and exact in its frame count.
Players such as VLC show it; browsers do not.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Self

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_rgb

from vadlib.data.reading import videos
from vadlib.data.reading.frames import resize
from vadlib.errors import ResultsError, UnreadableError
from vadlib.figures import ANOMALOUS, HEAT, NORMAL, heat_opacity
from vadlib.frame_times import seconds

MIN_WIDTH, MAX_SIDE = 480, 1280  # pixels; narrower frames are enlarged, so that the text can be read
MAX_NAME = 40  # letters of a video's name; the score has to fit beside it
FONT, MIN_LETTERS = cv2.FONT_HERSHEY_SIMPLEX, 0.35
MIN_FPS = 0.1  # below it the codec gives up; such videos play faster than they were taken


class Scale(NamedTuple):
    """What the drawing needs to know of all videos, so that one colour and one length mean one thing.

    Attributes
    ----------
    score : (float, float)
        Left and right end of the bar.
    heat : (float, float) or None
        Darkest and brightest colour; None for detectors without heatmaps.
    threshold : float or None
        Marked on the bar.
    """

    score: tuple[float, float]
    heat: tuple[float, float] | None
    threshold: float | None


def blend(image: np.ndarray, heatmap: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """A heatmap over its greyed frame, in the colours and with the transparency of `vadlib.figures.heatmap_sheet`.

    Parameters
    ----------
    image : uint8 (H, W, 3)
        RGB frame.
    heatmap : float32 (h, w)
        Any size; stretched over the frame.
    limits : (low, high)
        Values of the darkest and the brightest colour; what lies outside gets these.

    Returns
    -------
    uint8 (H, W, 3)
    """
    height, width = image.shape[:2]
    low, high = limits
    level = np.clip((heatmap - low) / max(high - low, 1e-12), 0, 1).astype(np.float32)
    level = cv2.resize(level, (width, height), interpolation=cv2.INTER_LINEAR)  # (H, W)
    steps = cv2.convertScaleAbs(level, alpha=255)  # uint8 (H, W): tables instead of arithmetic for every pixel
    colour, rest = _tables()
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) * cv2.LUT(steps, rest)
    blended = cv2.LUT(cv2.merge([steps] * 3), colour) + grey[..., None]  # (H, W, 3)
    return cv2.convertScaleAbs(blended)


@lru_cache(maxsize=1)
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """For each of 256 levels what the colour adds, float32 (1, 256, 3), and what of the frame stays, (1, 256)."""
    levels = np.linspace(0, 1, 256)
    alpha = heat_opacity(levels)
    colours = 255 * mpl.colormaps[HEAT](levels)[:, :3]
    return (alpha[:, None] * colours).astype(np.float32)[None], (1 - alpha).astype(np.float32)[None]


def score_strip(width: int, text: str, score: float, scale: Scale) -> np.ndarray:
    """A strip to go under the frame: the text, and a bar as long as the score is high.

    Parameters
    ----------
    width : int
        Pixels.
    text : str
        What OpenCV's fonts lack becomes a question mark.
    score : float
        NaN draws no bar.
    scale : Scale

    Returns
    -------
    uint8 (height, width, 3)
        RGB; an even number of rows.
    """
    height = 2 * max(22, width // 44)
    strip = np.full((height, width, 3), 255, np.uint8)
    text = text.encode("ascii", "replace").decode()
    margin, half = width // 60, height // 2
    text, size = _fitted(text, width - 2 * margin, 0.034 * half)
    cv2.putText(strip, text, (margin, half - 4), FONT, size, (30, 30, 30), 1, cv2.LINE_AA)
    left, right, top, bottom = margin, width - margin, half + 3, height - 6
    cv2.rectangle(strip, (left, top), (right, bottom), (225, 225, 225), -1)

    def position(value: float) -> int:
        low, high = scale.score
        return left + round((right - left) * min(max((value - low) / max(high - low, 1e-12), 0.0), 1.0))

    if math.isfinite(score):
        above = scale.threshold is not None and score > scale.threshold
        colour = [round(255 * part) for part in to_rgb(ANOMALOUS if above else NORMAL)]
        cv2.rectangle(strip, (left, top), (position(score), bottom), colour, -1)
    if scale.threshold is not None:
        mark = position(scale.threshold)
        cv2.line(strip, (mark, top - 3), (mark, bottom + 3), (30, 30, 30), 2)
    return strip


def _fitted(text: str, width: int, size: float) -> tuple[str, float]:
    """Make letters smaller, then the text shorter, until it fits: lengths do not grow in proportion to sizes."""

    def length() -> int:
        return cv2.getTextSize(text, FONT, size, 1)[0][0]

    while length() > width and size > MIN_LETTERS:
        size *= 0.9
    while length() > width:
        text = text[:-1]
    return text, size


class OverlayWriter:
    """Writes one overlay video, frame by frame; a context manager.

    Parameters
    ----------
    path : Path
        The .mp4 file.
    fps : float
        Frames per second; of an `UnevenRate` the video has the mean, and the text drawn in has the frames' own times.
    name : str
        Of the video; drawn into it.
    score_name : str
    scale : Scale

    Raises
    ------
    ResultsError
        The file cannot be written, or is not whole at the end (a full disk).
    """

    def __init__(self, path: Path, fps: float, *, name: str, score_name: str, scale: Scale):
        self.path, self.fps, self.name, self.score_name, self.scale = path, fps, name, score_name, scale
        self.n_frames = 0
        self._writer: cv2.VideoWriter | None = None
        self._size: tuple[int, int] | None = None  # (height, width) of the picture, without the strip

    def write(self, image: np.ndarray, score: float, heatmap: np.ndarray | None = None) -> None:
        """Add the next frame: uint8 (H, W, 3) RGB, its score, and its heatmap (h, w) where there is one."""
        picture = resize(image, self._picture_size(image.shape[:2]))
        if heatmap is not None and self.scale.heat is not None:
            picture = blend(picture, heatmap, self.scale.heat)
        above = self.scale.threshold is not None and score > self.scale.threshold
        self._add(picture, f"{self.score_name} {score:.4g}" + ("  above threshold" if above else ""), score)

    def write_missing(self, shape: tuple[int, int]) -> None:
        """Add a black frame for one of (height, width) that could not be read, so that seconds stay seconds."""
        self._add(np.zeros((*self._picture_size(shape), 3), np.uint8), "this frame could not be read", math.nan)

    def __enter__(self) -> Self:
        """Itself; the file is opened with the first frame."""
        return self

    def __exit__(self, kind, *_) -> None:
        """Close the file, and see that all frames are in it unless something failed before."""
        if self._writer is None:
            return
        self._writer.release()
        if kind is None:
            try:
                n_found = videos.probe_video(self.path).n_frames
            except UnreadableError:
                n_found = 0
            if n_found != self.n_frames:
                raise ResultsError(
                    f"{self.path.name}: {self.n_frames} frames were drawn, {n_found} arrived in the file. Is the disk "
                    "full? Make room, or go without with --no-overlay (overlay=False)."
                )

    def _picture_size(self, shape: tuple[int, int]) -> tuple[int, int]:
        if self._size is None:
            width = min(max(shape[1], MIN_WIDTH), MAX_SIDE, MAX_SIDE * shape[1] / shape[0])
            height = shape[0] * width / shape[1]
            self._size = (max(2 * round(height / 2), 2), max(2 * round(width / 2), 2))  # codecs want even numbers
        return self._size

    def _add(self, picture: np.ndarray, text: str, score: float) -> None:
        name = self.name if len(self.name) <= MAX_NAME else f"{self.name[: MAX_NAME - 3]}..."
        words = f"{name}  {seconds(self.fps, self.n_frames):.2f} s  {text}"
        beside = max(MIN_WIDTH - picture.shape[1], 0) // 2  # of tall, narrow frames
        picture = cv2.copyMakeBorder(picture, 0, 0, beside, beside, cv2.BORDER_CONSTANT)
        canvas = np.vstack([picture, score_strip(picture.shape[1], words, score, self.scale)])
        if self._writer is None:
            self._writer = self._open(canvas.shape[:2])
        self._writer.write(cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR))
        self.n_frames += 1

    def _open(self, size: tuple[int, int]) -> cv2.VideoWriter:
        codec = cv2.VideoWriter_fourcc(*"mp4v")
        writer = cv2.VideoWriter(str(self.path), cv2.CAP_FFMPEG, codec, max(float(self.fps), MIN_FPS), size[::-1])
        if not writer.isOpened():
            raise ResultsError(
                f"{self.path.name}: this OpenCV cannot write MPEG-4 video of {size[1]}x{size[0]} pixels. Install "
                "opencv-python-headless from PyPI, or go without with --no-overlay (overlay=False)."
            )
        return writer

"""A video of the frames with their heatmaps and scores drawn in, on one scale for all videos."""

from __future__ import annotations

import math
from contextlib import suppress
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Self

import av
import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_rgb

from vadlib.apps.saved_run import SavedRun, ScoreOptions
from vadlib.data import FrameReader, VideoDataset
from vadlib.data.reading import videos
from vadlib.data.reading.views import resize
from vadlib.errors import ParameterError, ResultsError, UnreadableError
from vadlib.figures import ANOMALOUS, HEAT, NORMAL, heat_opacity
from vadlib.frame_times import seconds

MIN_WIDTH, MAX_SIDE = 480, 1280  # pixels; narrower frames are enlarged, so that the text can be read
MAX_NAME = 40  # letters of a video's name; the score has to fit beside it
FONT, MIN_LETTERS = cv2.FONT_HERSHEY_SIMPLEX, 0.35
MIN_FPS = 0.1  # below it players give up; such videos play faster than they were taken
CODECS = ("libx264", "libopenh264", "mpeg4")  # the first that this PyAV has; browsers play the first two, H.264
# One thread: the same frames, the same bytes.
CODEC_OPTIONS = {"crf": "23", "preset": "veryfast", "threads": "1", "flags": "+bitexact", "colorspace": "smpte170m"}
N_SAMPLED = 32  # frames that set the limits where the run cannot
HEAT_QUANTILE = 0.99  # of normal frames' maxima: the brightest colour


class OverlayLimits(NamedTuple):
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


def overlay_limits(run: SavedRun, dataset: VideoDataset, options: ScoreOptions) -> tuple[OverlayLimits, str]:
    """Limits from the run's own frames where it kept their scores, else from some of these; and which it was."""
    bar = heat = None
    bar_source, heat_source = "lowest to highest test frame of the run", "none"
    if len(run.normal_scores(options.score)):
        everything = run.scores[options.score].to_numpy()
        bar = (float(np.nanmin(everything)), float(np.nanmax(everything)))
    has_heat = run.detector.heat_label is not None
    means, maxima = run.normal_scores("mean"), run.normal_scores("max")  # of heatmaps, by detectors that score so
    if has_heat and len(means) and len(maxima):
        heat = (float(np.median(means)), float(np.quantile(maxima, HEAT_QUANTILE)))
        heat_source = f"median of the means to {HEAT_QUANTILE} quantile of the maxima of the run's normal test frames"
    if bar is None or (has_heat and heat is None):
        sampled_bar, sampled_heat = _sampled_limits(run, dataset, options)
        if bar is None:
            bar, bar_source = sampled_bar, f"around the scores of up to {N_SAMPLED} frames of these videos"
        if has_heat and heat is None:
            heat, heat_source = sampled_heat, f"median to maximum of up to {N_SAMPLED} frames of these videos"
    threshold = None if options.threshold is None else options.threshold.value
    return OverlayLimits(bar, heat, threshold), f"bar: {bar_source}; heat: {heat_source}"


def _sampled_limits(run: SavedRun, dataset: VideoDataset, options: ScoreOptions):
    """Ends of the bar and of the heat from frames spread evenly over all videos."""
    table = dataset.frame_table()
    rows = np.unique(np.linspace(0, len(table) - 1, min(N_SAMPLED, len(table))).round().astype(int))
    reader = FrameReader(
        dataset,
        table.iloc[rows].reset_index(drop=True),
        run.size,
        options.batch_size,
        view=run.view,
        progress=options.progress,
        skip_unreadable=options.skip_unreadable,
        description="finding the scale",
    )
    kept = [run.scores_and_heatmaps(batch, scene=options.scene) for batch in reader]
    if not kept:
        raise UnreadableError("None of the frames that were to set the scale could be read; nothing is written.")
    if options.score not in kept[0][0]:
        raise ParameterError(f"score: one of {', '.join(kept[0][0])} is expected, not {options.score!r}.")
    scores = np.concatenate([scores[options.score] for scores, _ in kept])
    margin = 0.25 * (scores.max() - scores.min())
    bar = float(scores.min() - margin), float(scores.max() + margin)
    if kept[0][1] is None:
        return bar, None
    heat = np.concatenate([heatmaps.ravel() for _, heatmaps in kept])
    return bar, (float(np.median(heat)), float(heat.max()))


def blend(image: np.ndarray, heatmap: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """A heatmap of any size, stretched over its greyed frame, uint8 (H, W, 3); as `figures.heatmap_sheet` does it."""
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


def score_strip(width: int, text: str, score: float, limits: OverlayLimits) -> np.ndarray:
    """A strip to go under the frame, uint8 (even, width, 3): the text, and a bar as long as the score, if any, is high.

    What OpenCV's fonts lack becomes a question mark.
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
        low, high = limits.score
        return left + round((right - left) * min(max((value - low) / max(high - low, 1e-12), 0.0), 1.0))

    if math.isfinite(score):
        above = limits.threshold is not None and score > limits.threshold
        colour = [round(255 * part) for part in to_rgb(ANOMALOUS if above else NORMAL)]
        cv2.rectangle(strip, (left, top), (position(score), bottom), colour, -1)
    if limits.threshold is not None:
        mark = position(limits.threshold)
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
    """Writes one overlay video, an .mp4 file, frame by frame; a context manager.

    Of an `UnevenRate` the video has the mean, and the text drawn in has the frames' own times. A file that cannot be
    written, or is not whole at the end (a full disk), is a `ResultsError`.
    """

    def __init__(self, path: Path, fps: float, *, name: str, score_name: str, limits: OverlayLimits):
        self.path, self.fps, self.name, self.score_name, self.limits = path, fps, name, score_name, limits
        self.n_frames = 0
        self._container: av.container.OutputContainer | None = None
        self._size: tuple[int, int] | None = None  # (height, width) of the picture, without the strip

    def write(self, image: np.ndarray, score: float, heatmap: np.ndarray | None = None) -> None:
        """Add the next frame: uint8 (H, W, 3) RGB, its score, and its heatmap (h, w) where there is one."""
        picture = resize(image, self._picture_size(image.shape[:2]))
        if heatmap is not None and self.limits.heat is not None:
            picture = blend(picture, heatmap, self.limits.heat)
        above = self.limits.threshold is not None and score > self.limits.threshold
        self._add(picture, f"{self.score_name} {score:.4g}" + ("  above threshold" if above else ""), score)

    def write_missing(self, shape: tuple[int, int]) -> None:
        """Add a black frame for one of (height, width) that could not be read, so that seconds stay seconds."""
        self._add(np.zeros((*self._picture_size(shape), 3), np.uint8), "this frame could not be read", math.nan)

    def __enter__(self) -> Self:
        """Itself; the file is opened with the first frame."""
        return self

    def __exit__(self, kind, *_) -> None:
        """Close the file, and see that all frames are in it unless something failed before."""
        if self._container is None:
            return
        if kind is not None:
            with suppress(OSError):  # what failed before is what is told
                self._container.close()
            return
        try:
            self._container.mux(self._container.streams.video[0].encode())
            self._container.close()
        except OSError as error:
            raise self._unwritable(error) from error
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
        canvas = np.vstack([picture, score_strip(picture.shape[1], words, score, self.limits)])
        frame = av.VideoFrame.from_ndarray(canvas, "rgb24")
        frame.pts = self.n_frames
        try:
            self._container = self._container or self._open(*canvas.shape[:2])
            self._container.mux(self._container.streams.video[0].encode(frame))
        except OSError as error:
            raise self._unwritable(error) from error
        self.n_frames += 1

    def _unwritable(self, error: OSError) -> ResultsError:
        return ResultsError(
            f"{self.path.name}: the overlay cannot be written ({error}). Make room, or go without with --no-overlay "
            "(overlay=False)."
        )

    def _open(self, height: int, width: int) -> av.container.OutputContainer:
        container = av.open(str(self.path), "w", options={"fflags": "+bitexact", "movflags": "+faststart"})
        rate = Fraction(max(float(self.fps), MIN_FPS)).limit_denominator(250)
        codec = next(name for name in CODECS if name in av.codecs_available)
        stream = container.add_stream(codec, rate, options=CODEC_OPTIONS)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.codec_context.thread_count = 1
        return container

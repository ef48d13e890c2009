"""The sound of videos, in step with their frames: what was heard in the seconds before each."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from vadlib.data.dataset import Clip, VideoDataset
from vadlib.data.reading.batches import BatchReader, Piece
from vadlib.data.reading.decoding import VideoDecoder, open_container
from vadlib.data.reading.prefetch import prefetch
from vadlib.errors import ParameterError, UnreadableError
from vadlib.frame_times import seconds

if TYPE_CHECKING:
    import av

RATE_HZ = 16_000  # what speech and event networks are trained at
MAX_DRIFT_S = 0.05  # by which sound may miss the end of what came before and still follow it: times are rounded
CLIPS_AHEAD = 64  # rows' samples that wait, a clip


class SoundReader(BatchReader):
    """Batches of the mono samples, float32 in [-1, 1], that end where each frame of a table begins.

    Sound is put where its time stamps say, on the clock of the pictures. Before its start, after its end and in its
    holes there is silence (zeros). A row is unreadable where the clip has no sound, or the sound ended before the row's
    samples begin. Options are those of `FrameReader`.
    """

    def __init__(
        self,
        dataset: VideoDataset,
        table: pd.DataFrame,
        duration_s: float = 1.0,
        batch_size: int = 64,
        *,
        rate_hz: int = RATE_HZ,
        description: str = "Reading sound",
        **options,
    ):
        super().__init__(dataset, table, batch_size, description=description, **options)
        if not duration_s * rate_hz >= 1:
            raise ParameterError(
                f"duration_s, rate_hz: {duration_s} s at {rate_hz} Hz is not one sample. Ask for more."
            )
        self.n_samples, self.rate_hz = round(duration_s * rate_hz), int(rate_hz)

    def _pieces(self, clips: list[tuple[Clip, np.ndarray]]) -> Generator[Piece | UnreadableError]:
        jobs = [partial(_read_sound, clip, frames, self.n_samples, self.rate_hz) for clip, frames in clips]
        with closing(prefetch(jobs, n_threads=self.n_threads, n_ahead=CLIPS_AHEAD)) as pieces:
            yield from pieces

    def _tensor(self, images: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(images[:, 0])  # (B, N)


def _read_sound(
    clip: Clip, frames: np.ndarray, n_samples: int, rate_hz: int
) -> Iterator[list[np.ndarray] | UnreadableError]:
    """Samples before each of the ascending frames; no more of the track is kept than they need."""
    ends = np.round(seconds(clip.fps, frames) * rate_hz).astype(np.int64).tolist()
    n_given = 0
    try:
        blocks, recent, reached = iterate_sound(clip.path, rate_hz), deque(), 0
        for end in ends:
            start = end - n_samples
            while reached <= end and (block := next(blocks, None)) is not None:
                recent.append(block)
                reached = max(reached, block[0] + len(block[1]))
            if reached <= start:
                raise UnreadableError(f"{clip.path}: its sound ends after {reached / rate_hz:.1f} s.")
            while recent and recent[0][0] + len(recent[0][1]) <= start:
                recent.popleft()
            samples = np.zeros(n_samples, np.float32)
            for at, block in recent:
                first, last = max(at, start), min(at + len(block), end)
                samples[first - start : last - start] = block[first - at : last - at] if last > first else 0
            n_given += 1
            yield [samples]
    except UnreadableError as error:
        for _ in ends[n_given:]:
            yield error


def iterate_sound(path: Path, rate_hz: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield a video's sound in pieces: number of samples since the first picture, and mono samples, float32 (n,)."""
    if path.is_dir():
        raise UnreadableError(f"{path} is a folder of frames, which have no sound.")
    with VideoDecoder(path) as video:
        first = next(iter(video), None)
        start_s = float(first.pts * first.time_base) if first is not None and first.pts is not None else 0.0
    import av

    with open_container(path) as container:
        stream = next(iter(container.streams.audio), None)
        if stream is None or stream.codec_context is None:
            raise UnreadableError(
                f"{path} has {'no sound' if stream is None else 'sound that cannot be decoded here'}."
            )
        setup, at, fed_s, resampler = None, 0, 0.0, None
        for frame in _decode(container, stream):
            begin_s = float(frame.pts * frame.time_base) - start_s if frame.pts is not None else fed_s
            if setup != (frame.format.name, frame.layout.name, frame.sample_rate) or abs(begin_s - fed_s) > MAX_DRIFT_S:
                setup = (frame.format.name, frame.layout.name, frame.sample_rate)
                resampler = av.AudioResampler(format="flt", layout="mono", rate=rate_hz)
                at, fed_s = round(begin_s * rate_hz), begin_s
            fed_s += frame.samples / frame.sample_rate
            for block in resampler.resample(frame):
                yield at, block.to_ndarray()[0]
                at += block.samples


def _decode(container: av.container.InputContainer, stream: av.AudioStream) -> Iterator[av.AudioFrame]:
    """What can be decoded of a sound track; damage in it is passed over, as players do."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, IndexError):  # it breaks off
            return
        if packet is None:
            return
        with suppress(av.FFmpegError):
            yield from packet.decode()

"""Small videos of every kind, made by PyAV; each frame carries its number as eight blocks, so that a wrong one is seen."""

import subprocess
import sys
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

HEIGHT, WIDTH = 64, 128
MILLISECONDS = Fraction(1, 1000)
SOUND_HZ = 8000


def picture(number: int) -> np.ndarray:
    """uint8 (H, W, 3) RGB: the number's bits as blocks above, a pattern that moves with it below."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    image = np.stack([(3 * columns + 5 * number) % 200, 2 * rows, (columns + rows) % 200], -1).astype(np.uint8)
    bits = np.repeat([number >> bit & 1 for bit in range(8)], WIDTH // 8)
    image[: HEIGHT // 2] = np.where(bits, 235, 16)[None, :, None]
    return image


def number_in(image: np.ndarray) -> int:
    """The number that a picture (H, W, 3) carries."""
    blocks = image[: HEIGHT // 2].reshape(HEIGHT // 2, 8, -1).mean(axis=(0, 2))
    assert ((blocks < 70) | (blocks > 180)).all(), f"no number in this picture: blocks {blocks.round()}"
    return sum(1 << bit for bit in range(8) if blocks[bit] > 125)


def write_film(
    path: Path,
    numbers: Iterable[int] = range(40),
    *,
    codec: str = "libx264",
    rate: int = 25,
    times_ms: Iterable[int] | None = None,
    pixels: str = "yuv420p",
    options: dict | None = None,
    container: dict | None = None,
    format: str | None = None,
    metadata: dict | None = None,
    sound_s: float = 0.0,
    sound: np.ndarray | None = None,
    sound_from_s: float = 0.0,
    lost_sound: Callable[[int], bool] = lambda block: False,
    keep: Callable[[int], bool] = lambda position: True,
) -> Path:
    """Write a video.

    Parameters
    ----------
    numbers
        Which picture each frame shows.
    times_ms
        When each is shown; at the even rate by default.
    options, container, metadata
        Of the codec and of the container; what its tags say.
    sound_s
        Silence of so many seconds beside it, in packets of its own.
    sound, sound_from_s
        Instead, these samples, float32 (n,) at 8,000 Hz, without loss, and when they begin.
    lost_sound
        Which of its blocks of 1,024 samples do not reach the file.
    keep
        Which packets, by their position, reach the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = list(numbers)
    with av.open(str(path), "w", format=format, options=container or {}) as out:
        out.metadata.update(metadata or {})
        stream = out.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        if times_ms is not None:
            stream.codec_context.time_base = MILLISECONDS
        packets = []
        for position, number in enumerate(numbers):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24").reformat(format=pixels)
            if times_ms is not None:
                frame.pts, frame.time_base = list(times_ms)[position], MILLISECONDS
            packets += stream.encode(frame)
        packets += stream.encode()
        packets = [packet for position, packet in enumerate(packets) if keep(position)]
        if sound_s or sound is not None:
            track = out.add_stream("aac" if sound is None else "pcm_s16le", rate=SOUND_HZ, layout="mono")
            samples = np.zeros(int(sound_s * SOUND_HZ), np.float32) if sound is None else sound
            packets += sound_packets(track, samples, sound_from_s, lost_sound)
            packets.sort(key=lambda packet: packet.dts * packet.time_base)
        for packet in packets:
            out.mux(packet)
    return path


def write_av1(path: Path, n_frames: int) -> Path:
    """Write an AV1 video, in a process of its own: run by root, this encoder gives its process real-time priority."""
    call = (
        f"from pathlib import Path; from films import write_film; write_film(Path({str(path)!r}), range({n_frames}), "
    )
    code = call + "codec='libsvtav1', options={'preset': '10'})"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, check=True, capture_output=True)
    return path


def remux(source: Path, path: Path, *, from_s: float = 0.0, container: dict | None = None) -> Path:
    """Copy a video's packets into another container, from a key frame on, as `ffmpeg -ss S -c copy` does."""
    with av.open(str(source)) as film, av.open(str(path), "w", options=container or {}) as out:
        stream = film.streams.video[0]
        copied = out.add_stream_from_template(stream)
        film.seek(round(from_s / stream.time_base), stream=stream)
        for packet in film.demux(stream):
            if packet.dts is None:
                continue
            shift = round(from_s / stream.time_base)
            packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copied
            out.mux(packet)
    return path


def sound_packets(stream, samples: np.ndarray, from_s: float = 0.0, lost=lambda block: False) -> list:
    """Encode samples as `write_film` does."""
    packets = []
    for start in range(0, len(samples) // 1024 * 1024, 1024):
        block = samples[None, start : start + 1024]
        if stream.codec_context.name == "aac":
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout="mono")
        else:
            frame = av.AudioFrame.from_ndarray(np.int16(np.round(32767 * block)), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = (
            SOUND_HZ,
            start + round(from_s * SOUND_HZ),
            Fraction(1, SOUND_HZ),
        )
        packets += [] if lost(start // 1024) else stream.encode(frame)
    return packets + stream.encode()

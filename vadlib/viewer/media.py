"""Pictures of a clip as VP9 in WebM, and heatmaps as packed numbers, within a budget of bytes.

Browsers play WebM out of a page, and find any of its frames by its time if frames come evenly, which is why the page,
not the video, knows when they were filmed. Every 48th frame is whole, so that finding one is quick; the encoder has one
thread and no clock, so that the same pictures give the same bytes.
"""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import av
import numpy as np

QUALITIES = (28, 40, 52)  # VP9's constant rate factors; a higher one is coarser
CODEC = {
    **{"deadline": "good", "cpu-used": "5", "b": "0", "g": "48", "threads": "1", "flags": "+bitexact"},
    **{"auto-alt-ref": "0", "lag-in-frames": "0"},  # each picture is one packet, written at once
}
HEAT_STEP = 4  # of 255 levels, kept of heatmaps: finer steps of colour are not seen, and double the bytes
PER_SECOND = 8  # pictures, in the video: browsers play at 1/16 to 16 times that, 2 s to 8 ms a picture


@dataclass(frozen=True)
class Plan:
    """Every how many-th picture of a clip is kept, from its first, and how coarsely."""

    every: int = 1
    quality: int = QUALITIES[0]


def encode(pictures: Iterable[np.ndarray], quality: int = QUALITIES[0]) -> bytes:
    """A WebM file of pictures, uint8 (H, W, 3) RGB, of one size; one is held at a time."""
    file, stream = io.BytesIO(), None
    with av.open(file, "w", format="webm", options={"fflags": "+bitexact"}) as container:
        for number, picture in enumerate(pictures):
            if stream is None:
                stream = container.add_stream("libvpx-vp9", PER_SECOND, options=CODEC | {"crf": str(quality)})
                stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], "yuv420p"
                stream.codec_context.thread_count = 1
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def decode(video: bytes) -> Iterator[np.ndarray]:
    """The pictures of a file that `encode` made."""
    with av.open(io.BytesIO(video)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def fit(
    videos: Sequence[bytes], heats: Sequence[Mapping[int, np.ndarray]], longest: int, max_bytes: int
) -> tuple[Plan, list[dict]]:
    """The media of all clips as text, coarser and then thinned out until they are small enough, or cannot be smaller.

    `videos` are whole, at the first of `QUALITIES`, the longest of so many pictures; `heats` are uint8 (n, h, w) by the
    detector's number. Gives the `Plan` that was followed, and each clip's media as the page reads them.
    """
    plans = [Plan(1, quality) for quality in QUALITIES]
    while True:
        plan = plans.pop(0)
        media = [_media(*clip, plan) for clip in zip(videos, heats, strict=True)]
        size = len(json.dumps(media))
        if size <= max_bytes or (not plans and plan.every >= longest):
            return plan, media
        if not plans:  # in proportion, and more where that is not enough: what is far apart differs more
            every = max(plan.every + 1, plan.every * size // max(max_bytes, 1))
            plans.append(Plan(min(every, longest), plan.quality))


def _media(video: bytes, heat: Mapping[int, np.ndarray], plan: Plan) -> dict:
    if plan != Plan():
        video = encode(islice(decode(video), 0, None, plan.every), plan.quality)
    return {
        "video": base64.b64encode(video).decode(),
        "maps": {number: _packed(values[:: plan.every]) for number, values in heat.items()},
    }


def _packed(values: np.ndarray) -> str:
    """Heatmaps in steps, each as its difference from the one before, for they change little."""
    stepped = values // HEAT_STEP * HEAT_STEP
    differences = np.diff(stepped, axis=0, prepend=np.zeros_like(stepped[:1]))  # modulo 256
    return base64.b64encode(zlib.compress(differences.tobytes(), 9)).decode()

"""Frames to the network: only those of a table, decoded in sequence by threads, in batches of one size."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial

import numpy as np
import pandas as pd
import torch

from vadlib.data.dataset import Clip, VideoDataset, check_frame, check_has_frames
from vadlib.data.reading import videos
from vadlib.data.reading.batches import Batch as Batch
from vadlib.data.reading.batches import BatchReader, Piece, check_at_least_one
from vadlib.data.reading.prefetch import prefetch
from vadlib.data.reading.store import FrameStore, build_store
from vadlib.data.reading.views import check_view, picture_in_view
from vadlib.data.reading.windows import assemble_windows, window_frames
from vadlib.errors import ParameterError, UnreadableError

FILES_PER_JOB = 64  # of a folder of frames: several threads can then share one long clip
BYTES_AHEAD = 4 * 2**20  # decoded pictures that wait, a job


class FrameReader(BatchReader):
    """Batches of a table's frames, or of windows that end there; iterated again, it gives the same again.

    Only the table's frames are decoded: a video from its start to the last frame wanted, of a folder only the
    files wanted. Threads decode several clips at a time, some way ahead of the caller; memory does not grow
    with the table. Leaving the loop early stops them.

    Videos of the test split are decoded on to their end, and refused where the number of frames is not the clip's:
    a decoder drops damaged frames in silence, and all later ones would get other frames' labels. Training clips
    are normal throughout, so a shift cannot mislabel them, and headers in circulation can be off by a frame or
    two; of those only a wanted frame that is missing is an error. What is not detected: bytes damaged inside a
    picture that still decodes, in a video or a file of its own; compare checksums where that matters.

    Parameters
    ----------
    dataset : VideoDataset
    table : DataFrame
        Rows of `dataset.frame_table()`, in any order, none twice. Frames come in (clip, frame) order whatever
        the table's order is; `Batch.rows` says which is which.
    size : (height, width), or None
        Pixels of the images; None leaves each clip's own, and a batch then ends where the size changes.
    batch_size : int
    view : {"whole", "centre", "inner"}
        Which part of the frame fills that size (see `vadlib.data.reading.views`).
    window, stride : int
        Frames to each row, and from one of them to the next: of frame t come ``t - (window - 1) * stride, …, t``, in
        their order, with the clip's first frame in place of those before it. Nothing looks ahead, and a frame is
        decoded once in however many windows it is. A window that misses a frame is unreadable as a whole.
    fresh : bool
        Decode every frame, even where a book is being built and has kept it: for what is timed.
    progress : bool
    n_threads : int, optional
        Decoding threads; the number of cores, at most 8, by default.
    skip_unreadable : bool
        Leave out frames that cannot be read, with a warning, and note them in `skipped`; by default they are an
        error. Of a test video with frames missing all are left out; to know in time, its frames are counted first.
    description : str
        In front of the progress bar.

    Attributes
    ----------
    n_recalled : int
        After an iteration: frames that the build had kept, so that they were not decoded.
    skipped : int64 array
        After an iteration: positions in the table of the frames left out.
    why_skipped : dict of str to str
        After an iteration: by clip, what was wrong with the first of them.

    Raises
    ------
    ParameterError
        A table that is empty, lacks a column, names a clip or frame that is not there, or names one twice; a
        size, batch size, window, stride or number of threads below 1; a view that there is not.
    LayoutError
        Clips of which only the labels are there.
    UnreadableError
        While iterating: a video that ends early or (test split) has frames missing, a corrupt picture.
    """

    def __init__(
        self,
        dataset: VideoDataset,
        table: pd.DataFrame,
        size: tuple[int, int] | None = (224, 224),
        batch_size: int = 64,
        *,
        view: str = "whole",
        window: int = 1,
        stride: int = 1,
        fresh: bool = False,
        **options,
    ):
        if size is not None:
            check_size(size)
        check_view(view, size)
        check_at_least_one(window=window, stride=stride)
        super().__init__(dataset, table, batch_size, **options)
        self.size = None if size is None else (int(size[0]), int(size[1]))
        self.view, self.window, self.stride = view, int(window), int(stride)
        self.fresh, self.n_recalled = fresh, 0

    def _pieces(self, clips: list[tuple[Clip, np.ndarray]]) -> Generator[Piece | UnreadableError]:
        windows = [window_frames(frames, self.window, self.stride) for _, frames in clips]
        store = None if self.fresh or self.size is None else build_store(self.size, self.view)
        jobs = [
            job for (clip, _), wanted in zip(clips, windows, strict=True) for job in self._jobs(clip, wanted, store)
        ]
        n_bytes = 3 * self.size[0] * self.size[1] if self.size else BYTES_AHEAD
        n_ahead = int(np.clip(BYTES_AHEAD // n_bytes, 4, 64))
        with closing(prefetch(jobs, n_threads=self.n_threads, n_ahead=n_ahead)) as decoded:
            for wanted in windows:
                yield from assemble_windows(wanted, decoded)
        self.n_recalled = store.n_recalled if store else 0

    def _jobs(self, clip: Clip, windows: np.ndarray, store: FrameStore | None) -> Iterator[partial]:
        """Cut a clip's pictures up: a whole video, or some files of a folder, for one thread at a time."""
        frames = np.unique(windows)
        step = FILES_PER_JOB if clip.path.is_dir() else len(frames)
        for start in range(0, len(frames), step):
            part = frames[start : start + step].tolist()
            read = partial(_frames_in_view, clip, size=self.size, view=self.view, all_or_none=self.skip_unreadable)
            yield partial(store.through, clip.path, part, read) if store else partial(read, part)

    def _tensor(self, images: np.ndarray) -> torch.Tensor:
        channels_first = torch.from_numpy(images).permute(0, 1, 4, 2, 3)  # (B, T, 3, H, W), nothing copied
        return channels_first[:, 0] if self.window == 1 else channels_first


def _frames_in_view(
    clip: Clip, frames: list[int], size: tuple[int, int] | None, view: str, all_or_none: bool
) -> Iterator[np.ndarray | UnreadableError]:
    exact = clip.split == "test"
    if not frames:
        return
    if exact and all_or_none and not clip.path.is_dir():
        try:
            videos.check_whole(clip.path, clip.n_frames)
        except UnreadableError as error:
            yield from [error] * len(frames)
            return
    for image in videos.iterate_frames(clip.path, frames, clip.n_frames, exact=exact):
        if not isinstance(image, UnreadableError):
            size = size or image.shape[:2]
            image = picture_in_view(image, size, view)
        yield image


def read_frame(dataset: VideoDataset, clip_id: str, frame: int) -> np.ndarray:
    """Read one frame at its own size: uint8 (H, W, 3) RGB (see `read_frames`)."""
    return read_frames(dataset, clip_id, [frame])[0]


def read_frames(dataset: VideoDataset, clip_id: str, frames: Sequence[int]) -> list[np.ndarray]:
    """Read some frames of a clip at their own size, uint8 (H, W, 3) RGB, for figures; in any order, repeated or not.

    A frame that is not there is a ParameterError, a clip of labels only a LayoutError, a damaged frame an
    UnreadableError.
    """
    clip = dataset.clip(clip_id)
    check_has_frames([clip], dataset)
    numbers = sorted({int(frame) for frame in frames})
    for frame in numbers:
        check_frame(clip, frame)
    images = dict(zip(numbers, videos.iterate_frames(clip.path, numbers, clip.n_frames), strict=True))
    for image in images.values():
        if isinstance(image, UnreadableError):
            raise image
    return [images[int(frame)] for frame in frames]


def check_size(size: tuple[int, int]) -> None:
    """Raise ParameterError where a size is not (height, width)."""
    if np.shape(size) != (2,) or min(size) < 1 or any(side != int(side) for side in size):
        raise ParameterError(f"size: (height, width), whole numbers of at least 1, is expected, not {size!r}.")

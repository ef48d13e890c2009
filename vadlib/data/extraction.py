"""The paper's Algorithm 1 to disk: every frame of a data set as a picture, sorted into normal and abnormal.

For those who want the files; the report itself reads the videos with `FrameReader`. Steps 1, 2 and (with
`size`) 4 of the algorithm are here, step 3 is `draw`, step 5 happens inside the networks.

::

    OUT/test/01_0014/abnormal/000120.jpg      OUT/index.csv: file, clip, split, scene, frame, label
    OUT/test/01_0014/normal/000121.jpg        OUT/extraction.json: of what, and how

Frames without a label (of the data set `folder`) go to `unlabelled`.
A clip's folder is there only when it is complete, so an interrupted run goes on with the first clip it had not
finished.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Iterable
from contextlib import closing
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from vadlib.data.dataset import UNLABELLED, Clip, VideoDataset, check_has_frames
from vadlib.data.layouts.opening import count_and_list
from vadlib.data.progress import progress_bar
from vadlib.data.reading import videos
from vadlib.data.reading.batches import available_cores
from vadlib.data.reading.frames import check_size
from vadlib.data.reading.prefetch import prefetch
from vadlib.data.reading.views import resize
from vadlib.errors import ParameterError, ResultsError, UnreadableError
from vadlib.storage import RunLock, user_path, write_atomically

LABEL_FOLDERS = {0: "normal", 1: "abnormal", UNLABELLED: "unlabelled"}
IMAGE_FORMATS = {"jpg": [cv2.IMWRITE_JPEG_QUALITY, 95], "png": [cv2.IMWRITE_PNG_COMPRESSION, 3]}


def extract_frames(
    dataset: VideoDataset,
    out: str | Path,
    *,
    size: tuple[int, int] | None = None,
    split: str | None = None,
    image_format: str = "jpg",
    skip_unreadable: bool = False,
    progress: bool = True,
    n_threads: int | None = None,
) -> Path:
    """Write every frame of a data set as a picture.

    Parameters
    ----------
    dataset : VideoDataset
    out : path
        Folder to write into; made where it is not there. One that holds another extraction is refused.
    size : (height, width), optional
        By default the frames' own.
    split : {"train", "test"}, optional
        By default both.
    image_format : {"jpg", "png"}
        JPEG at quality 95, OpenCV's default; or lossless.
    skip_unreadable : bool
        Leave out clips that cannot be read whole, each with a warning; they are not in the index.
    progress : bool
    n_threads : int, optional
        Clips at a time; the number of cores by default.

    Returns
    -------
    Path
        The index: `OUT/index.csv`, one row for each frame in the folder.

    Raises
    ------
    ParameterError
        An unknown split or image format, or no clips in the split.
    ResultsError
        A folder that cannot be written, is full, or holds frames extracted from other data or in another way.
    BusyError
        Another run is extracting into the folder.
    LayoutError, UnreadableError
        Clips without frames; a frame that cannot be read; a test video with frames missing. Finished clips stay.
    """
    if image_format not in IMAGE_FORMATS:
        raise ParameterError(f"image_format: one of {', '.join(IMAGE_FORMATS)} is expected, not {image_format!r}.")
    if split not in (None, "train", "test"):
        raise ParameterError(f"split: 'train', 'test' or None for both is expected, not {split!r}.")
    if size is not None:
        check_size(size)
    clips = [clip for clip in dataset.clips if split in (None, clip.split)]
    if not clips:
        raise ParameterError(f"split: {dataset.name} in {dataset.root} has no clips of {split!r}.")
    check_has_frames(clips, dataset)
    out = Path(os.path.abspath(user_path(out)))
    if out.exists() and not out.is_dir():
        raise ResultsError(f"{out} is a file. Choose a folder.")
    settings = {"dataset": dataset.name, "fingerprint": dataset.fingerprint, "format": image_format}
    settings["size"] = None if size is None else [int(side) for side in size]
    try:
        with RunLock(out / "extraction.json"):  # makes the folder
            _claim(out, settings)
            todo = [clip for clip in clips if not _clip_folder(out, clip).is_dir()]
            jobs = [partial(_write_clip, dataset, clip, out, size, image_format, skip_unreadable) for clip in todo]
            n_frames = sum(clip.n_frames for clip in todo)
            done = prefetch(jobs, n_threads=n_threads or available_cores(), n_ahead=64)
            with closing(done), progress_bar(n_frames, "Extracting frames", "frames", shown=progress) as bar:
                for frame in done:
                    if isinstance(frame, UnreadableError):
                        warnings.warn(str(frame), stacklevel=2)
                    bar.update()
            if not any(_clip_folder(out, clip).is_dir() for clip in clips):
                raise UnreadableError(
                    f"{dataset.root}: not one of {count_and_list([clip.id for clip in clips])} can be read."
                )
            return _write_index(dataset, out, image_format)
    except OSError as error:
        raise ResultsError(
            f"{out}: frames cannot be written there: {error.strerror or error}. Free some space, or choose another "
            "folder; the clips that are finished stay, and the next run goes on from there."
        ) from error


def _clip_folder(out: Path, clip: Clip) -> Path:
    return out / clip.split / clip.id


def _claim(out: Path, settings: dict) -> None:
    """Record what the folder is to hold, or check that what it holds is of the same data, extracted in the same way."""
    record = out / "extraction.json"
    if record.is_file():
        try:
            recorded = json.loads(record.read_text(encoding="utf-8"))
        except ValueError:
            recorded = {}
        if recorded != settings:
            raise ResultsError(
                f"{out} holds frames of another extraction ({recorded}; now asked for: {settings}). Choose another "
                "folder."
            )
        return
    if any(map(videos.visible, out.iterdir())):
        raise ResultsError(f"{out} holds other files. Choose an empty folder, or one that does not exist yet.")
    write_atomically(record, json.dumps(settings, indent=2))


def _write_clip(
    dataset: VideoDataset,
    clip: Clip,
    out: Path,
    size: tuple[int, int] | None,
    image_format: str,
    skip_unreadable: bool,
) -> Iterable[int | UnreadableError]:
    """Write one clip into a hidden folder, then give that its name; yields the frames as they are done."""
    target = _clip_folder(out, clip)
    temporary = target.with_name(f".{clip.id}.partial")
    shutil.rmtree(temporary, ignore_errors=True)  # of an interrupted run
    names = {LABEL_FOLDERS[label] for label in (0, 1, *np.unique(dataset.labels[clip.id]).tolist())}
    for name in names:
        (temporary / name).mkdir(parents=True)
    try:
        exact = clip.split == "test"
        images = videos.iterate_frames(clip.path, range(clip.n_frames), clip.n_frames, exact=exact)
        for frame, image in enumerate(images):
            if isinstance(image, UnreadableError):
                raise image
            picture = image if size is None else resize(image, size)
            (temporary / _file_name(dataset, clip, frame, image_format)).write_bytes(_encode(picture, image_format))
            yield frame
        temporary.replace(target)
    except UnreadableError as error:
        if not skip_unreadable:
            raise
        yield error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _encode(image: np.ndarray, image_format: str) -> bytes:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(f".{image_format}", bgr, IMAGE_FORMATS[image_format])[1].tobytes()


def _file_name(dataset: VideoDataset, clip: Clip, frame: int, image_format: str) -> str:
    return f"{LABEL_FOLDERS[int(dataset.labels[clip.id][frame])]}/{frame:06d}.{image_format}"


def _write_index(dataset: VideoDataset, out: Path, image_format: str) -> Path:
    """List every clip that is there, of this run or an earlier one."""
    clips = [clip for clip in dataset.clips if _clip_folder(out, clip).is_dir()]
    table = dataset.frame_table()
    table = table[table["clip"].isin([clip.id for clip in clips])]
    files = [
        f"{clip.split}/{clip.id}/{_file_name(dataset, clip, frame, image_format)}"
        for clip in clips
        for frame in range(clip.n_frames)
    ]
    table.insert(0, "file", files)
    write_atomically(out / "index.csv", table.to_csv(index=False))
    return out / "index.csv"

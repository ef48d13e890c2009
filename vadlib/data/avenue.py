"""CUHK Avenue (Lu, Shi & Jia 2013), as published and as the frame-prediction code of Liu et al. (2018) lays it out.

::

    training_videos/01.avi ...   testing_videos/01.avi ...      or training/frames/01/0000.jpg, testing/frames/01/...
    ground_truth_demo/testing_label_mask/1_label.mat ...        masks: the authors' labels
    avenue.mat                                                  intervals: Hasan et al.'s (2016) labels
    frame_labels_avenue.npy                                     the labels of all test frames in a row

Three records of the labels circulate. The authors' are masks of every test frame (`volLabel`, (1, T) cells (H, W)); a
frame is anomalous where any pixel of its mask is set: 3,712 of the 15,324 test frames. `avenue.mat` (`gt`, a cell
(2, n) a clip: first and last frames, numbered from 1, ends included) has 3,867 in 47 intervals. The masks count where
they are there, else `avenue.mat`, else the `.npy`; `facts["labels"]` says which. The two archives may be unpacked
into one folder or beside one another.

Clips are called `train_01` and `test_01`. One camera. Frame rate: the videos' own, or 25 for folders of frames.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np

from vadlib.data import videos
from vadlib.data.dataset import Clip, VideoDataset, some
from vadlib.data.flat_labels import split_flat_labels
from vadlib.data.mat_files import open_variable
from vadlib.data.mat_intervals import MAX_FRAMES, label_by_intervals
from vadlib.data.sources import find_sources, first_place, name_place
from vadlib.errors import LabelError, LayoutError

EXPECTS = ("training_videos", "testing_videos", "ground_truth_demo/testing_label_mask or avenue.mat")
SCENE = "avenue"
NOMINAL_FPS = 25.0
NUMBERED = r"\d{1,2}"
OFFICIAL = {"train": "training_videos", "test": "testing_videos"}
PLACES = {  # in the archive's own folders whatever is there is meant
    split: {OFFICIAL[split]: r".+"}
    | dict.fromkeys((f"{folder}/frames", f"{folder}/videos", f"{folder}/{OFFICIAL[split]}"), NUMBERED)
    for split, folder in (("train", "training"), ("test", "testing"))
}
MASK_PLACES = (
    "ground_truth_demo/testing_label_mask",
    "testing_label_mask",
    "../ground_truth_demo/testing_label_mask",
    "../ground_truth_demo/ground_truth_demo/testing_label_mask",
)
INTERVAL_PLACES = ("avenue.mat", "../avenue.mat", "ground_truth_demo/avenue.mat")
FLAT_PLACES = ("frame_labels_avenue.npy", "../frame_labels_avenue.npy", "data/frame_labels_avenue.npy")


def is_home(folder: Path, name: str) -> bool:
    """Whether a folder is the set's own."""
    if any(find_sources(folder, {place: NUMBERED}) for place in OFFICIAL.values()):
        return True
    labelled = first_place(folder, (*MASK_PLACES[:2], INTERVAL_PLACES[0], FLAT_PLACES[0])) is not None
    named = labelled or "avenue" in folder.name.lower()  # other sets' frames are laid out in the same way
    return named and any(find_sources(folder, dict.fromkeys(places, NUMBERED)) for places in PLACES.values())


def open_home(name: str, home: Path, allow_missing: bool) -> VideoDataset:
    """Open the set in its own folder (see `vadlib.data.open_dataset`)."""
    sources = {split: _by_number(find_sources(home, places)) for split, places in PLACES.items()}
    mask_files = _mask_files(home)
    missing = _missing(home, sources, mask_files)
    if missing and not allow_missing:
        raise LayoutError(
            f"{name} in {home} is incomplete: {'; '.join(missing)}. "
            "Unpack the archives again, or open what is there with open_dataset(..., allow_missing=True)."
        )
    clips = _open_clips(sources, mask_files)
    tested = [clip for clip in clips if clip.split == "test"]
    if mask_files:
        tested = [clip for clip in tested if _number(clip) in mask_files]
        labels = _labels_of_masks(tested, mask_files)
        source = f"{name_place(next(iter(mask_files.values())).parent, home)}: frames with any pixel of their mask set"
    else:
        labels, source = _labels_of_frames(home, tested)
    kept = [clip for clip in clips if clip.split == "train" or clip.id in labels]
    labels |= {clip.id: np.zeros(clip.n_frames, np.int8) for clip in kept if clip.split == "train"}
    masks = {clip.id: mask_files[_number(clip)] for clip in tested if _number(clip) in mask_files}
    return VideoDataset(
        name, home, tuple(kept), labels, masks, _read_mask, missing=tuple(missing), facts={"labels": source}
    )


def _number(clip: Clip) -> int:
    return int(clip.id.split("_")[1])


def _by_number(sources: dict[str, Path]) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for path in sources.values():
        name = path.name if path.is_dir() else path.stem
        if not re.fullmatch(NUMBERED, name):
            raise LayoutError(f"{path}: clips are called by their number (01.avi), this one is not. Rename it.")
        number = int(name)
        if number in found:
            raise LayoutError(f"{path} and {found[number]} are both clip {number}. Keep one of them.")
        found[number] = path
    return found


def _mask_files(home: Path) -> dict[int, Path]:
    folder = first_place(home, MASK_PLACES)
    if folder is None:
        return {}
    found = ((re.fullmatch(r"(\d+)_label\.mat", path.name), path) for path in sorted(folder.iterdir()))
    return {int(match[1]): path for match, path in found if match}


def _missing(home: Path, sources: dict[str, dict[int, Path]], mask_files: dict[int, Path]) -> list[str]:
    missing = []
    if not sources["train"]:
        missing.append("no training videos (training_videos/*.avi)")
    if not sources["test"]:
        missing.append("no test videos (testing_videos/*.avi)")
    if not mask_files and first_place(home, (*INTERVAL_PLACES, *FLAT_PLACES)) is None:
        missing.append("no labels (ground_truth_demo/testing_label_mask/*_label.mat, or avenue.mat)")
    without_video = [f"test_{number:02d}" for number in sorted(set(mask_files) - set(sources["test"]))]
    if sources["test"] and without_video:
        missing.append(f"{some(without_video)} with masks in testing_label_mask but neither video nor frames")
    without_labels = [f"test_{number:02d}" for number in sorted(set(sources["test"]) - set(mask_files))]
    if mask_files and without_labels:
        missing.append(f"{some(without_labels)} without masks in testing_label_mask")
    return missing


def _open_clips(sources: dict[str, dict[int, Path]], mask_files: dict[int, Path]) -> list[Clip]:
    def open_clip(split: str, number: int, path: Path | None) -> Clip:
        if path is None:
            n_frames, fps = _count_masks(mask_files[number]), NOMINAL_FPS
        elif path.is_dir():
            n_frames, fps = len(videos.list_numbered(path)), NOMINAL_FPS
            if n_frames == 0:
                raise LayoutError(f"{path} has no frames ({', '.join(videos.IMAGE_SUFFIXES)}). Copy it again.")
        else:
            n_frames, fps = videos.probe_video(path)[:2]
        return Clip(f"{split}_{number:02d}", split, SCENE, path, n_frames, fps or NOMINAL_FPS)

    found = [(split, number, path) for split, paths in sources.items() for number, path in sorted(paths.items())]
    found += [("test", number, None) for number in sorted(set(mask_files) - set(sources["test"]))]
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda each: open_clip(*each), found))


def _count_masks(path: Path) -> int:
    n_frames = math.prod(open_variable(path, "volLabel").shape)
    if not 1 <= n_frames <= MAX_FRAMES:
        raise LabelError(f"{path} has masks of {n_frames:,} frames; 1 to {MAX_FRAMES:,} are expected. Copy it again.")
    return n_frames


def iterate_masks(path: Path, clip: Clip) -> Iterator[np.ndarray]:
    """Read the masks of a clip, one after the other.

    Yields
    ------
    bool (H, W)
        One for each frame.

    Raises
    ------
    LabelError
        Another number of masks than of frames (both are named), masks of several sizes, or an unreadable file.
    """
    variable = open_variable(path, "volLabel")
    n_masks = math.prod(variable.shape)
    if n_masks != clip.n_frames:
        raise LabelError(
            f"Clip {clip.id} has {clip.n_frames} frames ({clip.path}), but {path} has {n_masks} masks. "
            "Nothing is cut to fit: copy both again."
        )
    size = None
    for mask in variable.cells:
        size = size or mask.shape
        if mask.ndim != 2 or mask.shape != size:
            raise LabelError(f"{path}: masks (H, W) of one size are expected, found {size} and {mask.shape}.")
        yield mask != 0


def _labels_of_masks(clips: list[Clip], mask_files: dict[int, Path]) -> dict[str, np.ndarray]:
    def read(clip: Clip) -> np.ndarray:
        masks = iterate_masks(mask_files[_number(clip)], clip)
        return np.fromiter((mask.any() for mask in masks), np.int8, clip.n_frames)

    with ThreadPoolExecutor(8) as pool:  # inflating is most of the work, and runs beside the rest
        return dict(zip([clip.id for clip in clips], pool.map(read, clips), strict=True))


def _labels_of_frames(home: Path, clips: list[Clip]) -> tuple[dict[str, np.ndarray], str]:
    """Read the labels of frames where there are no masks; gives them, and from where they are."""
    intervals, flat = first_place(home, INTERVAL_PLACES), first_place(home, FLAT_PLACES)
    if intervals is not None:
        labels = label_by_intervals(intervals, {_number(clip): clip for clip in clips})
        return labels, f"{name_place(intervals, home)}: intervals of frames, no masks"
    if flat is not None:
        return split_flat_labels(flat, clips), f"{name_place(flat, home)}: labels of frames in a row, no masks"
    return {}, "none"


def _read_mask(dataset: VideoDataset, clip: Clip, path: Path, frame: int) -> np.ndarray:
    status = path.stat()
    shape, packed = _packed_masks(path, clip, status.st_mtime_ns, status.st_size)
    mask = np.unpackbits(packed[frame], count=math.prod(shape)).reshape(shape).astype(bool)
    if clip.path is not None and shape != dataset.image_size(clip.id):
        raise LabelError(f"Clip {clip.id}: masks are {shape}, frames {dataset.image_size(clip.id)} (height, width).")
    return mask


@lru_cache(maxsize=2)
def _packed_masks(path: Path, clip: Clip, modified: int, n_bytes: int) -> tuple[tuple[int, int], np.ndarray]:
    """All masks of a clip as bits (T, bytes), since one of them cannot be read without those before it."""
    masks = [(mask.shape, np.packbits(mask)) for mask in iterate_masks(path, clip)]
    return masks[0][0], np.stack([bits for _, bits in masks])

"""CUHK Avenue (Lu, Shi & Jia 2013), as published and as the frame-prediction code of Liu et al. (2018) lays it out.

::

    training_videos/01.avi ...   testing_videos/01.avi ...      or training/frames/01/0000.jpg, testing/frames/01/...
    ground_truth_demo/testing_label_mask/1_label.mat ...        masks: the authors' labels
    avenue.mat                                                  intervals, or an array of labels for each clip
    frame_labels_avenue.npy                                     the labels of all test frames in a row

Three records of the labels circulate. The authors' are masks of every test frame (`volLabel`, (1, T) cells (H, W)); a
frame is anomalous where any pixel of its mask is set: 3,712 of the 15,324 test frames. `avenue.mat` comes in two
kinds: intervals (`gt`, a cell (2, n) a clip: first and last frames, numbered from 1, ends included; Hasan et al. 2016)
have 3,867 in 47 of them; arrays `01` to `21` are the masks' labels. The masks count where they are there, else
`avenue.mat`, else the `.npy`; `facts["labels"]` says which. The two archives may be unpacked
into one folder or beside one another.

Clips are called `train_01` and `test_01`. One camera. Frame rate: the videos' own, or 25 for folders of frames.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np

from vadlib.data.dataset import Clip, VideoDataset
from vadlib.data.labels.label_files import MAX_FRAMES, NO_LABELS, LabelFiles, labels_in
from vadlib.data.labels.mat_files import open_variable
from vadlib.data.layouts.locate import find_sources, first_existing, relative_name
from vadlib.data.layouts.numbered import count_numbered
from vadlib.data.layouts.opening import LeftOut, Opening, open_each, refuse_incomplete
from vadlib.data.reading import videos
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


def matches(folder: Path, name: str) -> bool:
    """Whether a folder is the set's own."""
    if any(find_sources(folder, {place: NUMBERED}) for place in OFFICIAL.values()):
        return True
    labelled = first_existing(folder, (*MASK_PLACES[:2], INTERVAL_PLACES[0], FLAT_PLACES[0])) is not None
    named = labelled or "avenue" in folder.name.lower()  # other sets' frames are laid out in the same way
    return named and any(find_sources(folder, dict.fromkeys(places, NUMBERED)) for places in PLACES.values())


def open_layout(name: str, home: Path, opening: Opening) -> VideoDataset:
    """Open the set in its own folder (see `vadlib.data.open_dataset`)."""
    sources = {split: _by_number(find_sources(home, places)) for split, places in PLACES.items()}
    mask_files = _mask_files(home)
    found = _labels(home, mask_files, sources["test"])
    missing = [] if sources["train"] else ["no training videos (training_videos/*.avi)"]
    missing += [] if sources["test"] else ["no test videos (testing_videos/*.avi)"]
    if found is NO_LABELS:
        missing.append("no labels (ground_truth_demo/testing_label_mask/*_label.mat, or avenue.mat)")
    missing += found.unmatched(sources["test"], "test_{:02d}", "neither video nor frames")
    refuse_incomplete(name, home, missing, opening, "Unpack the archives again")
    clips, left_out = _open_clips(home, sources, mask_files, opening.skip_unreadable)
    tested = {_number(clip): clip for clip in clips if clip.split == "test" and _number(clip) in found.numbers}
    training = [clip for clip in clips if clip.split == "train"]
    labels = {clip.id: np.zeros(clip.n_frames, np.int8) for clip in training} | found.read(tested, left_out)
    masks = {clip.id: mask_files[number] for number, clip in tested.items() if number in mask_files}
    return VideoDataset(
        name, home, (*training, *tested.values()), labels, masks, _read_mask, missing=tuple(missing),
        left_out=tuple(left_out), facts={"labels": found.name},
    )  # fmt: skip


def _labels(home: Path, mask_files: dict[int, Path], tested: dict[int, Path]) -> LabelFiles:
    """The first of the labels that are there (see the module)."""
    if mask_files:
        name = f"{relative_name(next(iter(mask_files.values())).parent, home)}: frames with any pixel of their mask set"
        kind = "masks in testing_label_mask"
        return LabelFiles(name, kind, mask_files, mask_files, lambda clips, _: _labels_of_masks(clips, mask_files))
    path = first_existing(home, (*INTERVAL_PLACES, *FLAT_PLACES))
    if path is None:
        return NO_LABELS
    found = labels_in(path, home, tested)
    return found._replace(name=f"{found.name}, no masks")


def _number(clip: Clip) -> int:
    return int(clip.id.split("_")[1])


def _by_number(sources: dict[str, Path]) -> dict[int, Path]:
    clips: dict[int, Path] = {}
    for path in sources.values():
        name = path.name if path.is_dir() else path.stem
        if not re.fullmatch(NUMBERED, name):
            raise LayoutError(f"{path}: clips are called by their number (01.avi), this one is not. Rename it.")
        number = int(name)
        if number in clips:
            raise LayoutError(f"{path} and {clips[number]} are both clip {number}. Keep one of them.")
        clips[number] = path
    return clips


def _mask_files(home: Path) -> dict[int, Path]:
    folder = first_existing(home, MASK_PLACES)
    if folder is None:
        return {}
    matches = ((re.fullmatch(r"(\d+)_label\.mat", path.name), path) for path in sorted(folder.iterdir()))
    return {int(match[1]): path for match, path in matches if match}


def _open_clips(
    home: Path, sources: dict[str, dict[int, Path]], mask_files: dict[int, Path], skip_unreadable: bool
) -> tuple[list[Clip], list[LeftOut]]:
    def clip(split: str, number: int, path: Path | None, n_frames: int, fps: float = 0.0) -> Clip:
        return Clip(f"{split}_{number:02d}", split, SCENE, path, n_frames, fps or NOMINAL_FPS)

    def open_clip(split: str, path: Path) -> Clip:
        if not path.is_dir():
            return clip(split, numbers[path], path, *videos.probe_video(path)[:2])
        return clip(split, numbers[path], path, count_numbered(path))

    numbers = {path: number for paths in sources.values() for number, path in paths.items()}
    in_order = [(split, path) for split, paths in sources.items() for _, path in sorted(paths.items())]
    opened, left_out = open_each(in_order, open_clip, home, skip_unreadable=skip_unreadable)
    labels_only = sorted(set(mask_files) - set(sources["test"]))
    unseen = [clip("test", number, None, _count_masks(mask_files[number])) for number in labels_only]
    return [*opened.values(), *unseen], left_out


def _count_masks(path: Path) -> int:
    n_frames = math.prod(open_variable(path, "volLabel").shape)
    if not 1 <= n_frames <= MAX_FRAMES:
        raise LabelError(f"{path} has masks of {n_frames:,} frames; 1 to {MAX_FRAMES:,} are expected. Copy it again.")
    return n_frames


def iterate_masks(path: Path, clip: Clip) -> Iterator[np.ndarray]:
    """Read the masks of a clip, one after the other."""
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


def _labels_of_masks(clips: Mapping[int, Clip], mask_files: dict[int, Path]) -> dict[str, np.ndarray]:
    def read(number: int) -> np.ndarray:
        masks = iterate_masks(mask_files[number], clips[number])
        return np.fromiter((mask.any() for mask in masks), np.int8, clips[number].n_frames)

    with ThreadPoolExecutor(8) as pool:  # inflating is most of the work, and runs beside the rest
        return dict(zip([clip.id for clip in clips.values()], pool.map(read, clips), strict=True))


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

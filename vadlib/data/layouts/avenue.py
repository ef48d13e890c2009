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
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np

from vadlib.data.dataset import Clip, VideoDataset, some
from vadlib.data.labels.flat_labels import split_flat_labels
from vadlib.data.labels.mat_files import open_variable
from vadlib.data.labels.mat_intervals import MAX_FRAMES, MatLabels, describe_mat, label_by_mat
from vadlib.data.layouts.locate import find_sources, first_existing, relative_name
from vadlib.data.layouts.numbered import IMAGE_SUFFIXES, list_numbered
from vadlib.data.layouts.opening import LeftOut, Opening, left_out_facts, open_each
from vadlib.data.reading import videos
from vadlib.data.reading.files import ALLOWING
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
    mask_files, mat = _mask_files(home), first_existing(home, INTERVAL_PLACES)
    in_mat = describe_mat(mat) if mat and not mask_files else None
    missing = _missing(home, sources, mask_files, in_mat)
    if missing and not opening.allow_missing:
        raise LayoutError(
            f"{name} in {home} is incomplete: {'; '.join(missing)}. Unpack the archives again, {ALLOWING}."
        )
    clips, left_out = _open_clips(home, sources, mask_files, opening.skip_unreadable)
    tested = [clip for clip in clips if clip.split == "test"]
    if mask_files:
        tested = [clip for clip in tested if _number(clip) in mask_files]
        labels = _labels_of_masks(tested, mask_files)
        source = (
            f"{relative_name(next(iter(mask_files.values())).parent, home)}: frames with any pixel of their mask set"
        )
    elif in_mat:
        tested = [clip for clip in tested if _number(clip) in in_mat.numbers]
        labels = label_by_mat(mat, {_number(clip): clip for clip in tested})
        source = f"{relative_name(mat, home)}: {in_mat.how}, no masks"
    else:
        labels, source = _flat_labels(home, tested, left_out)
    kept = [clip for clip in clips if clip.split == "train" or clip.id in labels]
    labels |= {clip.id: np.zeros(clip.n_frames, np.int8) for clip in kept if clip.split == "train"}
    masks = {clip.id: mask_files[_number(clip)] for clip in tested if _number(clip) in mask_files}
    return VideoDataset(
        name, home, tuple(kept), labels, masks, _read_mask, missing=tuple(missing), left_out=tuple(left_out),
        facts={"labels": source} | left_out_facts(left_out),
    )  # fmt: skip


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
    folder = first_existing(home, MASK_PLACES)
    if folder is None:
        return {}
    found = ((re.fullmatch(r"(\d+)_label\.mat", path.name), path) for path in sorted(folder.iterdir()))
    return {int(match[1]): path for match, path in found if match}


def _missing(
    home: Path, sources: dict[str, dict[int, Path]], mask_files: dict[int, Path], in_mat: MatLabels | None
) -> list[str]:
    missing = []
    if not sources["train"]:
        missing.append("no training videos (training_videos/*.avi)")
    if not sources["test"]:
        missing.append("no test videos (testing_videos/*.avi)")
    if not mask_files and first_existing(home, (*INTERVAL_PLACES, *FLAT_PLACES)) is None:
        missing.append("no labels (ground_truth_demo/testing_label_mask/*_label.mat, or avenue.mat)")
    kind, labelled, eventful = "masks in testing_label_mask", set(mask_files), set(mask_files)
    if in_mat:
        kind, labelled, eventful = "labels in avenue.mat", set(in_mat.numbers), set(in_mat.eventful)
    without_video = [f"test_{number:02d}" for number in sorted(eventful - set(sources["test"]))]
    if sources["test"] and without_video:
        missing.append(f"{some(without_video)} with {kind} but neither video nor frames")
    without_labels = [f"test_{number:02d}" for number in sorted(set(sources["test"]) - labelled)]
    if labelled and without_labels:
        missing.append(f"{some(without_labels)} without {kind}")
    return missing


def _open_clips(
    home: Path, sources: dict[str, dict[int, Path]], mask_files: dict[int, Path], skip_unreadable: bool
) -> tuple[list[Clip], list[LeftOut]]:
    def clip(split: str, number: int, path: Path | None, n_frames: int, fps: float = 0.0) -> Clip:
        return Clip(f"{split}_{number:02d}", split, SCENE, path, n_frames, fps or NOMINAL_FPS)

    def open_clip(split: str, path: Path) -> Clip:
        if not path.is_dir():
            return clip(split, numbers[path], path, *videos.probe_video(path)[:2])
        n_frames = len(list_numbered(path))
        if n_frames == 0:
            raise LayoutError(f"{path} has no frames ({', '.join(IMAGE_SUFFIXES)}). Copy it again.")
        return clip(split, numbers[path], path, n_frames)

    numbers = {path: number for paths in sources.values() for number, path in paths.items()}
    found = [(split, path) for split, paths in sources.items() for _, path in sorted(paths.items())]
    opened, left_out = open_each(found, open_clip, home, skip_unreadable=skip_unreadable)
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


def _labels_of_masks(clips: list[Clip], mask_files: dict[int, Path]) -> dict[str, np.ndarray]:
    def read(clip: Clip) -> np.ndarray:
        masks = iterate_masks(mask_files[_number(clip)], clip)
        return np.fromiter((mask.any() for mask in masks), np.int8, clip.n_frames)

    with ThreadPoolExecutor(8) as pool:  # inflating is most of the work, and runs beside the rest
        return dict(zip([clip.id for clip in clips], pool.map(read, clips), strict=True))


def _flat_labels(home: Path, clips: list[Clip], left_out: list[LeftOut]) -> tuple[dict[str, np.ndarray], str]:
    """Read the labels of all frames in a row; gives them, and from where they are."""
    flat = first_existing(home, FLAT_PLACES)
    if flat is None:
        return {}, "none"
    return split_flat_labels(flat, clips, left_out), f"{relative_name(flat, home)}: labels of frames in a row, no masks"


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

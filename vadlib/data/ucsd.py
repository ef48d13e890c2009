"""UCSD Ped1 and Ped2 (Mahadevan et al. 2010), as in `UCSD_Anomaly_Dataset.v1p2`.

::

    UCSDped2/Train/Train001/001.tif ...   Test/Test001/001.tif ...   Test/Test001_gt/001.bmp ...   Test/UCSDped2.m

Frames may be tif, jpg or png; the `.m` file holds the anomalous ranges of each test clip, numbered from 1, ends
included. Each set is one camera. Of Ped1 the authors publish masks of 10 clips. Frame rate: folders of frames carry
none; the set's authors gave 10 frames a second, which is used.

Copies made for the frame-prediction code of Liu et al. (2018), and code built on it, are read as well: they have
`training/frames/01/001.jpg`, `testing/frames/01/...`, and the labels in `ped2.mat` (see `mat_intervals`) or in
`frame_labels_ped2.npy` (see `flat_labels`). Clips are called as the authors call them.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from vadlib.data import videos
from vadlib.data.dataset import Clip, VideoDataset, some
from vadlib.data.files import read_label_text
from vadlib.data.flat_labels import split_flat_labels
from vadlib.data.mat_intervals import label_by_intervals
from vadlib.data.sources import find_sources, first_place, name_place
from vadlib.errors import LabelError, LayoutError

EXPECTS = ("Train/Train001 ...", "Test/Test001 ...", "Test/UCSDped1.m or Test/UCSDped2.m")
NOMINAL_FPS = 10.0
OTHER_PLACES = {"train": ("training/frames", "train/frames"), "test": ("testing/frames", "test/frames")}
CLIP = r"(?:Train|Test)?(\d{1,3})"


def _set_name(name: str) -> str:
    return name.replace("ucsd-", "UCSD")  # ucsd-ped1 -> UCSDped1


def is_home(folder: Path, name: str) -> bool:
    """Whether a folder is the set's own: test or training clips, and not the other set's labels."""
    labels = {path.name for path in folder.glob("Test/UCSDped?.m")}
    if labels:
        return f"{_set_name(name)}.m" in labels
    has_clips = any(next(folder.glob(f"{split}/{split}[0-9]*"), None) for split in ("Train", "Test"))
    if has_clips:
        return folder.name == _set_name(name)  # without labels only the folder's name tells them apart
    named = folder.name.lower() in (_short_name(name), _set_name(name).lower(), name)
    named = named or first_place(folder, _other_labels(name)) is not None
    return named and any(find_sources(folder, dict.fromkeys(places, CLIP)) for places in OTHER_PLACES.values())


def _short_name(name: str) -> str:
    return name.removeprefix("ucsd-")


def _other_labels(name: str) -> tuple[str, str]:
    """Where copies in other layouts have the labels."""
    return f"{_short_name(name)}.mat", f"frame_labels_{_short_name(name)}.npy"


def open_home(name: str, home: Path, allow_missing: bool) -> VideoDataset:
    """Open the set in its own folder (see `vadlib.data.open_dataset`)."""
    label_file = home / "Test" / f"{_set_name(name)}.m"
    ranges = parse_ranges(label_file) if label_file.is_file() else {}
    folders = {split: _clip_folders(home / split.title(), split.title()) for split in ("train", "test")}
    if not any(folders.values()) and not ranges:
        return _open_other(name, home, allow_missing)
    missing = _missing(label_file, ranges, folders)
    if missing and not allow_missing:
        raise LayoutError(
            f"{name} in {home} is incomplete: {'; '.join(missing)}. "
            "Unpack the archive again, or open what is there with open_dataset(..., allow_missing=True)."
        )
    clips, labels, masks = [], {}, {}
    for split, by_number in folders.items():
        for number, folder in by_number.items():
            if split == "test" and number not in ranges:
                continue
            clip = _open_clip(folder.name, split, name, folder)
            clips.append(clip)
            labels[clip.id] = _labels(clip, ranges[number] if split == "test" else [], label_file)
            mask_folder = folder.with_name(f"{folder.name}_gt")
            if split == "test" and mask_folder.is_dir():
                masks[clip.id] = _checked_masks(mask_folder, clip)
    facts = {"labels": name_place(label_file, home)}
    return VideoDataset(name, home, tuple(clips), labels, masks, _read_mask, missing=tuple(missing), facts=facts)


def _open_clip(clip_id: str, split: str, name: str, folder: Path) -> Clip:
    n_frames = len(videos.list_numbered(folder))
    if n_frames == 0:
        raise LayoutError(f"{folder} has no frames ({', '.join(videos.IMAGE_SUFFIXES)}). Copy it again.")
    return Clip(clip_id, split, _short_name(name), folder, n_frames, NOMINAL_FPS)


def _open_other(name: str, home: Path, allow_missing: bool) -> VideoDataset:
    """Open a copy in the layout of the frame-prediction code (see the module)."""
    found = {split: find_sources(home, dict.fromkeys(places, CLIP)) for split, places in OTHER_PLACES.items()}
    folders = {
        split: {int(re.fullmatch(CLIP, path.name)[1]): path for path in paths.values() if path.is_dir()}
        for split, paths in found.items()
    }
    label_file = first_place(home, _other_labels(name))
    missing = [] if folders["train"] else ["no training clips (training/frames/01 ...)"]
    missing += [] if folders["test"] else ["no test clips (testing/frames/01 ...)"]
    missing += [] if label_file else [f"no labels ({' or '.join(_other_labels(name))})"]
    if missing and not allow_missing:
        raise LayoutError(
            f"{name} in {home} is incomplete: {'; '.join(missing)}. Copy it again, get the authors' archive with "
            "`vadlib data fetch ucsd`, or open what is there with open_dataset(..., allow_missing=True)."
        )
    clips = {
        split: {
            number: _open_clip(f"{split.title()}{number:03d}", split, name, folder)
            for number, folder in sorted(folders[split].items())
        }
        for split in (("train", "test") if label_file else ("train",))
    }
    labels = {clip.id: np.zeros(clip.n_frames, np.int8) for clip in clips["train"].values()}
    if label_file and label_file.suffix == ".mat":
        labels |= label_by_intervals(label_file, clips["test"])
    elif label_file:
        labels |= split_flat_labels(label_file, list(clips["test"].values()))
    facts = {"labels": name_place(label_file, home) if label_file else "none"}
    opened = tuple(clip for by_number in clips.values() for clip in by_number.values())
    return VideoDataset(name, home, opened, labels, missing=tuple(missing), facts=facts)


def _clip_folders(folder: Path, prefix: str) -> dict[int, Path]:
    """List the clips by number: `Test012` but not `Test012_gt`."""
    if not folder.is_dir():
        return {}
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        match = re.fullmatch(rf"{prefix}(\d+)", path.name)
        if match and path.is_dir():
            other = found.setdefault(int(match[1]), path)
            if other is not path:
                raise LayoutError(f"{other} and {path.name} are both clip {int(match[1])}. Keep one of them.")
    return found


def _missing(label_file: Path, ranges: dict, folders: dict[str, dict[int, Path]]) -> list[str]:
    missing = []
    if not folders["train"]:
        missing.append("no training clips (Train/Train001 ...)")
    if not label_file.is_file():
        missing.append(f"no labels (Test/{label_file.name})")
    without_frames = [f"Test{number:03d}" for number in sorted(set(ranges) - set(folders["test"]))]
    if without_frames:
        missing.append(f"{some(without_frames)} with labels in {label_file.name} but no folder in Test")
    without_labels = [f"Test{number:03d}" for number in sorted(set(folders["test"]) - set(ranges))]
    if without_labels and label_file.is_file():
        missing.append(f"{some(without_labels)} without labels in {label_file.name}")
    return missing


def parse_ranges(path: Path) -> dict[int, list[tuple[int, int]]]:
    """Read the anomalous ranges of a `.m` file.

    Returns
    -------
    dict of int to list of (first, last)
        By the clip's number, counted from 1 in the file's order; frames numbered from 1, ends included.

    Raises
    ------
    LabelError
        No `gt_frame` entry, something in one that is no range, or a file that cannot be read.
    """
    text = re.sub(r"%[^\r\n]*", "", read_label_text(path, "latin-1"))
    entries = re.findall(r"gt_frame\s*=\s*\[?([^\];]*)", text)
    if not entries:
        raise LabelError(f"{path}: no line like `TestVideoFile{{end+1}}.gt_frame = [61:180];` in it.")
    ranges = {}
    for number, entry in enumerate(entries, start=1):
        ranges[number] = []
        entry = " ".join(entry.replace("...", " ").replace(",", " ").split())
        for part in re.sub(" ?: ?", ":", entry).split():
            match = re.fullmatch(r"(\d{1,9})(?::(\d{1,9}))?", part)
            first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
            if not 1 <= first <= last:
                raise LabelError(f"{path}: entry {number}: {part[:40]!r} is not a range of frames like 61:180.")
            ranges[number].append((first, last))
    return ranges


def _labels(clip: Clip, ranges: list[tuple[int, int]], label_file: Path) -> np.ndarray:
    labels = np.zeros(clip.n_frames, np.int8)
    for first, last in ranges:
        if last > clip.n_frames:
            raise LabelError(
                f"Clip {clip.id} has {clip.n_frames} frames ({clip.path}), but {label_file.name} labels frames "
                f"{first} to {last} of it. Nothing is cut to fit: copy the clip again."
            )
        labels[first - 1 : last] = 1
    return labels


def _checked_masks(folder: Path, clip: Clip) -> Path:
    n_masks = len(videos.list_numbered(folder))
    if n_masks != clip.n_frames:
        raise LabelError(f"Clip {clip.id} has {clip.n_frames} frames but {n_masks} masks in {folder}. Copy both again.")
    return folder


def _read_mask(dataset: VideoDataset, clip: Clip, folder: Path, frame: int) -> np.ndarray:
    path = videos.list_numbered(_checked_masks(folder, clip))[frame]
    mask = videos.read_mask(path)  # bool (H, W)
    if mask.shape != dataset.image_size(clip.id):
        raise LabelError(
            f"Clip {clip.id}: mask {path} is {mask.shape}, frames are {dataset.image_size(clip.id)} (height, width). "
            "Copy both again."
        )
    return mask

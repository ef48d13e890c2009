"""UCSD Ped1 and Ped2 (Mahadevan et al. 2010), as in `UCSD_Anomaly_Dataset.v1p2`.

::

    UCSDped2/Train/Train001/001.tif ...   Test/Test001/001.tif ...   Test/Test001_gt/001.bmp ...   Test/UCSDped2.m

Frames may be tif, jpg or png; the `.m` file holds the anomalous ranges of each test clip, numbered from 1, ends
included. Where it is not there, the masks say which frames are anomalous, as in all of Ped2: those with any pixel set.
Each set is one camera. Of Ped1 the authors publish masks of 10 clips. Frame rate: folders of frames carry none; the
set's authors gave 10 frames a second, which is used. Names are told whatever their case. Without the `.m` file the
folder's name says which of the two sets it is, or else the size of its pictures.

Copies made for the frame-prediction code of Liu et al. (2018), and code built on it, are read as well: they have
`training/frames/01/001.jpg`, `testing/frames/01/...`, and the labels in `ped2.mat` (see `mat_intervals`) or in
`frame_labels_ped2.npy` (see `flat_labels`). Clips are called as the authors call them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path

import numpy as np

from vadlib.data.dataset import Clip, VideoDataset, some
from vadlib.data.labels.flat_labels import split_flat_labels
from vadlib.data.labels.mat_intervals import describe_mat, label_by_mat
from vadlib.data.layouts.locate import find_sources, first_existing, relative_name
from vadlib.data.layouts.numbered import IMAGE_SUFFIXES, list_numbered
from vadlib.data.layouts.opening import LeftOut, Opening, left_out_facts, open_each
from vadlib.data.reading.files import ALLOWING, read_label_text, visible
from vadlib.data.reading.pictures import picture_size, read_mask
from vadlib.errors import LabelError, LayoutError, UnreadableError

EXPECTS = ("Train/Train001 ...", "Test/Test001 ...", "Test/UCSDped1.m or Test/UCSDped2.m")
NOMINAL_FPS = 10.0
OTHER_PLACES = {"train": ("training/frames", "train/frames"), "test": ("testing/frames", "test/frames")}
CLIP = r"(?:Train|Test)?(\d{1,3})"
LABELS = re.compile(r"UCSDped\d\.m", re.IGNORECASE)
NAMED = re.compile(r"(?:ucsd-?)?ped[12]")
SIZES = {"ucsd-ped1": (158, 238), "ucsd-ped2": (240, 360)}  # of the published frames, (height, width)


def _set_name(name: str) -> str:
    return name.replace("ucsd-", "UCSD")  # ucsd-ped1 -> UCSDped1


def matches(folder: Path, name: str) -> bool:
    """Whether a folder is the set's own: test or training clips, and not the other set's."""
    places = _split_folders(folder)
    labels = {path.name.lower() for path in _inside(places.get("test")) if LABELS.fullmatch(path.name)}
    if labels:
        return f"{_set_name(name)}.m".lower() in labels
    clips = [path for split in places for path in _clip_folders(places[split], split).values()]
    called = Path(os.path.abspath(folder)).name.lower()
    named = called in (_short_name(name), _set_name(name).lower(), name)
    if clips:
        return named or (not NAMED.fullmatch(called) and _size_of_frames(clips) == SIZES[name])
    named = named or first_existing(folder, _other_labels(name)) is not None
    return named and any(find_sources(folder, dict.fromkeys(places, CLIP)) for places in OTHER_PLACES.values())


def _split_folders(home: Path) -> dict[str, Path]:
    """Find the folders `Train` and `Test`, whatever their case; an exact name counts before another."""
    found = {path.name.lower(): path for path in reversed(_inside(home)) if path.is_dir()}
    return {split: found[split] for split in ("train", "test") if split in found}


def _inside(folder: Path | None) -> list[Path]:
    return sorted(folder.iterdir()) if folder is not None and folder.is_dir() else []


def _size_of_frames(clips: list[Path]) -> tuple[int, int] | None:
    """(height, width) of the first picture there is, if it can be read."""
    for clip in clips:
        pictures = [path for path in _inside(clip) if path.suffix.lower() in IMAGE_SUFFIXES and visible(path)]
        if pictures:
            try:
                return tuple(picture_size(pictures[0]))
            except UnreadableError:
                return None
    return None


def _short_name(name: str) -> str:
    return name.removeprefix("ucsd-")


def _other_labels(name: str) -> tuple[str, str]:
    """Where copies in other layouts have the labels."""
    return f"{_short_name(name)}.mat", f"frame_labels_{_short_name(name)}.npy"


def open_layout(name: str, home: Path, opening: Opening) -> VideoDataset:
    """Open the set in its own folder (see `vadlib.data.open_dataset`)."""
    places = _split_folders(home)
    label_file = next(
        (path for path in _inside(places.get("test")) if path.name.lower() == f"{_set_name(name)}.m".lower()), None
    )
    ranges = parse_ranges(label_file) if label_file else {}
    folders = {split: _clip_folders(places.get(split), split) for split in ("train", "test")}
    if not any(folders.values()) and not ranges:
        return _open_other(name, home, opening)
    mask_folders = _mask_folders(folders["test"])
    labelled = set(ranges) if label_file else set(mask_folders)
    missing = _missing(name, label_file, ranges, folders, labelled)
    _refuse_incomplete(name, home, missing, opening, "Unpack the archive again")
    clips, left_out = _open_clips(name, home, folders | {"test": _only(folders["test"], labelled)}, opening)
    labels, masks = {}, {}
    for (split, number), clip in clips.items():
        if split == "train" or label_file:
            labels[clip.id] = _labels(clip, ranges[number] if split == "test" else [], label_file)
        if split == "test" and number in mask_folders:
            masks[clip.id] = _checked_masks(mask_folders[number], clip)
            if not label_file:
                labels[clip.id] = _labels_of_masks(masks[clip.id])
    if label_file:
        source = relative_name(label_file, home)
    elif masks:
        source = f"masks beside the clips: frames with any pixel of their mask set ({_set_name(name)}.m is not there)"
    else:
        source = "none"
    return VideoDataset(
        name, home, tuple(clips.values()), labels, masks, _read_mask, missing=tuple(missing), left_out=tuple(left_out),
        facts={"labels": source} | left_out_facts(left_out),
    )  # fmt: skip


def _refuse_incomplete(name: str, home: Path, missing: list[str], opening: Opening, remedy: str) -> None:
    if missing and not opening.allow_missing:
        raise LayoutError(f"{name} in {home} is incomplete: {'; '.join(missing)}. {remedy}, {ALLOWING}.")


def _only(folders: dict[int, Path], numbers: Collection[int]) -> dict[int, Path]:
    return {number: folder for number, folder in folders.items() if number in numbers}


def _open_clips(
    name: str, home: Path, folders: dict[str, dict[int, Path]], opening: Opening
) -> tuple[dict[tuple[str, int], Clip], list[LeftOut]]:
    """Open the clips of both splits, by split and number."""

    def open_clip(split: str, folder: Path) -> Clip:
        n_frames = len(list_numbered(folder))
        if n_frames == 0:
            raise LayoutError(f"{folder} has no frames ({', '.join(IMAGE_SUFFIXES)}). Copy it again.")
        digits = re.search(r"\d+", folder.name)[0]
        return Clip(f"{split.title()}{digits:>03}", split, _short_name(name), folder, n_frames, NOMINAL_FPS)

    found = [(split, folder) for split, by_number in folders.items() for _, folder in sorted(by_number.items())]
    opened, left_out = open_each(found, open_clip, home, skip_unreadable=opening.skip_unreadable)
    clips = {
        (split, number): opened[folder]
        for split, by_number in folders.items()
        for number, folder in sorted(by_number.items())
        if folder in opened
    }
    return clips, left_out


def _open_other(name: str, home: Path, opening: Opening) -> VideoDataset:
    """Open a copy in the layout of the frame-prediction code (see the module)."""
    found = {split: find_sources(home, dict.fromkeys(places, CLIP)) for split, places in OTHER_PLACES.items()}
    folders = {
        split: {int(re.fullmatch(CLIP, path.name)[1]): path for path in paths.values() if path.is_dir()}
        for split, paths in found.items()
    }
    label_file = first_existing(home, _other_labels(name))
    mat = describe_mat(label_file) if label_file and label_file.suffix == ".mat" else None
    missing = [] if folders["train"] else ["no training clips (training/frames/01 ...)"]
    missing += [] if folders["test"] else ["no test clips (testing/frames/01 ...)"]
    missing += [] if label_file else [f"no labels ({' or '.join(_other_labels(name))})"]
    labelled = set(folders["test"]) if label_file else set()
    if mat:
        labelled = set(mat.numbers)
        missing += _unmatched(folders["test"], labelled, mat.eventful, label_file.name, "testing/frames")
    _refuse_incomplete(
        name, home, missing, opening, "Copy it again, get the authors' archive with `vadlib data fetch ucsd`"
    )
    clips, left_out = _open_clips(name, home, folders | {"test": _only(folders["test"], labelled)}, opening)
    tested = {number: clip for (split, number), clip in clips.items() if split == "test"}
    labels = {clip.id: np.zeros(clip.n_frames, np.int8) for clip in clips.values() if clip.split == "train"}
    if mat:
        labels |= label_by_mat(label_file, tested)
    elif label_file:
        labels |= split_flat_labels(label_file, list(tested.values()), left_out)
    facts = {"labels": relative_name(label_file, home) if label_file else "none"} | left_out_facts(left_out)
    return VideoDataset(
        name, home, tuple(clips.values()), labels, missing=tuple(missing), left_out=tuple(left_out), facts=facts
    )


def _clip_folders(folder: Path | None, split: str) -> dict[int, Path]:
    """List the clips by number: `Test012` but not `Test012_gt`."""
    found: dict[int, Path] = {}
    for path in _inside(folder):
        match = re.fullmatch(rf"{split}(\d+)", path.name, re.IGNORECASE)
        if match and path.is_dir():
            other = found.setdefault(int(match[1]), path)
            if other is not path:
                raise LayoutError(f"{other} and {path.name} are both clip {int(match[1])}. Keep one of them.")
    return found


def _mask_folders(clips: dict[int, Path]) -> dict[int, Path]:
    """Find the folders of masks that lie beside test clips, and are not empty."""
    found = {}
    for number, clip in clips.items():
        for path in (clip.with_name(f"{clip.name}{ending}") for ending in ("_gt", "_GT")):
            if number not in found and any(entry.suffix.lower() in IMAGE_SUFFIXES for entry in _inside(path)):
                found[number] = path
    return found


def _missing(
    name: str,
    label_file: Path | None,
    ranges: Collection[int],
    folders: dict[str, dict[int, Path]],
    labelled: Collection[int],
) -> list[str]:
    missing = [] if folders["train"] else ["no training clips (Train/Train001 ...)"]
    if not folders["test"]:
        missing.append("no test clips (Test/Test001 ...)")
    elif not labelled:
        missing.append(f"no labels (Test/{_set_name(name)}.m, or masks in Test/Test001_gt ...)")
    elif label_file:
        missing += _unmatched(folders["test"], ranges, ranges, label_file.name, "Test")
    elif without_labels := _names(set(folders["test"]) - set(labelled)):
        missing.append(f"{some(without_labels)} without labels: neither {_set_name(name)}.m nor masks of them")
    return missing


def _unmatched(
    folders: Collection[int], labelled: Collection[int], eventful: Collection[int], file: str, place: str
) -> list[str]:
    """Say which test clips have labels in a file but no folder, and the other way round."""
    unmatched = []
    if folders and (without_frames := _names(set(eventful) - set(folders))):
        unmatched.append(f"{some(without_frames)} with labels in {file} but no folder in {place}")
    if without_labels := _names(set(folders) - set(labelled)):
        unmatched.append(f"{some(without_labels)} without labels in {file}")
    return unmatched


def _names(numbers: Collection[int]) -> list[str]:
    return [f"Test{number:03d}" for number in sorted(numbers)]


def parse_ranges(path: Path) -> dict[int, list[tuple[int, int]]]:
    """Read the anomalous ranges of a `.m` file by the clip's number, both from 1 on, ends included."""
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


def _labels_of_masks(folder: Path) -> np.ndarray:
    return np.array([read_mask(path).any() for path in list_numbered(folder)], np.int8)


def _checked_masks(folder: Path, clip: Clip) -> Path:
    n_masks = len(list_numbered(folder))
    if n_masks != clip.n_frames:
        raise LabelError(f"Clip {clip.id} has {clip.n_frames} frames but {n_masks} masks in {folder}. Copy both again.")
    return folder


def _read_mask(dataset: VideoDataset, clip: Clip, folder: Path, frame: int) -> np.ndarray:
    path = list_numbered(_checked_masks(folder, clip))[frame]
    mask = read_mask(path)  # bool (H, W)
    if mask.shape != dataset.image_size(clip.id):
        raise LabelError(
            f"Clip {clip.id}: mask {path} is {mask.shape}, frames are {dataset.image_size(clip.id)} (height, width). "
            "Copy both again."
        )
    return mask

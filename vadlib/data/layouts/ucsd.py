"""UCSD Ped1 and Ped2 (Mahadevan et al. 2010), as in `UCSD_Anomaly_Dataset.v1p2`.

::

    UCSDped2/Train/Train001/001.tif ...   Test/Test001/001.tif ...   Test/Test001_gt/001.bmp ...   Test/UCSDped2.m

Frames may be tif, jpg or png; the `.m` file holds the anomalous ranges of each test clip, numbered from 1, ends
included. Where it is not there, the masks say which frames are anomalous, as in all of Ped2: those with any pixel set.
Each set is one camera. Of Ped1 the authors publish masks of 10 clips. Frame rate: folders of frames carry none; the
set's authors gave 10 frames a second, which is used. Names are told whatever their case. Without the `.m` file the
folder's name says which of the two sets it is, or else the size of its pictures.

Copies made for the frame-prediction code of Liu et al. (2018), and code built on it, are read as well: they have
`training/frames/01/001.jpg`, `testing/frames/01/...`, and the labels in `ped2.mat` or in
`frame_labels_ped2.npy` (see `labels.label_files`). Clips are called as the authors call them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from vadlib.data.dataset import Clip, VideoDataset
from vadlib.data.labels.label_files import NO_LABELS, LabelFiles, label_intervals, labels_in
from vadlib.data.layouts.locate import find_sources, first_existing, relative_name
from vadlib.data.layouts.numbered import IMAGE_SUFFIXES, count_numbered, list_numbered
from vadlib.data.layouts.opening import Opening, open_each, refuse_incomplete
from vadlib.data.reading.files import read_label_text, visible
from vadlib.data.reading.pictures import picture_size, read_mask
from vadlib.errors import LabelError, LayoutError, UnreadableError

EXPECTS = ("Train/Train001 ...", "Test/Test001 ...", "Test/UCSDped1.m or Test/UCSDped2.m")
NOMINAL_FPS = 10.0
OTHER_PLACES = {"train": ("training/frames", "train/frames"), "test": ("testing/frames", "test/frames")}
CLIP = r"(?:Train|Test)?(\d{1,3})"
LABELS = re.compile(r"UCSDped\d\.m", re.IGNORECASE)
NAMED = re.compile(r"(?:ucsd-?)?ped[12]")
SIZES = {"ucsd-ped1": (158, 238), "ucsd-ped2": (240, 360)}  # of the published frames, (height, width)


def _short_name(name: str) -> str:
    return name.removeprefix("ucsd-")


def _set_name(name: str) -> str:
    return f"UCSD{_short_name(name)}"  # ucsd-ped1 -> UCSDped1


def _other_labels(name: str) -> tuple[str, str]:
    """Where copies in other layouts have the labels."""
    return f"{_short_name(name)}.mat", f"frame_labels_{_short_name(name)}.npy"


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
    folders = {path.name.lower(): path for path in reversed(_inside(home)) if path.is_dir()}
    return {split: folders[split] for split in ("train", "test") if split in folders}


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


def open_layout(name: str, home: Path, opening: Opening) -> VideoDataset:
    """Open the set in its own folder (see `vadlib.data.open_dataset`)."""
    places = _split_folders(home)
    label_file = next(
        (path for path in _inside(places.get("test")) if path.name.lower() == f"{_set_name(name)}.m".lower()), None
    )
    folders = {split: _clip_folders(places.get(split), split) for split in ("train", "test")}
    mask_folders = _mask_folders(folders["test"])
    if any(folders.values()) or label_file:
        found = _published_labels(name, home, label_file, mask_folders)
        wanted, no_pictures = f"Test/{_set_name(name)}.m, or masks in Test/Test001_gt ...", "no folder in Test"
        clips_in, remedy = {"train": "Train/Train001", "test": "Test/Test001"}, "Unpack the archive again"
    else:
        folders = {split: _other_folders(home, split) for split in OTHER_PLACES}
        other = first_existing(home, _other_labels(name))
        found = labels_in(other, home, folders["test"])._replace(name=other.name) if other else NO_LABELS
        wanted, no_pictures = " or ".join(_other_labels(name)), "no folder in testing/frames"
        clips_in = {"train": "training/frames/01", "test": "testing/frames/01"}
        remedy = "Copy it again, get the authors' archive with `vadlib data fetch ucsd`"
    missing = [] if folders["train"] else [f"no training clips ({clips_in['train']} ...)"]
    if not folders["test"]:
        missing.append(f"no test clips ({clips_in['test']} ...)")
    elif not found.numbers:
        missing.append(f"no labels ({wanted})")
    missing += found.unmatched(folders["test"], "Test{:03d}", no_pictures)
    refuse_incomplete(name, home, missing, opening, remedy)

    def open_clip(split: str, folder: Path) -> Clip:
        n_frames, digits = count_numbered(folder), re.search(r"\d+", folder.name)[0]
        return Clip(f"{split.title()}{digits:>03}", split, _short_name(name), folder, n_frames, NOMINAL_FPS)

    folders["test"] = {number: path for number, path in folders["test"].items() if number in found.numbers}
    sources = [(split, path) for split, by_number in folders.items() for _, path in sorted(by_number.items())]
    opened, left_out = open_each(sources, open_clip, home, skip_unreadable=opening.skip_unreadable)
    tested = {number: opened[path] for number, path in folders["test"].items() if path in opened}
    labels = {clip.id: np.zeros(clip.n_frames, np.int8) for clip in opened.values() if clip.split == "train"}
    labels |= found.read(tested, left_out)
    masks = {
        clip.id: _checked_masks(mask_folders[number], clip) for number, clip in tested.items() if number in mask_folders
    }
    return VideoDataset(
        name, home, tuple(opened.values()), labels, masks, _read_mask, missing=tuple(missing), left_out=tuple(left_out),
        facts={"labels": found.name},
    )  # fmt: skip


def _published_labels(name: str, home: Path, label_file: Path | None, mask_folders: dict[int, Path]) -> LabelFiles:
    """The `.m` file's ranges, or else what the masks beside the clips say."""
    if label_file:
        ranges = parse_ranges(label_file)
        return LabelFiles(
            relative_name(label_file, home),
            f"labels in {label_file.name}",
            ranges,
            ranges,
            lambda clips, _: {clip.id: label_intervals(clip, ranges[n], label_file) for n, clip in clips.items()},
        )
    return (
        NO_LABELS
        if not mask_folders
        else LabelFiles(
            f"masks beside the clips: frames with any pixel of their mask set ({_set_name(name)}.m is not there)",
            f"labels: neither {_set_name(name)}.m nor masks of them",
            mask_folders,
            (),
            lambda clips, _: {clip.id: _labels_of_masks(mask_folders[number]) for number, clip in clips.items()},
        )
    )


def _other_folders(home: Path, split: str) -> dict[int, Path]:
    """Clips, by number, in the layout of the frame-prediction code (see the module)."""
    found = find_sources(home, dict.fromkeys(OTHER_PLACES[split], CLIP)).values()
    return {int(re.fullmatch(CLIP, path.name)[1]): path for path in found if path.is_dir()}


def _clip_folders(folder: Path | None, split: str) -> dict[int, Path]:
    """List the clips by number: `Test012` but not `Test012_gt`."""
    clips: dict[int, Path] = {}
    for path in _inside(folder):
        match = re.fullmatch(rf"{split}(\d+)", path.name, re.IGNORECASE)
        if match and path.is_dir():
            other = clips.setdefault(int(match[1]), path)
            if other is not path:
                raise LayoutError(f"{other} and {path.name} are both clip {int(match[1])}. Keep one of them.")
    return clips


def _mask_folders(clips: dict[int, Path]) -> dict[int, Path]:
    """Find the folders of masks that lie beside test clips, and are not empty."""
    mask_folders = {}
    for number, clip in clips.items():
        for path in (clip.with_name(f"{clip.name}{ending}") for ending in ("_gt", "_GT")):
            if number not in mask_folders and any(entry.suffix.lower() in IMAGE_SUFFIXES for entry in _inside(path)):
                mask_folders[number] = path
    return mask_folders


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

"""ShanghaiTech Campus (Luo et al. 2017), and every set written the same way (SynthCampus).

::

    training/videos/SS_NNN.avi      testing/frames/SS_NNNN/000.jpg ...      or testing/videos/SS_NNNN.avi
    testing/test_frame_mask/SS_NNNN.npy      testing/test_pixel_mask/SS_NNNN.npy      events.csv (SynthCampus)

SS is the scene. Frame masks are (T,), 1 = anomalous; pixel masks (T, H, W) or, in some copies, (H, W, T). A
clip may be a video file or a folder of frames, in either split; where there are both, the folder counts. Frame
rate: videos carry their own; folders of frames get the median of the set's videos, or 24 where there are none
(the rate of the published videos).

That is how the archive is published. `PLACES`, `LABEL_PLACES`, `FLAT_PLACES` and `MASK_PLACES` list where users' copies
have these parts instead: training frames for videos, videos converted by anomalib, labels beside the splits (the code
of ASTNet, ABMA) or under `gt` (STG-NF), or all labels in one array (MNAD). What is found first counts, and
`facts["labels"]` says what it was.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from vadlib.data.dataset import Clip, VideoDataset
from vadlib.data.labels.arrays import open_array
from vadlib.data.labels.intervals import event_table, read_intervals
from vadlib.data.labels.label_files import split_flat_labels
from vadlib.data.layouts.locate import find_sources, first_existing, relative_name
from vadlib.data.layouts.numbered import count_numbered
from vadlib.data.layouts.opening import Opening, list_unmatched, open_each, refuse_incomplete
from vadlib.data.reading import videos
from vadlib.errors import LabelError, LayoutError

EXPECTS = ("training/videos", "testing/frames or testing/videos", "testing/test_frame_mask")
NOMINAL_FPS = 24.0
CLIP = r"\d+_\d+"
OTHER_KINDS = ("converted_videos", "converted", "")
PLACES = {  # where clips are, and how they are called there: in the archive's own folders whatever is there is meant
    split: {f"{folder}/videos": r".+", f"{folder}/frames": r".+"}
    | {f"{folder}/{kind}": CLIP for kind in OTHER_KINDS}
    | {f"{short}/{kind}": CLIP for kind in ("videos", "frames", *OTHER_KINDS)}
    for split, folder, short in (("train", "training", "train"), ("test", "testing", "test"))
}
_LABEL_FOLDERS = ("testing", ".", "gt", "testing/gt", "test")
LABEL_PLACES = tuple(f"{folder}/test_frame_mask" for folder in _LABEL_FOLDERS)
MASK_PLACES = tuple(f"{folder}/test_pixel_mask" for folder in _LABEL_FOLDERS)
FLAT_PLACES = tuple(
    f"{folder}/frame_labels_{name}.npy" for folder in (".", "data", "..") for name in ("shanghai", "shanghaitech")
)


def matches(folder: Path, name: str) -> bool:
    """Whether a folder is the set's own: any part of it that only this layout has."""
    inside = (place for place in LABEL_PLACES if not place.startswith("."))  # or the folder `testing` would do
    if any(next((folder / place).glob("*.npy"), None) for place in inside):
        return True
    if any(find_sources(folder, dict.fromkeys(places, CLIP)) for places in PLACES.values()):
        return True
    parts = [folder / part for part in ("training/videos", "training/frames", "testing/frames", "testing/videos")]
    return any(part.is_dir() and not any(part.iterdir()) for part in parts)  # emptied, and nothing else's


def open_layout(name: str, home: Path, opening: Opening) -> VideoDataset:
    """Open the set in its own folder (see `vadlib.data.open_dataset`)."""
    _check_name(name, home)
    sources = {split: find_sources(home, places) for split, places in PLACES.items()}
    label_folder, mask_folder = first_existing(home, LABEL_PLACES), first_existing(home, MASK_PLACES)
    label_paths = _arrays(label_folder)
    flat = None if label_paths else first_existing(home, FLAT_PLACES)
    missing = _missing(sources, label_paths, flat)
    refuse_incomplete(name, home, missing, opening, "Unpack the archive again")
    test_labels = {clip_id: _read_labels(path) for clip_id, path in label_paths.items()}
    paths = {(clip_id, "train"): path for clip_id, path in sources["train"].items()}
    paths |= {(clip_id, "test"): sources["test"].get(clip_id) for clip_id in (sources["test"] if flat else test_labels)}
    counted, left_out = open_each(
        [(split, path) for (_, split), path in paths.items() if path], _count, home,
        skip_unreadable=opening.skip_unreadable,
    )  # fmt: skip
    rates = [fps for _, fps in counted.values() if fps]
    usual_fps = float(np.median(rates)) if rates else NOMINAL_FPS
    gone = {clip_id for (clip_id, _), path in paths.items() if path and path not in counted}
    clips, labels = [], {}
    for (clip_id, split), path in paths.items():
        if clip_id not in gone:
            n_frames, fps = counted.get(path) or (len(test_labels[clip_id]), None)
            clips.append(Clip(clip_id, split, clip_id.split("_")[0], path, n_frames, fps or usual_fps))
            labels[clip_id] = np.zeros(n_frames, np.int8) if split == "train" else test_labels.get(clip_id)
    tested = [clip for clip in clips if clip.split == "test"]
    if flat:
        labels |= split_flat_labels(flat, tested, left_out)
    masks = _arrays(mask_folder)
    masks = {clip.id: masks[clip.id] for clip in tested if clip.id in masks}
    events = _read_events(home / "events.csv")
    source = flat or label_folder
    dataset = VideoDataset(
        name,
        home,
        tuple(clips),
        labels,
        masks,
        _read_mask,
        events[~events["clip"].isin(gone)].reset_index(drop=True),
        tuple(missing),
        tuple(left_out),
        {"labels": relative_name(source, home) if source else "none"},
    )
    _check_masks(dataset)
    _check_events(dataset)
    return dataset


def _check_name(name: str, home: Path) -> None:
    """Tell the two sets of this layout apart, so that results on one never pass for the other's."""
    has_events = (home / "events.csv").is_file()
    if name == "shanghaitech" and has_events and (home / "world.json").is_file():
        raise LayoutError(
            f"{home} is not shanghaitech: it has world.json and events.csv, so it is a SynthCampus world, synthetic. "
            'Use "synthcampus": open_dataset("synthcampus", root).'
        )
    if name == "synthcampus" and not has_events:
        raise LayoutError(
            f"{home} is not synthcampus: events.csv is expected in it, and is not there. "
            'Write the world again, or use "shanghaitech" if this is a copy of ShanghaiTech Campus.'
        )


def _arrays(folder: Path | None) -> dict[str, Path]:
    """List the arrays of a folder by the clip that they are called after."""
    paths = [] if folder is None else sorted(folder.glob("*.npy"))
    return {path.stem: path for path in paths if videos.visible(path)}


def _missing(sources: dict[str, dict[str, Path]], label_paths: dict[str, Path], flat: Path | None) -> list[str]:
    missing = []
    if not sources["train"]:
        missing.append("no training videos (training/videos/*.avi)")
    if not label_paths and flat is None:
        missing.append("no labels (testing/test_frame_mask/*.npy)")
    if not sources["test"]:
        missing.append("no test clips (testing/frames/* or testing/videos/*)")
    words = "with labels but neither frames nor video", "without labels in test_frame_mask"
    return missing + list_unmatched(sources["test"], label_paths, label_paths, *words)


def _count(_: str, path: Path) -> tuple[int, float | None]:
    """Frames, and frames a second where the source says it."""
    return (count_numbered(path), None) if path.is_dir() else videos.probe_video(path)[:2]


def _read_labels(path: Path) -> np.ndarray:
    labels = open_array(path)
    if labels.ndim != 1:
        raise LabelError(f"{path}: one label a frame is expected, an array (T,), not {labels.shape}.")
    return labels


def _check_masks(dataset: VideoDataset) -> None:
    """Refuse masks with another number of frames than their clip, at once rather than at the first look."""
    for clip_id, path in dataset.mask_paths.items():
        n_frames, shape = dataset.clip(clip_id).n_frames, open_array(path).shape
        if len(shape) != 3 or n_frames not in (shape[0], shape[2]):
            raise LabelError(
                f"Clip {clip_id} has {n_frames} frames, but {path} is {shape}; "
                "(T, H, W) or (H, W, T) is expected. Copy it again."
            )


def _read_mask(dataset: VideoDataset, clip: Clip, path: Path, frame: int) -> np.ndarray:
    masks = open_array(path)
    size = dataset.image_size(clip.id) if clip.path is not None else None
    frames_first = mask_axes(masks.shape, clip.n_frames, size, path)
    return np.array(masks[frame] if frames_first else masks[:, :, frame]) != 0  # (H, W)


def mask_axes(shape: tuple[int, int, int], n_frames: int, size: tuple[int, int] | None, path: Path) -> bool:
    """Tell masks (T, H, W), True, from (H, W, T), by T and, where it is known, by the size of the frames."""
    first = shape[0] == n_frames and size in (None, shape[1:])
    last = shape[2] == n_frames and size in (None, shape[:2])
    if first == last:
        frames = f"{n_frames} frames" + (f" of {size[0]}x{size[1]} (height x width)" if size else " of unknown size")
        fits = "both (T, H, W) and (H, W, T)" if first else "neither (T, H, W) nor (H, W, T)"
        raise LabelError(f"{path}: masks {shape} for {frames} fit {fits}. Save them again as (T, H, W).")
    return first


def _read_events(path: Path) -> pd.DataFrame:
    """Read `events.csv`; no rows where there is none."""
    intervals = read_intervals(path) if path.exists() or path.is_symlink() else []
    for interval in intervals:
        if interval.first is None:
            raise LabelError(f"{path}, line {interval.line}: frames first and last are expected. Write it again.")
    return event_table(intervals)


def _check_events(dataset: VideoDataset) -> None:
    frames = {clip.id: clip.n_frames for clip in dataset.clips}
    for row in dataset.events.itertuples():
        if row.clip not in frames or not 0 <= row.first <= row.last < frames[row.clip]:
            raise LabelError(
                f"{dataset.root / 'events.csv'}: {row.event[:80]} in frames {row.first} to {row.last} of clip "
                f"{row.clip[:80]}, which has {frames.get(row.clip, 0)} frames."
            )

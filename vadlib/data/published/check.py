"""What a copy of a data set holds, beside what its authors publish."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vadlib.data.dataset import UNLABELLED, Clip, VideoDataset
from vadlib.data.layouts.catalogue import LAYOUTS, find_dataset_folder, open_dataset, unreadable
from vadlib.data.layouts.clip_search import search_clips
from vadlib.data.progress import progress_bar
from vadlib.data.published.official import COUNTS, Counts
from vadlib.data.published.packed import advice
from vadlib.data.reading import videos
from vadlib.data.reading.files import list_names, visible
from vadlib.data.reading.scanning import scan_video
from vadlib.errors import LayoutError, ParameterError, UnreadableError, VadError
from vadlib.storage import user_path

HEADER_SLACK = 2  # frames by which the header of a published video may be off
OFFICIAL = {  # what is counted, and where `Counts` has the published number
    "training clips": "train_clips",
    "training frames": "train_frames",
    "test clips": "test_clips",
    "test frames": "test_frames",
    "test frames with labels": "test_frames",
    "anomalous frames": "anomalous",
    "clips with pixel masks": "mask_clips",
}


@dataclass(frozen=True)
class Check:
    """What `check_datasets` found of one data set, in `home`."""

    name: str
    home: Path
    counts: pd.DataFrame  # one row a quantity: found, and official (None where none is published)
    problems: tuple[str, ...]  # what is missing, damaged or different; results on such a copy are others
    notes: tuple[str, ...]  # what else there is to know: which labels were read, masks not there

    @property
    def complete(self) -> bool:
        """Whether nothing is missing, damaged or different."""
        return not self.problems


def check_datasets(
    root: str | os.PathLike, name: str | None = None, *, decode: bool = False, progress: bool = True
) -> list[Check]:
    """Compare what lies in a folder with what is published."""
    root = user_path(root)
    if name is not None and name not in LAYOUTS:
        raise ParameterError(f"dataset: one of {', '.join(LAYOUTS)} is expected, not {name!r}.")
    try:
        names = [name] if name else guess_names(root)
        return [_check(each, root, decode, progress) for each in names]
    except OSError as error:  # a folder that may not be entered, a disk that fails
        raise unreadable(root, error) from error


def guess_names(root: Path) -> list[str]:
    """Say which data sets lie in a folder, by their layouts."""
    if root.is_file():
        packed = " ".join(advice(root.absolute().parent, root.name)) or "Give the folder of a data set."
        raise LayoutError(f"root: {root} is a file. {packed} Then give the folder.")
    if not root.is_dir():
        raise LayoutError(f"root: {root} is not there. Give the folder of a data set.")
    homes = {name: _home(name, root) for name in LAYOUTS if not LAYOUTS[name].any_folder}
    if homes["synthcampus"] is not None:  # the same layout: only a world has a record of how it was drawn
        is_world = (homes["synthcampus"] / "world.json").is_file()
        homes["shanghaitech" if is_world else "synthcampus"] = None
    if homes["avenue"] == homes["shanghaitech"]:
        homes["shanghaitech"] = None if homes["avenue"] else homes["shanghaitech"]
    names = [name for name, home in homes.items() if home is not None]
    if names:
        return names
    if any(path.name.casefold() == "normal" and path.is_dir() for path in root.iterdir()):  # one's own
        return ["folder"]
    here = Path(os.path.abspath(root))
    below = [path for path in sorted(root.iterdir()) if path.is_dir() and visible(path)]
    for near in (*list(here.parents)[:3], *below[:50]):
        for name in LAYOUTS:
            home = None if LAYOUTS[name].any_folder else _home(name, near)
            if home is not None and (near in below or here.is_relative_to(os.path.abspath(home))):
                raise LayoutError(f"{root} is not a data set's folder, but {name} is in {near}: give that as root.")
    if search_clips(root).clips:
        return ["folder"]
    there = sorted(path.name for path in root.iterdir() if visible(path))
    hint = "".join(f" {said}" for said in advice(root))
    raise LayoutError(
        f"{root} holds no data set that is known: {list_names(there)} is there.{hint} Known are {', '.join(LAYOUTS)}."
    )


def _home(name: str, folder: Path) -> Path | None:
    """As `find_dataset_folder`; a folder that may not be looked into, such as ``lost+found``, is no data set's home."""
    try:
        return find_dataset_folder(name, folder)
    except OSError:
        return None


def _check(name: str, root: Path, decode: bool, progress: bool) -> Check:
    home = find_dataset_folder(name, root)
    try:
        dataset = open_dataset(name, root, allow_missing=True, skip_unreadable=True)
    except VadError as error:
        if home is None:
            packed = advice(root) if root.is_dir() else []
            raise LayoutError(" ".join((str(error), *packed))) if packed else error from None
        return Check(name, home, pd.DataFrame(columns=["found", "official"]), (str(error),), ())
    official = COUNTS.get(name)
    counts = _count(dataset)
    notes = []
    problems = [f"missing: {lack}" for lack in dataset.missing]
    problems += [f"does not open: {clip.why}" for clip in dataset.left_out]
    if official is not None:
        problems += _differences(dataset, counts, official)
        if (n_masks := counts["clips with pixel masks"]) < official.mask_clips:
            notes.append(
                f"pixel masks of {n_masks} of {official.mask_clips} clips: where in the picture an anomaly is cannot "
                "be measured on the others"
            )
    problems += [f"damage: {value}" for what, value in dataset.facts.items() if what == "damage"]
    notes += [f"{what}: {value}" for what, value in dataset.facts.items() if what not in ("left out", "damage")]
    if decode:
        problems += _decode(dataset, progress)
    of_quantity = {name: (found, _official(name, official, found)) for name, found in counts.items()}
    table = pd.DataFrame.from_dict(of_quantity, orient="index", columns=["found", "official"], dtype=object)
    return Check(name, dataset.root, table, tuple(problems), tuple(notes))


def _count(dataset: VideoDataset) -> dict[str, int]:
    train = [clip.n_frames for clip in dataset.clips if clip.split == "train"]
    tested = [clip for clip in dataset.clips if clip.split == "test"]
    test = [clip.n_frames for clip in tested if clip.path is not None]
    labels = np.concatenate([np.empty(0, np.int8), *(dataset.labels[clip.id] for clip in tested)])
    of_labels = int((labels != UNLABELLED).sum()), int((labels == 1).sum())
    counts = (len(train), sum(train), len(test), sum(test), *of_labels, len(dataset.mask_paths))
    return dict(zip(OFFICIAL, counts, strict=True))


def _official(quantity: str, official: Counts | None, found: int) -> int | None:
    """The published number of a quantity; of several, the one that was found, or the first."""
    expected = getattr(official, OFFICIAL[quantity], None)
    if isinstance(expected, Mapping):
        return found if found in expected else next(iter(expected))
    return expected


def _differences(dataset: VideoDataset, counts: Mapping[str, int], official: Counts) -> list[str]:
    differences = []
    for quantity, count in counts.items():
        expected = _official(quantity, official, count)
        slack = HEADER_SLACK * official.train_clips if quantity == "training frames" else 0
        if quantity != "clips with pixel masks" and abs(count - expected) > slack:
            differences.append(f"{quantity}: {count:,} instead of {expected:,}")
    for split, scenes in (("train", official.train_scenes), ("test", official.test_scenes)):
        differences += _scene_differences(dataset.clips, split, scenes)
    return differences


def _scene_differences(clips: tuple[Clip, ...], split: str, official: tuple[int, ...]) -> list[str]:
    here = [clip.scene for clip in clips if clip.split == split and clip.path is not None]
    if not here or not official:
        return []
    expected = {f"{scene:02d}": count for scene, count in enumerate(official, start=1)}
    wrong = [
        f"{scene} ({here.count(scene)} instead of {expected.get(scene, 0)})"
        for scene in sorted({*here, *expected})
        if here.count(scene) != expected.get(scene, 0)
    ]
    more = ", …" if len(wrong) > 5 else ""
    return [f"{split} clips differ in {len(wrong)} scene(s): {', '.join(wrong[:5])}{more}"] if wrong else []


def _decode(dataset: VideoDataset, progress: bool) -> list[str]:
    """Read every frame; a sentence for each clip that has damaged ones."""
    clips = [clip for clip in dataset.clips if clip.path is not None]
    problems = []
    with progress_bar(sum(clip.n_frames for clip in clips), "Reading", "frames", shown=progress) as bar:
        for clip in clips:
            damage = _damage_of_frames(clip) if clip.path.is_dir() else _damage_of_video(clip, dataset)
            problems += [f"damaged: clip {clip.id}: {what}" for what in damage]
            bar.update(clip.n_frames)
    return problems


def _damage_of_frames(clip: Clip) -> list[str]:
    frames = videos.iterate_frames(clip.path, range(clip.n_frames), clip.n_frames)
    errors = [frame for frame in frames if isinstance(frame, UnreadableError)]
    more = f" (and {len(errors) - 1} frames more)" if len(errors) > 1 else ""
    return [f"{errors[0]}{more}"] if errors else []


def _damage_of_video(clip: Clip, dataset: VideoDataset) -> list[str]:
    try:
        videos.check_whole(clip.path, clip.n_frames)
        return [] if "damage" in dataset.facts else list(scan_video(clip.path).damage)  # said already
    except UnreadableError as error:
        return [str(error)]


def report(check: Check) -> str:
    """Write a check down, for people."""
    lines = [f"{check.name} in {check.home}"]
    if len(check.counts):
        width = max(len(quantity) for quantity in check.counts.index)
        lines.append(f"  {'':{width}}  {'found':>10}  {'official':>10}")
        for quantity, row in check.counts.iterrows():
            official = "-" if row["official"] is None else f"{row['official']:,}"
            differs = any(problem.startswith(f"{quantity}: ") for problem in check.problems)
            mark = "  differs" if differs else ""
            lines.append(f"  {quantity:{width}}  {row['found']:>10,}  {official:>10}{mark}")
    in_table = tuple(f"{quantity}: " for quantity in check.counts.index)
    lines += [f"  {problem}" for problem in check.problems if not problem.startswith(in_table)]
    lines += [f"  note: {note}" for note in check.notes]
    lines.append("  complete" if check.complete else "  NOT complete")
    return "\n".join(lines)

"""A video data set: its clips, a label for every frame, and masks where there are any.

Each layout (one module beside this one) builds a `VideoDataset`; everything downstream sees only this. Frames
are numbered from 0.
"""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from vadlib.data.layouts.opening import LeftOut, count_and_list, left_out_facts
from vadlib.data.reading import videos
from vadlib.data.reading.files import is_text, printable
from vadlib.data.reading.scanning import scan_video
from vadlib.errors import LabelError, LayoutError, ParameterError, UnreadableError

EVENT_COLUMNS = ("clip", "first", "last", "event")
SEEN_IN = ("", "appearance", "motion")  # what the optional column seen_in may say of an event
UNLABELLED = -1  # the label of a test frame that nobody has looked at; only where the data set may lack labels


@dataclass(frozen=True)
class Clip:
    """One video of a data set."""

    id: str  # unique in the data set
    split: str  # "train" or "test"
    scene: str  # the camera: clips of one scene share a background
    path: Path | None  # video file, or folder of frames; None where only labels are there (`allow_missing`)
    n_frames: int
    fps: float  # frames a second: the file's own for videos, the layout's nominal value for folders of frames


@dataclass(frozen=True, repr=False, eq=False)
class VideoDataset:
    """Clips and frame labels of one data set; `vadlib.data.open_dataset` makes it.

    Attributes
    ----------
    name : str
    root : Path
        The set's own top folder.
    clips : tuple of Clip
        Sorted by id.
    labels : mapping of str to int8 (n_frames,)
        Frame labels by clip id: 0 normal, 1 anomalous; `UNLABELLED` (-1) in test clips of which nothing is known.
    mask_paths : mapping of str to Path
        Where each clip's pixel masks are; clips without masks are absent.
    mask_reader : callable (dataset, clip, path, frame) -> bool (H, W)
    events : DataFrame (clip, first, last, event[, seen_in])
        What happens when, frames inclusive; no rows where the data set does not say. `seen_in`, where the data set
        has it: whether how an event looks gives it away (``appearance``), or only how it moves (``motion``).
    missing : tuple of str
        What the layout should have and this copy has not (`allow_missing=True`), a sentence each.
    left_out : tuple of LeftOut
        Clips that do not open (`skip_unreadable=True`), with the reason.
    facts : mapping of str to str
        What else a reader of results should know of this copy, such as which of several label files was read.
    may_lack_labels : bool
        Whether frames of test clips may be unlabelled, as in a folder of one's own.

    Raises
    ------
    LayoutError
        No clips, two of one id, or an id that is not text or no name of a folder.
    LabelError
        Labels that are not 0 or 1 (or unlabelled, where that is allowed), or not one for each frame: the clip and
        both numbers are named.
    """

    name: str
    root: Path
    clips: tuple[Clip, ...]
    labels: Mapping[str, np.ndarray]
    mask_paths: Mapping[str, Path] = field(default_factory=dict)
    mask_reader: Callable[[VideoDataset, Clip, Path, int], np.ndarray] | None = None
    events: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(EVENT_COLUMNS)))
    missing: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    may_lack_labels: bool = False

    def __post_init__(self):
        """Sort the clips, and check them and their labels."""
        object.__setattr__(self, "clips", tuple(sorted(map(self._counted, self.clips), key=lambda clip: clip.id)))
        if not self.clips:
            raise LayoutError(f"{self.root} has no clips of {self.name}.")
        for first, second in zip(self.clips, self.clips[1:], strict=False):
            if first.id == second.id:
                raise LayoutError(f"Two clips are called {first.id}: {first.path} and {second.path}. Keep one.")
        for clip in self.clips:
            if not is_text(clip.id):  # it could be put into no table
                raise LayoutError(f"{printable(clip.path or clip.id)}: the name is not text in UTF-8. Rename it.")
            if clip.id in ("", ".", "..") or "/" in clip.id:  # results go to folders called like their clips
                raise LayoutError(f"{clip.path}: a clip cannot be called {clip.id!r}. Rename it.")
        labels = {clip.id: self._checked_labels(clip) for clip in self.clips}
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "facts", {**self.facts, **left_out_facts(self.left_out)})

    def _counted(self, clip: Clip) -> Clip:
        """The clip; where a video's header counts other frames than there are labels, with those that it really has."""
        labels = self.labels.get(clip.id)
        if labels is None or len(labels) == clip.n_frames or clip.path is None or clip.path.is_dir():
            return clip
        return replace(clip, n_frames=scan_video(clip.path).n_frames)

    def _checked_labels(self, clip: Clip) -> np.ndarray:
        labels = np.asarray(self.labels[clip.id])
        if labels.shape != (clip.n_frames,):
            raise LabelError(
                f"Clip {clip.id} has {clip.n_frames} frames ({clip.path}) but {labels.size} labels. "
                "One label for each frame is expected; nothing is cut to fit. Copy the clip and its labels again."
            )
        unlabelled_allowed = self.may_lack_labels and clip.split == "test"
        allowed = (0, 1, UNLABELLED) if unlabelled_allowed else (0, 1)
        if not np.isin(labels, allowed).all():
            raise LabelError(f"Clip {clip.id}: labels are 0 or 1, found {np.unique(labels)[:5].tolist()}.")
        return labels.astype(np.int8)

    def __repr__(self) -> str:
        """Name, counts and root."""
        n_train = sum(clip.split == "train" for clip in self.clips)
        n_frames = sum(clip.n_frames for clip in self.clips)
        return (
            f"VideoDataset({self.name!r}, {n_train} training and {len(self.clips) - n_train} test clips, "
            f"{n_frames:,} frames, root={str(self.root)!r})"
        )

    @property
    def labelled(self) -> bool:
        """Whether there is anything to evaluate against: False where no frame of the test clips has a label."""
        tested = [self.labels[clip.id] for clip in self.clips if clip.split == "test"]
        return not tested or any((labels != UNLABELLED).any() for labels in tested)

    def with_pictures(self) -> VideoDataset:
        """Leave out clips of which only the labels are there: what an incomplete copy can be fitted and scored on."""
        seen = tuple(clip for clip in self.clips if clip.path is not None)
        if len(seen) == len(self.clips):
            return self
        if not seen:
            raise LayoutError(f"{self.name}: no clip under {self.root} has frames, only labels. Add the videos.")
        ids = {clip.id for clip in seen}
        return replace(
            self,
            clips=seen,
            labels={clip_id: self.labels[clip_id] for clip_id in ids},
            mask_paths={clip_id: path for clip_id, path in self.mask_paths.items() if clip_id in ids},
            events=self.events[self.events["clip"].isin(ids)].reset_index(drop=True),
        )

    @cached_property
    def _clips_by_id(self) -> dict[str, Clip]:
        return {clip.id: clip for clip in self.clips}

    def clip(self, clip_id: str) -> Clip:
        """Look a clip up by its id, or raise ParameterError naming the nearest."""
        try:
            return self._clips_by_id[clip_id]
        except KeyError:
            near = difflib.get_close_matches(str(clip_id), self._clips_by_id, n=3, cutoff=0.4)
            hint = f" Nearest: {', '.join(near)}." if near else ""
            raise ParameterError(
                f"No clip {clip_id!r} in {self.name}: it has {len(self.clips)}, "
                f"{self.clips[0].id} to {self.clips[-1].id}.{hint}"
            ) from None

    def frame_table(self) -> pd.DataFrame:
        """List every frame: clip, split, scene, frame (0-based), label, int8 as in `labels`; in (clip, frame) order."""
        counts = [clip.n_frames for clip in self.clips]
        of_clips = [(clip.id, clip.split, clip.scene) for clip in self.clips]
        table = pd.DataFrame(of_clips, columns=["clip", "split", "scene"], dtype=str)
        table = table.loc[table.index.repeat(counts)].reset_index(drop=True)
        table["frame"] = np.concatenate([np.arange(n) for n in counts])
        table["label"] = np.concatenate([self.labels[clip.id] for clip in self.clips])
        return table

    def pixel_mask(self, clip_id: str, frame: int) -> np.ndarray | None:
        """Read a frame's mask, bool (H, W), True where the picture is anomalous; None where the clip has no masks."""
        clip = self.clip(clip_id)
        check_frame(clip, frame)
        path = self.mask_paths.get(clip_id)
        return None if path is None or self.mask_reader is None else self.mask_reader(self, clip, path, int(frame))

    @cached_property
    def image_sizes(self) -> dict[str, tuple[int, int]]:
        """Sizes looked up so far, by clip (see `image_size`)."""
        return {}

    def image_size(self, clip_id: str | None = None) -> tuple[int, int]:
        """(height, width) of a clip's frames; of the first clip that has any where none is named."""
        if clip_id is None:
            readable = [clip.id for clip in self.clips if clip.path is not None]
            if not readable:
                raise UnreadableError(f"{self.name}: no clip under {self.root} has frames, only labels.")
            clip_id = readable[0]
        clip = self.clip(clip_id)
        check_has_frames([clip], self)
        if clip_id not in self.image_sizes:
            if clip.path.is_dir():
                image = next(videos.iterate_frames(clip.path, [0], clip.n_frames))
                if isinstance(image, UnreadableError):
                    raise image
                size = image.shape[:2]
            else:
                size = videos.probe_video(clip.path)[2:]
            self.image_sizes[clip_id] = (int(size[0]), int(size[1]))
        return self.image_sizes[clip_id]

    @cached_property
    def fingerprint(self) -> str:
        """Hex digest of layout, sizes and labels.

        Two copies of one data set agree wherever they lie and whenever they were written; a clip more, a file
        of another size or a label changed does not. File contents are not read: it takes one `stat` a file.
        """
        digest = hashlib.sha256(self.name.encode())
        for clip in self.clips:
            mask_path = self.mask_paths.get(clip.id)
            facts = (clip.id, clip.split, clip.scene, clip.n_frames, _sizes(clip.path), _sizes(mask_path))
            digest.update(repr(facts).encode())
            digest.update(self.labels[clip.id].tobytes())
        digest.update(self.events[list(EVENT_COLUMNS)].to_csv(index=False).encode())
        return digest.hexdigest()[:32]


def _sizes(path: Path | None) -> list[tuple[str, int]]:
    """Name and bytes of a file, or of each file of a folder; nothing for None."""
    if path is None:
        return []
    try:
        if not path.is_dir():
            return [(path.name, path.stat().st_size)]
        with os.scandir(path) as entries:
            return sorted((entry.name, _size(entry)) for entry in entries if videos.visible(Path(entry.name)))
    except OSError as error:
        raise UnreadableError(f"{error.filename or path} cannot be read: {error.strerror}. Copy it again.") from error


def _size(entry: os.DirEntry) -> int:
    try:
        return entry.stat().st_size
    except OSError:  # a link to nothing, which matters only where it is read
        return 0


def check_frame(clip: Clip, frame: int) -> None:
    """Raise ParameterError where the clip has no such frame."""
    if not 0 <= frame < clip.n_frames:
        raise ParameterError(f"Clip {clip.id} has frames 0 to {clip.n_frames - 1}, not {frame}.")


def check_has_frames(clips: list[Clip], dataset: VideoDataset) -> None:
    """Raise LayoutError naming the clips that have labels but neither video nor frames."""
    absent = [clip.id for clip in clips if clip.path is None]
    if absent:
        raise LayoutError(
            f"{count_and_list(absent)}: labels only, no video or frames under {dataset.root}. "
            "Add them, or keep to the clips that have pictures: [clip.id for clip in dataset.clips if clip.path]."
        )

"""Pictures for the bundled networks: SynthCampus stills of places that no world shows, and windows cut from them.

Places are numbered from `FIRST_TRAINING_SEED` (training) and `FIRST_VALIDATION_SEED` (validation). Scene i of a world
with seed s has the place seed 1000 s + i, so these are the places of worlds 1000 and 1100: no profile and no test
writes either.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from synthcampus import EVENT_KINDS, TEMPLATES, draw_place, render_scene, render_still, suits

FIRST_TRAINING_SEED = 1_000_000
FIRST_VALIDATION_SEED = 1_100_000
MOST_PLACES = 1_000
SIDE_PX = 224  # stills are kept as the book's detectors see frames: squashed to a square

OBJECTS = ("car", "cart", "bicycle", "skateboard", "fight", "jump", "run", "stand", "walk")
"""What a still's objects are or do, the most noteworthy first."""
CLASSES = (*OBJECTS, "empty")
EMPTY = CLASSES.index("empty")
N_NOTABLE = OBJECTS.index("stand")  # before it: what makes a frame worth a second look


@dataclass(frozen=True)
class PictureSet:
    """Stills of several places, with their objects.

    Attributes
    ----------
    images : uint8 (N, 224, 224, 3)
        RGB.
    template : int64 (N,)
        Index into `synthcampus.TEMPLATES`.
    first : int64 (N + 1,)
        Objects of still i are those from first[i] to first[i + 1].
    label : int64 (M,)
        Index into `OBJECTS`.
    box : float32 (M, 4)
        Left, top, right, bottom in pixels of `images`; objects of a still go from far to near.
    """

    images: np.ndarray
    template: np.ndarray
    first: np.ndarray
    label: np.ndarray
    box: np.ndarray

    @property
    def still(self) -> np.ndarray:
        """int64 (M,): the still that each object is in."""
        return np.repeat(np.arange(len(self.images)), np.diff(self.first))


@dataclass(frozen=True)
class Window:
    """A square cut from a still: its corner and side in pixels, the objects in it, and whether to mirror it.

    `label` (m,) and `box` (m, 4) are of all the still's objects, boxes in units of the window's side after mirroring;
    `visible` (m,) says of which at least half of the box is inside.
    """

    still: int
    left: int
    top: int
    side: int
    mirrored: bool
    label: np.ndarray
    box: np.ndarray
    visible: np.ndarray

    def pixels(self, images: np.ndarray, side: int) -> np.ndarray:
        """uint8 (side, side, 3): the window, brought to `side` pixels."""
        cut = images[self.still, self.top : self.top + self.side, self.left : self.left + self.side]
        if self.side != side:
            cut = cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA if side < self.side else cv2.INTER_LINEAR)
        return cut[:, ::-1] if self.mirrored else cut

    @property
    def target(self) -> int:
        """Index into `CLASSES`: the most noteworthy object, else the person nearest to the middle, else empty."""
        labels = self.label[self.visible]
        if not len(labels):
            return EMPTY
        if labels.min() < N_NOTABLE:
            return int(labels.min())
        box = self.box[self.visible]
        away = np.hypot(box[:, 0] + box[:, 2] - 1, box[:, 1] + box[:, 3] - 1)
        return int(labels[away.argmin()])

    def occupancy(self, n: int) -> np.ndarray:
        """float32 (len(OBJECTS), n, n): 1 where an object covers a fair part of a cell, or a cell of the object."""
        filled = np.zeros((len(OBJECTS), n, n), np.float32)
        edges = np.arange(n + 1) / n
        left, top, right, bottom = self.box.T[:, :, None]
        across = np.minimum(right, edges[1:]) - np.maximum(left, edges[:-1])  # (m, n)
        down = np.minimum(bottom, edges[1:]) - np.maximum(top, edges[:-1])
        shared = np.clip(down, 0, None)[:, :, None] * np.clip(across, 0, None)[:, None, :]  # (m, n, n)
        area = (self.box[:, 2] - self.box[:, 0]) * (self.box[:, 3] - self.box[:, 1])
        fair = shared > 0.3 * np.minimum(area, 1 / n**2)[:, None, None]
        np.maximum.at(filled, self.label, fair.astype(np.float32))
        return filled


def place_seeds(first: int, n: int) -> list[int]:
    """Seeds of `n` places from `first` on."""
    if not 1 <= n <= MOST_PLACES:
        raise ValueError(f"n: expected 1 to {MOST_PLACES} places; got {n}")
    return list(range(first, first + n))


def template_of(seed: int) -> str:
    """Kind of the place with this seed: all kinds in turn."""
    return TEMPLATES[seed % len(TEMPLATES)]


def _moments(place, n: int, rng: np.random.Generator) -> Iterator[tuple[str | None, float | None]]:
    """Event (None: normal life) and busyness of each still: two in five normal, one in sixteen without walkers."""
    kinds = [kind for kind in EVENT_KINDS if suits(kind, place)]
    for i in range(n):
        busy = 0.0 if i % 16 == 0 else None
        yield (None if i % 5 < 2 else kinds[int(rng.integers(len(kinds)))]), busy


def render_place(seed: int, n_stills: int, size: tuple[int, int]) -> dict[str, np.ndarray]:
    """Arrays of one place's stills; see `PictureSet`. Compressed and squashed as a video's frames would be."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng([seed, 41])
    place = draw_place(seed, template_of(seed), size)
    scene = render_scene(place, n_sway=2)
    images, counts, labels, boxes = [], [], [], []
    scale = np.array([SIDE_PX / size[1], SIDE_PX / size[0]] * 2, np.float32)
    for kind, busy in _moments(place, n_stills, rng):
        still = render_still(scene, rng, kind=kind, busy=busy)
        _, code = cv2.imencode(".jpg", still.image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(80, 97))])
        small = cv2.resize(cv2.imdecode(code, cv2.IMREAD_COLOR), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
        images.append(cv2.cvtColor(small, cv2.COLOR_BGR2RGB))
        counts.append(len(still.objects))
        labels += [OBJECTS.index(thing.label) for thing in still.objects]
        boxes += [np.array(thing.box, np.float32) * scale for thing in still.objects]
    return {
        "images": np.stack(images),
        "template": np.full(n_stills, TEMPLATES.index(place.template)),
        "count": np.array(counts, np.int64),
        "label": np.array(labels, np.int64),
        "box": np.array(boxes, np.float32).reshape(-1, 4),
    }


def _path(task: tuple[int, int, tuple[int, int], Path]) -> Path:
    seed, n_stills, size, folder = task
    return folder / f"place_{seed}_{n_stills}_{size[0]}x{size[1]}.npz"


def _write_place(task: tuple[int, int, tuple[int, int], Path]) -> Path:
    seed, n_stills, size, _ = task
    path = _path(task)
    if not path.exists():  # a run that was interrupted goes on from here
        made = render_place(seed, n_stills, size)
        partial = path.with_suffix(".partial")
        with open(partial, "wb") as file:
            np.savez(file, **made)
        partial.replace(path)
    return path


def render_pictures(
    seeds: list[int], n_stills: int, folder: Path, *, size: tuple[int, int] = (480, 856), n_workers: int = 2
) -> PictureSet:
    """Render `n_stills` of every place, or read them where `folder` has them already.

    Parameters
    ----------
    seeds : list of int
        From `place_seeds`.
    n_stills : int
        Pictures of each place.
    folder : Path
        Cache; a place is a file, so an interrupted run goes on with the first place that is missing.
    size : (int, int)
        Height and width in pixels at which scenes are rendered.
    n_workers : int
        Processes; the pictures do not depend on it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tasks = [(seed, n_stills, size, folder) for seed in seeds]
    if n_workers > 1 and not all(_path(task).exists() for task in tasks):
        with ProcessPoolExecutor(n_workers, mp_context=get_context("spawn")) as pool:
            paths = list(pool.map(_write_place, tasks))
    else:
        paths = [_write_place(task) for task in tasks]
    parts = []
    for path in paths:
        with np.load(path, allow_pickle=False) as file:
            parts.append(dict(file))
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    first = np.concatenate([[0], np.cumsum(joined.pop("count"))])
    return PictureSet(first=first, **joined)


def cut_window(pictures: PictureSet, still: int, left: int, top: int, side: int, *, mirrored: bool = False) -> Window:
    """The window of `side` pixels at (left, top) of a still."""
    own = slice(pictures.first[still], pictures.first[still + 1])
    box = (pictures.box[own] - np.array([left, top, left, top], np.float32)) / side
    inside = np.clip(box, 0, 1)
    area = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
    shown = (inside[:, 2] - inside[:, 0]) * (inside[:, 3] - inside[:, 1])
    if mirrored:
        box = np.stack([1 - box[:, 2], box[:, 1], 1 - box[:, 0], box[:, 3]], axis=1)
    return Window(still, left, top, side, mirrored, pictures.label[own], box, shown >= 0.5 * np.maximum(area, 1e-9))


class WindowSampler:
    """Draws windows in which every class is about equally likely.

    Parameters
    ----------
    pictures : PictureSet
    """

    def __init__(self, pictures: PictureSet):
        self.pictures = pictures
        self._members = [np.flatnonzero(pictures.label == k) for k in range(len(OBJECTS))]
        self._still = pictures.still
        self._present = [k for k, members in enumerate(self._members) if len(members)] + [EMPTY]

    def draw(self, rng: np.random.Generator, side: int, *, mirror: bool = True) -> Window:
        """One window: a class, one of its objects, and the window about it, off centre by up to a quarter of `side`.

        "empty" is sought with up to 30 random windows; the last is taken as it is where none is empty.
        """
        mirrored = mirror and rng.random() < 0.5
        wanted = self._present[rng.integers(len(self._present))]
        if wanted == EMPTY:
            for _ in range(30):
                still = int(rng.integers(len(self.pictures.images)))
                left, top = (int(v) for v in rng.integers(0, SIDE_PX - side + 1, 2))
                window = cut_window(self.pictures, still, left, top, side, mirrored=mirrored)
                if not window.occupancy(1).any():
                    break
            return window
        thing = self._members[wanted][rng.integers(len(self._members[wanted]))]
        left, top, right, bottom = self.pictures.box[thing]
        corner = np.array([left + right, top + bottom]) / 2 - side / 2 + rng.uniform(-0.25, 0.25, 2) * side
        left, top = np.clip(np.rint(corner), 0, SIDE_PX - side).astype(int)
        return cut_window(self.pictures, int(self._still[thing]), int(left), int(top), side, mirrored=mirrored)

"""Pictures and heatmaps of the clip viewer on disk, within a budget of bytes.

The cameras stand still, so a picture is kept as what has changed: blocks of 16 x 16 pixels that differ from what the
page already shows by more than noise. Every 48th picture is whole, for jumping. The blocks of 48 pictures lie side by
side on a *sheet*, one JPEG file. A page opened from a folder may draw an image file but not read its pixels, which is
enough for pictures; as a file a sheet is a third smaller than as text inside a script, and is decoded off the page's
own thread. Which blocks they are, and the heatmaps, must be read as numbers; from a folder only a script can bring
those, so they are in one small script a clip.
"""

from __future__ import annotations

import base64
import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from vadlib.errors import ParameterError

BLOCK = 16  # pixels
PER_SHEET = 48  # pictures; the first is whole
COLUMNS = 40  # blocks side by side on a sheet
PATCH = 4  # pixels; blocks are compared by the means of patches, in which noise is small
TOLERANCE = 8.0  # of 255: a patch that differs by less is taken as unchanged
QUALITIES = (80, 70, 60)
HEAT_STEP = 4  # of 255 levels, kept of heatmaps: finer steps of colour are not seen, and double the bytes
KEPT_QUALITY = 95  # of the copies from which sheets of every quality are made
N_SAMPLED = 6  # sheets, by which the size of all is estimated


@dataclass(frozen=True)
class Plan:
    """Which pictures are written, and how.

    Attributes
    ----------
    every : int
        Every how many-th picture of a clip is written, from its first.
    quality : int
        Of the JPEG files, 0 to 100.
    """

    every: int
    quality: int


class PictureStore:
    """Pictures of one clip, small, in a file: memory holds one at a time, however long the clip.

    Parameters
    ----------
    file : binary file
        Open for reading and writing; several stores may share one.
    longest_side_px : int
        Pictures are brought down to it, never up.
    """

    def __init__(self, file: BinaryIO, longest_side_px: int):
        self._file = file
        self._places: list[tuple[int, int]] = []  # start and length of each picture
        self._longest_side_px = longest_side_px
        self.size: tuple[int, int] | None = None
        self._given: tuple[int, ...] | None = None

    def __len__(self) -> int:
        """Pictures taken so far."""
        return len(self._places)

    def add(self, image: np.ndarray, name: str) -> None:
        """Take the next picture.

        Parameters
        ----------
        image : uint8 (H, W, 3)
            RGB.
        name : str
            What messages call it.

        Raises
        ------
        ParameterError
            It is not such an array, or its size is not that of the pictures before it.
        """
        image = np.asarray(image)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise ParameterError(f"{name}: expected a uint8 (H, W, 3) RGB picture, found {image.dtype} {image.shape}")
        if self._given not in (None, image.shape):
            raise ParameterError(f"{name}: its size is {image.shape[:2]}, but pictures before it are {self._given[:2]}")
        if self.size is None:
            self._given, scale = image.shape, min(1.0, self._longest_side_px / max(image.shape))
            self.size = tuple(max(1, round(side * scale)) for side in image.shape[:2])
        if self.size != image.shape[:2]:
            image = cv2.resize(image, self.size[::-1], interpolation=cv2.INTER_AREA)
        start = self._file.seek(0, os.SEEK_END)
        self._places.append((start, self._file.write(_jpeg(image, KEPT_QUALITY))))

    @property
    def grid(self) -> tuple[int, int]:
        """Blocks down and across a picture."""
        return tuple(-(-side // BLOCK) for side in self.size)

    def sheet(self, positions: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """What changes from one of these pictures to the next, the first counting as all new.

        Parameters
        ----------
        positions : sequence of int (n,)
            At most `PER_SHEET`.

        Returns
        -------
        changed : bool (n, grid height * grid width)
            Blocks in reading order.
        sheet : uint8 (rows * BLOCK, COLUMNS * BLOCK, 3)
            The changed blocks of all pictures, in reading order.
        """
        down, across = self.grid
        shown = np.zeros((down * BLOCK, across * BLOCK, 3), np.uint8)
        changed = np.ones((len(positions), down * across), bool)
        blocks = []
        for number, position in enumerate(positions):
            picture = self._picture(position)
            picture = np.pad(
                picture, [(0, shown.shape[0] - self.size[0]), (0, shown.shape[1] - self.size[1]), (0, 0)], mode="edge"
            )
            if number:
                changed[number] = _differing_blocks(picture, shown).ravel()
            new, old = _as_blocks(picture), _as_blocks(shown)  # (P, BLOCK, BLOCK, 3), copies
            blocks.append(new[changed[number]])
            old[changed[number]] = new[changed[number]]
            shown = old.reshape(down, across, BLOCK, BLOCK, 3).swapaxes(1, 2).reshape(shown.shape)
        blocks = np.concatenate(blocks)
        n_rows = -(-len(blocks) // COLUMNS)
        blocks = np.pad(blocks, [(0, n_rows * COLUMNS - len(blocks)), (0, 0), (0, 0), (0, 0)])
        sheet = blocks.reshape(n_rows, COLUMNS, BLOCK, BLOCK, 3).swapaxes(1, 2)
        return changed, sheet.reshape(n_rows * BLOCK, COLUMNS * BLOCK, 3)

    def _picture(self, position: int) -> np.ndarray:
        start, length = self._places[position]
        self._file.seek(start)
        content = self._file.read(length)
        return cv2.cvtColor(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def positions_of(n_pictures: int, every: int) -> np.ndarray:
    """Positions of the pictures of one clip that are written: int64 (n,), the first always among them."""
    return np.arange(0, n_pictures, every)


def write_clip(
    folder: Path, index: int, store: PictureStore, heat: Mapping[int, np.ndarray], n_detectors: int, plan: Plan
) -> int:
    """Write one clip's sheets, and its script.

    Parameters
    ----------
    folder : Path
    index : int
        The clip's number, by which its files are called: names of clips are no names of files.
    store : PictureStore
    heat : mapping of int to uint8 (n, h, w)
        By the detector's number.
    n_detectors : int
    plan : Plan

    Returns
    -------
    int
        Bytes written.
    """
    changed, n_bytes = [], 0
    for number, positions in enumerate(_sheets(len(store), plan.every)):
        new, sheet = store.sheet(positions)
        changed.append(new)
        n_bytes += (folder / f"clip_{index:04d}_{number}.jpg").write_bytes(_jpeg(sheet, plan.quality))
    script = clip_script(index, np.concatenate(changed), heat, n_detectors, plan.every)
    return n_bytes + (folder / f"clip_{index:04d}.js").write_bytes(script)


def clip_script(index: int, changed: np.ndarray, heat: Mapping[int, np.ndarray], n_detectors: int, every: int) -> bytes:
    """A script that hands the page which blocks change, as bits, and the heatmaps, as differences; base64 of zlib."""
    texts: list[str | None] = [None] * n_detectors
    for detector, values in heat.items():
        kept = values[positions_of(len(values), every)] // HEAT_STEP * HEAT_STEP
        texts[detector] = _packed(np.concatenate([kept[:1], kept[1:] - kept[:-1]]))  # modulo 256
    return f"vadlibClip({index},{json.dumps([_packed(np.packbits(changed, axis=1)), texts])});\n".encode()


def plans(
    stores: Sequence[PictureStore], heats: Sequence[Mapping[int, np.ndarray]], n_detectors: int, max_bytes: int
) -> Iterator[Plan]:
    """Plans that should fit, best first: quality falls to its least, then pictures are left out, and so on.

    What a plan takes is estimated from some sheets, so the caller measures, and takes the next one where it is too
    much. The last plan has one picture a clip.

    Parameters
    ----------
    stores : sequence of PictureStore
    heats : sequence of mapping of int to uint8 (n, h, w)
        Of each clip.
    n_detectors : int
    max_bytes : int
        For all media.
    """
    longest = max(map(len, stores))
    for every in range(1, longest + 1):
        n_pictures = sum(len(positions_of(len(store), every)) for store in stores)
        sizes = _bytes_a_picture(stores, heats, n_detectors, every)
        for quality in QUALITIES:
            is_last = every == longest and quality == QUALITIES[-1]
            if is_last or n_pictures * sizes[quality] <= max_bytes:
                yield Plan(every, quality)


def _bytes_a_picture(stores: Sequence, heats: Sequence, n_detectors: int, every: int) -> dict[int, float]:
    n_pictures, sizes = 0, dict.fromkeys(QUALITIES, 0)
    for index in np.unique(np.linspace(0, len(stores) - 1, N_SAMPLED).round().astype(int)):
        store, heat = stores[index], heats[index]
        sheets = _sheets(len(store), every)
        positions = sheets[len(sheets) // 2]
        changed, sheet = store.sheet(positions)
        some = {detector: values[positions] for detector, values in heat.items()}
        script = len(clip_script(0, changed, some, n_detectors, 1))
        n_pictures += len(positions)
        for quality in QUALITIES:
            sizes[quality] += len(_jpeg(sheet, quality)) + script
    return {quality: size / n_pictures for quality, size in sizes.items()}


def _sheets(n_pictures: int, every: int) -> list[list[int]]:
    positions = positions_of(n_pictures, every).tolist()
    return [positions[start : start + PER_SHEET] for start in range(0, len(positions), PER_SHEET)]


def _as_blocks(picture: np.ndarray) -> np.ndarray:
    down, across = picture.shape[0] // BLOCK, picture.shape[1] // BLOCK
    blocks = picture.reshape(down, BLOCK, across, BLOCK, 3).swapaxes(1, 2)
    return blocks.reshape(down * across, BLOCK, BLOCK, 3)


def _differing_blocks(picture: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Blocks with a patch whose mean differs by more than noise: bool (grid height, grid width)."""
    patches = (picture.shape[1] // PATCH, picture.shape[0] // PATCH)
    means = [cv2.resize(image.astype(np.float32), patches, interpolation=cv2.INTER_AREA) for image in (picture, shown)]
    differs = (np.abs(means[0] - means[1]) > TOLERANCE).any(axis=2)
    n = BLOCK // PATCH
    return differs.reshape(differs.shape[0] // n, n, differs.shape[1] // n, n).any(axis=(1, 3))


def _packed(values: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(values.tobytes(), 9)).decode()


def _jpeg(image: np.ndarray, quality: int) -> bytes:
    """JPEG with colour at full resolution: at half of it, neighbours on a sheet would bleed into each other."""
    options = [
        *(cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1),
        *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    ]
    done, content = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise ParameterError(f"images: a picture of {image.shape} could not be written as JPEG")
    return content.tobytes()

"""Frames, heatmaps over them, and maps side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from vadlib.figures.style import ANOMALOUS, HEAT, NORMAL

MAX_WIDTH_PX = 300  # of a frame in a gallery: an SVG holds every pixel of it


@dataclass(frozen=True)
class GalleryRow:
    """One frame of a gallery, and the normal frames that are most like it."""

    title: str
    frame: np.ndarray  # uint8 (H, W, 3), RGB
    heatmap: np.ndarray  # float32 (h, w)
    neighbours: Sequence[tuple[np.ndarray, str]]  # normal frames and where they are from, the most similar first
    mask: np.ndarray | None = None  # bool (H, W), ground truth
    colour: str = "black"  # of the title


def heat_opacity(heat, low: float = 0.0, high: float = 1.0):
    """How much of a frame heat covers: low values let it through, high ones cover it; colours stay those of the bar."""
    return 0.25 + 0.6 * (heat - low) / max(high - low, 1e-12)


def contact_sheet(
    images: Sequence[np.ndarray],
    titles: Sequence[str],
    *,
    masks: Sequence[np.ndarray | None] | None = None,
    n_columns: int = 3,
) -> Figure:
    """RGB frames, uint8 (H, W, 3), side by side, each with its title.

    Where a frame has a ground-truth mask, bool (H, W), its outline is drawn.
    """
    figure, axes = _image_grid(len(images), n_columns, images[0].shape)
    for axis, image, title, mask in zip(axes, images, titles, masks or [None] * len(images), strict=False):
        axis.imshow(image)
        axis.set_title(title, loc="left", fontsize=9)
        _outline(axis, mask)
    return figure


def heatmap_sheet(
    images: Sequence[np.ndarray],
    heatmaps: Sequence[np.ndarray],
    titles: Sequence[str],
    *,
    masks: Sequence[np.ndarray | None] | None = None,
    label: str,
    n_columns: int = 3,
) -> Figure:
    """Heatmaps over greyed frames, one scale for all, with the ground truth's outline.

    Frames, titles and masks as in `contact_sheet`; heatmaps, float32 (h, w), of any size are stretched over the frame.
    `label`, at the colour bar, is the scores' name and unit.
    """
    figure, axes = _image_grid(len(images), n_columns, images[0].shape)
    low, high = min(h.min() for h in heatmaps), max(h.max() for h in heatmaps)
    for axis, image, heat, title, mask in zip(
        axes, images, heatmaps, titles, masks or [None] * len(images), strict=False
    ):
        _draw_grey(axis, image)
        _draw_heat(axis, heat, image.shape, low, high, heat_opacity(heat, low, high))
        axis.set_title(title, loc="left", fontsize=9)
        _outline(axis, mask)
    figure.colorbar(_scale(low, high), ax=list(axes), shrink=0.7, pad=0.015, label=label)
    return figure


def map_grid(
    maps: Mapping[str, Sequence[np.ndarray]],
    columns: Sequence[str],
    *,
    limits: Mapping[str, tuple[float, float]],
    labels: Mapping[str, str],
    backgrounds: Mapping[str, np.ndarray] | None = None,
) -> Figure:
    """Maps side by side: rows of one scale each, such as activation maps, their references and their similarity.

    Parameters
    ----------
    maps : mapping of str to sequence of float (h, w)
        By the row's name, one map a column.
    columns : sequence of str
        Titles.
    limits, labels : mapping of str to (float, float), of str to str
        Scale of each row, and what stands at its colour bar.
    backgrounds : mapping of str to uint8 (H, W, 3), optional
        RGB frame under the maps of a row.
    """
    first = next(iter(maps.values()))[0]
    shape = first.shape if not backgrounds else next(iter(backgrounds.values())).shape
    width = 8.2 / len(columns)
    figure, axes = plt.subplots(
        len(maps), len(columns), figsize=(9, len(maps) * (width * shape[0] / shape[1] + 0.25)), squeeze=False
    )
    for line, (name, row) in zip(axes, maps.items(), strict=True):
        low, high = limits[name]
        for axis, image, title in zip(line, row, columns, strict=True):
            under = (backgrounds or {}).get(name)
            if under is not None:
                _draw_grey(axis, under)
            _draw_heat(axis, image, shape, low, high, 1.0 if under is None else 0.65)
            axis.set(xticks=[], yticks=[])
            if line is axes[0]:
                axis.set_title(title, loc="left", fontsize=9)
        line[0].set_ylabel(name, fontsize=9)
        figure.colorbar(_scale(low, high), ax=list(line), shrink=0.85, pad=0.01).set_label(labels[name], fontsize=8)
    return figure


def gallery(rows: Sequence[GalleryRow], *, label: str) -> Figure:
    """Frames with their heatmap, and beside them the normal frames that are most like them.

    `label` is the heatmaps' name and unit; one scale for all.
    """
    n_columns = 2 + max(len(row.neighbours) for row in rows)
    height, width = rows[0].frame.shape[:2]
    side = 10 / n_columns
    figure, axes = plt.subplots(
        len(rows), n_columns, figsize=(10, len(rows) * (side * height / width + 0.32) + 0.3), squeeze=False
    )
    low, high = min(float(row.heatmap.min()) for row in rows), max(float(row.heatmap.max()) for row in rows)
    for line, row in zip(axes, rows, strict=True):
        for axis in line:
            axis.axis("off")
        frame = _small(row.frame)
        line[0].imshow(frame)
        line[0].set_title(row.title, loc="left", fontsize=8.5, color=row.colour, parse_math=False)
        _draw_grey(line[1], frame)
        _draw_heat(line[1], row.heatmap, frame.shape, low, high, heat_opacity(row.heatmap, low, high))
        if row.mask is not None and row.mask.any():
            mask = cv2.resize(row.mask.astype(np.float32), frame.shape[1::-1], interpolation=cv2.INTER_AREA)
            for axis in line[:2]:
                axis.contour(mask, levels=[0.5], colors=[ANOMALOUS], linewidths=1.2)
        for axis, (image, title) in zip(line[2:], row.neighbours, strict=False):
            axis.imshow(_small(image))
            axis.set_title(title, loc="left", fontsize=7.5, color=NORMAL, fontweight="normal", parse_math=False)
    where = {"orientation": "horizontal", "shrink": 0.4, "aspect": 40, "pad": 0.01}
    bar = figure.colorbar(_scale(low, high), ax=list(axes.flat), **where)
    bar.set_label(label, fontsize=8.5)
    bar.ax.tick_params(labelsize=8)
    return figure


def _draw_grey(axis: plt.Axes, image: np.ndarray) -> None:
    axis.imshow(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cmap="gray", vmin=0, vmax=255)


def _draw_heat(axis: plt.Axes, heat: np.ndarray, shape: tuple[int, ...], low: float, high: float, alpha) -> None:
    """Heat of any size, stretched over a frame of this shape."""
    extent = (-0.5, shape[1] - 0.5, shape[0] - 0.5, -0.5)
    axis.imshow(heat, cmap=HEAT, vmin=low, vmax=high, alpha=alpha, extent=extent)


def _scale(low: float, high: float) -> mpl.cm.ScalarMappable:
    return mpl.cm.ScalarMappable(mpl.colors.Normalize(low, high), HEAT)


def _image_grid(n_images: int, n_columns: int, shape: tuple[int, ...]) -> tuple[Figure, np.ndarray]:
    n_columns = min(n_columns, n_images)
    n_rows = -(-n_images // n_columns)
    width = 9.0 / n_columns
    figure, axes = plt.subplots(
        n_rows, n_columns, figsize=(9, n_rows * (width * shape[0] / shape[1] + 0.3)), squeeze=False
    )
    for axis in axes.flat:
        axis.axis("off")
    return figure, axes.flatten()


def _outline(axis: plt.Axes, mask: np.ndarray | None) -> None:
    if mask is not None and mask.any():
        axis.contour(mask.astype(float), levels=[0.5], colors=["white"], linewidths=1.8)
        axis.contour(mask.astype(float), levels=[0.5], colors=[ANOMALOUS], linewidths=1.0)


def _small(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    if width <= MAX_WIDTH_PX:
        return image
    return cv2.resize(image, (MAX_WIDTH_PX, max(1, round(height * MAX_WIDTH_PX / width))), interpolation=cv2.INTER_AREA)

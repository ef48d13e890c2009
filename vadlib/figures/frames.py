"""Frames, heatmaps over them, and maps side by side."""

from collections.abc import Mapping, Sequence

import cv2
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from vadlib.figures.style import ANOMALOUS, HEAT


def contact_sheet(
    images: Sequence[np.ndarray],
    titles: Sequence[str],
    *,
    masks: Sequence[np.ndarray | None] | None = None,
    n_columns: int = 3,
) -> Figure:
    """Frames side by side, each with its title and, where there is one, the outline of its ground-truth mask.

    Parameters
    ----------
    images : sequence of uint8 (H, W, 3)
        RGB frames.
    titles : sequence of str
    masks : sequence of bool (H, W) or None
        True where the frame is anomalous.
    n_columns : int
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

    Parameters
    ----------
    images : sequence of uint8 (H, W, 3)
        RGB frames.
    heatmaps : sequence of float32 (h, w)
        Any size; stretched over the frame.
    titles : sequence of str
    masks : sequence of bool (H, W) or None
    label : str
        The scores' name and unit, at the colour bar.
    n_columns : int
    """
    figure, axes = _image_grid(len(images), n_columns, images[0].shape)
    low, high = min(h.min() for h in heatmaps), max(h.max() for h in heatmaps)
    for axis, image, heat, title, mask in zip(
        axes, images, heatmaps, titles, masks or [None] * len(images), strict=False
    ):
        axis.imshow(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cmap="gray", vmin=0, vmax=255)
        extent = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
        # Low values let the frame through, high ones cover it; the colours are those of the bar.
        alpha = 0.25 + 0.6 * (heat - low) / max(high - low, 1e-12)
        axis.imshow(heat, cmap=HEAT, vmin=low, vmax=high, alpha=alpha, extent=extent)
        axis.set_title(title, loc="left", fontsize=9)
        _outline(axis, mask)
    scale = mpl.cm.ScalarMappable(mpl.colors.Normalize(low, high), HEAT)
    figure.colorbar(scale, ax=list(axes), shrink=0.7, pad=0.015, label=label)
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
    limits : mapping of str to (float, float)
        Scale of each row.
    labels : mapping of str to str
        At each row's colour bar.
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
            extent = (-0.5, shape[1] - 0.5, shape[0] - 0.5, -0.5)
            under = (backgrounds or {}).get(name)
            if under is not None:
                axis.imshow(cv2.cvtColor(under, cv2.COLOR_RGB2GRAY), cmap="gray", vmin=0, vmax=255)
            axis.imshow(image, cmap=HEAT, vmin=low, vmax=high, extent=extent, alpha=1.0 if under is None else 0.65)
            axis.set(xticks=[], yticks=[])
            if line is axes[0]:
                axis.set_title(title, loc="left", fontsize=9)
        line[0].set_ylabel(name, fontsize=9)
        scale = mpl.cm.ScalarMappable(mpl.colors.Normalize(low, high), HEAT)
        figure.colorbar(scale, ax=list(line), shrink=0.85, pad=0.01).set_label(labels[name], fontsize=8)
    return figure


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

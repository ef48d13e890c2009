"""Grids of cells, one a layer, of which the coarser ones divide the finer ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from vadlib.errors import ParameterError


def check_grids(grids: Sequence[tuple[int, int]]) -> None:
    """Raise ParameterError unless each grid (height, width), from coarse to fine, divides the next."""
    for (height, width), (finer_height, finer_width) in pairwise(grids):
        if finer_height % height or finer_width % width:
            raise ParameterError(
                f"grids: expected every grid to divide the finer ones, found {height}x{width} and "
                f"{finer_height}x{finer_width}; choose an image size that is a multiple of the coarsest layer's stride"
            )


def hierarchical_orders(grids: list[tuple[int, int]]) -> list[np.ndarray]:
    """Raster indices of each level's cells, sorted so that a cell's children are neighbours; coarse to fine."""
    check_grids(grids)
    orders = []
    for level, (height, width) in enumerate(grids):
        row, column = np.divmod(np.arange(height * width), width)
        ancestors = [  # the cell's ancestor on each coarser level, and itself
            (row * h // height) * w + column * w // width for h, w in grids[: level + 1]
        ]
        orders.append(np.lexsort(ancestors[::-1]).astype(np.int64))
    return orders

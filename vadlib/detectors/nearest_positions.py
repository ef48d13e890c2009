"""Nearest neighbours among positions of feature pyramids, a strip at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from vadlib.detectors.grids import check_grids

STRIP_BYTES = 2**26  # of distances at a time on a GPU, where few large products are faster


def nearest_position_distances(query: Sequence[torch.Tensor], gallery: Sequence[torch.Tensor]) -> torch.Tensor:
    """Distance (H, W) of each position of a frame to the nearest of another (Cohen and Hoshen 2020, section 3.3).

    Both frames are sequences of layers float32 (h, w, C), coarse to fine, each grid a multiple of the one before.
    Positions are those of the finest; their features are all layers', coarser ones repeated, concatenated.
    """
    check_grids([tuple(layer.shape[:2]) for layer in query])
    # Far from the origin, products would lose the small differences between near neighbours.
    centres = [layer.mean(dim=(0, 1)) for layer in gallery]
    query, gallery = ([x - centre for x, centre in zip(side, centres, strict=True)] for side in (query, gallery))
    squares = [(layer * layer).sum(dim=2).flatten() for layer in gallery]  # (h * w,) each
    nearest = []
    n_rows = _rows_of_strip(query, gallery)
    for row in range(0, len(query[0]), n_rows):
        distances = coarser = None
        for layer, other, square in zip(query, gallery, squares, strict=True):
            factor = len(layer) // len(query[0])
            strip = layer[row * factor : (row + n_rows) * factor]  # (n_rows * factor, w, C)
            # Squared, less the strip's own squares, which do not move the minimum.
            own = torch.addmm(square, strip.flatten(0, 1), other.flatten(0, 1).T, alpha=-2)  # (of strip * w, h * w)
            if distances is not None:
                _add_repeated(own, distances, (strip, other), coarser)
            distances, coarser = own, (strip, other)
        nearest.append(distances.argmin(dim=1))
    return _distances_to(query, gallery, torch.cat(nearest))


def _rows_of_strip(query: Sequence[torch.Tensor], gallery: Sequence[torch.Tensor]) -> int:
    """Rows of the coarsest layer at a time: one on a CPU, where its distances stay in the cache."""
    if query[0].device.type == "cpu":
        return 1
    (height, width), (h, w) = query[-1].shape[:2], gallery[-1].shape[:2]
    return max(STRIP_BYTES // (4 * (height // len(query[0])) * width * h * w), 1)


Grids = tuple[torch.Tensor, torch.Tensor]  # of a strip of the query, of the gallery


def _add_repeated(fine: torch.Tensor, coarse: torch.Tensor, finer: Grids, coarser: Grids) -> None:
    """Add to distances between fine positions, in place, those between the coarse positions that they lie in."""
    (rows, columns), (height, width) = coarser[0].shape[:2], coarser[1].shape[:2]
    down, right = finer[1].shape[0] // height, finer[1].shape[1] // width
    repeated = coarse.view(-1, height, 1, width, 1).expand(-1, -1, down, -1, right)  # over the gallery's positions
    fine.view(rows, down, columns, right, -1).add_(repeated.reshape(rows, 1, columns, 1, -1))


def _distances_to(
    query: Sequence[torch.Tensor], gallery: Sequence[torch.Tensor], nearest: torch.Tensor
) -> torch.Tensor:
    """Distance of each finest position to a given one, float32 (H, W): by differences, so that near ones stay exact."""
    height, width = query[-1].shape[:2]
    here = torch.arange(height * width, device=nearest.device)
    squared = torch.zeros(height * width, device=nearest.device)
    for layer, other in zip(query, gallery, strict=True):
        h, w = layer.shape[:2]
        cells = ((at // width * h // height) * w + at % width * w // width for at in (here, nearest))
        at_query, at_gallery = (x.flatten(0, 1)[i] for x, i in zip((layer, other), cells, strict=True))  # (H * W, C)
        squared += (at_query - at_gallery).square().sum(dim=1)
    return squared.sqrt_().view(height, width)

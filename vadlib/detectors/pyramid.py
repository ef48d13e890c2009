"""Gaussians over positions whose features come from a pyramid of layers, exactly and without storing anything twice.

*Position*: a cell of the finest feature grid. *Level*: one layer's features on its own grid; levels run from
coarse to fine inside this module. *Children*: the finer cells that lie in a coarser one.

With nearest-neighbour upsampling, all positions below a coarse cell share that cell's features, so their
covariance matrices share whole blocks. Ordered coarse to fine, so do their Cholesky factors: a level's block column
is the same for every position below one of its cells. `PyramidGaussianField` stores, sums and factors each shared
block once; the distances are exact.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from vadlib.detectors.grids import hierarchical_orders
from vadlib.errors import NotFittedError, ParameterError

# Frames summed in one step: large enough for the sums' memory traffic to be small beside their arithmetic.
CHUNK_FRAMES = 128


class PyramidGaussianField:
    """Gaussians over positions whose features come from a pyramid of layers.

    Parameters
    ----------
    grids : sequence of (height, width)
        Each layer's grid, in the layers' order. The finest grid's cells are the positions; every grid must divide
        every finer one.
    n_components : sequence of int
        Each layer's number of features, in the same order.
    device : torch.device or str
        Where the sums live.

    Raises
    ------
    ParameterError
        If a grid does not divide the finer ones, or the two sequences differ in length.
    """

    def __init__(
        self,
        grids: Sequence[tuple[int, int]],
        n_components: Sequence[int],
        device: torch.device | str = "cpu",
    ):
        if len(grids) != len(n_components) or not grids:
            raise ParameterError(
                f"grids and n_components: expected one entry a layer in both, found {len(grids)} and "
                f"{len(n_components)}; give both in the layers' order"
            )
        self.grids = [(int(height), int(width)) for height, width in grids]
        self.n_components = [int(n) for n in n_components]
        self.device = torch.device(device)
        self.n_frames = 0
        # Layers from coarse to fine; among equal grids the later layer first, as it is the deeper one.
        self._layers = sorted(range(len(grids)), key=lambda i: (self.grids[i][0], self.grids[i][1], -i))
        level_grids = [self.grids[i] for i in self._layers]
        self._orders = [torch.from_numpy(o).to(self.device) for o in hierarchical_orders(level_grids)]
        self._positions = torch.argsort(self._orders[-1])  # raster index -> hierarchical index
        self._widths = [self.n_components[i] for i in self._layers]  # components of each level
        cells = [height * width for height, width in level_grids]
        # Rows of a cell: its own components, then those of all the finer cells below it, child by child.
        self._rows = [
            sum(self._widths[j] * cells[j] // cells[i] for j in range(i, len(cells))) for i in range(len(cells))
        ]
        self._cells = cells
        self._mean = torch.zeros(cells[0], self._rows[0], device=self.device)
        # Scatter matrices, in block columns: a level's own components against themselves, and against all below.
        self._scatter_own = [torch.zeros(n, w, w, device=self.device) for n, w in zip(cells, self._widths, strict=True)]
        self._scatter_below = [
            torch.zeros(n, w, r - w, device=self.device)
            for n, r, w in zip(cells, self._rows, self._widths, strict=True)
        ]
        self._pending: list[torch.Tensor] = []
        self._factor: tuple[list[torch.Tensor], list[torch.Tensor]] | None = None
        self._epsilon: float | None = None

    @property
    def n_positions(self) -> int:
        """Number of cells of the finest grid."""
        return self._cells[-1]

    def update(self, x: Sequence[torch.Tensor]) -> None:
        """Add frames, (B, D_layer, H_layer, W_layer) a layer, to the sums; memory does not grow with their number."""
        if self._factor is not None:
            raise ParameterError("update: this field is finalised; fit a new one, or merge before finalize")
        self._pending.append(self._arrange(x))
        n_pending = sum(p.shape[1] for p in self._pending)
        if n_pending < CHUNK_FRAMES:
            return
        # Chunks of one fixed size, whatever the batches: the sums do not depend on the batch size.
        pending = torch.cat(self._pending, dim=1)  # (cells, n, rows)
        full = n_pending - n_pending % CHUNK_FRAMES
        for start in range(0, full, CHUNK_FRAMES):
            self._add(pending[:, start : start + CHUNK_FRAMES])
        self._pending = [pending[:, full:].clone()] if full < n_pending else []

    def merge(self, other: PyramidGaussianField) -> None:
        """Add the frames that another field has seen, as if this one had seen them too."""
        if (self.grids, self.n_components) != (other.grids, other.n_components):
            raise ParameterError(
                f"merge: expected a field with grids {self.grids} and components {self.n_components}, found "
                f"{other.grids} and {other.n_components}; fit both with the same settings"
            )
        if self._factor is not None:
            raise ParameterError("merge: this field is finalised; merge before finalize")
        self._flush()
        other._flush()
        if other.n_frames == 0:
            return
        for mine, theirs in zip(
            self._scatter_own + self._scatter_below, other._scatter_own + other._scatter_below, strict=True
        ):
            mine += theirs.to(self.device)
        self._shift_mean(other._mean.to(self.device), other.n_frames)

    def finalize(self, epsilon: float = 0.01) -> PyramidGaussianField:
        """Factor the covariance matrices, unbiased (n - 1), with ``epsilon`` added to their diagonals.

        Block by block, coarse to fine: factor a level's own block, solve for the rows below it, and take what they
        explain off the finer levels.
        """
        self._flush()
        if self.n_frames < 2:
            raise NotFittedError(f"finalize: expected at least 2 frames, found {self.n_frames}; call update first")
        if not epsilon > 0:
            raise ParameterError(f"epsilon: expected a number above 0, found {epsilon}")
        scale = 1.0 / (self.n_frames - 1)
        own = [s * scale for s in self._scatter_own]
        below = [s.mT * scale for s in self._scatter_below]  # (cells, rows below, width)
        for level, width in enumerate(self._widths):
            own[level].diagonal(dim1=1, dim2=2).add_(epsilon)
            factor, failed = torch.linalg.cholesky_ex(own[level])
            if failed.any():
                raise ParameterError(
                    f"epsilon: {epsilon} leaves {int((failed > 0).sum())} covariance matrices that are not positive "
                    f"definite after {self.n_frames} frames; use a larger epsilon or more frames"
                )
            # Rows below: L_below = S_below L_own^-T. Own block: its inverse is all that scoring needs.
            identity = torch.eye(width, device=self.device).expand_as(factor)
            own[level] = torch.linalg.solve_triangular(factor, identity, upper=False)
            below[level] = below[level] @ own[level].mT
            explained = below[level]  # (cells, rows below, width)
            for finer in range(level + 1, len(self._cells)):
                explained = explained.reshape(self._cells[finer], self._rows[finer], width)
                head, explained = explained.split([self._widths[finer], self._rows[finer] - self._widths[finer]], dim=1)
                own[finer].baddbmm_(head, head.mT, alpha=-1)
                below[finer].baddbmm_(explained, head.mT, alpha=-1)
            # Transposed in memory: a product with few frames then reads each block once, in order.
            own[level], below[level] = own[level].mT.contiguous(), below[level].mT.contiguous()
        self._factor = (own, below)
        self._epsilon = float(epsilon)
        return self

    def mahalanobis(self, x: Sequence[torch.Tensor]) -> torch.Tensor:
        """Distance of every patch to the Gaussian of its position, float32 (B, P) (Defard et al. 2021, Eq. 2)."""
        if self._factor is None:
            raise NotFittedError("mahalanobis: this field has no factor yet; call finalize first")
        rest = self._arrange(x).sub_(self._mean[:, None])  # (cells, B, rows)
        squared = rest.new_zeros(1, rest.shape[1])
        for level, (inverse, below) in enumerate(zip(*self._factor, strict=True)):
            rest = self._children(rest, level)
            # Forward substitution: L y = x - mean, so that the squared distance is the sum of y squared.
            whitened = rest[..., : self._widths[level]] @ inverse  # (cells, B, width)
            rest = rest[..., self._widths[level] :] - whitened @ below  # (cells, B, rows below)
            squared = squared.repeat_interleave(len(whitened) // len(squared), dim=0) + whitened.square().sum(dim=2)
        return squared[self._positions].sqrt().T  # (B, P)

    @property
    def mean(self) -> torch.Tensor:
        """Mean of every position, float32 (P, D), components in the layers' order."""
        self._require_frames("mean")
        rows = self._position_rows()  # (P, D)
        return self._mean.reshape(-1)[rows]

    @property
    def covariance(self) -> torch.Tensor:
        """Covariance of every position, float32 (P, D, D), with epsilon; 1.1 GB at 56x56 and 300 components."""
        self._require_frames("covariance")
        n_levels, scale = len(self._cells), 1.0 / max(self.n_frames - 1, 1)
        blocks: list[list[torch.Tensor | None]] = [[None] * n_levels for _ in range(n_levels)]
        for column in range(n_levels):
            block, rest = self._scatter_own[column], self._scatter_below[column].mT
            for row in range(column, n_levels):
                if row > column:
                    rest = rest.reshape(self._cells[row], self._rows[row], self._widths[column])
                    block, rest = rest[:, : self._widths[row]], rest[:, self._widths[row] :]
                blocks[row][column] = block.repeat_interleave(self.n_positions // len(block), dim=0)
                blocks[column][row] = blocks[row][column].mT
        in_order = [self._layers.index(layer) for layer in range(n_levels)]
        dense = torch.cat([torch.cat([blocks[r][c] for c in in_order], dim=2) for r in in_order], dim=1)
        dense = dense[self._positions] * scale
        dense.diagonal(dim1=1, dim2=2).add_(self._epsilon or 0.0)
        return dense

    def state(self) -> dict[str, torch.Tensor]:
        """Everything the field has summed, as named CPU tensors, for safetensors; see `from_state`."""
        self._flush()
        state = {"n_frames": torch.tensor(self.n_frames), "mean": self._mean}
        state["grids"] = torch.tensor(self.grids)
        state["n_components"] = torch.tensor(self.n_components)
        for level in range(len(self._cells)):
            state[f"scatter_own_{level}"] = self._scatter_own[level]
            state[f"scatter_below_{level}"] = self._scatter_below[level]
        return {name: tensor.cpu().contiguous() for name, tensor in state.items()}

    @classmethod
    def from_state(cls, state: dict[str, torch.Tensor], device: torch.device | str = "cpu") -> PyramidGaussianField:
        """Rebuild a field from `state`: it can be merged or updated further, or finalised and used."""
        field = cls.__new__(cls)
        PyramidGaussianField.__init__(
            field, [tuple(g) for g in state["grids"].tolist()], state["n_components"].tolist(), device
        )
        field.n_frames = int(state["n_frames"])
        # Copies: tensors read from a file may lie unaligned in memory, and the last digit of a product depends on it.
        field._mean = state["mean"].to(field.device, copy=True)
        for level in range(len(field._cells)):
            field._scatter_own[level] = state[f"scatter_own_{level}"].to(field.device, copy=True)
            field._scatter_below[level] = state[f"scatter_below_{level}"].to(field.device, copy=True)
        return field

    def _arrange(self, x: Sequence[torch.Tensor]) -> torch.Tensor:
        """Layers (B, D, H, W) to (coarsest cells, B, rows): a cell's own components, then its finer cells' rows."""
        found = [tuple(layer.shape[1:]) for layer in x]
        expected = [(d, *grid) for d, grid in zip(self.n_components, self.grids, strict=True)]
        if found != expected:
            raise ParameterError(
                f"features: expected (components, height, width) {expected}, one a layer, found {found}; "
                "use frames of the size, and the layers, that the field was made for"
            )
        n_frames, arranged = x[0].shape[0], None
        for level in reversed(range(len(self._cells))):
            layer = x[self._layers[level]].float().permute(0, 2, 3, 1).flatten(1, 2)  # (B, H W, D)
            layer = layer[:, self._orders[level]]  # (B, cells, D)
            if arranged is not None:
                layer = torch.cat([layer, arranged.reshape(n_frames, self._cells[level], -1)], dim=2)
            arranged = layer
        return arranged.transpose(0, 1).contiguous()  # (cells of the coarsest, B, rows)

    def _children(self, rest: torch.Tensor, level: int) -> torch.Tensor:
        """Rows of a level's cells, (coarser cells, B, rows of all children) to (cells, B, rows)."""
        coarser, n_frames, _ = rest.shape
        rest = rest.reshape(coarser, n_frames, self._cells[level] // coarser, self._rows[level])
        return rest.transpose(1, 2).reshape(self._cells[level], n_frames, self._rows[level])

    def _add(self, x: torch.Tensor) -> None:
        """Add a chunk's scatter about its own mean, then account for the distance of the two means."""
        chunk_mean = x.mean(dim=1)
        self._accumulate(x - chunk_mean[:, None])
        self._shift_mean(chunk_mean, x.shape[1])

    def _shift_mean(self, mean: torch.Tensor, n_frames: int) -> None:
        """Chan et al. (1983): joint scatter = sum of scatters + n m / (n + m) times the outer square of the gap."""
        total = self.n_frames + n_frames
        if self.n_frames:
            gap = mean - self._mean
            self._accumulate((gap * (self.n_frames * n_frames / total) ** 0.5)[:, None])
            self._mean += gap * (n_frames / total)
        else:
            self._mean = mean.clone()
        self.n_frames = total

    def _accumulate(self, rest: torch.Tensor) -> None:
        """Add the products of each level's own components with all rows of its cells; rest is (cells, n, rows)."""
        for level, width in enumerate(self._widths):
            rest = self._children(rest, level)
            own, rest = rest[..., :width], rest[..., width:]
            self._scatter_own[level].baddbmm_(own.mT, own)
            self._scatter_below[level].baddbmm_(own.mT, rest)

    def _flush(self) -> None:
        if self._pending:
            self._add(torch.cat(self._pending, dim=1))
            self._pending = []

    def _require_frames(self, what: str) -> None:
        self._flush()
        if self.n_frames == 0:
            raise NotFittedError(f"{what}: this field has seen no frames; call update first")

    def _position_rows(self) -> torch.Tensor:
        """Flat index into the arranged mean of every component of every position, int64 (P, D)."""
        flat = torch.arange(self._mean.numel(), device=self.device)
        index = self._split_levels(flat.reshape(self._cells[0], self._rows[0]))
        in_order = [index[self._layers.index(layer)] for layer in range(len(self._layers))]
        return torch.cat(in_order, dim=1)[self._positions]

    def _split_levels(self, rows: torch.Tensor) -> list[torch.Tensor]:
        """(coarsest cells, rows) to one (P, components) a level, in hierarchical order of positions."""
        parts = []
        for level, width in enumerate(self._widths):
            rows = rows.reshape(self._cells[level], self._rows[level])
            own, rows = rows[:, :width], rows[:, width:]
            parts.append(own.repeat_interleave(self.n_positions // self._cells[level], dim=0))
        return parts

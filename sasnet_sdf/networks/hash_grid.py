"""The hash grid: its memory layout, its torch module, and the reference engine.

Mueller et al., "Instant Neural Graphics Primitives", 2022, in tiny-cuda-nn's convention (its grid.h and
common_device.h), so that a trained table works with every engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import mul, xor
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..engines import ENGINES
from ..model_config import GridConfig

PRIMES: tuple[int, ...] = (1, 2654435761, 805459861)

_MARGIN = 2.0**-18
"""The finest scale is lowered by this share, so that rounding in an engine does not raise it above an
integer."""


@dataclass(frozen=True, eq=False)
class GridLayout:
    """The L levels of a grid in `dim` dimensions, coarse to fine.

    A point x of [0, 1]^dim lies at x * scales[l] + 0.5 in level l: the integer part is the cell, and the
    fractional part the position in it. A vertex v of level l has row offsets[l] + index(v) of the table.
    Modulo the number of the level's rows, index(v) is the xor of v_a * PRIMES[a] in 32 bits if hashed[l] (eq.
    4), and v_0 + v_1 * resolutions[l] + v_2 * resolutions[l]^2 otherwise.

    scales: (L,) float32. resolutions: (L,) int64, vertices per axis. offsets: (L + 1,) int64. hashed: (L,)
    bool. per_level_scale: the ratio of the scales of successive levels.
    """

    config: GridConfig
    dim: int
    per_level_scale: np.float32
    scales: NDArray[np.float32]
    resolutions: NDArray[np.int64]
    offsets: NDArray[np.int64]
    hashed: NDArray[np.bool_]

    @property
    def entries(self) -> int:
        """Rows of the table."""
        return int(self.offsets[-1])


def grid_layout(config: GridConfig, dim: int) -> GridLayout:
    """The layout of a grid in 2 or 3 dimensions. Raises ValueError for invalid settings."""
    if dim not in (2, 3):
        raise ValueError(f"a hash grid has 2 or 3 dimensions, not {dim}")
    if config.features not in (1, 2, 4, 8):
        raise ValueError(f"a hash grid has 1, 2, 4 or 8 features a level, not {config.features}")
    if config.coarsest > config.finest:
        raise ValueError(f"the coarsest level has {config.coarsest} vertices, the finest {config.finest}")
    growth = max(config.finest * (1 - _MARGIN) / config.coarsest, 1.0)
    ratio = np.float32(growth ** (1 / max(config.levels - 1, 1)))
    levels = np.arange(config.levels, dtype=np.float32)
    # in float32, as on CUDA: in float64 the ceiling differs at some levels
    scales = np.exp2(levels * np.log2(ratio)) * np.float32(config.coarsest) - np.float32(1)
    resolutions = np.ceil(scales).astype(np.int64) + 1
    vertices = resolutions**dim
    entries = np.minimum((vertices + 7) // 8 * 8, 2**config.log2_table)
    offsets = np.concatenate([[0], np.cumsum(entries)]).astype(np.int64)
    return GridLayout(config, dim, ratio, scales, resolutions, offsets, vertices > entries)


Encode = Callable[[Tensor, Tensor, GridLayout, str], Tensor]
"""(points (N, d) in [-1, 1], table (entries, F), layout, interpolation) -> features (levels * F, N)."""


class HashGrid(nn.Module):
    """Multi-resolution hash grid (Mueller et al. 2022): points (N, dim) to features (levels * F, N).

    Points lie in [-1, 1]. The only parameter, `table` (entries, F), is drawn from N(0, 0.01^2) and works with
    every engine. Raises MissingBackend if the engine is not installed.
    """

    def __init__(self, config: GridConfig, dim: int, engine: str, generator: torch.Generator):
        super().__init__()
        self.config: GridConfig = config
        self.engine: str = engine
        self.layout: GridLayout = grid_layout(config, dim)
        self.encode: Encode = ENGINES.find(engine).load()
        table = torch.empty(self.layout.entries, config.features)
        self.table: nn.Parameter = nn.Parameter(table.normal_(0, 0.01, generator=generator))

    def forward(self, points: Tensor) -> Tensor:
        """Features (levels * F, N) of points (N, dim)."""
        return self.encode(points, self.table, self.layout, self.config.interpolation)


def encode(points: Tensor, table: Tensor, layout: GridLayout, interpolation: str) -> Tensor:
    """The reference engine in plain torch: any device, any floating-point type, twice differentiable.

    Returns features (levels * F, N) of points (N, d) in [-1, 1] from a table (entries, F). Rows are ordered
    by level; the F features of a level are adjacent. Points outside the cube take the value at its border,
    and the gradient with respect to them is zero.
    """
    of = _constants(layout, points.device)
    unit = (points.clamp(-1, 1) + 1) / 2
    position = unit * of.scales.to(points.dtype)[:, None, None] + 0.5  # (L, N, d)
    cell = position.detach().floor()
    fraction = position - cell
    upper = fraction * fraction * (3 - 2 * fraction) if interpolation == "smoothstep" else fraction

    axes = torch.arange(layout.dim, device=points.device)
    corners = (torch.arange(2**layout.dim, device=points.device)[:, None] >> axes) & 1  # (2^d, d)
    factors = torch.where(corners.bool(), upper[:, :, None], 1 - upper[:, :, None])
    weights = reduce(mul, factors.unbind(-1))  # (L, N, 2^d)

    rows = _rows(cell.long()[:, :, None] + corners, of)
    entries = table.index_select(0, rows.flatten()).view(*rows.shape, table.shape[1])
    # not einsum: on a GPU, its products of tiny matrices take longer than everything else
    return (weights[..., None] * entries).sum(2).transpose(1, 2).flatten(0, 1)


class _Constants(NamedTuple):
    """A layout's numbers for all levels, on a device; shape (L, 1, 1), except for the scales (L,)."""

    scales: Tensor
    strides: tuple[Tensor, ...]
    hashed: Tensor
    sizes: Tensor
    offsets: Tensor


@lru_cache(maxsize=16)
def _constants(layout: GridLayout, device: torch.device) -> _Constants:
    def per_level(values: NDArray[np.generic]) -> Tensor:
        return torch.as_tensor(values, device=device).view(-1, 1, 1)

    strides = tuple(per_level(layout.resolutions**axis) for axis in range(layout.dim))
    sizes = layout.offsets[1:] - layout.offsets[:-1]
    return _Constants(
        torch.as_tensor(layout.scales, device=device),
        *(strides, per_level(layout.hashed), per_level(sizes), per_level(layout.offsets[:-1])),
    )


def _rows(vertices: Tensor, of: _Constants) -> Tensor:
    """The table's row for each vertex (L, N, 2^d, d), see GridLayout."""
    terms = list(vertices.unbind(-1))
    # 64-bit products: a level's entries, where it is hashed, are a power of two, so the bits above
    # the 32nd do not reach the remainder.
    hashes = reduce(xor, [v * prime for v, prime in zip(terms, PRIMES, strict=False)])
    dense = sum(v * stride for stride, v in zip(of.strides, terms, strict=True))
    return torch.where(of.hashed, hashes, dense) % of.sizes + of.offsets

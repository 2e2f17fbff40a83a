"""Where every vertex of the hash grid lies in the one table that all engines share.

Mueller et al., "Instant Neural Graphics Primitives", 2022, in tiny-cuda-nn's convention (its grid.h
and common_device.h): a trained table means the same to every engine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model_config import GridConfig

PRIMES = (1, 2654435761, 805459861)
INTERPOLATIONS = ("linear", "smoothstep")

_MARGIN = 2.0**-18
"""The finest scale is lowered by this share, so that no engine's rounding lifts it over a whole number."""


@dataclass(frozen=True, eq=False)
class GridLayout:
    """The levels of a grid in `dim` dimensions; L levels, coarse to fine.

    A point x of [0, 1]^dim lies at x * scales[l] + 0.5 in level l: the whole part is the cell, the
    rest the fraction. A vertex v of level l owns row offsets[l] + index(v) of the table, where,
    modulo the level's rows, index(v) is the xor of v_a * PRIMES[a] in 32 bits if hashed[l] (eq. 4),
    and v_0 + v_1 * resolutions[l] + v_2 * resolutions[l]^2 otherwise.

    scales: (L,) float32. resolutions: (L,) int64, vertices an axis. offsets: (L + 1,) int64.
    hashed: (L,) bool. per_level_scale: the ratio of one level to the one before.
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
    """The layout of a grid in 2 or 3 dimensions. Raises ValueError for settings that make none."""
    _check(config, dim)
    growth = max(config.finest * (1 - _MARGIN) / config.coarsest, 1.0)
    ratio = np.float32(growth ** (1 / max(config.levels - 1, 1)))
    levels = np.arange(config.levels, dtype=np.float32)
    # In float32, as CUDA does: in float64 the ceiling differs at some levels.
    scales = np.exp2(levels * np.log2(ratio)) * np.float32(config.coarsest) - np.float32(1)
    resolutions = np.ceil(scales).astype(np.int64) + 1
    vertices = resolutions**dim
    entries = np.minimum((vertices + 7) // 8 * 8, 2**config.log2_table)
    offsets = np.concatenate([[0], np.cumsum(entries)]).astype(np.int64)
    return GridLayout(config, dim, ratio, scales, resolutions, offsets, vertices > entries)


def _check(config: GridConfig, dim: int) -> None:
    if dim not in (2, 3):
        raise ValueError(f"a hash grid has 2 or 3 dimensions, not {dim}")
    if not 1 <= config.levels <= 32:
        raise ValueError(f"a hash grid has 1 to 32 levels, not {config.levels}")
    if config.features not in (1, 2, 4, 8):
        raise ValueError(f"a hash grid has 1, 2, 4 or 8 features a level, not {config.features}")
    # Within these limits no engine's 32-bit index overflows.
    if not 3 <= config.log2_table <= 21:
        raise ValueError(f"log2_table must lie between 3 and 21, found {config.log2_table}")
    if not 2 <= config.coarsest <= config.finest <= 32768:
        raise ValueError(
            f"levels must grow from 2 to 32768 vertices an axis, found {config.coarsest} to {config.finest}"
        )
    if config.interpolation not in INTERPOLATIONS:
        raise ValueError(f"interpolation must be linear or smoothstep, not {config.interpolation!r}")

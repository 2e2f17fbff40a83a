"""Where every vertex of the hash grid lies in its table: tiny-cuda-nn's convention.

Level l has scale N_min b^l - 1 and ceil(scale) + 1 vertices along an axis; a point x in [0, 1]
falls at x scale + 1/2. A level is dense, first coordinate fastest, where it fits its entries, and
hashed otherwise (Mueller et al. 2022, eq. 4). Sources: grid.h and common_device.h of tiny-cuda-nn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..config import GridConfig

PRIMES = (1, 2654435761, 805459861)


@dataclass(frozen=True)
class GridLayout:
    """Per level: scale (float32), vertices along an axis, and whether its index is hashed.

    offsets (levels + 1,): the level's rows of the table are offsets[l] : offsets[l + 1].
    """

    dim: int
    scales: NDArray[np.float32]
    resolutions: NDArray[np.int64]
    offsets: NDArray[np.int64]
    hashed: NDArray[np.bool_]

    @property
    def entries(self) -> int:
        return int(self.offsets[-1])


def level_growth(config: GridConfig) -> float:
    """The ratio b of neighbouring levels' resolutions, `per_level_scale` in tiny-cuda-nn's words."""
    return float((config.finest / config.coarsest) ** (1 / max(config.levels - 1, 1)))


def grid_layout(config: GridConfig, dim: int) -> GridLayout:
    """The layout of a grid in 2 or 3 dimensions. Raises ValueError for settings without a meaning."""
    if dim not in (2, 3):
        raise ValueError(f"the hash grid has 2 or 3 dimensions, not {dim}")
    if config.interpolation not in ("linear", "smoothstep"):
        raise ValueError(f"interpolation is linear or smoothstep, not {config.interpolation!r}")
    if not 2 <= config.coarsest <= config.finest or config.levels < 1 or config.features < 1:
        raise ValueError("a grid needs levels and features, and 2 <= coarsest <= finest")
    # in float32, as on the GPU: in float64 the ceiling differs at some levels
    powers = np.exp2(np.arange(config.levels, dtype=np.float32) * np.log2(np.float32(level_growth(config))))
    scales = (powers * np.float32(config.coarsest) - np.float32(1)).astype(np.float32)
    resolutions = np.ceil(scales).astype(np.int64) + 1
    vertices = resolutions**dim
    entries = np.minimum((vertices + 7) // 8 * 8, 2**config.log2_table)
    offsets = np.concatenate([[0], np.cumsum(entries)]).astype(np.int64)
    return GridLayout(dim, scales, resolutions, offsets, vertices > entries)

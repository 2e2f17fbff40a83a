"""The 27 fine points of a coarse cell: their numbers, their interpolation, the eight children.

Corner (a, b, c) of a cell, a to c in {0, 1}, is number 4a + 2b + c, and so is child (a, b, c): the
fine cell (2i + a, 2j + b, 2k + c) of the coarse cell (i, j, k). Fine point (2i + x, 2j + y, 2k + z),
x to z in {0, 1, 2}, is number 9x + 3y + z.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CORNERS = np.indices((2, 2, 2)).reshape(3, -1).T.astype(np.int32)
"""(8, 3)"""

POINTS = np.indices((3, 3, 3)).reshape(3, -1).T.astype(np.int32)
"""(27, 3)"""

WEIGHTS = (1 - np.abs(POINTS / 2 - CORNERS[:, None])).prod(2).astype(np.float32)
"""(8, 27): what each corner counts in the value of trilinear interpolation at each point."""

CHILD_POINTS = ((CORNERS[:, None] + CORNERS) @ [9, 3, 1]).astype(np.int32)
"""(8, 8): the point at each corner of each child."""

CORNER_OF_POINT = np.where((POINTS % 2 == 0).all(1), POINTS // 2 @ [4, 2, 1], -1).astype(np.int32)
"""(27,): the corner of the coarse cell that lies there, or -1."""

FARTHEST = (3 + 3 * (CORNERS[:, None] != CORNERS).sum(2)).astype(np.float32)
"""(8, 8): the squared distance from each coarse corner to the farthest point of each child, in its sides."""


def mixed_signs(corners: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether cells (M,) with values (M, 8) at their corners are crossed; zero counts as inside."""
    inside = np.packbits(corners <= 0, axis=1)[:, 0]
    return (inside != 0) & (inside != 255)

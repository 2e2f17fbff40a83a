"""How a camera was held."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def turned(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Samples (H, W, C) as they are to be seen, from Exif's orientation 1..8."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return np.ascontiguousarray(values)

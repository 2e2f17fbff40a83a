"""The implicit surface of the data, at points near the data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry import Array


@dataclass(frozen=True)
class Evidence:
    """Signed distances by the data at the K of M queried points that lie near data, in the unit cube.

    rows: (K,) indices of those points. distance: (K,) signed, negative inside. gradient: (K, 3) of
    unit length, outward. apart: (K,) distance from the nearest data point. reach: (K,) radius around
    that data point within which its neighbors lie; farther along the surface, `distance` is
    extrapolated.
    """

    rows: np.ndarray
    distance: Array
    gradient: Array
    apart: Array
    reach: Array

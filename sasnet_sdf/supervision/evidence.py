"""What the data say of places beside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry import Array


@dataclass(frozen=True)
class Evidence:
    """The implicit surface of the data at those K of M places that lie beside data, in the unit cube.

    rows: (K,) which of the places those are. distance: (K,) signed, negative inside. gradient:
    (K, 3) of unit length, outward. apart: (K,) how far each place is from the nearest datum.
    reach: (K,) the radius around that datum within which the data speak for themselves; farther
    along the surface they are extrapolated.
    """

    rows: np.ndarray
    distance: Array
    gradient: Array
    apart: Array
    reach: Array

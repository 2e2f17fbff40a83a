"""Points that belong to no surface."""

from __future__ import annotations

import numpy as np

from ..geometry import Array
from ..progress import each
from .planes import fit_planes

_LONELY = 2.5  # times as far from its neighbours as they are from theirs
_SPARSE, _FLAT = 4.0, 0.15  # times as far as is usual; a plane's residual in distances to neighbours


def belongs(points: Array, lists: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Whether each point (N, 3) may lie on a surface, by its neighbours (N, k) and their distances.

    One that is lonely beside its neighbours does not; nor does one of a cluster that is sparse and
    fills space: a part that was scanned sparsely is sparse too, but it is flat.
    """
    mean = distances.mean(1)
    less = sum((_LONELY * mean[column] >= mean for column in each(lists.T)), np.zeros(len(mean), np.int8))
    keep = 2 * less > lists.shape[1]  # than the median of its neighbours, that is
    sparse = np.flatnonzero(mean > _SPARSE * np.median(mean))
    _, residuals = fit_planes(points, lists, sparse)
    keep[sparse] &= residuals < _FLAT * mean[sparse]
    return keep

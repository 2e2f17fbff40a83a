"""Which way normals point where sensors saw their points."""

from __future__ import annotations

import numpy as np

from ..geometry import Array
from ..progress import each

_NEAREST = 4
_BESIDE = 0.3  # slope up to which a neighbor lies beside a point, and not behind it


def torn(points: Array, normals: Array, lists: np.ndarray) -> float:
    """The share of the nearest neighbors of points (N, 3) that lie beside them and look the other way.

    lists (N, k): neighbors, nearest first.
    """
    opposite = 0.0
    for near in each(lists[:, :_NEAREST].T):
        across = points[near] - points
        height = np.maximum(*(np.abs((across * normals[end]).sum(1)) for end in (near, slice(None))))
        beside = height < _BESIDE * np.linalg.norm(across, axis=1)
        opposite += (beside & ((normals * normals[near]).sum(1) < -_BESIDE)).mean()
    return float(opposite / min(_NEAREST, lists.shape[1]))


def turn_to_sensors(points: Array, normals: Array, sensors: Array, lists: np.ndarray) -> Array:
    """The normals (N, 3), each flipped where it looks away from the sensors that saw the points around.

    sensors (N, 3): that of each point. lists (N, k): neighbours. A point that its sensor saw at a
    grazing angle tells little by itself, as noise may have turned its plane beyond the edge of
    view: neighbours vote with it, each by the cosine of that angle.
    """
    ray = sensors - points
    seen = (ray * normals).sum(1) / np.maximum(np.linalg.norm(ray, axis=1), 1e-300)
    votes = seen.copy()
    for near in each(lists.T):
        votes += (normals * normals[near]).sum(1) * seen[near]
    return np.where(votes[:, None] < 0, -normals, normals)

"""Which way normals point where sensors saw their points."""

from __future__ import annotations

import numpy as np

from ..findings import Finding, warning
from ..geometry import Array
from ..progress import each

_NEAREST = 4
_PROBES = 20_000
_BESIDE = 0.3  # slope up to which a neighbor lies beside a point, and not behind it
# share of neighbors side by side that look to opposite sides, above which the user is told: of scans it is
# 0.000 to 0.005
_TORN = 0.02


def of_thin_walls(points: Array, normals: Array, lists: np.ndarray) -> list[Finding]:
    """A warning where the normals are torn."""
    share = torn(points, normals, lists)
    if share <= _TORN:
        return []
    return [
        warning(
            f"at {share:.0%} of the points neighbors look to opposite sides: walls are thinner than the "
            "noise or the distance between points, or normals or sensors are wrong"
        )
    ]


def torn(points: Array, normals: Array, lists: np.ndarray) -> float:
    """The share of the nearest neighbors of points (N, 3) that lie beside them and look the other way.

    lists (N, k): neighbors, nearest first. Some of the points tell.
    """
    some = np.linspace(0, len(points) - 1, min(_PROBES, len(points))).astype(np.int64)
    opposite = 0.0
    for near in lists[some, :_NEAREST].T:
        across = points[near] - points[some]
        height = np.maximum(*(np.abs((across * normals[end]).sum(1)) for end in (near, some)))
        beside = height < _BESIDE * np.linalg.norm(across, axis=1)
        opposite += (beside & ((normals[some] * normals[near]).sum(1) < -_BESIDE)).mean()
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

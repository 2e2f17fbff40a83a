"""A function on a mesh, smoothed along it."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array

from ..geometry import Array, TriangleMesh
from ..progress import tick

FEWEST, MOST = 5, 40
"""Rounds of averaging: fewer leave the lattice's steps, more cost more than a smoother line is worth."""

SAMPLES = 10_000
"""Triangles that tell how long an edge is."""


def smoothed(mesh: TriangleMesh, values: Array, width: float) -> Array:
    """Values (V,) averaged over about `width` around each vertex, and over an edge or two at the least.

    Each round takes the mean of a vertex and its neighbours, a diffusion of 3/7 of a squared edge.
    """
    some = mesh.faces[:: max(1, len(mesh.faces) // SAMPLES)]
    edge = np.linalg.norm(mesh.vertices[some[:, 0]] - mesh.vertices[some[:, 1]], axis=1).mean()
    rounds = int(np.clip(round((width / edge) ** 2 * 7 / 3), FEWEST, MOST))
    # of a closed mesh these are all edges in both directions
    a, b, c = mesh.faces.astype(np.int32).T
    ends = np.concatenate([a, b, c]), np.concatenate([b, c, a])
    shape = (len(values),) * 2
    beside = coo_array((np.ones(len(ends[0]), np.float32), ends), shape=shape).tocsr()
    share = (1 / (1 + np.diff(beside.indptr))).astype(np.float32)
    values = values.astype(np.float32)
    for _ in range(rounds):
        tick()
        values = share * (values + beside @ values)
    return values.astype(np.float64)

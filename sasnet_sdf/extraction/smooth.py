"""Along a mesh: a function that is smoothed, and distances from some of its vertices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import dijkstra

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
    starts, ends = _edges(mesh)
    beside = _sparse(np.ones(len(starts), np.float32), starts, ends, len(values))
    share = (1 / (1 + np.diff(beside.indptr))).astype(np.float32)
    values = values.astype(np.float32)
    for _ in range(rounds):
        tick()
        values = share * (values + beside @ values)
    return values.astype(np.float64)


def steps_from(mesh: TriangleMesh, sources: NDArray[np.int64], step: Array, most: float) -> Array:
    """Distances (V,) from the nearest of some vertices, along edges, in the steps (V,) given; `most` at most.

    A path along edges is at most 1.5 times as long as the shortest one.
    """
    if not len(sources):
        return np.full(len(step), most)
    starts, ends = _edges(mesh)
    length = np.linalg.norm(mesh.vertices[starts] - mesh.vertices[ends], axis=1) / step[starts]
    graph = _sparse(np.maximum(length, 1e-12), starts, ends, len(step))
    tick()
    return np.minimum(dijkstra(graph, indices=sources, min_only=True, limit=most), most)


def _edges(mesh: TriangleMesh) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Of a closed mesh all edges in both directions."""
    a, b, c = mesh.faces.astype(np.int32).T
    return np.concatenate([a, b, c]), np.concatenate([b, c, a])


def _sparse(values: Array, rows: NDArray[np.int32], columns: NDArray[np.int32], count: int) -> csr_array:
    return coo_array((values, (rows, columns)), shape=(count, count)).tocsr()

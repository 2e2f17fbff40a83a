"""The boundary of a triangle mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .kernels import kept
from .progress import tick


@dataclass(frozen=True)
class Edges:
    """Edges of one triangle (the boundary), the loops that they form, and edges of more than two."""

    boundary: int
    loops: int
    branching: int

    @classmethod
    def of(cls, faces: NDArray) -> Edges:
        """Of triangles (F, 3). Loops that meet in a vertex count as one."""
        boundary, branching = _uses(np.ascontiguousarray(faces, np.int64), int(faces.max(initial=-1)) + 1)
        tick()
        return cls(len(boundary), _loops(boundary), branching)


def at_boundary(faces: NDArray, count: int) -> NDArray[np.bool_]:
    """Which of `count` vertices are at the boundary of triangles (F, 3)."""
    found = np.zeros(count, np.bool_)
    found[_uses(np.ascontiguousarray(faces, np.int64), count)[0]] = True
    return found


@kept(nogil=True)
def _uses(faces: NDArray[np.int64], count: int) -> tuple[NDArray[np.int64], int]:
    """Edges (B, 2) that belong to one of the triangles (F, 3), and the number that belong to more than two.

    count: number of vertices.
    """
    # counting sort: each edge is listed at its end of lower number, by its other end
    starts = np.zeros(count + 1, np.int64)
    for face in range(len(faces)):
        for k in range(3):
            starts[min(faces[face, k], faces[face, (k + 1) % 3]) + 1] += 1
    starts = np.cumsum(starts)
    ends, filled = np.empty(3 * len(faces), np.int64), starts[:-1].copy()
    for face in range(len(faces)):
        for k in range(3):
            a, b = faces[face, k], faces[face, (k + 1) % 3]
            ends[filled[min(a, b)]] = max(a, b)
            filled[min(a, b)] += 1
    boundary, single, branching = np.empty((len(ends), 2), np.int64), 0, 0
    for vertex in range(count):
        mine = np.sort(ends[starts[vertex] : starts[vertex + 1]])
        begin = 0
        for n in range(len(mine)):
            if n + 1 == len(mine) or mine[n + 1] != mine[n]:
                if n == begin:
                    boundary[single, 0], boundary[single, 1] = vertex, mine[n]
                    single += 1
                elif n > begin + 1:
                    branching += 1
                begin = n + 1
    return boundary[:single].copy(), branching


def _loops(edges: NDArray) -> int:
    vertices, ends = np.unique(edges, return_inverse=True)
    ends = ends.reshape(-1, 2)
    graph = coo_array((np.ones(len(ends), np.int8), tuple(ends.T)), shape=(len(vertices),) * 2)
    return int(connected_components(graph, directed=False)[0]) if len(ends) else 0

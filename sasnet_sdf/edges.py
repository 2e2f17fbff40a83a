"""The boundary of a triangle mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

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
        limit = int(faces.max(initial=0)) + 1
        ends = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2).astype(np.int64), axis=1)
        tick()
        edges = ends[:, 0] * limit + ends[:, 1]
        del ends
        tick()
        edges.sort()
        tick()
        starts = np.flatnonzero(np.diff(edges, prepend=-1))
        uses = np.diff(starts, append=len(edges))
        boundary = np.stack(np.divmod(edges[starts[uses == 1]], limit), 1)
        return cls(len(boundary), _loops(boundary), int((uses > 2).sum()))


def _loops(edges: NDArray) -> int:
    vertices, ends = np.unique(edges, return_inverse=True)
    ends = ends.reshape(-1, 2)
    graph = coo_array((np.ones(len(ends), np.int8), tuple(ends.T)), shape=(len(vertices),) * 2)
    return int(connected_components(graph, directed=False)[0]) if len(ends) else 0

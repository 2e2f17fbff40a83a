"""What the surface of the whole must know of a tile's part: its components, and what they have at borders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from ..mesh import edge_graph, unpaired_edges
from ..runtime.compiled import kept, part

POINTS, AREA, FACES, VERTICES, BOUNDARY, LOOPS, BRANCHING, COVERED = range(8)
"""The columns of `Summary.tallies`."""


@dataclass(frozen=True)
class Summary:
    """The components (C) of a tile's part of the surface, and its border vertices (B).

    A component is a set of triangles that vertices connect within the tile. A border vertex is one that a
    triangle of this tile uses and that other tiles may use as well.

    shared: number of vertices of this tile that other tiles may use. tallies: (C, 8) float64, in the columns
    above: data points, area in world units, triangles, vertices that no other tile can use, boundary edges,
    loops of boundary edges, edges in more than two triangles, and sampled points that it covers; border
    edges, and loops that reach a border vertex, are not among them. owners: (B, 2) the tile that owns a
    border vertex, and the index there. component: (B,) that the border vertex is in. edges: (E, 2) border
    edges, those between border vertices.
    uses: (E,) number of this tile's triangles at each. chains: (L, 2) a connected set of boundary edges that
    are no border edges, and a border vertex in it.
    """

    shared: int
    tallies: NDArray[np.float64]
    owners: NDArray[np.int64]
    component: NDArray[np.int32]
    edges: NDArray[np.int64]
    uses: NDArray[np.int64]
    chains: NDArray[np.int64]

    @classmethod
    def of(cls, number: int, arrays: Mapping[str, NDArray[Any]]) -> Summary:
        """The summary of the tile `number`, from the arrays that `Joined` describes."""
        faces, owned, shared = arrays["faces"], len(arrays["vertices"]), int(arrays["shared"])
        component, count = components(faces, owned + len(arrays["foreign"]))
        at_border = np.ones(len(component), np.bool_)
        at_border[shared:owned] = False

        vertices = np.flatnonzero(at_border & (component >= 0))
        place = np.cumsum(at_border & (component >= 0)) - 1  # of a border vertex among them
        owners = np.stack([np.full(len(vertices), number), vertices], 1)
        foreign = vertices >= owned
        owners[foreign] = arrays["foreign"][vertices[foreign] - owned]

        ends, uses = unpaired_edges(faces, at_border)
        between = at_border[ends].all(1)
        boundary = ends[~between & (uses == 1)]
        chains, whole = _chains(boundary, at_border)

        covered = component[arrays.get("covered", np.empty(0, np.int64))]
        inner = component[shared:owned]
        of_face = component[faces[:, 0]]
        tallies = [
            np.bincount(of_face, arrays["borne"], count),
            np.bincount(of_face, arrays["area"], count),
            np.bincount(of_face, minlength=count),
            np.bincount(inner[inner >= 0], minlength=count),
            np.bincount(component[boundary[:, 0]], minlength=count),
            np.bincount(component[whole], minlength=count),
            np.bincount(component[ends[~between & (uses > 2), 0]], minlength=count),
            np.bincount(covered[covered >= 0], minlength=count),
        ]
        chains[:, 1] = place[chains[:, 1]]
        return cls(
            shared,
            np.stack(tallies, 1).astype(np.float64),
            owners,
            component[vertices],
            place[ends[between]],
            uses[between].astype(np.int64),
            chains,
        )


def components(faces: NDArray[np.int32], count: int) -> tuple[NDArray[np.int32], int]:
    """The connected component (count,) of each vertex, -1 where no triangle (F, 3) uses it; their number."""
    return _components(np.ascontiguousarray(faces, np.int32), count)


def _chains(
    boundary: NDArray[np.int32], at_border: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The connected sets of edges (E, 2): of those that reach the border, pairs (L, 2) of a set and a border
    vertex in it; of the others a vertex (W,) each."""
    if not len(boundary):
        return np.empty((0, 2), np.int64), np.empty(0, np.int32)
    vertices, ends = np.unique(boundary, return_inverse=True)
    ends = ends.reshape(-1, 2)
    graph = edge_graph(ends[:, 0], ends[:, 1], len(vertices))
    count, chain = connected_components(graph, directed=False)
    reaching = at_border[vertices]
    whole = np.ones(count, np.bool_)
    whole[chain[reaching]] = False
    _, first = np.unique(chain, return_index=True)
    return np.stack([chain[reaching], vertices[reaching]], 1).astype(np.int64), vertices[first[whole]]


@part
def _root(parent, vertex):
    while parent[vertex] != vertex:
        parent[vertex] = parent[parent[vertex]]
        vertex = parent[vertex]
    return vertex


@kept(nogil=True)
def _components(faces, count):
    """Union-find, in which the root of a set is its lowest vertex."""
    parent = np.full(count, -1, np.int32)
    for face in range(len(faces)):
        for k in range(3):
            vertex = faces[face, k]
            if parent[vertex] < 0:
                parent[vertex] = vertex
            a, b = _root(parent, faces[face, 0]), _root(parent, vertex)
            if a < b:
                parent[b] = a
            else:
                parent[a] = b
    label, found = np.full(count, -1, np.int32), 0
    for vertex in range(count):
        if parent[vertex] == vertex:
            label[vertex] = found
            found += 1
        elif parent[vertex] >= 0:
            # lower vertices have their labels already
            label[vertex] = label[parent[vertex]]
    return label, found

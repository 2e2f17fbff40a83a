"""A mesh cut along the line where a function on it changes sign."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..geometry import Array, TriangleMesh

HALVINGS = 12
"""Of an edge, to find a place on it that is allowed."""

SLIVER = 0.02
"""A cut within this share of an edge from its kept end is made at that end, so that no sliver is left."""

Allowed = Callable[[Array], NDArray[np.bool_]]


def clip(mesh: TriangleMesh, values: Array, allowed: Allowed) -> tuple[TriangleMesh, NDArray[np.int64]]:
    """The part of a mesh where a function is not positive, and the vertex that each of its own comes from.

    values: (V,), the function at the vertices, linear in between. allowed: whether points (M, 3)
    may be in the result, as every vertex may whose value is not positive; where the cut of an edge
    is not, it is moved towards the kept end. A vertex of the cut comes from the kept end of its
    edge. Colours and scalars are not carried over.
    """
    out = values > 0
    if not out.any():
        return mesh, np.arange(len(mesh.vertices))
    outer = out[mesh.faces].sum(1)
    whole, one, two = (mesh.faces[outer == n] for n in range(3))
    # the vertex that differs from the other two comes first
    one = _rolled(one, out[one].argmax(1))
    two = _rolled(two, (~out[two]).argmax(1))
    ends = np.concatenate([one[:, [1, 0]], one[:, [2, 0]], two[:, [0, 1]], two[:, [0, 2]]])
    edges, number = np.unique(ends, axis=0, return_inverse=True)
    share = _shares(mesh.vertices, values, edges, allowed)
    ends_there = share < SLIVER
    at = np.where(ends_there, edges[:, 0], len(mesh.vertices) + np.cumsum(~ends_there) - 1)
    first, second, third, fourth = np.split(
        at[number.reshape(-1)], np.cumsum([len(one), len(one), len(two)]).tolist()
    )
    faces = np.concatenate(
        [
            whole,
            np.stack([first, one[:, 1], one[:, 2]], 1),
            np.stack([first, one[:, 2], second], 1),
            np.stack([two[:, 0], third, fourth], 1),
        ]
    )
    a, b, c = faces.T
    faces = faces[(a != b) & (b != c) & (c != a)]
    edges, share = edges[~ends_there], share[~ends_there, None]
    return _used(mesh, faces, edges, share)


def _rolled(faces: NDArray, first: NDArray) -> NDArray:
    """Triangles (F, 3) that start at the given corner (F,), in the same sense."""
    return np.take_along_axis(faces, (first[:, None] + np.arange(3)) % 3, 1)


def _shares(vertices: Array, values: Array, edges: NDArray, allowed: Allowed) -> Array:
    """How far (E,) along edges (kept end, other end) they are cut."""
    inner, outer = values[edges.T]
    share = inner / (inner - outer)
    start, along = vertices[edges[:, 0]], vertices[edges[:, 1]] - vertices[edges[:, 0]]
    beyond = np.flatnonzero(~allowed(start + share[:, None] * along))
    start, along = start[beyond], along[beyond]
    low, high = np.zeros(len(beyond)), share[beyond]
    for _ in range(HALVINGS if len(beyond) else 0):
        middle = (low + high) / 2
        fine = allowed(start + middle[:, None] * along)
        low, high = np.where(fine, middle, low), np.where(fine, high, middle)
    share[beyond] = low
    return share


def _used(
    mesh: TriangleMesh, faces: NDArray, edges: NDArray, share: Array
) -> tuple[TriangleMesh, NDArray[np.int64]]:
    """The mesh of faces over old vertices and new ones at `share` along edges; where each comes from."""
    source = np.concatenate([np.arange(len(mesh.vertices)), edges[:, 0]])
    used = np.zeros(len(source), np.bool_)
    used[faces] = True

    def blended(values: Array | None) -> Array | None:
        if values is None:
            return None
        a, b = values[edges[:, 0]], values[edges[:, 1]]
        return np.concatenate([values, a + share * (b - a)])[used]

    vertices, normals = blended(mesh.vertices), blended(mesh.normals)
    assert vertices is not None
    if normals is not None:
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        normals = normals / np.where(length > 0, length, 1)
    renumbered = np.cumsum(used) - 1
    return TriangleMesh(vertices, renumbered[faces], normals), source[used]

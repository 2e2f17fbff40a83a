"""Sharp features: vertices on the creases and corners of a field's surface.

Extended marching cubes (Kobbelt et al. 2001). Where normals differ strongly within a cell, the tangent
planes at the cell's vertices intersect in a feature point. The cell's triangles become a fan around that
point, and edges that cross the crease are flipped to run along it. A cell is left unchanged where the
field is not zero at the point (a small bump is no crease) or where a triangle would fold. The mesh stays
closed and manifold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from ..geometry import Array
from ..mesh import compacted, cross_products, edge_graph, least_cosine
from .descent import GradientField
from .lattice import Lattice

SHARP = 0.85
"""Cosine between two normals of a triangle below which its cell may hold a crease: 32 degrees."""

FLAT = 0.02
"""Least eigenvalue, relative to the largest, of a direction that the planes determine."""

OUTSIDE = 0.5
"""Largest distance of a feature point from its cell, if outside, in cells."""

OFF = 0.05
"""Largest field value at a feature point, in cells. At a point found for a smooth bump it is larger."""

APART = 0.005
"""Least distance between feature points, in cells: several cells may find the same corner."""

STEPS = 2
"""Newton steps for vertices near creases: the first may end on a plane's extension beyond the crease."""

WELD = 1e-3
"""Distance, in cells, below which two points count as equal."""

Faces = NDArray[np.int64]


@dataclass(frozen=True)
class _Patches:
    """P pieces of cells: the rows (T,) of their triangles among all triangles, and the piece (T,) of each.

    corners: (K, 2) the pairs (piece, vertex) that occur, in order.
    """

    rows: NDArray[np.int64]
    piece: NDArray[np.int64]
    corners: NDArray[np.int64]
    count: int

    def sums(self, values: Array) -> Array:
        """The sums (P, ...) of values (K, ...) at the corners."""
        total = np.zeros((self.count, *values.shape[1:]))
        np.add.at(total, self.corners[:, 0], values)
        return total


def sharpen(
    field: GradientField,
    vertices: Array,
    normals: Array,
    faces: Faces,
    cells: NDArray[np.int64],
    lattice: Lattice,
    part: NDArray[Any] | None = None,
) -> tuple[Array, Array, Faces, NDArray[np.int64], NDArray[np.int64]]:
    """The mesh with vertices on its creases: vertices (V', 3), unit normals (V', 3), faces (F', 3).

    field: points -> values and gradients. vertices, normals (V, 3): on the field's zero level set, in the
    unit cube. cells (F, 3): the lattice cell that contains each triangle. part (F,): of the lattice that
    each triangle is in; edges between parts are not flipped. Also returns the cell of each triangle, and the
    vertex (V',) that each vertex was, with numbers beyond V for new ones.
    """
    patches = _sharp_patches(normals, faces, cells)
    if not patches.count:
        return vertices, normals, faces, cells, np.arange(len(vertices))
    near = np.unique(patches.corners[:, 1])
    vertices, normals = vertices.copy(), normals.copy()
    vertices[near], normals[near] = _settled(field, vertices[near], lattice.cell)
    points = _meeting_points(patches, vertices, normals)
    first = np.full(patches.count, len(patches.rows))
    np.minimum.at(first, patches.piece, np.arange(len(patches.rows)))
    first = patches.rows[first]
    good = _plausible(field, points, cells[first], lattice)
    parts = np.zeros(patches.count, np.int8) if part is None else part[first]
    places, across = np.concatenate([vertices, points]), np.concatenate([normals, _means(patches, normals)])
    faces, whole, piece = _with_fans(patches, good, parts, places, across, faces)
    used, faces = compacted(faces, len(places))
    cells = np.concatenate([cells[whole], cells[first][piece]])
    return places[used], across[used], faces, cells, np.flatnonzero(used)


def _means(patches: _Patches, normals: Array) -> Array:
    """The mean normal (P, 3) of each piece's vertices, of unit length."""
    mean = patches.sums(normals[patches.corners[:, 1]])
    return mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)


def _sharp_patches(normals: Array, faces: Faces, cells: NDArray[np.int64]) -> _Patches:
    """The connected pieces of the cells that have a triangle with strongly different normals."""
    key = np.ascontiguousarray(cells) @ np.array([1 << 42, 1 << 21, 1])
    rows = np.flatnonzero(np.isin(key, key[least_cosine(normals, faces) < SHARP]))
    if not len(rows):
        none = np.empty(0, np.int64)
        return _Patches(none, none, np.empty((0, 2), np.int64), 0)
    # triangles of a cell that share a vertex are one piece; a vertex counts once for each cell
    _, cell = np.unique(key[rows], return_inverse=True)
    pairs, corner = np.unique(
        np.stack([np.repeat(cell, 3), faces[rows].ravel()], 1), axis=0, return_inverse=True
    )
    corner = corner.reshape(-1, 3)
    ends = np.concatenate([corner[:, 0], corner[:, 1]]), np.concatenate([corner[:, 1], corner[:, 2]])
    count, piece = connected_components(edge_graph(*ends, len(pairs)), directed=False)
    corners = np.stack([piece.astype(np.int64), pairs[:, 1]], 1)
    return _Patches(rows, piece[corner[:, 0]].astype(np.int64), corners, count)


def _settled(field: GradientField, start: Array, cell: float) -> tuple[Array, Array]:
    """Points (N, 3) moved onto the zero level set, or unmoved if that is over half a cell; unit normals."""
    points = start
    for _ in range(STEPS):
        points = points - _newton(*field(points))
    strayed = np.linalg.norm(points - start, axis=1) > cell / 2
    # other programs weld vertices at equal positions; a vertex that is moved back may coincide with another
    while True:
        points = np.where(strayed[:, None], start, points)
        meet = np.unique(KDTree(points).query_pairs(WELD * cell, output_type="ndarray"))
        if strayed[meet].all():
            break
        strayed[meet] = True
    gradients = field(points)[1]
    return points, gradients / np.maximum(np.linalg.norm(gradients, axis=1, keepdims=True), 1e-12)


def _newton(values: Array, gradients: Array) -> Array:
    length = np.maximum((gradients * gradients).sum(1), 1e-12)
    return (values / length)[:, None] * gradients


def _meeting_points(patches: _Patches, vertices: Array, normals: Array) -> Array:
    """The intersection (P, 3) of the planes at each piece's vertices, nearest to their mean if not unique."""
    piece, vertex = patches.corners.T
    middle = patches.sums(vertices[vertex]) / np.bincount(piece, minlength=patches.count)[:, None]
    n = normals[vertex]
    offset = (n * (vertices[vertex] - middle[piece])).sum(1)
    matrix = patches.sums(n[:, :, None] * n[:, None, :])
    right = patches.sums(n * offset[:, None])
    values, axes = np.linalg.eigh(matrix)
    inverse = np.where(values > FLAT * values[:, -1:], 1 / np.maximum(values, 1e-300), 0.0)
    along = np.einsum("pji,pj->pi", axes, right) * inverse
    return middle + np.einsum("pij,pj->pi", axes, along)


def _plausible(
    field: GradientField, points: Array, cells: NDArray[np.int64], lattice: Lattice
) -> NDArray[np.bool_]:
    """Which points (P, 3) are in or near their cell (P, 3), on the zero level set, and not too close."""
    cell = lattice.cell
    corner = lattice.points(cells)
    inside = np.asarray(
        ((points >= corner - OUTSIDE * cell) & (points <= corner + (1 + OUTSIDE) * cell)).all(1)
    )
    inside[inside] = np.abs(field(points[inside])[0]) < OFF * cell
    # if several cells find the same corner, the one in which it lies deepest keeps it
    rows = np.flatnonzero(inside)
    depth = np.abs(points[rows] - corner[rows] - cell / 2).max(1)
    pairs = KDTree(points[rows]).query_pairs(APART * cell, output_type="ndarray")
    inside[rows[pairs[np.arange(len(pairs)), depth[pairs].argmax(1)]]] = False
    return inside


def _with_fans(
    patches: _Patches,
    good: NDArray[np.bool_],
    parts: NDArray[Any],
    places: Array,
    across: Array,
    faces: Faces,
) -> tuple[Faces, NDArray[np.bool_], NDArray[np.int64]]:
    """The faces with each good piece (P,) replaced by a fan around its point.

    parts: (P,) of the lattice that the pieces are in. places, across: the vertices (V, 3), followed by a
    point for each piece, and their normals. Also returns which faces (F,) are left, and the piece (T,) of
    each of those that follow them.
    """
    count = len(places) - patches.count
    piece, ends = _rims(patches, faces, good)
    while True:
        kept = good[piece]
        fans, turned = _along_creases(
            np.column_stack([ends[kept], count + piece[kept]]), places, across, parts[piece[kept]]
        )
        # an edge that crosses a crease but cannot be flipped may leave a fold, as may a cell's other edges
        folded = ~turned & ~_upright(fans, places, across[fans[:, 0]] + across[fans[:, 1]])
        if not folded.any():
            break
        good[fans[folded, 2] - count] = False
    whole = np.ones(len(faces), np.bool_)
    whole[patches.rows[good[patches.piece]]] = False
    return np.concatenate([faces[whole], fans]), whole, piece[kept]


def _upright(triangles: Faces, vertices: Array, normals: Array) -> NDArray[np.bool_]:
    """Which triangles (T, 3) face along normals (T, 3)."""
    return (cross_products(vertices, triangles) * normals).sum(1) > 0


def _rims(patches: _Patches, faces: Faces, good: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Faces]:
    """The boundary edges (E, 2), directed, of good pieces that are discs, and the piece (E,) of each.

    Clears `good` (P,) for pieces that are not discs.
    """
    triangles = faces[patches.rows]
    piece = np.repeat(patches.piece, 3)
    ends = np.stack([triangles, np.roll(triangles, -1, 1)], 2).reshape(-1, 2)
    limit = int(faces.max()) + 1
    # an interior edge of a piece occurs in both directions
    forward = np.stack([piece, ends[:, 0] * limit + ends[:, 1]], 1)
    backward = np.stack([piece, ends[:, 1] * limit + ends[:, 0]], 1)
    _, place = np.unique(np.concatenate([forward, backward]), axis=0, return_inverse=True)
    place = place.reshape(-1)
    rim = ~np.isin(place[: len(ends)], place[len(ends) :])
    # a disc has the Euler characteristic 1, and its rim passes through each rim vertex once
    edges = np.bincount(piece, minlength=patches.count)
    outer = np.bincount(piece[rim], minlength=patches.count)
    corners = np.bincount(patches.corners[:, 0], minlength=patches.count)
    disc = corners - (edges + outer) // 2 + edges // 3 == 1
    starts = np.unique(np.stack([piece[rim], ends[rim, 0]], 1), axis=0)
    disc &= np.bincount(starts[:, 0], minlength=patches.count) == outer
    good &= disc
    chosen = rim & good[piece]
    return piece[chosen], ends[chosen]


def _along_creases(
    fans: Faces, vertices: Array, normals: Array, parts: NDArray[Any]
) -> tuple[Faces, NDArray[np.bool_]]:
    """Fans (T, 3), with edges between them that cross a crease flipped along it; the triangles (T,) changed.

    The point of a fan is the last vertex of its triangles. parts: (T,); edges between two are left.
    """
    limit = len(vertices)
    forward, backward = fans[:, 0] * limit + fans[:, 1], fans[:, 1] * limit + fans[:, 0]
    order = np.argsort(forward)
    there = np.searchsorted(forward[order], backward).clip(max=max(len(fans) - 1, 0))
    partner = order[there]
    first = np.flatnonzero((forward[partner] == backward) & (fans[:, 0] < fans[:, 1]))
    a, b, p = fans[first].T
    q = fans[partner[first], 2]
    one, other = np.stack([p, a, q], 1), np.stack([q, b, p], 1)
    crossed = ((normals[a] * normals[b]).sum(1) < SHARP) & (parts[first] == parts[partner[first]])
    crossed &= _upright(one, vertices, normals[a]) & _upright(other, vertices, normals[b])
    # for two cells that share two such edges, flipping both would make two edges between the same points
    ends = np.sort(np.stack([p, q], 1), 1)
    _, number, times = np.unique(ends, axis=0, return_inverse=True, return_counts=True)
    crossed &= times[number.reshape(-1)] == 1
    fans, turned = fans.copy(), np.zeros(len(fans), np.bool_)
    first, second = first[crossed], partner[first[crossed]]
    fans[first], fans[second] = one[crossed], other[crossed]
    turned[first] = turned[second] = True
    return fans, turned

"""Triangulation of polygons in space, by fans if convex and by ear clipping otherwise, and of strips."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import Array
from ..runtime.progress import each

OFTEN = 1000
"""Number of polygons between two checks for a stop request."""

_BEND = 1e-9
"""Twice the area of a corner, over the square of the polygon's extent, above which it counts as reflex."""


def triangles_of(
    points: Array, corners: NDArray[Any], sizes: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Triangles (F, 3) of polygons, in the same winding order, and the polygon (F,) of each.

    points (V, 3); corners: concatenated vertex indices of all polygons; sizes (P,): number of corners of
    each polygon; one with fewer than three gives no triangle. Every side of a polygon is a side of
    a triangle, so that adjacent polygons stay connected. A polygon that is not flat is projected along the
    axis nearest to its mean normal.
    """
    first = np.cumsum(sizes) - sizes
    places, owner = _fans(first, sizes)
    concave, normals = _concave(points, corners, sizes, first)
    if len(concave):
        ears, of = _ears(points, corners, sizes[concave], first[concave], normals)
        convex = ~np.isin(owner, concave)
        places, owner = np.concatenate([places[convex], ears]), np.concatenate([owner[convex], concave[of]])
        order = np.argsort(owner, kind="stable")
        places, owner = places[order], owner[order]
    return corners[places].astype(np.int64), owner


def strips(indices: NDArray[Any], sizes: NDArray[Any]) -> NDArray[np.int64]:
    """Triangles (F, 3) of strips, in which each corner forms a triangle with the two before it.

    indices: concatenated indices of all strips; sizes (S,): how many each has. An index of -1 also
    ends a strip. Triangles with a repeated corner, which only join two strips into one, are left out.
    """
    number = np.repeat(np.arange(len(sizes)), sizes) * (len(indices) + 1) + np.cumsum(indices == -1)
    begins = np.append(True, number[1:] != number[:-1])[: len(indices)] | (indices == -1)
    here = np.arange(len(indices))
    start = np.maximum.accumulate(np.where(begins, here + (indices == -1), 0))
    third = here[here - start >= 2]
    odd = (third - start[third]) % 2 == 1
    a, b, c = indices[third - 2], indices[third - 1], indices[third]
    triangles = np.stack([np.where(odd, b, a), np.where(odd, a, b), c], axis=1).astype(np.int64)
    return triangles[(a != b) & (b != c) & (c != a)]


def _fans(first: NDArray[Any], sizes: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Fans around each polygon's first corner, as positions (F, 3) in the corners, and the polygons (F,)."""
    triangles = np.maximum(sizes - 2, 0)
    owner = np.repeat(np.arange(len(sizes)), triangles)
    apex = first[owner]
    step = np.arange(len(apex)) - np.repeat(np.cumsum(triangles) - triangles, triangles)
    return np.stack([apex, apex + step + 1, apex + step + 2], axis=1), owner


def _concave(
    points: Array, corners: NDArray[Any], sizes: NDArray[Any], first: NDArray[Any]
) -> tuple[NDArray[Any], Array]:
    """The polygons of more than three corners that have a reflex corner, and their normals."""
    large = np.flatnonzero(sizes > 3)
    sizes = sizes[large]
    if not len(large):
        return large, np.empty((0, 3))
    owner = np.repeat(np.arange(len(large)), sizes)
    start = np.cumsum(sizes) - sizes
    step = np.arange(len(owner)) - start[owner]
    # relative to each polygon's first corner, so that a scan's large coordinates cost no precision
    origin = points[corners[first[large]]]
    here = points[corners[first[large][owner] + step]] - origin[owner]
    ahead = np.where(step + 1 < sizes[owner], np.arange(len(owner)) + 1, start[owner])
    behind = np.where(step > 0, np.arange(len(owner)) - 1, start[owner] + sizes[owner] - 1)
    # Newell's normal: twice the projected area on each coordinate plane
    normal = np.add.reduceat(np.cross(here, here[ahead]), start)
    extent = np.maximum.reduceat((here**2).sum(1), start)
    length = np.linalg.norm(normal, axis=1)
    turn = np.cross(here - here[behind], here[ahead] - here)
    bend = np.einsum("ij,ij->i", turn, normal[owner]) / np.maximum(length, 1e-300)[owner]
    wrong = np.minimum.reduceat(bend, start) < -_BEND * extent
    wrong &= np.isfinite(length) & (length > 0)
    return large[wrong], normal[wrong]


def _ears(
    points: Array, corners: NDArray[Any], sizes: NDArray[Any], first: NDArray[Any], normals: Array
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Ear clipping: triangles as positions (F, 3) in the corners, and the polygon (F,) of each.

    sizes, first (P,) and normals (P, 3) belong to the polygons. mapbox_earcut leaves out corners
    on straight sides; degenerate triangles then connect them to their neighbors.
    """
    import mapbox_earcut

    # drop the axis of the normal's largest component: a projection that keeps the order of areas
    axis = np.abs(normals).argmax(1)
    ahead = np.take_along_axis(normals, axis[:, None], 1)[:, 0] > 0
    axes = np.stack([axis + np.where(ahead, 1, 2), axis + np.where(ahead, 2, 1)], axis=1) % 3
    found = []
    for k in each(range(len(sizes)), OFTEN):
        mine = points[corners[first[k] : first[k] + sizes[k]]]
        flat = np.ascontiguousarray((mine - mine[0])[:, axes[k]])
        ears = mapbox_earcut.triangulate_float64(flat, np.array([len(flat)], np.uint32)).reshape(-1, 3)
        ears = ears.astype(np.int64)
        # all triangles of a polygon have the same winding order, but which one differs between versions
        if len(ears) and _area(flat[ears]) < 0:
            ears = ears[:, ::-1]
        if len(ears) < len(flat) - 2:
            ears = np.array([*ears.tolist(), *_missing(ears, len(flat))], np.int64).reshape(-1, 3)
        found.append(first[k] + ears)
    return np.concatenate(found), np.repeat(np.arange(len(sizes)), [len(ears) for ears in found])


def _area(triangles: Array) -> float:
    """Twice the signed area of planar triangles (F, 3, 2)."""
    x, y = (triangles[:, 1:] - triangles[:, :1]).T
    return float((x[0] * y[1] - x[1] * y[0]).sum())


def _missing(triangles: NDArray[Any], count: int) -> Iterator[tuple[int, int, int]]:
    """The triangles still missing, so that all sides of a polygon of `count` corners become the boundary."""
    ahead: defaultdict[int, list[int]] = defaultdict(list)
    pairs = [(k, (k + 1) % count) for k in range(count)]
    pairs += [(int(row[k]), int(row[k - 1])) for row in triangles for k in range(3)]
    for a, b in pairs:
        if a in ahead[b]:
            ahead[b].remove(a)
        else:
            ahead[a].append(b)
    for loop in (*_skipped(ahead, count), *_loops(ahead)):
        yield from ((loop[0], b, c) for b, c in pairwise(loop[1:]))


def _skipped(ahead: dict[int, list[int]], count: int) -> Iterator[list[int]]:
    """Corners that a side of a triangle skips; their sides are removed from `ahead`."""
    for end in range(count):
        for begin in [corner for corner in ahead[end] if corner != (end + 1) % count]:
            run = [begin]
            while run[-1] != end and (run[-1] + 1) % count in ahead[run[-1]]:
                run.append((run[-1] + 1) % count)
            if run[-1] == end:
                for a, b in pairwise([*run, begin]):
                    ahead[a].remove(b)
                yield run


def _loops(ahead: dict[int, list[int]]) -> Iterator[list[int]]:
    """The remaining sides, as loops that pass each corner at most once."""
    for start in list(ahead):
        way = [start]
        while way[1:] or ahead[start]:
            here = ahead[way[-1]].pop()
            if here in way:
                yield way[way.index(here) :]
                del way[way.index(here) + 1 :]
            else:
                way.append(here)

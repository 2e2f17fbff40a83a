"""Triangles from polygons in space, fans of the convex ones and ears of the others, and from strips."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..geometry import Array
from ..progress import each

OFTEN = 1000
"""Polygons after which the run may be stopped."""

_BEND = 1e-9
"""Twice the area that three corners span the wrong way round, over the square of the polygon's extent."""


def triangles_of(points: Array, corners: NDArray, sizes: NDArray) -> tuple[NDArray[np.int64], NDArray]:
    """Triangles (F, 3) of polygons, wound as these are, and the polygon (F,) that each is from.

    points (V, 3); corners: vertex indices of all polygons, one after the other; sizes (P,): corners
    of each, of which those with fewer than three give no triangle. A polygon of n corners gives
    n - 2 triangles that use every corner, so that neighbours still meet; a face of more corners
    than three that is not flat is seen along its mean normal.
    """
    first = np.cumsum(sizes) - sizes
    places, owner = _fans(first, sizes)
    concave = _concave(points, corners, sizes, first)
    if len(concave):
        convex = ~np.isin(owner, concave)
        ears = [
            first[k] + _ears(points[corners[first[k] : first[k] + sizes[k]]])
            for k in each(concave.tolist(), OFTEN)
        ]
        places = np.concatenate([places[convex], *ears])
        owner = np.concatenate([owner[convex], np.repeat(concave, [len(part) for part in ears])])
        order = np.argsort(owner, kind="stable")
        places, owner = places[order], owner[order]
    return corners[places].astype(np.int64), owner


def strips(indices: NDArray, sizes: NDArray) -> NDArray[np.int64]:
    """Triangles (F, 3) of strips, each corner of which makes one with the two before it.

    indices: those of all strips, one after the other; sizes (S,): how many each has. An index of -1
    ends a strip too. Triangles with a corner twice, which join two strips in one, are left out.
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


def _fans(first: NDArray, sizes: NDArray) -> tuple[NDArray, NDArray]:
    """Places (F, 3) among the corners of fans around each polygon's first, and the polygons (F,)."""
    triangles = np.maximum(sizes - 2, 0)
    owner = np.repeat(np.arange(len(sizes)), triangles)
    apex = first[owner]
    step = np.arange(len(apex)) - np.repeat(np.cumsum(triangles) - triangles, triangles)
    return np.stack([apex, apex + step + 1, apex + step + 2], axis=1), owner


def _concave(points: Array, corners: NDArray, sizes: NDArray, first: NDArray) -> NDArray:
    """The polygons, of more than three corners, with a corner that bends the wrong way."""
    large = np.flatnonzero(sizes > 3)
    sizes = sizes[large]
    if not len(large):
        return large
    owner = np.repeat(np.arange(len(large)), sizes)
    start = np.cumsum(sizes) - sizes
    step = np.arange(len(owner)) - start[owner]
    # around each polygon's first corner, where a scan's large coordinates cost no digits
    origin = points[corners[first[large]]]
    here = points[corners[first[large][owner] + step]] - origin[owner]
    ahead = np.where(step + 1 < sizes[owner], np.arange(len(owner)) + 1, start[owner])
    behind = np.where(step > 0, np.arange(len(owner)) - 1, start[owner] + sizes[owner] - 1)
    # Newell's normal: twice the area, projected
    normal = np.add.reduceat(np.cross(here, here[ahead]), start)
    extent = np.maximum.reduceat((here**2).sum(1), start)
    length = np.linalg.norm(normal, axis=1)
    turn = np.cross(here - here[behind], here[ahead] - here)
    bend = np.einsum("ij,ij->i", turn, normal[owner]) / np.maximum(length, 1e-300)[owner]
    wrong = np.minimum.reduceat(bend, start) < -_BEND * extent
    return large[wrong & np.isfinite(length) & (length > 0)]


def _ears(points: Array) -> NDArray[np.int64]:
    """Triangles (n - 2, 3) of one polygon's corners (n, 3) by ear clipping (mapbox_earcut).

    That leaves out corners on straight edges; flat triangles then join them to their neighbours.
    """
    import mapbox_earcut

    points = points - points[0]
    normal = np.cross(points, np.roll(points, -1, axis=0)).sum(0)
    axes = np.linalg.svd(normal[None])[2][1:]
    if np.dot(np.cross(axes[0], axes[1]), normal) < 0:
        axes = axes[::-1]
    flat = np.ascontiguousarray(points @ axes.T)
    found = mapbox_earcut.triangulate_float64(flat, np.array([len(flat)], np.uint32))
    triangles = np.asarray(found, np.int64).reshape(-1, 3)
    a, b, c = flat[triangles].swapaxes(0, 1)
    (ux, uy), (vx, vy) = (b - a).T, (c - a).T
    if (ux * vy - uy * vx).sum() < 0:
        triangles = triangles[:, ::-1]
    return np.array([*triangles.tolist(), *_missing(triangles, len(points))], np.int64).reshape(-1, 3)


def _missing(triangles: NDArray, count: int) -> Iterator[tuple[int, int, int]]:
    """The triangles that a polygon of `count` corners still needs for its border to be all its edges."""
    open_edges: defaultdict[int, list[int]] = defaultdict(list)
    pairs = [(k, (k + 1) % count) for k in range(count)]
    pairs += [(int(row[k]), int(row[k - 1])) for row in triangles for k in range(3)]
    for a, b in pairs:
        if a in open_edges[b]:
            open_edges[b].remove(a)
        else:
            open_edges[a].append(b)
    for start in list(open_edges):
        while open_edges[start]:
            loop = [start]
            while (step := open_edges[loop[-1]].pop()) != start:
                loop.append(step)
            yield from ((start, b, c) for b, c in pairwise(loop[1:]))

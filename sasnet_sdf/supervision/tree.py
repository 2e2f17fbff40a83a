"""A tree of boxes around runs of points in Morton order: nearest points and neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry import Array
from ..threads import over_ranges
from .search import LEAF, find_nearest, find_neighbours


@dataclass(frozen=True)
class Tree:
    """Boxes (2 L, 6), low and high corners, around points (N, 3) in Morton order.

    The tree is a heap: node 1 is the root, the children of i are 2 i and 2 i + 1, and node L + l
    is the leaf that holds the points l LEAF to (l + 1) LEAF. Leaves that pad L to a power of two
    are empty.
    """

    points: Array
    boxes: Array

    @classmethod
    def of(cls, points: Array) -> Tree:
        low = combine_up(points, np.minimum, np.inf)
        return cls(points, np.concatenate([low, combine_up(points, np.maximum, -np.inf)], 1))

    def nearest(self, queries: Array) -> np.ndarray:
        """The point nearest to each query (M, 3): indices (M,) int32.

        Many queries take least time in Morton order.
        """
        found = np.empty(len(queries), np.int32)
        over_ranges(find_nearest, len(queries), self.points.ravel(), self.boxes.ravel(), queries, found)
        return found

    def neighbours(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The nearest others of every point, nearest first: indices (N, k) int32 and distances, float32."""
        shape = len(self.points), min(count, len(self.points) - 1)
        indices, distances = np.empty(shape, np.int32), np.empty(shape, np.float32)
        over_ranges(find_neighbours, shape[0], self.points.ravel(), self.boxes.ravel(), indices, distances)
        return indices, distances


def combine_up(values: Array, combine: np.ufunc, neutral: float) -> Array:
    """Values (N, d) of points combined over every node of their tree: (2 L, d)."""
    runs = -(-len(values) // LEAF)
    leaves = 1 << (runs - 1).bit_length()
    nodes = np.full((2 * leaves, values.shape[1]), neutral)
    nodes[leaves : leaves + runs] = combine.reduceat(values, np.arange(0, len(values), LEAF), axis=0)
    while leaves > 1:
        level = nodes[leaves : 2 * leaves]
        leaves //= 2
        nodes[leaves : 2 * leaves] = combine(level[0::2], level[1::2])
    return nodes

"""Points in space: Morton order, duplicates, and a tree for nearest-neighbor searches.

In Morton order, points that are near in space are near in memory. The tree's boxes hold runs of consecutive
points. Compiled searches take points and boxes as flat arrays, (3 N,) and (12 L,), which is faster.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .geometry import Array
from .runtime.compiled import kernel, over_ranges, part

# constants that spread the low 21 bits of a word to every third bit, by repeated halving
_SPREAD = (
    (32, 0x1F00000000FFFF),
    (16, 0x1F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)


def morton_code(points: Array, bits: int = 10) -> NDArray[np.int64]:
    """The positions (N,) of points (N, 3) of the unit cube along a Z-curve of 2**bits steps an axis."""
    half = 1 << (bits - 1)
    code = np.zeros(len(points), np.int64)
    for axis in range(3):
        step = np.clip((points[:, axis] + 1) * half, 0, 2 * half - 1).astype(np.int64)
        for shift, mask in _SPREAD:
            step |= step << shift
            step &= mask
        code |= step << axis
    return code


def morton_order(points: Array, bits: int = 21) -> NDArray[np.int64]:
    """The indices (N,) that sort points (N, 3) of the unit cube along a Z-curve; ties keep their order."""
    index_bits = max(len(points) - 1, 1).bit_length()
    bits = min(bits, (63 - index_bits) // 3)
    # with the index in the low bits, a plain sort is stable
    key = morton_code(points, bits) << index_bits | np.arange(len(points))
    key.sort()
    return key & ((1 << index_bits) - 1)


def first_of_equals(points: Array) -> NDArray[np.int64]:
    """The indices, ascending, of the first point of each set of equal points (N, 3)."""
    words = _hash(points)
    order = np.argsort(words, kind="stable")
    again = 1 + np.flatnonzero(words[order[1:]] == words[order[:-1]])
    if not (points[order[again]] == points[order[again - 1]]).all():  # a hash collision
        return np.sort(np.unique(points, axis=0, return_index=True)[1])
    first = np.ones(len(points), np.bool_)
    first[order[again]] = False
    return np.flatnonzero(first)


def _hash(points: Array) -> NDArray[np.uint64]:
    """A hash (N,) of each point (N, 3): equal for equal points, and almost never for different ones."""
    bits = (np.ascontiguousarray(points, np.float64) + 0.0).view(np.uint64)  # -0.0 becomes 0.0
    words = np.zeros(len(points), np.uint64)
    for axis in range(3):
        words = (words ^ bits[:, axis]) * np.uint64(0x9E3779B97F4A7C15)
        words ^= words >> np.uint64(32)
    return words


LEAF = 16
"""Points in a leaf of the tree."""


@kernel
def _nearest(start, stop, points, boxes, queries, found):
    """Find the points nearest to queries start..stop of (M, 3)."""
    leaves, count, best = len(boxes) // 12, len(points) // 3, np.int64(0)
    stack, lower = np.empty(64, np.int64), np.empty(64)
    for q in range(start, stop):
        x, y, z = queries[q, 0], queries[q, 1], queries[q, 2]
        # the last query's answer is a good guess; the margin avoids favoring it among equally near points
        worst = _squared_distance(points, best, x, y, z) * 1.00001 + 1e-300
        stack[0], lower[0], top = 1, 0.0, 0
        while top >= 0:
            node, bound = stack[top], lower[top]
            top -= 1
            if bound >= worst:
                continue
            if node < leaves:
                top = _push_children(boxes, node, x, y, z, worst, stack, lower, top)
                continue
            begin = (node - leaves) * LEAF
            for i in range(begin, min(begin + LEAF, count)):
                d = _squared_distance(points, i, x, y, z)
                if d < worst:
                    worst, best = d, i
        found[q] = best


@kernel
def _neighbors(start, stop, points, boxes, indices, distances):
    """Find the nearest other points of points start..stop, nearest first."""
    leaves, total, last = len(boxes) // 12, len(points) // 3, indices.shape[1] - 1
    stack, lower = np.empty(64, np.int64), np.empty(64)
    squared, found = np.empty(last + 1), np.empty(last + 1, np.int64)
    for q in range(start, stop):
        x, y, z = points[3 * q], points[3 * q + 1], points[3 * q + 2]
        bound = np.inf
        if q > start:  # the previous point and its neighbors are within this distance
            step = np.sqrt(_squared_distance(points, q - 1, x, y, z))
            bound = (np.sqrt(squared[last]) + step) ** 2 * 1.00001
        for k in range(last + 1):
            squared[k] = bound
        stack[0], lower[0], top = 1, 0.0, 0
        while top >= 0:
            node, nearest = stack[top], lower[top]
            top -= 1
            if nearest >= squared[last]:
                continue
            if node < leaves:
                top = _push_children(boxes, node, x, y, z, squared[last], stack, lower, top)
                continue
            begin = (node - leaves) * LEAF
            for i in range(begin, min(begin + LEAF, total)):
                d = _squared_distance(points, i, x, y, z)
                if d < squared[last] and i != q:
                    k = last
                    while k > 0 and squared[k - 1] > d:
                        squared[k], found[k] = squared[k - 1], found[k - 1]
                        k -= 1
                    squared[k], found[k] = d, i
        for k in range(last + 1):
            indices[q, k], distances[q, k] = found[k], np.sqrt(squared[k])


@part
def find_around(
    points: Array, boxes: Array, x: float, y: float, z: float, reach: float, found: NDArray[np.integer]
) -> int:
    """Find points within a squared distance of (x, y, z), in the tree's order; returns their number.

    points (3 N,), boxes (12 L,): flat arrays of a Tree. found: filled with as many indices as it holds.
    """
    leaves, total, count = len(boxes) // 12, len(points) // 3, 0
    stack, lower = np.empty(64, np.int64), np.empty(64)
    stack[0], top = 1, 0
    while top >= 0:
        node = stack[top]
        top -= 1
        if node < leaves:
            top = _push_children(boxes, node, x, y, z, reach, stack, lower, top)
            continue
        begin = (node - leaves) * LEAF
        for j in range(begin, min(begin + LEAF, total)):
            if _squared_distance(points, j, x, y, z) < reach and count < len(found):
                found[count] = j
                count += 1
    return count


@part
def _push_children(boxes, node, x, y, z, worst, stack, lower, top):
    """Push the children of `node` that are in reach onto the stack, the nearer one last."""
    near = 2 * node
    first, second = _box_distance(boxes, near, x, y, z), _box_distance(boxes, near + 1, x, y, z)
    swap = second < first
    if swap:
        first, second = second, first
    if second < worst:
        top += 1
        stack[top], lower[top] = near + (not swap), second
    if first < worst:
        top += 1
        stack[top], lower[top] = near + swap, first
    return top


@part
def _box_distance(boxes, node, x, y, z):
    """The squared distance of (x, y, z) from a box; infinite where the box is empty."""
    b = 6 * node
    dx = max(max(boxes[b] - x, x - boxes[b + 3]), 0.0)
    dy = max(max(boxes[b + 1] - y, y - boxes[b + 4]), 0.0)
    dz = max(max(boxes[b + 2] - z, z - boxes[b + 5]), 0.0)
    return dx * dx + dy * dy + dz * dz


@part
def _squared_distance(points, i, x, y, z):
    return (points[3 * i] - x) ** 2 + (points[3 * i + 1] - y) ** 2 + (points[3 * i + 2] - z) ** 2


@dataclass(frozen=True)
class Tree:
    """Boxes (2 L, 6), low and high corners, around points (N, 3) in Morton order.

    The tree is a heap: node 1 is the root, the children of i are 2 i and 2 i + 1, and node L + l
    is the leaf of points l LEAF to (l + 1) LEAF. L is a power of two; leaves added as padding are empty.
    """

    points: Array
    boxes: Array

    @classmethod
    def of(cls, points: Array) -> Tree:
        """The tree of points (N, 3) in Morton order."""
        low = combine_up(points, np.minimum, np.inf)
        return cls(points, np.concatenate([low, combine_up(points, np.maximum, -np.inf)], 1))

    def nearest(self, queries: Array) -> NDArray[np.int32]:
        """The indices (M,) of the points nearest to queries (M, 3); fastest for queries in Morton order."""
        found = np.empty(len(queries), np.int32)
        over_ranges(_nearest, len(queries), self.points.ravel(), self.boxes.ravel(), queries, found)
        return found

    def neighbors(self, count: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The indices and distances (N, k) of up to `count` nearest neighbors of every point, in order."""
        shape = len(self.points), min(count, len(self.points) - 1)
        indices, distances = np.empty(shape, np.int32), np.empty(shape, np.float32)
        over_ranges(_neighbors, shape[0], self.points.ravel(), self.boxes.ravel(), indices, distances)
        return indices, distances


def combine_up(values: Array, combine: np.ufunc, neutral: float) -> Array:
    """Combine values (N, d) of points over the points in each node of their tree: (2 L, d)."""
    runs = -(-len(values) // LEAF)
    leaves = 1 << (runs - 1).bit_length()
    nodes = np.full((2 * leaves, values.shape[1]), neutral)
    nodes[leaves : leaves + runs] = combine.reduceat(values, np.arange(0, len(values), LEAF), axis=0)
    while leaves > 1:
        level = nodes[leaves : 2 * leaves]
        leaves //= 2
        nodes[leaves : 2 * leaves] = combine(level[0::2], level[1::2])
    return nodes

"""Searches in a tree of boxes. Points and boxes come flat: (3 N,) and (12 L,), which is faster."""

from __future__ import annotations

import numpy as np

from .compiled import kernel, part

LEAF = 16  # points


@kernel
def find_nearest(start, stop, points, boxes, queries, found):
    """The points nearest to queries start..stop of (M, 3)."""
    leaves, count, best = len(boxes) // 12, len(points) // 3, np.int64(0)
    stack, lower = np.empty(64, np.int64), np.empty(64)
    for q in range(start, stop):
        x, y, z = queries[q, 0], queries[q, 1], queries[q, 2]
        # from the last query's answer, a good guess; of points equally near it favors none
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
def find_neighbours(start, stop, points, boxes, indices, distances):
    """The nearest others of points start..stop, nearest first."""
    leaves, total, last = len(boxes) // 12, len(points) // 3, indices.shape[1] - 1
    stack, lower = np.empty(64, np.int64), np.empty(64)
    squared, found = np.empty(last + 1), np.empty(last + 1, np.int64)
    for q in range(start, stop):
        x, y, z = points[3 * q], points[3 * q + 1], points[3 * q + 2]
        bound = np.inf
        if q > start:  # the neighbours of the point before, and itself, are within this
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
def find_within(points, boxes, i, reach, found):
    """Point i and others within a squared distance, in the tree's order: as many as `found` can hold."""
    return find_around(points, boxes, points[3 * i], points[3 * i + 1], points[3 * i + 2], reach, found)


@part
def find_around(points, boxes, x, y, z, reach, found):
    """Points within a squared distance of a place, in the tree's order: as many as `found` can hold."""
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
    """Put the children of `node` that are in reach on the stack, the nearer on top."""
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
    """The squared distance of a place from a box; infinite where the box is empty."""
    b = 6 * node
    dx = max(max(boxes[b] - x, x - boxes[b + 3]), 0.0)
    dy = max(max(boxes[b + 1] - y, y - boxes[b + 4]), 0.0)
    dz = max(max(boxes[b + 2] - z, z - boxes[b + 5]), 0.0)
    return dx * dx + dy * dy + dz * dz


@part
def _squared_distance(points, i, x, y, z):
    return (points[3 * i] - x) ** 2 + (points[3 * i + 1] - y) ** 2 + (points[3 * i + 2] - z) ** 2

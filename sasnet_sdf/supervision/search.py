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
        worst = _squared_distance(points, best, x, y, z)  # from the last query's answer, a good guess
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
    """The nearest others of points start..stop, in order.

    Candidates are words of a squared distance, as float32, above an index, so that the order of
    integers sorts them. They are thinned to as many as are wanted whenever there is no more room.
    """
    leaves, total, count = len(boxes) // 12, len(points) // 3, indices.shape[1]
    stack, lower = np.empty(64, np.int64), np.empty(64)
    words = np.empty(4 * count + 4 * LEAF, np.int64)
    bits = np.empty(1, np.float32)
    word = bits.view(np.int32)
    worst = np.inf
    for q in range(start, stop):
        x, y, z = points[3 * q], points[3 * q + 1], points[3 * q + 2]
        if q > start:  # the neighbours of the point before, and itself, are within this
            step = np.sqrt(_squared_distance(points, q - 1, x, y, z))
            worst = (distances[q - 1, count - 1] + step) ** 2 * 1.00001
        stack[0], lower[0], top, size = 1, 0.0, 0, np.int64(0)
        while top >= 0:
            node, bound = stack[top], lower[top]
            top -= 1
            if bound > worst:
                continue
            if node < leaves:
                top = _push_children(boxes, node, x, y, z, worst, stack, lower, top)
                continue
            begin = (node - leaves) * LEAF
            for i in range(begin, min(begin + LEAF, total)):
                d = _squared_distance(points, i, x, y, z)
                if d <= worst and i != q:
                    bits[0] = d
                    words[size] = np.int64(word[0]) << 32 | i
                    size += 1
            if size > len(words) - LEAF:
                word[0] = _smallest_first(words, size, count) >> 32
                worst, size = bits[0] * 1.00001, count
        _smallest_first(words, size, count)
        for k in range(count):  # by insertion: they are few
            here, at = words[k], k
            while at > 0 and words[at - 1] > here:
                words[at] = words[at - 1]
                at -= 1
            words[at] = here
        for k in range(count):
            word[0] = words[k] >> 32
            indices[q, k], distances[q, k] = words[k] & 0x7FFFFFFF, np.sqrt(bits[0])


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


@part
def _smallest_first(values, size, count):
    """Bring the `count` smallest of the first `size` values to the front; the largest of them."""
    lo, hi, k = 0, size - 1, count - 1
    while lo < hi:
        pivot = values[(lo + hi) // 2]
        i, j = lo, hi
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k <= j:
            hi = j
        elif k >= i:
            lo = i
        else:
            break
    return values[k]

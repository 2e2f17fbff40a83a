"""Points that are given more than once."""

from __future__ import annotations

import numpy as np

from ..geometry import Array


def first_of_equals(points: Array) -> np.ndarray:
    """The index of the first of every set of equal points (N, 3), in order."""
    words = _hash(points)
    order = np.argsort(words, kind="stable")
    again = 1 + np.flatnonzero(words[order[1:]] == words[order[:-1]])
    if not (points[order[again]] == points[order[again - 1]]).all():  # two that differ have one word
        return np.sort(np.unique(points, axis=0, return_index=True)[1])
    first = np.ones(len(points), np.bool_)
    first[order[again]] = False
    return np.flatnonzero(first)


def _hash(points: Array) -> np.ndarray:
    """A word (N,) uint64 for each point (N, 3): equal for equal points, and hardly ever otherwise."""
    bits = (np.ascontiguousarray(points, np.float64) + 0.0).view(np.uint64)  # -0.0 becomes 0.0
    words = np.zeros(len(points), np.uint64)
    for axis in range(3):
        words = (words ^ bits[:, axis]) * np.uint64(0x9E3779B97F4A7C15)
        words ^= words >> np.uint64(32)
    return words

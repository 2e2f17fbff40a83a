"""Compiled loops over the triangles of a mesh: areas, flipped triangles, angles between normals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry import Array
from ..supervision.compiled import kernel, part
from ..threads import over_ranges

Faces = NDArray[np.int64]


def areas(vertices: Array, faces: Faces) -> Array:
    """The area (F,) of each triangle."""
    out = np.empty(len(faces))
    over_ranges(_areas, len(faces), vertices, faces, out)
    return out


def folded(before: Array, after: Array, faces: Faces) -> NDArray[np.bool_]:
    """Which triangles (F,) turn over when their vertices move from `before` (V, 3) to `after`."""
    out = np.empty(len(faces), np.bool_)
    over_ranges(_folded, len(faces), before, after, faces, out)
    return out


def least_cosine(normals: Array, faces: Faces) -> Array:
    """The least cosine (F,) between two of the unit normals (V, 3) at a triangle's vertices."""
    out = np.empty(len(faces))
    over_ranges(_least_cosine, len(faces), normals, faces, out)
    return out


@part
def _across(vertices, faces, f, out):
    """The cross product of two sides of a triangle: along its normal, twice its area long."""
    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        out[i] = (vertices[b, j] - vertices[a, j]) * (vertices[c, k] - vertices[a, k]) - (
            vertices[b, k] - vertices[a, k]
        ) * (vertices[c, j] - vertices[a, j])


@kernel
def _areas(start, stop, vertices, faces, out):
    n = np.empty(3)
    for f in range(start, stop):
        _across(vertices, faces, f, n)
        out[f] = np.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]) / 2


@kernel
def _folded(start, stop, before, after, faces, out):
    n, m = np.empty(3), np.empty(3)
    for f in range(start, stop):
        _across(before, faces, f, n)
        _across(after, faces, f, m)
        out[f] = n[0] * m[0] + n[1] * m[1] + n[2] * m[2] < 0


@kernel
def _least_cosine(start, stop, normals, faces, out):
    for f in range(start, stop):
        least = 1.0
        for i in range(3):
            a, b = faces[f, i], faces[f, (i + 1) % 3]
            cosine = 0.0
            for k in range(3):
                cosine += normals[a, k] * normals[b, k]
            least = min(least, cosine)
        out[f] = least

"""Tangent planes of a noisy cloud."""

from __future__ import annotations

import numpy as np

from .compiled import kernel
from .planes import least_axis
from .search import find_around
from .sides import of_one_side

MOST = 4096
"""Points that a neighborhood can hold; of a denser one the rest is left out."""


@kernel
def tangent_planes(start, stop, points, boxes, facing, centers, radii, rounds, feet, normals):
    """Planes through the points within `radii` (C,) of points `centers` (C,): unit normals, feet (C, 3).

    facing (3 N,): unit vectors to where each point was seen from, to which normals point. A foot is
    where the center falls on its plane; around it the plane is fitted again, `rounds` times in all.
    """
    found, moments, axes = np.empty(MOST, np.int64), np.empty((3, 3)), np.empty((3, 3))
    mean, off, foot = np.empty(3), np.empty(3), np.empty(3)
    for c in range(start, stop):
        i = centers[c]
        for a in range(3):
            foot[a] = points[3 * i + a]
        for _ in range(rounds):
            count = find_around(points, boxes, foot[0], foot[1], foot[2], radii[c] ** 2, found)
            count = of_one_side(facing, i, facing, found, count)
            for a in range(3):
                mean[a] = 0.0
                for b in range(3):
                    moments[a, b] = 0.0
            for k in range(count):
                for a in range(3):
                    off[a] = points[3 * found[k] + a] - foot[a]
                    mean[a] += off[a] / count
                for a in range(3):
                    for b in range(3):
                        moments[a, b] += off[a] * off[b] / count
            for a in range(3):
                for b in range(3):
                    moments[a, b] -= mean[a] * mean[b]
            least, along, height = least_axis(moments, axes), 0.0, 0.0
            for a in range(3):
                along += axes[a, least] * facing[3 * i + a]
                height += (foot[a] + mean[a] - points[3 * i + a]) * axes[a, least]
            for a in range(3):
                normals[c, a] = axes[a, least] if along >= 0 else -axes[a, least]
                foot[a] = points[3 * i + a] + height * axes[a, least]
        for a in range(3):
            feet[c, a] = foot[a]

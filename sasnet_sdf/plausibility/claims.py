"""Normals that a file claims, against the planes of its points and against each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry import Array
from .sketch import Sketch

STEEP = 0.5
"""Cosine of the angle between a normal and the plane's, below which they contradict each other."""

CONTRADICTING = 0.15
"""The share of such points from which on the normals are none. Measured: of true normals, 0.00 to 0.03
on clean clouds; of one direction for all points of an ellipsoid, 0.26; of random directions, 0.5."""

FLIPPED = 0.01
"""The share of pairs of neighbors with opposite normals from which on the sides were never made alike.

Measured: of clouds with true normals, 0 to 0.002; of those of Open3D's estimate_normals, 0.02 to 0.08;
of random signs, 0.5."""

CLOSED = 0.15
"""The length of the mean normal, weighted by area, up to which the points lie all around something."""

HOLLOW = 0.02
"""Of (enclosed volume) / area^1.5, which is 0.094 for a ball: from here on there is an inside."""


@dataclass(frozen=True)
class Claims:
    """What normals say: contradicting and flipped are shares, of points and of pairs; inward is whether
    they look at the inside of what they surround."""

    contradicting: float
    flipped: float
    inward: bool

    @property
    def contradict(self) -> bool:
        return self.contradicting > CONTRADICTING

    @property
    def unlike(self) -> bool:
        """Whether their sides were never made alike."""
        return self.flipped > FLIPPED


def claims_of(normals: Array, sketch: Sketch) -> Claims:
    """Of unit normals (N, 3) of the cloud."""
    normals = normals[sketch.rows]
    contradicting = float((np.abs((normals * sketch.planes).sum(1)) < STEEP).mean())
    one, other = sketch.beside(normals)
    flipped = float(((normals[one] * normals[other]).sum(1) < 0).mean()) if len(one) else 0.0
    return Claims(contradicting, flipped, _inward(normals, sketch))


def _inward(normals: Array, sketch: Sketch) -> bool:
    areas = np.minimum(sketch.spacing, 2 * np.median(sketch.spacing)) ** 2
    total = areas.sum()
    if np.linalg.norm((areas[:, None] * normals).sum(0)) > CLOSED * total:
        return False
    around = sketch.points - np.average(sketch.points, axis=0, weights=areas)
    volume = (areas * (around * normals).sum(1)).sum() / 3
    return bool(volume < -HOLLOW * total**1.5)

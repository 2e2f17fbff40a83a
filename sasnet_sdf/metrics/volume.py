"""The overlap of two solids."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .shapes import Triangles

MARGIN = 0.05
"""How far the box of the uniform points reaches beyond the reference, in diagonals."""
SIGMA = 0.01
"""How far the others are scattered from the reference's surface, in diagonals."""


def overlap(
    mesh: Triangles, reference: Triangles, samples: int, rng: np.random.Generator
) -> dict[str, float]:
    """Intersection over union, of points that lie inside one and inside both; the reference is closed.

    iou: of `samples` points, half uniform in the box and half near the reference's surface, where
    surfaces differ: stricter than a share of volumes. iou_uniform: of the uniform ones only, an
    estimate of the volume of the intersection over that of the union.
    """
    low, high = reference.vertices.min(0) - MARGIN, reference.vertices.max(0) + MARGIN
    uniform = rng.uniform(low, high, (samples - samples // 2, 3))
    near = reference.draw(samples // 2, rng)[0]
    near = near + rng.normal(0, SIGMA, near.shape)
    points = np.concatenate([uniform, near])
    one, other = mesh.contains(points), reference.contains(points)
    some = slice(len(uniform))
    return {"iou": _shared(one, other), "iou_uniform": _shared(one[some], other[some])}


def _shared(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))

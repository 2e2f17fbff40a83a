"""Distances between a mesh and a reference, both ways, and what follows from them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..geometry import Array
from .shapes import UNIT, Points, Triangles

TIGHT, LOOSE = 0.001, 0.005
"""The distances, in diagonals, up to which the two F-scores count a place as found."""


def surface_figures(
    mesh: Triangles, reference: Triangles | Points, samples: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Accuracy, completeness, normal consistency and F-scores, from `samples` places on each.

    accuracy: from the mesh to the reference, what should not be there. completeness: from the
    reference to the mesh, what is missing. Distances to triangles are exact, so that a mesh has none
    to itself; those to a cloud have a floor, see docs/evaluate.md. Lengths are in 1e-4 of the
    diagonal. normal_consistency is None where the reference has no normals.
    """
    of_mesh, mesh_normals = mesh.draw(samples, rng)
    of_reference, reference_normals = reference.draw(samples, rng)
    wrong, normals_there = reference.nearest(of_mesh)
    missing, normals_here = mesh.nearest(of_reference)
    consistency = None
    if normals_there is not None and reference_normals is not None:
        ways = _alignment(mesh_normals, normals_there), _alignment(reference_normals, normals_here)
        consistency = sum(ways) / 2
    return {
        "error": float(wrong.mean() + missing.mean()) / 2 * UNIT,
        **_spread("accuracy", wrong),
        **_spread("completeness", missing),
        "hausdorff": float(max(wrong.max(), missing.max())) * UNIT,
        "normal_consistency": consistency,
        "fscore_01": _fscore(wrong, missing, TIGHT),
        "fscore_05": _fscore(wrong, missing, LOOSE),
    }


def _spread(name: str, distances: Array) -> dict[str, float]:
    median, p90, p99 = np.percentile(distances, (50, 90, 99))
    found = {"mean": distances.mean(), "median": median, "p90": p90, "p99": p99, "max": distances.max()}
    return {f"{name}_{part}": float(value) * UNIT for part, value in found.items()}


def _alignment(one: Array, other: Array) -> float:
    """The mean |cos| of the angle between unit normals (N, 3): which side they look to does not count."""
    return float(np.abs((one * other).sum(1)).mean())


def _fscore(wrong: Array, missing: Array, reach: float) -> float:
    """The harmonic mean of precision and recall at a distance (Knapitsch et al. 2017)."""
    precision, recall = float((wrong < reach).mean()), float((missing < reach).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0

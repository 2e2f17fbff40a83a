"""Figures of a surface: distances to a reference, both ways; edges and pieces; overlap; the field's errors.

The Chamfer distance of the evaluators of BACON and FINER is for comparison with published figures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ..geometry import Array, TriangleMesh
from ..mesh import Edges, areas, component_of_vertices
from ..supervision.mesh import is_closed, signed_volume
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


def mesh_figures(mesh: TriangleMesh) -> dict[str, Any]:
    """Counts, area and volume of a mesh in world units, whose vertices are shared by its triangles.

    watertight: every edge belongs to two triangles that run along it in opposite directions. volume:
    negative where the mesh is inside out; None where it is not watertight.
    """
    edges, watertight = Edges.of(mesh.faces), is_closed(mesh.faces)
    # far from the origin the terms of the volume would cancel
    vertices = mesh.vertices - mesh.vertices.mean(0)
    return {
        "vertices": len(vertices),
        "faces": len(mesh.faces),
        "boundary_edges": edges.boundary,
        "nonmanifold_edges": edges.branching,
        "components": len(np.unique(component_of_vertices(mesh)[mesh.faces[:, 0]])),
        "watertight": watertight,
        "area": float(areas(vertices, mesh.faces).sum()),
        "volume": signed_volume(vertices, mesh.faces) if watertight else None,
    }


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


REACH = 0.01
"""How far the near points lie from the surface at most, and the box of the far ones beyond it, in diagonals.

A field is trained a little beyond its data; this stays within.
"""

Values = Callable[[Array], Array]
"""Points (N, 3) -> values (N,), or gradients (N, 3)."""


def field_figures(
    distance: Values, gradient: Values, reference: Triangles, samples: int, rng: np.random.Generator
) -> dict[str, float]:
    """Errors of a field near the surface and in the whole box, from half of `samples` points each.

    distance: values (N,) in diagonals, negative inside. gradient: (N, 3), without unit. sdf_error:
    mean |f - d| in 1e-4 of the diagonal. sign_error: share of points on the wrong side. eikonal_error:
    mean | |grad f| - 1 |.
    """
    points, normals = reference.draw(samples // 2, rng)
    near = points + rng.uniform(-REACH, REACH, (len(points), 1)) * normals
    low, high = reference.vertices.min(0) - REACH, reference.vertices.max(0) + REACH
    far = rng.uniform(low, high, (samples - len(near), 3))
    figures: dict[str, float] = {}
    for place, asked in (("near", near), ("far", far)):
        values, inside = distance(asked), reference.contains(asked)
        truth = np.where(inside, -1, 1) * reference.nearest(asked)[0]
        slope = np.linalg.norm(gradient(asked), axis=1)
        figures[f"sdf_error_{place}"] = float(np.abs(values - truth).mean()) * UNIT
        figures[f"sign_error_{place}"] = float(((values < 0) != inside).mean())
        figures[f"eikonal_error_{place}"] = float(np.abs(slope - 1).mean())
    return figures


SIDE = 0.9
"""What those evaluators scale the range of all coordinates to."""


def legacy_chamfer(
    mesh: Triangles, reference: Triangles, samples: int, rng: np.random.Generator
) -> dict[str, float]:
    """The sum of the mean squared distances between `samples` random points on each surface, both ways.

    Coordinates are scaled as in Lindell et al. 2022 (BACON), by the reference. What is measured are
    distances between samples, not surfaces: those of one surface to other samples of itself are
    chamfer_legacy_floor, and a figure near the floor, or below it, tells nothing more.
    """
    scaled = legacy_scale(reference.vertices) ** 2
    of_mesh, _ = mesh.draw(samples, rng)
    of_reference, _ = reference.draw(samples, rng)
    again, _ = reference.draw(samples, rng)
    # a tree of each, since two distances are asked of the reference's
    mesh_tree, tree, again_tree = KDTree(of_mesh), KDTree(of_reference), KDTree(again)
    return {
        "chamfer_legacy": scaled * (_mean_square(tree, of_mesh) + _mean_square(mesh_tree, of_reference)),
        "chamfer_legacy_floor": scaled * (_mean_square(tree, again) + _mean_square(again_tree, of_reference)),
    }


def legacy_scale(vertices: Array) -> float:
    """The factor of those evaluators: SIDE over the range of all coordinates about the mean vertex."""
    centred = vertices - vertices.mean(0)
    return SIDE / float(centred.max() - centred.min())


def _mean_square(tree: KDTree, points: Array) -> float:
    distances, _ = tree.query(points, workers=-1)
    return float(np.square(distances).mean())

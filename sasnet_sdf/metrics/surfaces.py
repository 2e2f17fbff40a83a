"""Figures of a surface: distances to a reference, edges and components, overlap, errors of the field.

A shape consists of triangles or points. It can draw samples of itself and find its points nearest to others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ..geometry import Array, Frame, PointCloud, TriangleMesh
from ..mesh import Edges, areas, component_of_vertices
from ..supervision.targets import MeshTree, face_normals, is_closed, sample_surface, signed_volume

UNIT = 1e4
"""Converts to the unit of reported lengths, 1e-4 of the diagonal."""


def frame_around(points: Array) -> Frame:
    """The frame in which the bounding box of points (N, 3) has its center at 0 and a diagonal of 1.

    This keeps the precision that the winding number, computed in single precision, needs far from the origin.
    """
    low, high = points.min(0), points.max(0)
    return Frame(low + (high - low) / 2, float(np.linalg.norm(high - low)))


@dataclass(frozen=True)
class Triangles:
    """The triangles of a mesh that have an area: vertices (V, 3), faces (F, 3), unit normals (F, 3)."""

    vertices: Array
    faces: NDArray[np.int64]
    normals: Array

    @classmethod
    def of(cls, mesh: TriangleMesh, frame: Frame) -> Triangles:
        """The triangles of a mesh in world units that have an area."""
        vertices = frame.to_unit(mesh.vertices)
        normals = face_normals(vertices, mesh.faces)
        whole = normals.any(axis=1)
        return cls(vertices, np.ascontiguousarray(mesh.faces[whole], np.int64), normals[whole])

    @cached_property
    def _tree(self) -> MeshTree:
        return MeshTree(self.vertices, self.faces)

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """Points (count, 3) drawn uniformly by area, and the normals (count, 3) there."""
        points, face = sample_surface(self.vertices, self.faces, count, rng)
        return points, self.normals[face]

    def nearest(self, points: Array) -> tuple[Array, Array]:
        """The exact distances (N,) of points (N, 3), and the normals (N, 3) at their nearest points."""
        squared, face, _ = self._tree.nearest(points)
        return np.sqrt(squared), self.normals[face]

    def contains(self, points: Array) -> NDArray[np.bool_]:
        """Which of points (N, 3) are inside: those with a generalized winding number above 1/2.

        Jacobson et al. 2013, with the fast summation of Barill et al. 2018.
        """
        return self._tree.winding_number(points) > 0.5


@dataclass(frozen=True)
class Points:
    """The points (N, 3) of a cloud, and their unit normals (N, 3) or None."""

    points: Array
    normals: Array | None = None

    @classmethod
    def of(cls, cloud: PointCloud, frame: Frame) -> Points:
        """The points of a cloud in world units."""
        return cls(frame.to_unit(cloud.points), cloud.normals)

    @cached_property
    def _tree(self) -> KDTree:
        return KDTree(self.points)

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Array, Array | None]:
        """A random choice of `count` points, or all points if there are fewer, and their normals."""
        if count >= len(self.points):
            return self.points, self.normals
        some = rng.choice(len(self.points), count, replace=False)
        return self.points[some], None if self.normals is None else self.normals[some]

    def nearest(self, points: Array) -> tuple[Array, Array | None]:
        """The distances (M,) from points (M, 3) to the nearest of these, and the normals (M, 3) there."""
        distances, index = self._tree.query(points, workers=-1)
        return np.asarray(distances), None if self.normals is None else self.normals[index]

    def spacing(self, sample: int = 20_000) -> float:
        """The median distance from a point to its nearest neighbor, over about `sample` points at most."""
        asked = self.points[:: max(1, len(self.points) // sample)]
        distances, _ = self._tree.query(asked, k=2)
        return float(np.median(np.asarray(distances)[:, 1]))


TIGHT, LOOSE = 0.001, 0.005
"""The distances, in diagonals, up to which the two F-scores count a point as found."""


def surface_figures(
    mesh: Triangles, reference: Triangles | Points, samples: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Accuracy, completeness, normal consistency and F-scores, from `samples` points on each shape.

    accuracy: distances from the mesh to the reference. completeness: distances from the reference to
    the mesh. Distances to triangles are exact, so that those of a mesh to itself are 0; distances to a cloud
    have a floor, see docs/evaluate.md. Lengths are in 1e-4 of the diagonal. normal_consistency is None
    where the reference has no normals.
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
    """The mean |cos| of the angle between unit normals (N, 3), which ignores their sign."""
    return float(np.abs((one * other).sum(1)).mean())


def _fscore(wrong: Array, missing: Array, reach: float) -> float:
    """The harmonic mean of precision and recall at a distance (Knapitsch et al. 2017)."""
    precision, recall = float((wrong < reach).mean()), float((missing < reach).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def mesh_figures(mesh: TriangleMesh) -> dict[str, Any]:
    """Counts, area and volume of a mesh in world units. Its triangles must share vertices.

    watertight: every edge belongs to two triangles that run along it in opposite directions. volume:
    negative where the mesh is inside out; None where it is not watertight.
    """
    edges, watertight = Edges.of(mesh.faces), is_closed(mesh.faces)
    # move to the origin: far from it, the terms of the volume would cancel
    vertices = mesh.vertices - mesh.vertices.mean(0)
    return {
        "vertices": len(vertices),
        "faces": len(mesh.faces),
        "boundary_edges": edges.boundary,
        "non_manifold_edges": edges.branching,
        "components": len(np.unique(component_of_vertices(mesh)[mesh.faces[:, 0]])),
        "watertight": watertight,
        "area": float(areas(vertices, mesh.faces).sum()),
        "volume": signed_volume(vertices, mesh.faces) if watertight else None,
    }


MARGIN = 0.05
"""How far the box of the uniform points extends beyond the reference, in diagonals."""

SIGMA = 0.01
"""Standard deviation of the distance of the other points from the reference's surface, in diagonals."""


def overlap(
    mesh: Triangles, reference: Triangles, samples: int, rng: np.random.Generator
) -> dict[str, float]:
    """Intersection over union of the insides of a mesh and a closed reference, from points inside them.

    iou: from `samples` points, half uniform in the box and half near the reference's surface, where
    surfaces differ; it is stricter than a ratio of volumes. iou_uniform: from the uniform points only, an
    estimate of the volume of the intersection over the volume of the union.
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
"""Both the largest distance of near points from the surface and the margin of far points' box, in diagonals.

A field is trained a little beyond its data; this distance is within the trained region.
"""

Values = Callable[[Array], Array]
"""Points (N, 3) -> values (N,), or gradients (N, 3)."""


def field_figures(
    distance: Values, gradient: Values, reference: Triangles, samples: int, rng: np.random.Generator
) -> dict[str, float]:
    """Errors of a field near the surface and in the whole box, each from half of `samples` points.

    distance: points (N, 3) -> values (N,) in diagonals, negative inside. gradient: points -> (N, 3),
    without unit. sdf_error: mean |f - d| in 1e-4 of the diagonal. sign_error: share of points on the
    wrong side. eikonal_error: mean | |grad f| - 1 |.
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
"""The range of all coordinates in the evaluators of BACON and FINER."""


def legacy_chamfer(
    mesh: Triangles, reference: Triangles, samples: int, rng: np.random.Generator
) -> dict[str, float]:
    """The mean squared distances between `samples` random points on each surface, summed over both ways.

    For comparison with published figures; coordinates are scaled by the reference as in Lindell et al.
    2022 (BACON). These are distances between samples, not surfaces: chamfer_legacy_floor is the figure
    between two sample sets of the reference, and differences of that size are not significant.
    """
    scaled = legacy_scale(reference.vertices) ** 2
    of_mesh, _ = mesh.draw(samples, rng)
    of_reference, _ = reference.draw(samples, rng)
    again, _ = reference.draw(samples, rng)
    mesh_tree, tree, again_tree = KDTree(of_mesh), KDTree(of_reference), KDTree(again)
    return {
        "chamfer_legacy": scaled * (_mean_square(tree, of_mesh) + _mean_square(mesh_tree, of_reference)),
        "chamfer_legacy_floor": scaled * (_mean_square(tree, again) + _mean_square(again_tree, of_reference)),
    }


def legacy_scale(vertices: Array) -> float:
    """The scale of the legacy figures: SIDE over the range of all coordinates about the mean vertex."""
    centered = vertices - vertices.mean(0)
    return SIDE / float(centered.max() - centered.min())


def _mean_square(tree: KDTree, points: Array) -> float:
    distances, _ = tree.query(points, workers=-1)
    return float(np.square(distances).mean())

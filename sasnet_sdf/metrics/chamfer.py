"""The Chamfer distance of the evaluators of BACON and FINER, for comparison with published figures."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from ..geometry import Array
from .shapes import Triangles

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

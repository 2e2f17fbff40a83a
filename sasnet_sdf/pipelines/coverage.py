"""The share of the points that lie on a surface: one that misses most of them is no result."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from ..errors import Finding, NoSurface, warning
from ..extraction import Support
from ..geometry import Frame, TriangleMesh
from ..mesh import areas
from ..supervision.mesh import sample_surface

FEWEST = 0.05
"""The share of the points that must lie on a surface."""

MOST_LEFT = 0.5
"""The share of the points that a surface may leave out before the user is told."""

NEAR = 3.0
"""Spacings from a surface within which a point lies on it."""

SAMPLES, POINTS = 50_000, 2_000
"""Places on the surface, and points that are looked at."""


def covered_share(mesh: TriangleMesh, support: Support, frame: Frame) -> float:
    """The share of the support's points that lie on a mesh in world units."""
    places, _ = sample_surface(mesh.vertices, mesh.faces, SAMPLES, np.random.default_rng(0))
    between = 2 * np.sqrt(areas(mesh.vertices, mesh.faces).sum() / SAMPLES)
    some = np.linspace(0, len(support) - 1, min(POINTS, len(support))).astype(np.int64)
    apart = KDTree(places).query(frame.to_world(support.tree.points[some]))[0]
    return float((apart <= NEAR * support.spacing[some] * frame.scale + between).mean())


def check_coverage(share: float) -> list[Finding]:
    """A warning where much of the data is left out. Raises NoSurface where next to all is."""
    if share < FEWEST:
        raise NoSurface(
            f"only {share:.0%} of the points lie on the surface; look at their normals and units, give "
            "--normals estimate, or --keep-components if it is made of many small pieces"
        )
    if share < 1 - MOST_LEFT:
        return [warning(f"only {share:.0%} of the points lie on the surface")]
    return []

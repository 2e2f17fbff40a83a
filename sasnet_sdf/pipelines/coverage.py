"""How much of the data a surface bears: one that leaves them out is no result."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from ..errors import NoSurface
from ..extraction import Support
from ..findings import Finding, warning
from ..geometry import Frame, TriangleMesh
from ..supervision.mesh import sample_surface

FEWEST = 0.05
"""The share of the points that a surface must pass by."""

MOST_LEFT = 0.5
"""The share of the points that a surface may leave out before the user is told."""

NEAR = 3.0
"""Spacings within which a surface passes by a point."""

SAMPLES, POINTS = 50_000, 2_000
"""Places on the surface, and points that are looked at."""


def covered_share(mesh: TriangleMesh, support: Support, frame: Frame) -> float:
    """The share of the support's points that a mesh in world units passes by."""
    places, _ = sample_surface(mesh.vertices, mesh.faces, SAMPLES, np.random.default_rng(0))
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    between = 2 * np.sqrt(area / SAMPLES)
    some = np.linspace(0, len(support) - 1, min(POINTS, len(support))).astype(np.int64)
    apart = KDTree(places).query(frame.to_world(support.tree.points[some]))[0]
    return float((apart <= NEAR * support.spacing[some] * frame.scale + between).mean())


def check_coverage(share: float) -> list[Finding]:
    """A warning where much of the data is left out. Raises NoSurface where next to all is."""
    if share < FEWEST:
        raise NoSurface(
            f"the surface passes by {share:.0%} of the points only; look at their normals and units, give "
            "--normals estimate, or --keep-components if it is made of many small pieces"
        )
    if share < 1 - MOST_LEFT:
        return [warning(f"the surface passes by {share:.0%} of the points only")]
    return []

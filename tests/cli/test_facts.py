"""Numbers about clouds and meshes."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.cli.facts import cloud_facts, edge_counts, mesh_facts
from sasnet_sdf.geometry import PointCloud, TriangleMesh


def test_a_grid_of_points():
    points = np.stack(np.meshgrid(*[np.arange(4.0)] * 3), -1).reshape(-1, 3) * 0.5
    facts = cloud_facts(PointCloud(points, normals=points))
    assert facts["points"] == 64
    assert facts["spacing"] == 0.5
    assert facts["low"] == [0, 0, 0]
    assert facts["high"] == [1.5, 1.5, 1.5]
    assert facts["diagonal"] == pytest.approx(1.5 * 3**0.5)
    assert facts["attributes"] == ["normals"]


@pytest.mark.parametrize(("shift", "boundary", "branching"), [(0, 0, 0), (1, 4, 0)])
def test_an_octahedron_with_and_without_a_hole(shift, boundary, branching):
    corners = [(i, 2 + j, 4 + k) for i in (0, 1) for j in (0, 1) for k in (0, 1)]
    faces = np.array(corners[: len(corners) - 2 * shift])
    assert edge_counts(faces) == (boundary, branching)


def test_three_triangles_on_an_edge_branch():
    assert edge_counts(np.array([[0, 1, 2], [1, 0, 3], [0, 1, 4]])) == (6, 1)


def test_mesh_facts():
    mesh = TriangleMesh(np.eye(3), np.array([[0, 1, 2]]))
    facts = mesh_facts(mesh)
    assert (facts["vertices"], facts["faces"], facts["closed"], facts["boundary_edges"]) == (3, 1, False, 3)

"""Numbers about clouds and meshes."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.cli.info import cloud_facts, mesh_facts
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


def test_mesh_facts():
    mesh = TriangleMesh(np.eye(3), np.array([[0, 1, 2]]))
    facts = mesh_facts(mesh)
    assert (facts["vertices"], facts["faces"], facts["closed"], facts["boundary_edges"]) == (3, 1, False, 3)


def test_sensors_scalars_and_notes_of_a_cloud():
    points = np.random.default_rng(0).normal(size=(20, 3))
    sensors = np.repeat([[0.0, 0, 9], [5.0, 0, 9]], 10, axis=0)
    cloud = PointCloud(points, None, None, sensors, {"intensity": np.ones(20)}, ("3 points were left out",))
    facts = cloud_facts(cloud)
    assert (facts["sensors"], facts["scalars"]) == (2, ["intensity"])
    assert facts["notes"] == ["3 points were left out"]
    bare = cloud_facts(PointCloud(points))
    assert (bare["sensors"], bare["scalars"], bare["notes"]) == (0, [], [])

"""The main job as Python calls it: units and places change nothing, meshes go in as clouds do."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf import PointCloud, TriangleMesh, reconstruct

LARGE, SMALL = 2.0, 0.7
SETTINGS = {"preset": "fast", "steps": 120, "resolution": 48, "device": "cpu"}


def torus(count: int) -> tuple[np.ndarray, np.ndarray]:
    u, v = np.random.default_rng(0).uniform(0, 2 * np.pi, (2, count))
    normals = np.stack([np.cos(u) * np.cos(v), np.sin(u) * np.cos(v), np.sin(v)], axis=1)
    ring = np.stack([np.cos(u), np.sin(u), np.zeros_like(u)], axis=1)
    return LARGE * ring + SMALL * normals, normals


def off_the_torus(points: np.ndarray) -> np.ndarray:
    x, y, z = points.T
    return np.abs(np.hypot(np.hypot(x, y) - LARGE, z) - SMALL)


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (1e-6, 0.0), (1e6, 0.0), (1.0, 5e6), (1e-3, -2.0)])
def test_units_and_places_change_nothing(scale, offset):
    points, normals = torus(5000)
    result = reconstruct(PointCloud(points * scale + offset, normals), **SETTINGS)
    back = (result.mesh.vertices - offset) / scale
    assert off_the_torus(back).mean() < 0.02 and off_the_torus(back).max() < 0.15
    assert len(back) - len(result.mesh.faces) / 2 == 0  # closed, with one handle
    assert result.report["extraction"]["edge_length"] == pytest.approx(2 / 48 * 2.7 / 0.95 * scale, rel=0.01)
    near = np.array([[LARGE, 0.0, SMALL - 0.1], [LARGE + SMALL + 0.1, 0.0, 0.0]])
    distances = result.field.distance(near * scale + offset) / scale
    np.testing.assert_allclose(distances, [-0.1, 0.1], atol=0.03)


def test_the_field_is_a_distance_far_from_the_surface_too():
    points, normals = torus(30_000)
    result = reconstruct(PointCloud(points, normals), **{**SETTINGS, "steps": 200})
    asked = np.random.default_rng(1).uniform(-2.7, 2.7, (4000, 3))
    x, y, z = asked.T
    true = np.hypot(np.hypot(x, y) - LARGE, z) - SMALL
    found = result.field.distance(asked)
    assert (np.abs(found - true) < 0.01 * 2 * 2.7).mean() > 0.99
    assert ((found < 0) != (true < 0)).mean() < 0.003
    length = np.linalg.norm(result.field.gradient(asked), axis=1)
    assert ((length > 0.9) & (length < 1.1)).mean() > 0.95


def test_a_closed_mesh_gives_its_own_surface():
    corners = np.array([[x, y, z] for x in (-1.0, 1) for y in (-1.0, 1) for z in (-1.0, 1)])
    squares = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([t for a, b, c, d in squares for t in ((a, b, c), (a, c, d))])
    result = reconstruct(TriangleMesh(corners, faces), **SETTINGS)
    outside = np.abs(np.abs(result.mesh.vertices).max(1) - 1)
    assert outside.mean() < 0.02
    assert result.report["input"]["watertight"] and result.report["input"]["kind"] == "mesh"
    assert result.field.distance(np.zeros((1, 3)))[0] < 0


def test_an_array_is_a_cloud_without_normals():
    points, _ = torus(3000)
    result = reconstruct(points, **SETTINGS)
    assert result.report["input"]["normals_from"] == "estimate"
    assert off_the_torus(result.mesh.vertices).mean() < 0.04

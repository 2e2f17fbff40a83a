"""The bundled sample: the scan is what its script says, and its surface comes out right."""

from __future__ import annotations

import runpy

import igl
import numpy as np
import pytest

import sasnet_sdf
from sasnet_sdf.io import read_geometry


@pytest.fixture(scope="module")
def scan(root):
    return read_geometry(root / "samples" / "knot.ply")


def diagonal(points):
    return np.linalg.norm(points.max(0) - points.min(0))


def on_the_surface(sculpture, points):
    """Points near the true surface, moved onto it by Newton's method."""
    for _ in range(3):
        step = 1e-4
        gradient = np.stack(
            [
                sculpture.distance(points + step * e) - sculpture.distance(points - step * e)
                for e in np.eye(3)
            ],
            1,
        )
        gradient /= np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-12)
        points = points - sculpture.distance(points)[:, None] * gradient
    return points


def centroids(vertices, faces):
    return vertices[faces].mean(1)


def test_distance_is_signed_and_in_millimeters(sculpture):
    plate, above, side = [0, 0, -55.0], [0, 0, -62.0], [34.5, 0, -55.0]
    values = sculpture.distance(np.array([plate, above, side]) + sculpture.CENTER)
    np.testing.assert_allclose(values, [-5.0, 2.0, 2.5], atol=1e-6)


def test_scan_lies_on_the_surface_up_to_its_noise(scan, sculpture):
    assert len(scan) == 50_000
    assert scan.normals is None and scan.colors is not None
    away = sculpture.distance(scan.points) / diagonal(scan.points)
    # the noise lies along the ray, which meets the surface at an angle
    assert 0.5 * sculpture.NOISE < away.std() < sculpture.NOISE
    assert abs(away.mean()) < 0.05 * sculpture.NOISE


def test_scan_carries_the_cameras_that_saw_it(scan, sculpture):
    cameras = sculpture.camera_positions()
    gap = np.linalg.norm(np.unique(scan.sensors, axis=0)[:, None] - cameras[None], axis=2).min(1)
    assert gap.max() < 1e-3
    towards = (scan.sensors - scan.points) / np.linalg.norm(scan.sensors - scan.points, axis=1, keepdims=True)
    assert (sculpture.distance(scan.points + towards) > 0).mean() > 0.99


def check(result, scan, sculpture, bar):
    """Closed, one piece, one handle, outward, and within `bar` (1e-4 of the diagonal) of the truth."""
    vertices, faces = result.mesh.vertices, result.mesh.faces
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    unique, count = np.unique(edges, axis=0, return_counts=True)
    assert (count == 2).all()
    assert len(vertices) - len(unique) + len(faces) == 0, "a knotted tube on a plinth has one handle"
    assert igl.connected_components(igl.adjacency_matrix(faces))[0] == 1
    a, b, c = (vertices[faces[:, k]] - sculpture.CENTER for k in range(3))
    volume = np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6
    assert volume == pytest.approx(124_340, rel=0.01)

    unit = 1e-4 * diagonal(scan.points)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    accuracy = np.average(np.abs(sculpture.distance(centroids(vertices, faces))), weights=area) / unit
    truth = on_the_surface(sculpture, scan.points[::5])
    squared = igl.point_mesh_squared_distance(truth, vertices, faces)[0]
    completeness = np.sqrt(squared).mean() / unit
    error = (accuracy + completeness) / 2
    print(f"error {error:.2f}, accuracy {accuracy:.2f}, completeness {completeness:.2f}")
    assert error < bar


def test_fast_surface_of_the_sample(root, scan, sculpture, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    result = runpy.run_path(str(root / "samples" / "reconstruct.py"))["result"]
    check(result, scan, sculpture, bar=8.0)
    written = read_geometry(tmp_path / "surface.ply")
    np.testing.assert_array_equal(written.faces, result.mesh.faces)
    near = result.mesh.vertices[::1000]
    field = sasnet_sdf.Field.load(tmp_path / "surface.sasnet")
    assert np.abs(field.distance(near)).max() < 1e-3 * diagonal(scan.points)
    assert f"{len(written.faces):,} triangles, closed" in capsys.readouterr().out


@pytest.mark.slow
def test_balanced_surface_of_the_sample(root, scan, sculpture):
    check(sasnet_sdf.reconstruct(root / "samples" / "knot.ply"), scan, sculpture, bar=5.0)

"""What is given is thinned to what was asked for or fits, and the report says so."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from sasnet_sdf import Config, PointCloud, TriangleMesh, reconstruct
from sasnet_sdf.errors import UnusableGeometry
from sasnet_sdf.io import write_cloud
from sasnet_sdf.problems import loading
from sasnet_sdf.problems.loading import MOST_POINTS, load, most_points

MOST = 10_000


@pytest.fixture(scope="module")
def sphere() -> np.ndarray:
    points = np.random.default_rng(0).normal(size=(30_000, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@pytest.mark.parametrize("source", ["path", "array"])
def test_no_more_points_than_asked_for_are_used(sphere, tmp_path, source):
    path = tmp_path / "sphere.ply"
    write_cloud(path, PointCloud(sphere))
    given = path if source == "path" else sphere
    words = {"steps": 5, "resolution": 16, "device": "cpu", "max_points": MOST}
    report = reconstruct(given, preset="fast", **words).report
    assert MOST / 2 <= report["input"]["used_points"] <= report["input"]["points"] <= MOST
    assert [note for note in report["notes"] if note.startswith("thinned from 30000 to ")]


def test_a_file_and_its_array_give_the_same_points(sphere, tmp_path):
    path = tmp_path / "sphere.npy"
    np.save(path, sphere)
    of_file, notes = load(path, Config(max_points=MOST))
    of_array, same = load(sphere, Config(max_points=MOST))
    assert isinstance(of_file, PointCloud) and isinstance(of_array, PointCloud)
    assert np.array_equal(of_file.points, of_array.points)
    assert notes == same and len(notes) == 1


def test_a_mesh_keeps_its_vertices():
    ball = trimesh.creation.icosphere(2)
    geometry, notes = load(TriangleMesh(ball.vertices, ball.faces), Config(max_points=10))
    assert isinstance(geometry, TriangleMesh)
    assert len(geometry.vertices) == len(ball.vertices) > 10 and not notes


@pytest.mark.parametrize(
    ("config", "machine", "most"),
    [
        (Config(max_points=7_000_000), 2**30, 7_000_000),
        (Config(max_memory=2 * 10**9 + (450 << 20)), 2**40, 2_000_000),
        (Config(), 4 * 10**9, 2_000_000),
        (Config(), 2**40, MOST_POINTS),
        (Config(max_memory=10**12), 2**30, MOST_POINTS),
    ],
)
def test_the_most_points_that_are_used(monkeypatch, config, machine, most):
    monkeypatch.setattr(loading, "memory_limit_bytes", lambda: machine)
    assert most_points(config) == most


def test_points_have_three_coordinates():
    with pytest.raises(UnusableGeometry, match=r"\(N, 3\), found \(5, 2\)"):
        load(np.zeros((5, 2)), Config())


def test_clouds_and_meshes_of_other_libraries():
    ball = trimesh.creation.icosphere(2)
    mesh, _ = load(ball, Config())
    assert isinstance(mesh, TriangleMesh) and np.array_equal(mesh.faces, ball.faces)
    cloud, _ = load(trimesh.PointCloud(ball.vertices), Config())
    assert isinstance(cloud, PointCloud) and np.array_equal(cloud.points, ball.vertices)


def test_clouds_of_open3d():
    open3d = pytest.importorskip("open3d", reason="needs Open3D")
    ball = trimesh.creation.icosphere(2)
    places = open3d.utility.Vector3dVector(ball.vertices)
    cloud = open3d.geometry.PointCloud(places)
    cloud.normals, cloud.colors = places, open3d.utility.Vector3dVector(np.abs(ball.vertices))
    for given in (cloud, open3d.t.geometry.PointCloud.from_legacy(cloud, open3d.core.Dtype.Float64)):
        found, _ = load(given, Config())
        assert isinstance(found, PointCloud)
        assert np.allclose(found.normals, ball.vertices)
        assert np.array_equal(found.colors, (np.abs(ball.vertices) * 255).round())
    mesh = open3d.geometry.TriangleMesh(places, open3d.utility.Vector3iVector(ball.faces))
    assert isinstance(load(mesh, Config())[0], TriangleMesh)


def test_clouds_and_meshes_of_pyvista():
    pyvista = pytest.importorskip("pyvista", reason="needs PyVista")
    ball = trimesh.creation.icosphere(2)
    mesh, _ = load(pyvista.wrap(ball), Config())
    assert isinstance(mesh, TriangleMesh) and np.array_equal(mesh.faces, ball.faces)
    with pytest.raises(UnusableGeometry, match="triangulate it first"):
        load(pyvista.Cube(), Config())


def test_points_beside_normals():
    points = np.random.default_rng(0).normal(size=(50, 3))
    normals = points / np.linalg.norm(points, axis=1, keepdims=True)
    found, _ = load(np.hstack([points, normals]), Config())
    assert np.array_equal(found.points, points) and np.allclose(found.normals, normals)
    with pytest.raises(UnusableGeometry, match="not unit normals"):
        load(np.hstack([points, points]), Config())


def test_several_inputs_are_one_scan_whose_checkpoints_are_its_own(sphere, tmp_path):
    """Two halves give what the whole gives, also of a run that goes on from its checkpoint."""
    halves = [PointCloud(half, scalars={"height": half[:, 2]}) for half in np.split(sphere[:8000], 2)]
    write_cloud(tmp_path / "half.ply", halves[0])
    words = {"preset": "fast", "steps": 8, "resolution": 24, "device": "cpu", "carry": ("height",)}
    crop = (-2, -2, -2, 2, 2, 0.5)
    kept = {"checkpoint": tmp_path / "states", "checkpoint_every": 0, "crop": crop}
    merged = reconstruct([tmp_path / "half.ply", halves[1]], **words, **kept)
    whole = reconstruct(
        PointCloud(sphere[:8000], scalars={"height": sphere[:8000, 2]}), **words, **kept, resume=True
    )
    assert np.array_equal(merged.mesh.vertices, whole.mesh.vertices) and len(merged.mesh.faces) > 100
    assert np.array_equal(merged.mesh.scalars["height"], whole.mesh.scalars["height"])
    assert any(note.startswith("resumed after step 8") for note in whole.report["notes"])
    inside = int((sphere[:8000, 2] <= 0.5).sum())
    assert merged.report["input"]["points"] == inside
    assert f"{inside} of 8000 points are inside the crop and were kept" in merged.report["notes"]
    assert merged.report["input"]["path"] == [str(tmp_path / "half.ply"), None]
    assert merged.report["settings"]["input"]["crop"] == crop


def test_arrays_are_not_taken_for_several_inputs(sphere):
    given, _ = load(sphere[:100].tolist(), Config())
    assert np.array_equal(given.points, sphere[:100])

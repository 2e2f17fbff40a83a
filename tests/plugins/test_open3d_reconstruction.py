"""The reconstruction in Open3D's types is that of sasnet_sdf: the same vertices, triangles and colors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import KDTree

import sasnet_open3d
import sasnet_sdf
from sasnet_open3d.conversion import cloud_of, to_bytes

TINY = {"preset": "fast", "steps": 40, "resolution": 32, "device": "cpu", "seed": 3}
UTM = np.array([5.0e5, 5.4e6, 312.0])

pytestmark = pytest.mark.usefixtures("quiet")


def legacy(o3d, cloud):
    vectors = o3d.utility.Vector3dVector
    pcd = o3d.geometry.PointCloud(vectors(cloud.points))
    pcd.normals, pcd.colors = vectors(cloud.normals), vectors(cloud.colors / 255)
    return pcd


def tensor(o3d, cloud, dtype=np.float64):
    pcd = o3d.t.geometry.PointCloud(o3d.core.Tensor(cloud.points.astype(dtype)))
    pcd.point.normals = o3d.core.Tensor(cloud.normals.astype(dtype))
    pcd.point.colors = o3d.core.Tensor(cloud.colors)
    pcd.point["height"] = o3d.core.Tensor(cloud.scalars["height"][:, None])
    return pcd


@pytest.fixture(scope="module")
def far_cloud(small_cloud):
    return replace(small_cloud, points=small_cloud.points + UTM)


@pytest.fixture(scope="module")
def far(far_cloud):
    """What sasnet_sdf makes of the cloud far from the origin."""
    return sasnet_sdf.reconstruct(far_cloud, carry="height", **TINY)


def test_a_legacy_cloud_gives_the_same_mesh(o3d, far_cloud, far):
    mesh, distances = sasnet_open3d.create_from_point_cloud_sasnet(legacy(o3d, far_cloud), **TINY)
    assert isinstance(mesh, o3d.geometry.TriangleMesh)
    assert isinstance(distances, o3d.utility.DoubleVector)
    np.testing.assert_array_equal(np.asarray(mesh.vertices), far.mesh.vertices)
    np.testing.assert_array_equal(np.asarray(mesh.triangles), far.mesh.faces)
    np.testing.assert_array_equal(np.asarray(mesh.vertex_normals), far.mesh.normals)
    np.testing.assert_array_equal(np.asarray(mesh.vertex_colors), far.mesh.colors / 255)
    nearest, _ = KDTree(far_cloud.points - UTM).query(far.mesh.vertices - UTM)
    np.testing.assert_allclose(np.asarray(distances), nearest, atol=1e-6)


def test_a_tensor_cloud_gives_the_same_mesh_in_double_precision(o3d, far_cloud, far):
    mesh, distances, field, report = sasnet_open3d.reconstruct(tensor(o3d, far_cloud), carry="height", **TINY)
    assert isinstance(mesh, o3d.t.geometry.TriangleMesh)
    assert mesh.vertex.positions.dtype == o3d.core.float64 == distances.dtype
    np.testing.assert_array_equal(mesh.vertex.positions.numpy(), far.mesh.vertices)
    np.testing.assert_array_equal(mesh.triangle.indices.numpy(), far.mesh.faces)
    np.testing.assert_array_equal(mesh.vertex.normals.numpy(), far.mesh.normals)
    np.testing.assert_array_equal(mesh.vertex.colors.numpy(), far.mesh.colors / 255)
    np.testing.assert_array_equal(np.asarray(mesh.to_legacy().vertex_colors), far.mesh.colors / 255)
    np.testing.assert_array_equal(mesh.vertex["height"].numpy()[:, 0], far.mesh.scalars["height"])
    np.testing.assert_array_equal(distances.numpy(), field.distance_to_data(far.mesh.vertices))
    assert report["extraction"] == far.report["extraction"]
    radius = np.linalg.norm(far.mesh.vertices - UTM, axis=1)
    assert abs(np.median(radius) - 2) < 0.1


def test_a_cloud_in_tiles_has_distances_and_a_scene(o3d, small_cloud, tmp_path):
    pytest.importorskip("distributed")
    points = small_cloud.points
    side = 0.6 * float(np.ptp(points, axis=0).max())
    mesh, distances, field, report = sasnet_open3d.reconstruct(
        legacy(o3d, small_cloud), tiles=side, workers=1, **TINY
    )
    assert len(report["tiles"]) >= 2 and len(mesh.triangles) == report["extraction"]["faces"]
    nearest, _ = KDTree(points).query(np.asarray(mesh.vertices))
    np.testing.assert_allclose(np.asarray(distances), nearest, atol=1e-9)
    field.save(tmp_path / "model")
    for scene in (sasnet_open3d.FieldScene(field), sasnet_open3d.FieldScene(tmp_path / "model")):
        found = scene.compute_signed_distance(points[:5]).numpy()
        np.testing.assert_array_equal(found, field.distance(points[:5]).astype(np.float32))


def test_a_tensor_cloud_of_single_precision_gives_single_precision(o3d, small_cloud):
    expected = sasnet_sdf.reconstruct(small_cloud, **TINY)
    mesh, distances = sasnet_open3d.create_from_point_cloud_sasnet(
        tensor(o3d, small_cloud, np.float32), **TINY
    )
    assert mesh.vertex.positions.dtype == o3d.core.float32 == mesh.vertex.normals.dtype == distances.dtype
    np.testing.assert_array_equal(mesh.vertex.positions.numpy(), expected.mesh.vertices.astype(np.float32))
    np.testing.assert_array_equal(mesh.triangle.indices.numpy(), expected.mesh.faces)
    assert distances.shape == mesh.vertex.positions.shape[:1]


def test_single_precision_far_from_the_origin_is_a_note(o3d, small_cloud, far_cloud):
    (note,) = cloud_of(tensor(o3d, far_cloud, np.float32)).notes
    assert note == "the cloud is Float32, which rounds these coordinates to 0.5: make it Float64"
    assert not cloud_of(tensor(o3d, small_cloud, np.float32)).notes
    assert not cloud_of(tensor(o3d, far_cloud)).notes


def test_sensors_and_scalars_come_along(o3d, small_cloud):
    pcd = tensor(o3d, small_cloud, np.float32)
    for name, value in zip(("vx", "vy", "vz"), (7.0, 8.0, 9.0), strict=True):
        pcd.point[name] = o3d.core.Tensor(np.full((1500, 1), value, np.float32))
    cloud = cloud_of(pcd)
    assert cloud.sensors is not None and (cloud.sensors == [7, 8, 9]).all()
    assert list(cloud.scalars) == ["height"]
    np.testing.assert_array_equal(cloud.scalars["height"], small_cloud.scalars["height"])


@pytest.mark.parametrize("highest", [np.uint8(255), np.uint16(65535), np.float32(1), np.float64(1)])
def test_colors_of_any_type_are_read(highest):
    colors = np.arange(255).reshape(-1, 3)
    given = colors / 255 * highest
    given = np.rint(given) if highest > 1 else given
    np.testing.assert_array_equal(to_bytes(given.astype(highest.dtype)), colors)


def test_progress_goes_up_and_ends_training(o3d, small_cloud):
    seen = []

    def watch(progress):
        seen.append(progress.total)
        return not (progress.stage == "training" and progress.fraction > 0.2)

    report = sasnet_open3d.reconstruct(legacy(o3d, small_cloud), on_progress=watch, **TINY).report
    assert seen == sorted(seen) and seen[-1] > 0.9
    assert report["interrupted"] and report["training"]["steps"] < TINY["steps"]


@pytest.mark.parametrize(
    ("level", "lines"),
    [("Error", []), ("Warning", ["WARNING"]), ("Info", ["INFO", "WARNING"]), ("Debug", ["INFO", "WARNING"])],
)
def test_open3ds_verbosity_decides_what_is_printed(o3d, small_cloud, far, monkeypatch, capsys, level, lines):
    said = replace(far, report=far.report | {"notes": ["3 of 1500 points are not finite"]})
    monkeypatch.setattr(sasnet_sdf, "reconstruct", lambda *_, **__: said)
    with o3d.utility.VerbosityContextManager(getattr(o3d.utility.VerbosityLevel, level)):
        sasnet_open3d.create_from_point_cloud_sasnet(legacy(o3d, small_cloud))
    out = capsys.readouterr().out.splitlines()
    assert [line[:16].split()[1].rstrip("]") for line in out] == lines
    for line in out:
        expected = "3 of 1500 points" if "WARNING" in line else f"{len(far.mesh.vertices):,} vertices"
        assert line.split("] SASNet: ")[1].startswith(expected)


def test_errors_are_one_line(o3d, small_cloud):
    create, cloud = sasnet_open3d.create_from_point_cloud_sasnet, legacy(o3d, small_cloud)
    with pytest.raises(sasnet_sdf.UsageError, match=r"found TriangleMesh$"):
        create(o3d.geometry.TriangleMesh())
    with pytest.raises(sasnet_sdf.UsageError, match="unknown preset 'best'"):
        create(cloud, "best")
    with pytest.raises(sasnet_sdf.UsageError, match="unknown setting 'depth'"):
        create(cloud, depth=9)
    with pytest.raises(sasnet_sdf.UsageError, match="no scalar 'height'"):
        create(cloud, carry="height")
    for empty in (o3d.geometry.PointCloud(), o3d.t.geometry.PointCloud()):
        with pytest.raises(sasnet_sdf.UnusableGeometry, match="usable points: 0; at least 10"):
            create(empty)

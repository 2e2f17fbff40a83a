"""Open and closed, colors and labels, far points: the main job on clouds that are made for it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import KDTree

from sasnet_sdf import Field, PointCloud, TriangleMesh, extract, read_geometry, reconstruct
from sasnet_sdf.errors import NoSurface, UsageError
from sasnet_sdf.mesh import Edges

SETTINGS = {"preset": "fast", "steps": 120, "resolution": 64, "device": "cpu"}


def ball(count: int = 5000, radius: float = 1.0, center=(0.0, 0.0, 0.0)) -> PointCloud:
    normals = np.random.default_rng(0).normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return PointCloud(radius * normals + center, normals)


def both(a: PointCloud, b: PointCloud) -> PointCloud:
    assert a.normals is not None and b.normals is not None
    return PointCloud(np.concatenate([a.points, b.points]), np.concatenate([a.normals, b.normals]))


def farthest(mesh: TriangleMesh, cloud: PointCloud) -> float:
    return KDTree(cloud.points).query(mesh.vertices)[0].max()


@pytest.fixture(scope="module")
def half() -> PointCloud:
    cloud = ball(8000)
    return cloud.select(cloud.points[:, 2] > 0)


@pytest.fixture(scope="module")
def dome(half):
    return reconstruct(half, **SETTINGS)


def test_half_a_ball_is_open_at_its_equator(half, dome):
    trim = dome.report["trim"]
    assert (trim["mode"], trim["closed"], trim["solid"]) == ("auto", False, False)
    assert farthest(dome.mesh, half) <= trim["length"]
    assert trim["widest_gap"] == pytest.approx(0.5, abs=0.15)
    assert dome.mesh.vertices[:, 2].min() > -0.2
    assert dome.mesh.vertices[:, 2].max() == pytest.approx(1, abs=0.05)
    assert dome.report["extraction"]["boundary_loops"] == 1


def test_a_saved_model_is_trimmed_alike(half, dome, tmp_path):
    dome.field.save(tmp_path / "dome.sasnet")
    field = Field.load(tmp_path / "dome.sasnet", device="cpu")
    mesh, facts = extract(field, resolution=64)
    assert facts["trim"]["length"] == pytest.approx(dome.report["trim"]["length"], rel=1e-4)
    assert len(mesh.vertices) == pytest.approx(len(dome.mesh.vertices), rel=0.01)
    whole, facts = extract(field, resolution=64, trim="off")
    assert facts["trim"]["length"] is None and whole.vertices[:, 2].min() < mesh.vertices[:, 2].min()
    close, facts = extract(field, resolution=64, trim=0.06)
    assert facts["trim"]["length"] == 0.06 and len(close.vertices) < len(mesh.vertices)
    assert farthest(close, half) <= 0.06
    closed, facts = extract(field, resolution=64, watertight=True)
    assert facts["trim"] | {"mode": "watertight", "closed": True} == facts["trim"]
    assert Edges.of(closed.faces) == Edges(0, 0, 0)
    near, facts = extract(field, resolution=64, trim=0.05, faces=1000)
    assert farthest(near, half) <= facts["trim"]["length"] == 0.05
    with pytest.raises(NoSurface, match="no surface lies within 1e-09 of the data"):
        extract(field, resolution=64, trim=1e-9)


def test_a_ball_with_a_small_hole_is_closed():
    cloud = ball()
    cloud = cloud.select(cloud.points[:, 2] < 0.95)
    result = reconstruct(cloud, **SETTINGS)
    assert result.report["trim"]["closed"] and result.report["trim"]["length"] is None
    assert Edges.of(result.mesh.faces) == Edges(0, 0, 0)
    assert np.linalg.norm(result.mesh.vertices, axis=1) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("watertight", [False, True])
def test_a_flat_sheet_is_no_balloon_unless_asked(watertight):
    xy = np.random.default_rng(0).uniform([-1, -0.7], [1, 0.7], (6000, 2))
    sheet = np.column_stack([xy, 0.1 * np.sin(3 * xy[:, 0])])
    normals = np.column_stack([-0.3 * np.cos(3 * xy[:, 0]), np.zeros(6000), np.ones(6000)])
    cloud = PointCloud(sheet, normals / np.linalg.norm(normals, axis=1, keepdims=True))
    result = reconstruct(cloud, watertight=watertight, **SETTINGS)
    edges = Edges.of(result.mesh.faces)
    assert result.report["trim"]["closed"] is watertight
    if watertight:
        assert edges == Edges(0, 0, 0)
        return
    assert edges.loops == 1
    x, _, z = result.mesh.vertices.T
    assert np.abs(z - 0.1 * np.sin(3 * x)).max() < 0.05
    assert farthest(result.mesh, cloud) <= result.report["trim"]["length"]


def test_a_small_object_beside_a_large_one_stays():
    cloud = both(ball(12_000), ball(300, 0.12, (1.3, 0.4, 0.0)))
    result = reconstruct(cloud, **SETTINGS)
    small = np.linalg.norm(result.mesh.vertices - [1.3, 0.4, 0.0], axis=1)
    assert (small < 0.2).sum() > 20 and result.report["trim"]["closed"]


def test_a_length_is_kept_to_and_off_is_off():
    cloud = ball()
    cloud = cloud.select(cloud.points[:, 2] < 0.9)
    near = reconstruct(cloud, trim=0.1, **SETTINGS)
    assert not near.report["trim"]["closed"] and near.report["trim"]["length"] == 0.1
    assert farthest(near.mesh, cloud) <= 0.1


def test_colors_scalars_and_labels_come_along_after_decimation():
    cloud = ball(8000)
    upper = cloud.points[:, 2] > 0
    noise = np.random.default_rng(3).normal(0, 0.05, len(cloud))
    painted = PointCloud(
        cloud.points,
        cloud.normals,
        np.where(upper[:, None], [[200, 10, 0]], [[0, 10, 200]]).astype(np.uint8),
        scalars={"height": cloud.points[:, 2] + noise, "class": np.where(upper, 6, 2), "unasked": noise},
    )
    result = reconstruct(painted, carry=["height", "class"], faces=2000, **SETTINGS)
    mesh, z = result.mesh, result.mesh.vertices[:, 2]
    assert result.report["attributes"] == ["colors", "height", "class"] == ["colors", *mesh.scalars]
    clear = np.abs(z) > 0.15  # further away than any point that is blended
    assert mesh.colors is not None and mesh.colors.dtype == np.uint8
    np.testing.assert_array_equal(mesh.colors[clear, 0], np.where(z[clear] > 0, 200, 0))
    np.testing.assert_array_equal(mesh.scalars["class"][clear], np.where(z[clear] > 0, 6, 2))
    assert np.abs(mesh.scalars["height"] - z).mean() < 0.03
    plain = reconstruct(painted, colors="off", **{**SETTINGS, "steps": 5})
    assert plain.mesh.colors is None and not plain.mesh.scalars
    with pytest.raises(UsageError, match="no scalar 'red' to carry; there are: height, class, unasked"):
        reconstruct(painted, carry="red", **SETTINGS)


def test_colors_of_a_mesh():
    cube = np.array([[x, y, z] for x in (-1.0, 1) for y in (-1.0, 1) for z in (-1.0, 1)])
    squares = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([t for a, b, c, d in squares for t in ((a, b, c), (a, c, d))])
    colors = (127.5 + 127.5 * cube).astype(np.uint8)
    result = reconstruct(TriangleMesh(cube, faces, None, colors), **{**SETTINGS, "steps": 300})
    mesh = result.mesh
    assert mesh.colors is not None and result.report["trim"]["closed"]
    assert np.abs(mesh.colors - (127.5 + 127.5 * mesh.vertices.clip(-1, 1))).max() < 10


def test_points_far_away_cost_no_resolution():
    cloud = ball()
    wild = np.random.default_rng(4).uniform(-300, 300, (20, 3))
    result = reconstruct(both(cloud, PointCloud(wild, wild / 300)), **SETTINGS)
    assert result.report["input"]["far_points"] == 20
    assert "20 of 5,020 points lie far from all others and were left out" in result.report["notes"]
    assert result.report["frame"]["scale"] == pytest.approx(1 / 0.95, rel=0.01)


def test_a_long_thin_part_is_not_far_away():
    cloud = ball(20_000)
    t = np.linspace(1, 8, 80)  # 0.4 % of the points
    antenna = np.column_stack([t, 0.01 * np.cos(40 * t), 0.01 * np.sin(40 * t)])
    normals = np.column_stack([0 * t, np.cos(40 * t), np.sin(40 * t)])
    result = reconstruct(both(cloud, PointCloud(antenna, normals)), **{**SETTINGS, "steps": 5})
    assert result.report["input"]["far_points"] == 0


@pytest.mark.parametrize("source", ["file", "sensors"])
def test_normals_that_are_not_there_are_refused(source):
    with pytest.raises(UsageError, match=f"the input .*: omit --normals {source}"):
        reconstruct(PointCloud(ball().points), normals=source, **SETTINGS)


@pytest.mark.parametrize(
    ("source", "used"),
    [("auto", "file"), ("file", "file"), ("sensors", "sensors"), ("estimate", "estimate")],
)
def test_normals_are_taken_from_where_they_are_asked(source, used):
    cloud = ball(2000)
    cloud = PointCloud(cloud.points, cloud.normals, None, 10 * cloud.points)
    result = reconstruct(cloud, normals=source, **{**SETTINGS, "steps": 60})
    assert result.report["input"]["normals_from"] == used


def test_a_real_range_map_is_a_sheet_and_a_scan_all_around_is_closed(data_dir):
    settings = {**SETTINGS, "steps": 200, "resolution": 128}
    sheet = reconstruct(data_dir / "rangemaps" / "meshlab_lato000.ply", **settings)
    points = read_geometry(data_dir / "rangemaps" / "meshlab_lato000.ply").vertices
    trim = sheet.report["trim"]
    assert not trim["closed"] and 0.35 < trim["removed"] < 0.65
    assert KDTree(points).query(sheet.mesh.vertices)[0].max() <= trim["length"] + 1
    solid = reconstruct(data_dir / "scans" / "rocker-arm.ply", **settings)
    assert solid.report["trim"]["closed"] and solid.report["trim"]["length"] is None

"""Malformed and awkward files: each loads, or is refused in one line that names it."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.errors import MissingBackend, UnreadableInput, UnusableGeometry, UsageError
from sasnet_sdf.geometry import PointCloud, TriangleMesh
from sasnet_sdf.io import read_cloud, read_geometry, write_cloud
from sasnet_sdf.io.formats import extensions
from sasnet_sdf.io.validate import validated
from sasnet_sdf.runtime.system import held_bytes

READABLE = extensions("cloud", "mesh")


@pytest.fixture(scope="module")
def folder(data_dir):
    return data_dir / "broken"


@pytest.fixture(scope="module")
def expectations(folder):
    """What EXPECT_public.tsv says of the files that are clouds or meshes."""
    lines = (folder / "EXPECT_public.tsv").read_text(encoding="utf-8").splitlines()[1:]
    rows = dict(line.split("\t") for line in lines)
    rows = {k: v for k, v in rows.items() if k.endswith(READABLE) and "volume" not in k}
    assert len(rows) > 30
    return rows


def test_whole_files_hold_the_same_oriented_points(folder, expectations):
    reference = read_cloud(folder / "ok_plain.ply")
    assert reference.points.shape == reference.normals.shape == (2000, 3)
    same = [name for name, expected in expectations.items() if "same" in expected]
    assert len(same) >= 11
    for name in same:
        cloud, notes = validated(read_geometry(folder / name), folder / name)
        np.testing.assert_allclose(cloud.points, reference.points, rtol=1e-6, atol=1e-7, err_msg=name)
        np.testing.assert_allclose(cloud.normals, reference.normals, atol=1e-6, err_msg=name)
        assert notes == []


def test_other_whole_files(folder):
    assert read_cloud(folder / "ok_no_normals.ply").normals is None
    points = read_cloud(folder / "ok_duplicates_x3.ply").points
    assert len(points) == 6000 and len(np.unique(points, axis=0)) == 2000
    tiny = validated(read_geometry(folder / "ok_tiny_scale.ply"), "tiny")[0].points
    plain = read_cloud(folder / "ok_plain.ply").points
    np.testing.assert_allclose(tiny * 1e6, plain, rtol=1e-5, atol=1e-6)


def test_what_must_fail_fails_in_one_line_that_names_the_file(folder, expectations):
    failing = [name for name, e in expectations.items() if e.startswith(("fail", "clear failure"))]
    assert len(failing) >= 13
    for name in failing:
        with pytest.raises((UnreadableInput, UnusableGeometry)) as caught:
            validated(read_geometry(folder / name), folder / name)
        assert name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name, words",
    [
        ("bad_truncated_binary.ply", "826 of the 2000 vertices"),
        ("bad_header_only.ply", "0 of the 2000 vertices"),
        ("bad_count_2e9.ply", "of the 2000000000 vertices"),
        ("bad_negative_count.ply", "-5 vertices"),
        ("bad_unknown_format.ply", "binary_middle_endian"),
        ("bad_empty.ply", "empty"),
        ("bad_png_named.ply", "not a PLY file"),
        ("bad_ragged.xyz", "line 51 has 2 values"),
        ("bad_word.xyz", "line 51: 'oops'"),
        ("bad_truncated.pcd", "of the 2000 points"),
        ("assimp_malformed.obj", "vertex 12, there are 8"),
        ("assimp_invalid.off", "at least 4"),
        ("trimesh_empty.stl", "no triangles"),
    ],
)
def test_the_message_says_what_is_wrong(folder, name, words):
    with pytest.raises(UnreadableInput, match=words):
        read_geometry(folder / name)


def test_what_cannot_be_used_is_left_out_and_said(folder):
    cloud, notes = validated(read_geometry(folder / "bad_nan_1pct.ply"), "scan.ply")
    assert len(cloud) == 1980 and np.isfinite(cloud.points).all()
    assert notes == ["20 of 2000 points are not finite and were left out"]
    cloud, notes = validated(read_geometry(folder / "bad_zero_normals.ply"), "scan.ply")
    assert len(cloud) == 2000 and cloud.normals is None
    assert len(notes) == 1 and "normals" in notes[0]


def test_every_file_loads_or_is_refused(folder):
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in READABLE]
    loaded = 0
    for path in files:
        try:
            geometry, _ = validated(read_geometry(path), path)
        except (UnreadableInput, UnusableGeometry) as error:
            assert path.name in str(error) and "\n" not in str(error)
            continue
        except MissingBackend as error:
            assert "pip install" in str(error) and path.suffix == ".las"
            continue
        loaded += 1
        points = geometry.points if isinstance(geometry, PointCloud) else geometry.vertices
        assert points.dtype == np.float64 and np.isfinite(points).all()
        if isinstance(geometry, TriangleMesh):
            assert geometry.faces.dtype == np.int64 and geometry.faces.min() >= 0
            assert geometry.faces.max() < len(points)
    assert loaded >= 40


@pytest.mark.parametrize(
    "name, vertices, triangles",
    [
        ("assimp_cube_binary_starts_with_nl.ply", 8, 12),
        ("trimesh_comments.off", 8, 12),
        ("trimesh_whitespace.off", 8, 12),
        ("trimesh_negative_indices.obj", 8, 12),
        ("trimesh_origin_inside.STL", 16, 28),
        ("trimesh_polygonfaces.obj", 5, 3),
        ("trimesh_sphere.ply", 642, 1280),
    ],
)
def test_meshes_keep_their_shared_vertices(folder, name, vertices, triangles):
    mesh = read_geometry(folder / name)
    assert isinstance(mesh, TriangleMesh)
    assert (len(mesh.vertices), len(mesh.faces)) == (vertices, triangles)


def test_real_scans(data_dir):
    bunny = read_cloud(data_dir / "scans" / "bunny.ply")
    assert len(bunny) == 150_000 and len(np.unique(bunny.sensors, axis=0)) == 12
    room = read_cloud(data_dir / "rangemaps" / "o3d_livingroom_5cm_fragment_000.ply")
    assert len(room) == 5028 and room.normals is not None and room.colors.std() > 10
    map_of_faces = read_geometry(data_dir / "rangemaps" / "meshlab_lato000.ply")
    assert isinstance(map_of_faces, TriangleMesh) and len(map_of_faces.faces) == 86_766
    kinect = read_cloud(data_dir / "rangemaps" / "pcl_kinect_capture0001.pcd")
    assert len(kinect) == 249_647 and np.isfinite(kinect.points).all()
    assert np.linalg.norm(np.ptp(kinect.points, axis=0)) < 20
    assert kinect.sensors is not None and not kinect.sensors.any()
    assert kinect.notes == ("57553 of 307200 rows hold no measurement and were left out",)
    assert len(read_cloud(data_dir / "lidar" / "isprs_samp11-utm.pcd")) == 38_010


def test_a_file_that_comes_whole_is_refused_where_max_memory_is_less(tmp_path):
    rows = np.random.default_rng(0).normal(size=(20_000, 3))
    (tmp_path / "scan.obj").write_text("".join("v {:.6f} {:.6f} {:.6f}\n".format(*row) for row in rows))
    np.savez_compressed(tmp_path / "zeros.npz", points=np.zeros((100_000, 3)))
    few = held_bytes() + (4 << 20)
    for name in ("scan.obj", "zeros.npz"):
        with pytest.raises(
            UsageError, match=rf"{name}: reading it needs about [0-9.]+[MG], more than the [0-9.]+[MG]"
        ):
            read_geometry(tmp_path / name, max_memory=few)
    assert len(read_geometry(tmp_path / "scan.obj", max_memory=few + (1 << 30))) == 20_000
    write_cloud(tmp_path / "scan.ply", PointCloud(rows))
    assert len(read_geometry(tmp_path / "scan.ply", max_memory=few)) == 20_000

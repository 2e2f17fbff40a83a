"""Thinning: at most so many points, one per voxel, the same however they come."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sasnet_sdf.errors import UnreadableInput, UsageError
from sasnet_sdf.geometry import PointCloud, TriangleMesh
from sasnet_sdf.io import read_cloud, read_geometry, write_cloud, write_mesh
from sasnet_sdf.io.thinning import default_max_points, thin, thinned
from sasnet_sdf.io.validate import validated


def sphere(count, seed=0, offset=0.0):
    points = np.random.default_rng(seed).normal(size=(count, 3))
    normals = points / np.linalg.norm(points, axis=1, keepdims=True)
    rows = np.arange(count)
    return PointCloud(
        normals + offset,
        normals,
        np.stack([rows % 256, rows // 256 % 256, rows % 7], axis=1).astype(np.uint8),
        normals * 3 + offset,
        {"row": rows.astype(np.float64)},
    )


def pieces_of(cloud, size):
    for start in range(0, len(cloud), size):
        part = slice(start, start + size)
        yield dict(zip("xyz", cloud.points[part].T, strict=True)) | {"row": cloud.scalars["row"][part]}


def edges_in(notes):
    return [float(edge) for edge in notes[-1].rpartition(" of ")[2].split(" x ")]


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 800), st.integers(0, 5))
def test_the_number_kept_and_what_is_kept(count, most, size, seed):
    cloud = sphere(count, seed)
    notes = []
    kept = thin(pieces_of(cloud, size), Path("scan"), most, notes)
    rows = kept["row"].astype(int)
    assert len(rows) <= most
    assert (np.diff(rows) > 0).all() and np.array_equal(kept["x"], cloud.points[rows, 0])
    if count <= most:
        assert len(rows) == count and notes == []
        return
    assert len(rows) >= most / 2
    assert notes[0].startswith(f"thinned from {count} to {len(rows)} points: one per voxel of ")
    # the note has three digits of them
    assert len(notes) == 1 and max(edges_in(notes)) <= 2.01 * min(edges_in(notes))
    other = thin(pieces_of(cloud, count), Path("scan"), most, [])
    assert np.array_equal(other["row"], kept["row"])
    assert np.array_equal(thinned(cloud, most).scalars["row"], kept["row"])


def test_attributes_are_those_of_the_point_that_is_kept():
    cloud = sphere(20_000, offset=np.array([5e6, 6e5, 0]))
    some = thinned(cloud, 2000)
    rows = some.scalars["row"].astype(int)
    for name in ("points", "normals", "colors", "sensors"):
        assert np.array_equal(getattr(some, name), getattr(cloud, name)[rows])
    assert thinned(cloud, 20_000) is cloud


def test_one_point_a_voxel_and_every_voxel_has_one():
    cloud = sphere(20_000)
    some = thinned(cloud, 3000)
    exponents = np.rint(np.log2(edges_in(some.notes)))
    offsets = np.where(exponents % 2, 2 / 3, 1 / 3)
    kept, everything = (np.floor(points / 2.0**exponents + offsets) for points in (some.points, cloud.points))
    assert len(np.unique(kept, axis=0)) == len(np.unique(everything, axis=0)) == len(some)
    _, first = np.unique(everything, axis=0, return_index=True)
    assert np.array_equal(np.sort(first), some.scalars["row"])


def test_outliers_and_points_that_coincide():
    cloud = sphere(20_000)
    far = cloud.points.copy()
    far[::1000] *= 1e12
    assert len(thinned(PointCloud(far), 4000)) >= 2000
    assert 95 <= len(thinned(PointCloud(np.repeat(cloud.points[:100], 50, axis=0)), 1000)) <= 100
    assert len(thinned(PointCloud(np.zeros((5000, 3))), 10)) == 1


def test_points_that_are_not_finite_are_left_out_and_said():
    cloud = sphere(5000)
    points = cloud.points.copy()
    points[[3, 7, 11], [0, 1, 2]] = np.nan, np.inf, -np.inf
    some, notes = validated(thinned(PointCloud(points), 1000), "scan")
    assert np.isfinite(some.points).all()
    assert notes[0] == "3 of 5000 points are not finite and were left out"
    assert notes[1].startswith("thinned from 5000 to ") and len(notes) == 2


@pytest.mark.parametrize("order", ["C", "F"])
def test_files_that_come_whole_are_cut_into_pieces(tmp_path, order):
    """More rows than the sieve's table can take."""
    path = tmp_path / "cloud.npy"
    np.save(path, np.asarray(np.random.default_rng(0).random((600_000, 3)), order=order))
    assert 5000 <= len(read_geometry(path, max_points=10_000)) <= 10_000


def test_points_that_come_three_times(tmp_path):
    points = np.repeat(sphere(20_000).points, 3, axis=0)
    assert 2500 <= len(thinned(PointCloud(points), 5000)) <= 5000
    assert len(thinned(PointCloud(points), 40_000)) >= 19_000


def test_at_least_one_point():
    with pytest.raises(UsageError, match="at least one"):
        thinned(sphere(10), 0)


def test_memory_says_how_many():
    assert default_max_points(16 * 10**9) == 16_000_000
    assert default_max_points(0) == 100_000


def write_text(path, cloud):
    np.savetxt(path, np.hstack([cloud.points, cloud.colors]), fmt="%.17g")


def write_pcd(path, cloud):
    count = len(cloud)
    head = f"FIELDS x y z row\nSIZE 8 8 8 8\nTYPE F F F F\nWIDTH {count}\nPOINTS {count}\nDATA binary\n"
    path.write_bytes(head.encode() + np.column_stack([cloud.points, cloud.scalars["row"]]).tobytes())


def write_npy(path, cloud):
    np.save(path, np.hstack([cloud.points, cloud.normals]))


def write_npz(path, cloud):
    np.savez(path, points=cloud.points, row=cloud.scalars["row"])


def write_las(path, cloud):
    laspy = pytest.importorskip("laspy", reason="laspy is not installed (the lidar extra)")
    data = laspy.create(point_format=3)
    data.header.scales = np.full(3, 1e-9)
    data.x, data.y, data.z = cloud.points.T
    data.write(str(path))


WRITERS = {
    "cloud.ply": write_cloud,
    "cloud.xyz": write_text,
    "cloud.pcd": write_pcd,
    "cloud.npy": write_npy,
    "cloud.npz": write_npz,
    "cloud.las": write_las,
    "cloud.laz": write_las,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_keeps_the_same_points_as_in_memory(tmp_path, monkeypatch, name):
    for room in ("columns", "rows", "las"):
        monkeypatch.setattr(f"sasnet_sdf.io.{room}.PIECE", 700)
    path = tmp_path / name
    WRITERS[name](path, sphere(5000))
    whole = read_cloud(path)
    some = read_geometry(path, max_points=1000)
    expected = thinned(whole, 1000)
    assert isinstance(some, PointCloud) and 500 <= len(some) <= 1000
    for attribute in ("points", "normals", "colors", "sensors"):
        found, wanted = getattr(some, attribute), getattr(expected, attribute)
        assert (found is None) == (wanted is None) and (found is None or np.array_equal(found, wanted))
    assert list(some.scalars) == list(expected.scalars)
    assert some.notes == expected.notes and "thinned from 5000 to " in some.notes[-1]
    assert read_geometry(path, max_points=5000).notes == whole.notes


def test_meshes_are_not_thinned(tmp_path):
    mesh = TriangleMesh(np.eye(3), np.array([[0, 1, 2]]))
    write_mesh(tmp_path / "mesh.ply", mesh)
    assert len(read_geometry(tmp_path / "mesh.ply", max_points=1).vertices) == 3


def test_faults_are_found_while_thinning(tmp_path):
    path = tmp_path / "cloud.xyz"
    write_text(path, sphere(2000))
    with path.open("a") as file:
        file.write("1 2 three 4 5 6\n")
    with pytest.raises(UnreadableInput, match="line 2001: 'three'"):
        read_geometry(path, max_points=100)

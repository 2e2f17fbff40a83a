"""Geometry is made fit for use or refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sasnet_sdf.errors import UnreadableInput, UnusableGeometry
from sasnet_sdf.geometry import PointCloud, TriangleMesh
from sasnet_sdf.io.validate import validated

DIRECTIONS = np.random.default_rng(0).normal(size=(200, 3))
DIRECTIONS /= np.linalg.norm(DIRECTIONS, axis=1, keepdims=True)
SPHERE = PointCloud(DIRECTIONS * 3, DIRECTIONS, sensors=DIRECTIONS * 9)
TETRAHEDRON = TriangleMesh(
    np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]),
)


@pytest.mark.parametrize("scale, offset", [(1, 0), (1e-6, 0), (1e6, 0), (1e-60, 0), (1, 5e6), (1e-3, 5e6)])
def test_good_clouds_stay_as_they_are(scale, offset):
    cloud = replace(SPHERE, points=SPHERE.points * scale + offset)
    found, notes = validated(cloud, "scan.ply")
    assert notes == [] and np.array_equal(found.points, cloud.points)
    np.testing.assert_allclose(found.normals, SPHERE.normals, atol=1e-15)


def test_points_that_are_not_finite_are_counted_and_left_out():
    points = SPHERE.points.copy()
    points[::10, 1], points[5, 2] = np.nan, np.inf
    found, notes = validated(replace(SPHERE, points=points), "scan.ply")
    assert len(found) == len(found.normals) == 179
    assert notes == ["21 of 200 points are not finite and were left out"]


@pytest.mark.parametrize("length", [1e-300, 1e-200, 1e-6, 7.0, 1e200])
def test_normals_are_normalized(length):
    found, notes = validated(replace(SPHERE, normals=SPHERE.normals * length), "scan.ply")
    assert notes == []
    np.testing.assert_allclose(found.normals, SPHERE.normals, atol=1e-12)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_few_bad_normals_cost_their_points_and_many_cost_the_normals(bad):
    normals = SPHERE.normals.copy()
    normals[:10] = bad
    found, notes = validated(replace(SPHERE, normals=normals), "scan.ply")
    assert len(found) == 190 and np.allclose(np.linalg.norm(found.normals, axis=1), 1)
    assert len(notes) == 1 and notes[0].startswith("10 of 200 points were left out")
    normals[:11] = bad
    found, notes = validated(replace(SPHERE, normals=normals), "scan.ply")
    assert len(found) == 200 and found.normals is None
    assert len(notes) == 1 and "all normals were ignored" in notes[0]


def test_sensors_that_are_not_finite():
    sensors = SPHERE.sensors.copy()
    sensors[:50] = np.nan
    found, notes = validated(replace(SPHERE, sensors=sensors), "scan.ply")
    assert found.sensors is None and len(found) == 200 and "sensors" in notes[0]


LINE = np.linspace(0, 1, 50)[:, None] * [1.0, 2.0, -3.0]


@pytest.mark.parametrize(
    "points, message",
    [
        (np.empty((0, 3)), "usable points: 0"),
        (SPHERE.points[:9], "usable points: 9; at least 10"),
        (np.full((50, 3), np.nan), "none of its 50 points is finite"),
        (np.full((50, 3), 7.1), "all its 50 points are equal"),
        (np.zeros((50, 3)), "all its 50 points are equal"),
        (LINE, "on one line"),
        (LINE.astype(np.float32).astype(float) * 1e6, "on one line"),
        (LINE * 1e-8 + 5, "on one line"),
        (SPHERE.points * 1e200, "not those of a scan"),
        (SPHERE.points * 1e-200, "not those of a scan"),
        (SPHERE.points * 5e307, "not those of a scan"),
    ],
)
def test_clouds_that_cannot_carry_a_surface(points, message):
    with pytest.raises(UnusableGeometry, match=f"scan.ply: .*{message}"):
        validated(PointCloud(points), "scan.ply")


def test_a_flat_cloud_and_duplicates_are_let_through():
    flat = SPHERE.points * [1, 1, 0]
    assert len(validated(PointCloud(np.repeat(flat, 3, axis=0)), "scan.ply")[0]) == 600


def test_split_vertices_are_welded_and_unused_ones_dropped():
    split = TriangleMesh(
        np.vstack([TETRAHEDRON.vertices[TETRAHEDRON.faces].reshape(-1, 3), [[99, 99, 99]]]),
        np.arange(12).reshape(-1, 3),
        colors=np.zeros((13, 3), np.uint8),
    )
    mesh, notes = validated(split, "mesh.ply")
    assert notes == [] and mesh.vertices.shape == mesh.colors.shape == (4, 3)
    assert np.array_equal(mesh.vertices[mesh.faces], TETRAHEDRON.vertices[TETRAHEDRON.faces])


def test_degenerate_and_broken_faces_are_left_out():
    faces = np.vstack([TETRAHEDRON.faces, [[0, 0, 1]], [[1, 2, 4]]])
    vertices = np.vstack([TETRAHEDRON.vertices, [[np.nan, 0, 0]]])
    mesh, notes = validated(TriangleMesh(vertices, faces), "mesh.ply")
    assert len(mesh.faces) == 4 and len(mesh.vertices) == 4
    assert notes == [
        "1 of 6 faces have vertices that are not finite: left out",
        "1 of 6 faces are degenerate and were left out",
    ]


def test_a_flat_face_that_closes_the_mesh_stays():
    """A vertex on the edge 1-2, and the face without area that joins it to the face on the other side."""
    vertices = np.vstack([TETRAHEDRON.vertices, [[0.5, 0.5, 0]]])
    faces = np.array([[0, 2, 4], [0, 4, 1], [1, 4, 2], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    mesh, notes = validated(TriangleMesh(vertices, faces), "mesh.ply")
    assert notes == [] and len(mesh.faces) == 6


@pytest.mark.parametrize("outside", [-1, 4, 10**12])
def test_faces_without_vertices_are_unreadable(outside):
    faces = np.vstack([TETRAHEDRON.faces, [[0, 1, outside]]])
    with pytest.raises(UnreadableInput, match=rf"mesh.ply: a face names vertex {outside} .*there are 4"):
        validated(TriangleMesh(TETRAHEDRON.vertices, faces), "mesh.ply")


@pytest.mark.parametrize(
    "vertices, faces, message",
    [
        (TETRAHEDRON.vertices, np.empty((0, 3), np.int64), "without faces"),
        (TETRAHEDRON.vertices, [[0, 0, 1]], "no face"),
        (TETRAHEDRON.vertices * np.nan, [[0, 1, 2]], "no face"),
        ([[0, 0, 0], [1, 0, 0], [2, 0, 0]], [[0, 1, 2]], "on one line"),
    ],
)
def test_meshes_that_cannot_carry_a_surface(vertices, faces, message):
    with pytest.raises(UnusableGeometry, match=message):
        validated(TriangleMesh(np.array(vertices, float), np.array(faces)), "mesh.ply")


def test_what_the_reader_said_comes_first():
    points = SPHERE.points.copy()
    points[0] = np.nan
    _, notes = validated(replace(SPHERE, points=points, notes=("read from a scan",)), "scan.las")
    assert notes == ["read from a scan", "1 of 200 points are not finite and were left out"]


@pytest.mark.parametrize("offset, kept", [(0, True), (900, True), (1200, False), (5e6, False)])
def test_a_sensor_at_zero_far_away_is_one_that_nobody_filled_in(offset, kept):
    cloud = replace(SPHERE, points=SPHERE.points + [offset, 0, 0], sensors=np.zeros((200, 3)))
    found, notes = validated(cloud, "scan.ptx")
    assert len(found) == 200 and (found.sensors is not None) == kept
    assert len(notes) == (0 if kept else 1)


def test_scalars_of_a_mesh_go_with_its_vertices():
    soup = TriangleMesh(
        np.concatenate([TETRAHEDRON.vertices[TETRAHEDRON.faces].reshape(-1, 3), [[9.0, 9, 9]]]),
        np.arange(12).reshape(4, 3),
        scalars={"corner": np.append(TETRAHEDRON.faces.ravel(), 99)},
    )
    mesh, _ = validated(soup, "mesh.ply")
    assert len(mesh.vertices) == 4
    assert np.array_equal(TETRAHEDRON.vertices[mesh.scalars["corner"]], mesh.vertices)

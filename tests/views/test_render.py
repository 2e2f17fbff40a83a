"""The renderer: what it covers, what the camera frames, which side is up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from sasnet_sdf.geometry import PointCloud, TriangleMesh
from sasnet_sdf.views.render import Camera, picture, render, vertex_normals


def covered(image):
    return (image < 255).any(2)


def test_sphere_covers_its_disc(sphere):
    camera = Camera.framing(sphere.vertices, 30, 20, 400, 300)
    area = np.pi * 2.0**2 * camera.scale**2
    assert covered(render(sphere, camera)).sum() == pytest.approx(area, rel=0.01)


def test_sphere_is_in_the_middle_with_a_margin(sphere):
    camera = Camera.framing(sphere.vertices, 30, 20, 400, 300)
    rows, columns = np.nonzero(covered(render(sphere, camera)))
    assert np.ptp(rows) == pytest.approx(0.92 * 300, abs=2)
    assert rows.mean() == pytest.approx(150, abs=1)
    assert columns.mean() == pytest.approx(200, abs=1)


@pytest.mark.parametrize("up", [0, 1, 2])
@pytest.mark.parametrize("angles", [(0, 0), (-70, 22), (200, 90), (45, -60)])
def test_camera_frames_all(angles, up):
    points = np.random.default_rng(0).normal(size=(500, 3)) * [5, 1, 0.2] + [100, 0, -7]
    for camera in (Camera.framing(points, *angles, 300, 200, up), Camera.fitted(points, *angles, 300, up)):
        seen = camera.project(points)[:, :2]
        assert (seen > 0).all()
        assert (seen < [camera.width, camera.height]).all()
        np.testing.assert_allclose(camera.rotation @ camera.rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(camera.rotation) == pytest.approx(1)


@pytest.mark.parametrize("up", [0, 1, 2])
def test_up_is_up(up):
    points = np.zeros((2, 3))
    points[1, up] = 1.0
    below, above = Camera.framing(points, -70, 22, 100, 100, up).project(points)
    assert above[1] < below[1]
    assert above[0] == pytest.approx(below[0])


def test_fitted_camera_takes_the_outline():
    box = np.array([[0, 0, 0], [0, 4, 0], [0, 0, 3.0]])
    camera = Camera.fitted(box, 0, 0, 400)
    assert (camera.width, camera.height) == (400, 300)
    needle = Camera.fitted(box * [1, 0, 1], 0, 0, 400)
    assert (needle.width, needle.height) == (200, 400)


def test_nearer_triangle_hides_the_farther():
    square = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0.0]])
    vertices = np.concatenate([square, square * 0.5 + [0, 0, 1]])
    faces = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    colors = np.repeat(np.array([[255, 0, 0], [0, 0, 255]], np.uint8), 4, 0)
    mesh = TriangleMesh(vertices, faces, colors=colors)
    image = render(mesh, Camera.framing(vertices, 0, 90, 100, 100), relief=0)
    np.testing.assert_allclose(image[50, 50], [0, 0, 255])
    np.testing.assert_allclose(image[50, 15], [255, 0, 0])
    below = render(mesh, Camera.framing(vertices, 0, -90, 100, 100), relief=0)
    np.testing.assert_allclose(below[50, 50], [255, 0, 0])


def test_relief_is_a_share_of_the_light(sphere):
    camera = Camera.framing(sphere.vertices, 30, 20, 100, 100)
    gray = replace(sphere, colors=np.full(sphere.vertices.shape, 100, np.uint8))
    flat, half, full = (render(gray, camera, relief=relief) for relief in (0, 0.5, 1))
    np.testing.assert_allclose(flat[covered(flat)], 100)
    np.testing.assert_allclose(half, (flat + full) / 2)


def test_vertex_normals_of_a_sphere_are_radial(sphere):
    radial = (sphere.vertices - [5.0, -3.0, 1.0]) / 2
    assert (vertex_normals(sphere.vertices, sphere.faces) * radial).sum(1).min() > 0.999


def test_clouds_are_discs_of_their_color():
    cloud = PointCloud(np.array([[0, 0, 0], [0, 0, 1.0]]), colors=np.array([[9, 9, 9], [90, 9, 9]], np.uint8))
    camera = Camera.framing(cloud.points, 0, 0, 100, 100)
    image = render(cloud, camera, spot=3.0, relief=0)
    assert covered(image).sum() == pytest.approx(2 * np.pi * 9, rel=0.15)
    np.testing.assert_allclose(image[4, 50], [90, 9, 9])


def test_picture_has_the_documented_size(sphere):
    image = picture([PointCloud(sphere.vertices), sphere], -70, 22, 50)
    assert isinstance(image, Image.Image)
    assert image.size == (2 * 43, 50)

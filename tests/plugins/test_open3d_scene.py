"""The field is asked as a RaycastingScene is: the same shapes and types go in and come out."""

from __future__ import annotations

import numpy as np
import pytest

import sasnet_sdf
from sasnet_open3d import FieldScene

METHODS = ("compute_signed_distance", "compute_distance", "compute_occupancy")


@pytest.fixture(scope="module")
def field(small_cloud):
    settings = {"preset": "fast", "steps": 120, "resolution": 32, "device": "cpu"}
    return sasnet_sdf.reconstruct(small_cloud, **settings).field


@pytest.fixture(scope="module")
def native(o3d):
    """A RaycastingScene with the sphere that the field was trained on."""
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(o3d.t.geometry.TriangleMesh.create_sphere(2.0, 40))
    return scene


@pytest.mark.parametrize("shape", [(7, 3), (2, 5, 3), (4, 3, 2, 3), (0, 3), (1, 3)])
@pytest.mark.parametrize("method", METHODS)
def test_shapes_and_types_are_those_of_a_raycasting_scene(o3d, field, native, method, shape):
    scene = FieldScene(field)
    points = np.random.default_rng(0).uniform(-2, 2, shape).astype(np.float32)
    for query in (points, o3d.core.Tensor(points)):
        ours, theirs = getattr(scene, method)(query), getattr(native, method)(query)
        assert isinstance(ours, o3d.core.Tensor)
        assert (ours.shape, ours.dtype, ours.device) == (theirs.shape, theirs.dtype, theirs.device)


def test_values_are_those_of_the_field(o3d, field):
    scene = FieldScene(field)
    points = np.random.default_rng(1).uniform(-3, 3, (5, 40, 3))
    expected = field.distance(points.reshape(-1, 3)).reshape(5, 40)
    assert (expected < 0).any() and (expected > 0).any()
    signed = scene.compute_signed_distance(points, nthreads=2, nsamples=3)
    np.testing.assert_array_equal(signed.numpy(), expected.astype(np.float32))
    distance = scene.compute_distance(o3d.core.Tensor(points), nthreads=2)
    np.testing.assert_array_equal(distance.numpy(), np.abs(expected).astype(np.float32))
    occupancy = scene.compute_occupancy(points, nthreads=2, nsamples=3).numpy()
    np.testing.assert_array_equal(occupancy, (expected < 0).astype(np.float32))


def test_both_agree_on_a_sphere_away_from_its_surface(field, native):
    directions = np.random.default_rng(2).normal(size=(200, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    radii = np.repeat([1.3, 3.0], 100)[:, None]
    points = (radii * directions).astype(np.float32)
    ours, theirs = FieldScene(field), native
    occupied = ours.compute_occupancy(points).numpy()
    np.testing.assert_array_equal(occupied, theirs.compute_occupancy(points).numpy())
    np.testing.assert_array_equal(occupied, np.repeat([1, 0], 100))
    gap = ours.compute_signed_distance(points).numpy() - theirs.compute_signed_distance(points).numpy()
    assert np.abs(gap).mean() < 0.5


def test_a_model_file_is_asked_as_the_field_is(o3d, field, tmp_path):
    field.save(tmp_path / "sphere.sasnet")
    points = np.random.default_rng(3).uniform(-3, 3, (50, 3)).astype(np.float32)
    kept, loaded = FieldScene(field), FieldScene(tmp_path / "sphere.sasnet")
    np.testing.assert_array_equal(
        kept.compute_signed_distance(points).numpy(), loaded.compute_signed_distance(points).numpy()
    )
    with pytest.raises(sasnet_sdf.UnreadableInput, match=r"none\.sasnet"):
        FieldScene(tmp_path / "none.sasnet")


@pytest.mark.parametrize("shape", [(3,), (4, 2), (3, 4)])
def test_other_shapes_are_refused_as_in_open3d(o3d, field, native, shape):
    points = np.zeros(shape, np.float32)
    with pytest.raises(RuntimeError):
        native.compute_signed_distance(points)
    with pytest.raises(sasnet_sdf.UsageError, match=r"must have the shape \{\.\.\., 3\}, found \("):
        FieldScene(field).compute_signed_distance(points)


@pytest.mark.parametrize("method", METHODS)
def test_a_point_that_is_not_finite_has_no_answer(o3d, field, method):
    points = np.array([[[0, 0, 0], [np.nan, 0, 0]], [[0, np.inf, 0], [5, 0, 0]]], np.float32)
    found = getattr(FieldScene(field), method)(points).numpy()
    assert np.isnan(found).tolist() == [[False, True], [True, False]]

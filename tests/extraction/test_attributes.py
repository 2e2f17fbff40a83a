"""Colors, amounts and labels of points, at places on and off them."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.extraction import Blend, blend
from sasnet_sdf.extraction.attributes import is_label
from sasnet_sdf.geometry import PointCloud
from sasnet_sdf.supervision.cloud import prepare_cloud


@pytest.fixture(scope="module")
def target():
    x, y = np.random.default_rng(0).uniform(-0.9, 0.9, (2, 10_000))
    points = np.stack([x, y, np.zeros_like(x)], 1)
    return prepare_cloud(PointCloud(points, np.tile([0.0, 0, 1], (len(points), 1))))[0]


def places(count: int = 2000) -> np.ndarray:
    return np.random.default_rng(1).uniform([-0.8, -0.8, -0.01], [0.8, 0.8, 0.01], (count, 3))


def test_noise_is_averaged_and_a_slope_kept(target):
    asked = places()
    noise = np.random.default_rng(2).normal(0, 10, len(target.points))
    found = blend({"a": 100 * target.points[:, 0] + noise}, lambda p: Blend.of_cloud(target, p), asked)["a"]
    assert found.dtype == np.float64
    assert abs((found - 100 * asked[:, 0]).mean()) < 0.5
    assert (found - 100 * asked[:, 0]).std() < 6


def test_an_edge_stays_sharp(target):
    asked = places()
    painted = np.where(target.points[:, :1] > 0, [[255, 0, 10]], [[0, 255, 10]]).astype(np.uint8)
    found = Blend.of_cloud(target, asked).mean(painted)
    clear = np.abs(asked[:, 0]) > 3 * np.median(target.spacing)
    np.testing.assert_allclose(found[clear], np.where(asked[clear, :1] > 0, [[255, 0, 10]], [[0, 255, 10]]))
    np.testing.assert_allclose(found[:, 2], 10)


def test_labels_are_not_averaged(target):
    classes = np.where(target.points[:, 0] > 0, 9, 2).astype(np.uint8)
    values = {"class": classes, "nine": classes == 9, "amount": classes.astype(float)}
    found = blend(values, lambda p: Blend.of_cloud(target, p), places(), chunk=300)
    assert found["class"].dtype == np.uint8 and set(np.unique(found["class"])) == {2, 9}
    np.testing.assert_array_equal(found["nine"], found["class"] == 9)
    assert len(np.unique(found["amount"])) > 2


def test_values_that_are_not_finite_do_not_count(target):
    values = np.where(np.arange(len(target.points)) % 3, 5.0, np.nan)
    values[target.points[:, 0] < -0.5] = np.nan
    asked = places()
    found = Blend.of_cloud(target, asked).mean(values)
    np.testing.assert_allclose(found[asked[:, 0] > -0.4], 5)
    assert np.isnan(found[asked[:, 0] < -0.6]).all()


def test_far_away_the_nearest_points_still_count(target):
    found = Blend.of_cloud(target, np.array([[0.5, 0.5, 100.0], [-0.5, 0.5, -1e6]])).mean(target.points)
    np.testing.assert_allclose(found[:, :2], [[0.5, 0.5], [-0.5, 0.5]], atol=0.05)


def test_a_mesh_is_interpolated_within_its_triangles():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
    faces = np.array([[0, 1, 2], [1, 3, 2]])
    asked = np.random.default_rng(0).uniform(0, 1, (100, 3))
    found = Blend.of_mesh(vertices, faces, asked).mean(vertices * [2.0, 3.0, 1.0])
    np.testing.assert_allclose(found, asked * [2, 3, 0], atol=1e-9)
    beyond = Blend.of_mesh(vertices, faces, np.array([[-1.0, -1, 1], [2, 0.5, 0]])).mean(vertices)
    np.testing.assert_allclose(beyond, [[0, 0, 0], [1, 0.5, 0]], atol=1e-9)


@pytest.mark.parametrize(
    ("values", "label"),
    [
        (np.arange(64), True),
        (np.arange(65), False),
        (np.array([True, False]), True),
        (np.zeros(3), False),
        (np.zeros((3, 3), np.uint8), False),
    ],
)
def test_labels_are_booleans_and_few_integers(values, label):
    assert is_label(values) is label or is_label(values) == label


def test_no_places_give_empty_arrays(target):
    found = blend({"a": np.zeros(len(target.points))}, lambda p: Blend.of_cloud(target, p), np.empty((0, 3)))
    assert found["a"].shape == (0,)

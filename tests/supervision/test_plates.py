"""Thin plates that were scanned on both sides."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.geometry import PointCloud
from sasnet_sdf.spatial import Tree
from sasnet_sdf.supervision.cloud import prepare_cloud
from sasnet_sdf.supervision.planes import in_layers, normals_of_plates, torn


@pytest.fixture
def plate(rng):
    """A plate 1 x 0.6 x 0.01, 0.008 between points: points and outward normals."""
    flat = np.stack(np.meshgrid(np.arange(0, 1, 0.008), np.arange(0, 0.6, 0.008)), -1).reshape(-1, 2)
    flat = np.concatenate([flat, flat]) + rng.uniform(-0.002, 0.002, (2 * len(flat), 2))
    side = np.repeat([-1.0, 1.0], len(flat) // 2)
    return np.column_stack([flat, 0.005 * side]), side[:, None] * [[0.0, 0, 1]]


def test_the_sides_of_a_plate(plate):
    points, normals = plate
    assert in_layers(points)
    assert ((normals_of_plates(points) * normals).sum(1) > 0.95).mean() > 0.99


@pytest.mark.parametrize("noise", [0, 0.004])
def test_other_shapes_are_not_plates(noise, rng):
    ball = rng.normal(size=(10_000, 3))
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    flat = np.column_stack([rng.random((10_000, 2)), np.zeros(10_000)])
    for points in (ball, flat):
        assert not in_layers(points + noise * rng.normal(size=points.shape))


@pytest.mark.parametrize("told_by", ["estimate", "file", "sensors"])
def test_a_plate_keeps_its_two_sides(told_by, plate, rng):
    points, normals = plate
    noisy = normals + 0.25 * rng.normal(size=points.shape)
    cloud = PointCloud(
        points,
        noisy / np.linalg.norm(noisy, axis=1, keepdims=True) if told_by == "file" else None,
        None,
        points + 3 * normals if told_by == "sensors" else None,
    )
    target, facts = prepare_cloud(cloud)
    right = (target.normals[:, 2] * target.points[:, 2]) > 0
    assert right.mean() > 0.99 and facts["normals_from"] == told_by
    assert "two layers" in facts["findings"][0].text


def test_walls_as_thin_as_the_noise_are_reported(plate, rng):
    points, normals = plate
    _, facts = prepare_cloud(PointCloud(points + 0.006 * rng.normal(size=points.shape), normals))
    assert "opposite sides" in facts["findings"][-1].text


def test_torn_normals(rng):
    flat = np.column_stack([rng.random((2000, 2)), np.zeros(2000)])
    tree = Tree.of(flat)
    lists, up = tree.neighbors(8)[0], np.tile([0.0, 0, 1], (2000, 1))
    assert torn(flat, up, lists) == 0
    assert torn(flat, up * rng.choice([-1, 1], (2000, 1)), lists) == pytest.approx(0.5, abs=0.05)

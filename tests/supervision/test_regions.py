"""Means over regions: what is averaged, and what is not."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.spatial import morton_order
from sasnet_sdf.supervision.noise import Regions

COUNT = 4000


@pytest.fixture(scope="module")
def points():
    points = np.random.default_rng(0).uniform(-1, 1, (COUNT, 3)) * [1, 1, 0]
    return points[morton_order(points)]


def test_a_linear_value_keeps_its_place(points):
    regions = Regions.of(points, np.tile([0.0, 0, 1], (COUNT, 1)))
    inner = np.abs(points).max(1) < 0.7
    means = regions.means(points[:, :2], 200)
    assert np.abs(means - points[:, :2])[inner].mean() < 0.05
    # 200 of 4000 points are a disc of radius 0.25; over the cloud's 2 x 2 the mean would be 0
    noise = np.random.default_rng(1).normal(size=(COUNT, 1))
    assert regions.means(noise, 200).std() == pytest.approx(1 / np.sqrt(200), rel=0.25)


def test_points_seen_from_the_other_side_do_not_count(points):
    left = points[:, :1] < 0
    facing = np.where(left, -1.0, 1.0) * np.array([0.0, 0, 1])
    values = np.where(left, 0.0, 1.0)
    near = (np.abs(points[:, 0]) > 0.05) & (np.abs(points[:, 0]) < 0.2)  # within half a region
    apart = np.abs(Regions.of(points, facing).means(values, 200) - values)[near].mean()
    alike = np.abs(Regions.of(points, np.abs(facing)).means(values, 200) - values)[near].mean()
    assert apart < 0.02 < 0.1 < alike  # runs that hold points of both sides blur a little


def test_infinite_values_are_left_out(points):
    values = np.random.default_rng(2).uniform(size=(COUNT, 1))
    values[::2] = np.inf
    regions = Regions.of(points, np.tile([0.0, 0, 1], (COUNT, 1)))
    assert regions.means(values, 400).mean() == pytest.approx(0.5, abs=0.02)
    values[np.arange(COUNT) % 8 > 0] = np.inf
    values[:8] = 0.5
    assert np.isinf(regions.means(values, 400)).all()

"""Units and digits."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.errors import UnusableGeometry
from sasnet_sdf.geometry import PointCloud
from sasnet_sdf.plausibility.examine import check_digits, check_units


@pytest.fixture
def points(rng):
    return rng.random((1000, 3))


def test_one_unit_for_all(points):
    assert check_units(PointCloud(points * [100, 50, 0.2]), "a") == []


def test_degrees_and_meters(points):
    cloud = PointCloud(points * [0.01, 0.01, 100] + [11.5, 48.1, 400])
    (found,) = check_units(cloud, "a")
    assert found.severity == "warning" and "degrees" in found.text


def test_a_side_in_other_units(points):
    (found,) = check_units(PointCloud(points * [1e5, 1, 1]), "a")
    assert "mixed" in found.text and "degrees" not in found.text


def test_a_geographic_reference_system(points):
    with pytest.raises(UnusableGeometry, match="a: x and y are degrees"):
        check_units(PointCloud(points, geographic=True), "a")


@pytest.mark.parametrize(("offset", "told"), [(0.0, False), (5e5, False), (5e6, True)])
def test_single_precision_far_from_the_origin(offset, told, points):
    """Steps of numbers at 5e5 are 1/32, at 5e6 a half; the points are 0.1 apart."""
    rounded = (points + offset).astype(np.float32).astype(float)
    assert bool(check_digits(rounded, 0.1)) == told
    assert check_digits(points + offset + 1e-4, 0.1) == []

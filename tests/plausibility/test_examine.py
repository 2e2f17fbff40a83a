"""What follows from the checks: what is believed, what is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sasnet_sdf.config import SupervisionConfig
from sasnet_sdf.errors import texts
from sasnet_sdf.geometry import Frame, PointCloud
from sasnet_sdf.plausibility import examined

UP = np.array([[0.0, 0, 1]])


def sensors_of(found) -> Any:
    assert isinstance(found.geometry, PointCloud)
    return found.geometry.sensors


def look(points, normals=None, sensors=None, **words):
    cloud = PointCloud(points, normals, None, sensors)
    found = examined(cloud, Frame.around(points), SupervisionConfig(**words), "a")
    return found


@pytest.mark.parametrize("shape", ["ellipsoid", "terrain", "plate"])
def test_true_normals_are_kept_without_findings(shape, shapes, rng):
    found = look(*shapes[shape](rng))
    assert found.geometry.normals is not None and not found.findings


@pytest.mark.parametrize("normals", ["auto", "file"])
def test_false_normals(normals, shapes, rng):
    points, sides = shapes["ellipsoid"](rng)
    signs = rng.choice([-1, 1], (len(points), 1))
    cloud = PointCloud(points, sides * signs)
    found = examined(cloud, Frame.around(points), SupervisionConfig(normals=normals), "a")
    assert (found.geometry.normals is None) == (normals == "auto")
    (text,) = texts(found.findings, "warning")
    assert "never oriented consistently" in text and ("--normals" in text) == (normals == "file")


@pytest.mark.parametrize(
    ("shape", "believed"), [("terrain", True), ("floors", True), ("ellipsoid", False), ("plate", False)]
)
def test_one_normal_for_all(shape, believed, shapes, rng):
    points, _ = shapes[shape](rng)
    found = look(points, np.repeat(UP, len(points), 0))
    assert (found.geometry.normals is not None) == believed
    assert bool(texts(found.findings, "warning")) != believed


def test_a_room_by_its_normals_or_its_sensors(shapes, rng):
    points, normals = shapes["room"](rng)
    for found in (look(points, normals), look(points, None, np.zeros_like(points))):
        assert not texts(found.findings, "warning")
        assert "room" in texts(found.findings, "note")[0]


def test_sensors_that_others_hide_points_from(shapes, rng):
    points, _ = shapes["ellipsoid"](rng)
    found = look(points, None, np.broadcast_to([3.0, 0, 0], points.shape))
    assert sensors_of(found) is None
    assert "cannot have seen" in texts(found.findings, "warning")[0]


def test_a_sensor_at_the_origin_that_was_never_set(shapes, rng):
    points, _ = shapes["ellipsoid"](rng)
    found = look(points, None, np.zeros_like(points))
    assert sensors_of(found) is None
    assert "never set" in texts(found.findings, "warning")[0]


def test_a_sensor_in_the_plane_of_a_terrain(shapes, rng):
    points, _ = shapes["terrain"](rng)
    points[:, 2] *= 0.2
    found = look(points, None, np.broadcast_to([1.0, 0, 0], points.shape))
    assert "edge on" in texts(found.findings, "warning")[0]


@pytest.mark.parametrize(
    ("shape", "seen"),
    [("terrain", "up"), ("room", "viewpoint"), ("ellipsoid", None), ("plate", None), ("slab", None)],
)
def test_bare_clouds(shape, seen, shapes, rng):
    points, _ = shapes[shape](rng)
    found = look(points)
    assert found.outside_from == seen
    assert bool(texts(found.findings, "note")) == (seen is not None)
    assert not texts(found.findings, "warning")


def test_settings_come_before_the_file(shapes, rng):
    points, normals = shapes["ellipsoid"](rng)
    found = look(points, normals, up=(0.0, 0.0, -1.0))
    assert found.outside_from == "up" and found.geometry.normals is None
    assert ((sensors_of(found) - points)[:, 2] < 0).all()
    found = look(points, normals, viewpoint=(0.0, 0.0, 9.0))
    assert found.outside_from == "viewpoint" and np.array_equal(sensors_of(found)[:1], [[0, 0, 9]])


def test_few_points_give_no_findings(shapes, rng):
    points, normals = shapes["ellipsoid"](rng, 40)
    assert look(points, -normals).findings == []

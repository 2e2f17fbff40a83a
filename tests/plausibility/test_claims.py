"""Normals and sensors against the points."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.geometry import Frame
from sasnet_sdf.plausibility.claims import SEEN_FROM_BOTH, check_normals, inward, seen_from_both, turned


@pytest.mark.parametrize("shape", ["ellipsoid", "terrain", "room", "plate"])
@pytest.mark.parametrize("noise", [0, 0.003])
def test_true_normals(shape, noise, sketch_of, shapes, rng):
    points, normals = shapes[shape](rng)
    if shape == "plate":
        noise = 0  # of 0.003 its two sides cannot be told apart
    points = points + noise * np.ptp(points, axis=0).max() * rng.normal(size=points.shape)
    claims = check_normals(normals, sketch_of(points))
    assert claims.contradicting < 0.06 and claims.flipped < 0.002
    assert claims.inward == (shape == "room")


@pytest.mark.parametrize("shape", ["ellipsoid", "terrain", "room", "plate"])
def test_normals_off_by_twenty_degrees(shape, sketch_of, shapes, rng):
    points, normals = shapes[shape](rng)
    normals = normals + np.tan(np.radians(20)) / 2**0.5 * rng.normal(size=points.shape)
    claims = check_normals(normals / np.linalg.norm(normals, axis=1, keepdims=True), sketch_of(points))
    assert not claims.contradict and not claims.unoriented


@pytest.mark.parametrize("shape", ["ellipsoid", "terrain", "room", "plate"])
def test_signs_at_random(shape, sketch_of, shapes, rng):
    points, normals = shapes[shape](rng)
    signs = rng.choice([-1.0, 1.0], (len(points), 1))
    assert check_normals(normals * signs, sketch_of(points)).flipped > 0.2


def test_planes_that_were_never_oriented(sketch_of, shapes, rng):
    points, normals = shapes["ellipsoid"](rng)
    half = np.where(normals[:, :1] > 0.3, -normals, normals)  # as a fixed axis of the eigenvectors makes them
    claims = check_normals(half, sketch_of(points))
    assert claims.unoriented and not claims.contradict


def test_one_direction_for_all(sketch_of, shapes, rng):
    points, _ = shapes["ellipsoid"](rng)
    assert check_normals(np.tile([0.0, 0, 1], (len(points), 1)), sketch_of(points)).contradict


@pytest.mark.parametrize("shape", ["ellipsoid", "plate"])
def test_inward_normals(shape, sketch_of, shapes, rng):
    points, normals = shapes[shape](rng)
    assert check_normals(-normals, sketch_of(points)).inward


@pytest.mark.parametrize("wrong", [0.0, 0.05])
def test_sensors_on_the_other_side(wrong, sketch_of, shapes, rng):
    points, normals = shapes["ellipsoid"](rng)
    sensors = points + np.where(rng.random((len(points), 1)) < wrong, -3, 3) * normals
    sketch, frame = sketch_of(points), Frame.around(points)
    share = seen_from_both(frame.to_unit(sensors)[sketch.rows], sketch)
    assert share == pytest.approx(2 * wrong * (1 - wrong), abs=0.02)
    assert (share > SEEN_FROM_BOTH) == bool(wrong)


def test_a_sensor_inside_and_one_outside(sketch_of, shapes, rng):
    sketch = sketch_of(shapes["room"](rng)[0])
    for place, inside in (([0.0, 0.0, 0.0], True), ([9.0, 0.0, 0.0], False)):
        assert inward(turned(np.broadcast_to(place, sketch.points.shape), sketch), sketch) == inside

"""Errors of fields that are wrong in known ways."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.metrics import UNIT, Triangles, field_figures, frame_around

HALF = np.array([1.0, 0.6, 0.3])


@pytest.fixture(scope="module")
def solid(brick):
    return Triangles.of(brick, frame_around(brick.vertices))


def distance(points):
    """The signed distance to the brick, in its diagonals."""
    beyond = np.abs(points) - HALF / (2 * np.linalg.norm(HALF))
    return np.linalg.norm(np.maximum(beyond, 0), axis=1) + np.minimum(beyond.max(1), 0)


def gradient(points):
    step = 1e-6 * np.eye(3)
    return np.stack([(distance(points + e) - distance(points - e)) / 2e-6 for e in step], 1)


def test_the_exact_distance_has_no_error(solid, rng):
    figures = field_figures(distance, gradient, solid, 10_000, rng)
    # at the medial axis the quotient has no length of 1
    assert max(figures[f"eikonal_error_{place}"] for place in ("near", "far")) < 1e-3
    assert max(figures[f"sdf_error_{place}"] for place in ("near", "far")) < 1e-3
    assert max(figures[f"sign_error_{place}"] for place in ("near", "far")) == 0


def test_a_shift_is_the_error_of_the_distance(solid, rng):
    figures = field_figures(lambda x: distance(x) + 0.004, gradient, solid, 10_000, rng)
    assert figures["sdf_error_near"] == pytest.approx(0.004 * UNIT, rel=1e-4)
    assert figures["sdf_error_far"] == pytest.approx(0.004 * UNIT, rel=1e-4)
    # points lie evenly within 0.01 of the surface: a fifth lies where the shift turns the sign
    assert figures["sign_error_near"] == pytest.approx(0.2, abs=0.02)
    assert figures["sign_error_far"] < 0.1


def test_a_slope_is_the_eikonal_error(solid, rng):
    figures = field_figures(lambda x: 1.1 * distance(x), lambda x: 1.1 * gradient(x), solid, 10_000, rng)
    assert figures["eikonal_error_near"] == pytest.approx(0.1, abs=1e-3)
    assert figures["eikonal_error_far"] == pytest.approx(0.1, abs=1e-3)
    assert figures["sdf_error_near"] == pytest.approx(0.1 * 0.005 * UNIT, rel=0.03)


def test_a_field_that_is_inside_out_has_every_sign_wrong(solid, rng):
    figures = field_figures(lambda x: -distance(x), lambda x: -gradient(x), solid, 10_000, rng)
    assert figures["sign_error_near"] == figures["sign_error_far"] == 1
    assert figures["eikonal_error_near"] < 1e-3

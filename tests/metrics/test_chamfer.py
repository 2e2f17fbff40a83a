"""The legacy Chamfer distance: its scale, and its floor from the density of samples."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.metrics import legacy_chamfer
from sasnet_sdf.metrics.surfaces import legacy_scale

SAMPLES = 20_000


def test_the_range_of_all_coordinates_becomes_the_side(brick):
    assert legacy_scale(brick.vertices + 7) == pytest.approx(0.9 / 2)
    lopsided = np.array([[0.0, 0, 0], [0, 0, 0], [0, 0, 4]])  # its mean is no center
    assert legacy_scale(lopsided) == pytest.approx(0.9 / 4)


def test_a_surface_against_itself_is_at_the_floor(ball, measured, rng):
    """The mean squared distance to the nearest of n points at random on an area A is A / (pi n)."""
    figures = legacy_chamfer(*measured(ball(2.0, 4), ball(2.0, 4)), SAMPLES, rng)
    area = 4 * np.pi * 0.45**2
    floor = 2 * area / (np.pi * SAMPLES)
    assert figures["chamfer_legacy"] == pytest.approx(floor, rel=0.03)
    assert figures["chamfer_legacy_floor"] == pytest.approx(floor, rel=0.03)


def test_surfaces_that_are_apart_add_twice_the_square_of_it(ball, measured, rng):
    figures = legacy_chamfer(*measured(ball(1.1, 4), ball(1.0, 4)), SAMPLES, rng)
    apart = 0.1 * 0.45
    above = figures["chamfer_legacy"] - figures["chamfer_legacy_floor"]
    assert above == pytest.approx(2 * apart**2, rel=0.02)

"""Distances from the points of a surface far from it, the network's near it; analytic sphere and plane."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.extraction.refinement import Support
from sasnet_sdf.field import FAR, NEAR, Blend, bridges_of, joined
from sasnet_sdf.spatial import Tree, morton_order

SPACING = 0.02


def support(points):
    ordered = np.ascontiguousarray(points[morton_order(points)])
    return Support(Tree.of(ordered), np.full(len(points), SPACING), np.inf)


def sphere_points(count=20_000, radius=0.5):
    index = np.arange(count) + 0.5
    angle, z = np.pi * (1 + 5**0.5) * index, 1 - 2 * index / count
    side = np.sqrt(1 - z * z)
    return radius * np.stack([side * np.cos(angle), side * np.sin(angle), z], 1)


def with_data(values, gradients, surface, places):
    """Blended values and gradients."""
    blend = Blend(values, surface, places)
    return blend.distance, blend.gradient(gradients)


def rough(places, radius=0.5):
    """A network's: the zero of a sphere, with a slope of 0.4 to 1.6; values and gradients."""
    r = np.linalg.norm(places, axis=1)
    slope = 1 + 0.6 * np.sin(40 * r)
    value = (r - radius) * slope
    along = slope + (r - radius) * 24 * np.cos(40 * r)
    return value, along[:, None] * places / r[:, None]


@pytest.fixture(scope="module")
def sphere():
    return support(sphere_points())


@pytest.fixture(scope="module")
def places():
    return np.random.default_rng(0).uniform(-1, 1, (20_000, 3))


def test_far_away_it_is_the_distance_whatever_the_slope_of_the_network(sphere, places):
    true = np.linalg.norm(places, axis=1) - 0.5
    far = np.abs(true) > FAR * SPACING
    values, gradients = with_data(*rough(places), sphere, places)
    assert np.abs(rough(places)[0] - true)[far].max() > 0.2
    assert np.abs(values - true)[far].max() < 1e-3
    length = np.linalg.norm(gradients[far], axis=1)
    np.testing.assert_allclose(length, 1, atol=1e-9)


def test_near_the_surface_it_is_the_network(sphere, places):
    near = 0.5 * places / np.linalg.norm(places, axis=1, keepdims=True)
    near *= 1 + 0.5 * NEAR * SPACING * np.random.default_rng(1).uniform(-1, 1, (len(near), 1))
    values, gradients = rough(near)
    found, slope = with_data(values, gradients, sphere, near)
    np.testing.assert_array_equal(found, values)
    np.testing.assert_allclose(slope, gradients)


def test_the_gradient_is_that_of_the_distance_across_the_change(sphere):
    """Between the two, where the weight changes too."""
    rng, step = np.random.default_rng(2), 1e-7
    away = rng.normal(size=(2000, 3))
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    between = away * (0.5 + rng.uniform(NEAR, FAR, (2000, 1)) * SPACING * rng.choice([-1, 1], (2000, 1)))
    _, slope = with_data(*rough(between), sphere, between)
    for axis in np.eye(3):
        ahead, _ = with_data(*rough(between + step * axis), sphere, between + step * axis)
        behind, _ = with_data(*rough(between - step * axis), sphere, between - step * axis)
        quotient = (ahead - behind) / (2 * step)
        off = np.abs(quotient - slope @ axis)
        assert np.median(off) < 1e-5 and (off < 1e-3).mean() > 0.99  # but where the nearest point changes


def test_beyond_the_rim_of_an_open_surface_the_network_keeps_its_zero():
    grid = np.stack(np.meshgrid(*2 * [np.arange(-0.5, 0.5, SPACING)]), -1).reshape(-1, 2)
    sheet = support(np.column_stack([grid, np.zeros(len(grid))]))
    height = np.linspace(-1e-3, 1e-3, 21)
    beyond = np.column_stack([np.full(21, 0.9), np.zeros(21), height])
    values, _ = with_data(height, np.tile([0.0, 0, 1], (21, 1)), sheet, beyond)
    np.testing.assert_array_equal(values, height)


def test_bridges_stand_for_the_data_over_a_hole(sphere):
    points = sphere_points()
    hole = points[:, 2] > 0.35
    open_sphere = support(points[~hole])
    bridges = bridges_of(points, open_sphere)
    assert bridges.dtype == np.float32 and 100 < len(bridges) < hole.sum()
    assert (bridges[:, 2] > 0.34).all()
    above = np.array([[0, 0, 0.6], [0.05, 0, 0.75], [0.0, 0.1, 0.2]])
    true = np.linalg.norm(above, axis=1) - 0.5
    without, _ = with_data(*rough(above), open_sphere, above)
    covered, _ = with_data(*rough(above), joined(open_sphere, bridges), above)
    assert np.abs(without - true).max() > 0.05
    assert np.abs(covered - true).max() < 0.01
    assert not len(bridges_of(points, sphere))
    assert joined(sphere, np.empty((0, 3), np.float32)) is sphere


def test_a_place_that_is_no_number_has_no_distance(sphere):
    places = np.array([[np.nan, 0, 0], [0.9, 0, 0]])
    values, _ = with_data(np.array([np.nan, 0.4]), np.zeros((2, 3)), sphere, places)
    assert np.isnan(values[0]) and values[1] == pytest.approx(0.4, abs=1e-3)

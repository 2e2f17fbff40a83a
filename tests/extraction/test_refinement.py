"""A blurred field and exact data: the blend follows the data beside them, and the field elsewhere."""

import numpy as np
import pytest

from sasnet_sdf.extraction import Refined, extract_surface, lattice_around
from sasnet_sdf.supervision.targets import Evidence

RADIUS, BLURRED, REACH = 0.6, 0.59, 0.05
CELL = 2 / 64


def blurred(points):
    return np.linalg.norm(points, axis=1) - BLURRED


def blurred_with_gradient(points):
    return blurred(points), points / np.linalg.norm(points, axis=1, keepdims=True)


def cap(points, zone):
    """Exact data on the half of a sphere with z > 0: the nearest datum lies there, or on the rim."""
    length = np.linalg.norm(points, axis=1)
    flat = np.linalg.norm(points[:, :2], axis=1)
    on_rim = np.hypot(flat - RADIUS, points[:, 2])
    apart = np.where(points[:, 2] > 0, np.abs(length - RADIUS), on_rim)
    rows = np.flatnonzero(apart <= max(zone, 2.5 * REACH))
    gradient = points[rows] / length[rows, None]
    return Evidence(rows, length[rows] - RADIUS, gradient, apart[rows], np.full(len(rows), REACH))


def surface(trust=1.0):
    refined = Refined(blurred, blurred_with_gradient, cap, CELL, trust)
    lattice = lattice_around([-0.7] * 3, [0.7] * 3, CELL)
    return extract_surface(refined.distance, refined.gradient, lattice)


def test_the_surface_lies_on_the_data_and_on_the_field_where_there_are_none():
    vertices = surface().vertices
    length, z = np.linalg.norm(vertices, axis=1), vertices[:, 2]
    assert np.abs(length[z > 0.01] - RADIUS).max() < 1e-3 * CELL
    assert np.abs(length[z < -3 * REACH] - BLURRED).max() < 1e-2 * CELL


def test_the_blend_between_them_is_smooth():
    made = surface()
    length, z = np.linalg.norm(made.vertices, axis=1), made.vertices[:, 2]
    between = (z < 0) & (z > -2.5 * REACH)
    assert ((length[between] > BLURRED - 1e-4) & (length[between] < RADIUS + 1e-4)).all()
    order = np.argsort(z[between])
    assert np.diff(length[between][order]).min() > -0.2 * (RADIUS - BLURRED)


def test_trust_is_the_share_of_the_data():
    vertices = surface(trust=0.25).vertices
    length = np.linalg.norm(vertices, axis=1)[vertices[:, 2] > 0.01]
    assert length == pytest.approx(BLURRED + 0.25 * (RADIUS - BLURRED), abs=1e-2 * CELL)


def test_the_mesh_is_closed(measure):
    found = measure(surface())
    assert found.closed and found.euler == 2


def test_a_plane_that_extends_past_an_edge_is_overridden():
    # the data are a plane's, the field knows that the solid ends; one reach beyond the last datum
    place = np.array([[0.0, 0.0, 0.0]])

    def plane(points, zone):
        one = np.ones(1)
        return Evidence(np.array([0]), -0.02 * one, np.array([[0.0, 0, 1]]), 0.055 * one, REACH * one)

    def field(value):
        return Refined(lambda p: np.full(1, value), lambda p: None, plane, CELL).distance(place)[0]

    assert field(0.04) == pytest.approx(0.04)  # sure of the other side
    assert field(0.004) < 0  # as far off as a blurred field may be
    assert field(-0.04) == pytest.approx(-0.02, abs=1e-3)  # of the same side: the data's


def test_the_far_side_of_a_thin_part_is_overridden():
    # straight above the data, four reaches off: what lies nearest is a sheet seen from behind
    place = np.array([[0.0, 0.0, 0.0]])

    def behind(points, zone):
        one = np.ones(1)
        apart = 4 * REACH * one
        return Evidence(np.array([0]), apart, np.array([[0.0, 0, 1]]), apart, REACH * one)

    def field(value):
        return Refined(lambda p: np.full(1, value), lambda p: None, behind, CELL).distance(place)[0]

    assert field(-0.15) == pytest.approx(-0.15)  # deep inside by the field
    assert field(-0.02) == pytest.approx(4 * REACH)  # a narrow gap that the field has filled

"""Creases of exact solids, meshes that stay closed, and smooth surfaces that do not change."""

import numpy as np
import pytest

from sasnet_sdf.extraction import extract_surface

HALF = np.array([0.5, 0.4, 0.3])
CELL = 2 / 64


@pytest.fixture(scope="module")
def brick(shapes):
    """The tilted box, cut with its creases and without."""
    shape = shapes["box"]
    plain = extract_surface(shape.distance, shape.with_gradient, shape.lattice(64))
    sharp = extract_surface(shape.distance, shape.with_gradient, shape.lattice(64), creases=True)
    return shape, plain, sharp


def cut_off(shape, surface):
    """How many of the triangles have a middle of an edge farther than 0.01 cells from the solid."""
    corners = surface.vertices[surface.faces]
    middles = (corners + np.roll(corners, 1, 1)) / 2
    off = np.abs(shape.distance(middles.reshape(-1, 3))).reshape(-1, 3).max(1)
    return int((off > 0.01 * CELL).sum())


def test_creases_are_sharp(brick):
    shape, plain, sharp = brick
    # where a crease only grazes a cell, its triangles may stay as they are
    assert np.abs(shape.distance(sharp.vertices)).max() < 1e-6 * CELL
    assert cut_off(shape, plain) > 500
    assert cut_off(shape, sharp) < 0.04 * cut_off(shape, plain)


def test_the_volume_is_that_of_the_solid(brick, measure):
    _, plain, sharp = brick
    true = 8 * np.prod(HALF)
    assert abs(measure(plain).volume.sum() - true) > 1e-3 * true
    assert measure(sharp).volume.sum() == pytest.approx(true, rel=1e-4)


def test_the_mesh_stays_closed_and_no_two_vertices_coincide(brick, measure):
    _, plain, sharp = brick
    found = measure(sharp)
    assert found.closed and found.euler == 2
    assert len(np.unique(np.round(sharp.vertices, 9), axis=0)) == len(sharp.vertices)
    assert len(sharp.vertices) > len(plain.vertices)


def test_triangles_face_outward(brick):
    shape, _, sharp = brick
    a, b, c = (sharp.vertices[sharp.faces[:, n]] for n in range(3))
    across = np.cross(b - a, c - a)
    large = np.linalg.norm(across, axis=1) > 1e-4 * CELL**2
    outward = shape.with_gradient((a + b + c)[large] / 3)[1]
    assert ((across[large] * outward).sum(1) <= 0).sum() <= 4


@pytest.mark.parametrize("name", ["sphere", "torus"])
def test_smooth_surfaces_do_not_change(shapes, name):
    shape = shapes[name]
    plain = extract_surface(shape.distance, shape.with_gradient, shape.lattice(48))
    sharp = extract_surface(shape.distance, shape.with_gradient, shape.lattice(48), creases=True)
    np.testing.assert_array_equal(plain.faces, sharp.faces)
    np.testing.assert_array_equal(plain.vertices, sharp.vertices)


def test_other_solids_with_creases_stay_closed(shapes, measure):
    for name, shape in shapes.items():
        lattice = shape.lattice(40)
        plain = measure(extract_surface(shape.distance, shape.with_gradient, lattice))
        sharp = measure(extract_surface(shape.distance, shape.with_gradient, lattice, creases=True))
        assert (sharp.closed, sharp.euler) == (plain.closed, plain.euler), name

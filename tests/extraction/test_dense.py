"""The sparse lattice gives the triangles of the dense one."""

import numpy as np
import pytest

from sasnet_sdf.extraction import lattice_around

THIN = ["thin plate", "rods", "two sheets"]


@pytest.mark.parametrize("name", ["sphere", "torus", "box", "box on the lattice", "three balls", *THIN])
def test_triangles_are_those_of_the_dense_lattice(shapes, assert_dense, name):
    assert_dense(shapes[name], shapes[name].lattice(256))


def test_a_rough_field_gives_the_triangles_of_the_dense_lattice(shapes, assert_dense):
    # Waves of a fiftieth of the box, as a network's: the measured bounds have to follow them.
    torus = shapes["torus"]

    def rough(points):
        return torus.distance(points) + 0.004 * np.sin(300 * points).sum(1)

    assert_dense(type(torus)(rough, torus.low - 0.02, torus.high + 0.02), torus.lattice(160))


def test_a_field_that_is_not_a_distance_gives_the_triangles_of_the_dense_lattice(shapes, assert_dense):
    torus = shapes["torus"]

    def bent(points):
        return np.tanh(3 * torus.distance(points)) * (1.5 + points[:, 0])

    assert_dense(type(torus)(bent, torus.low, torus.high), torus.lattice(128))


def test_a_surface_that_leaves_the_lattice_ends_at_its_border(shapes, assert_dense, measure):
    sphere = shapes["sphere"]
    lattice = lattice_around([-0.7, -0.7, -0.7], [0.0, 0.7, 0.7], 2 / 96)
    assert_dense(sphere, lattice)
    half = type(sphere)(sphere.distance, [-0.7, -0.7, -0.7], [0.0, 0.7, 0.7]).surface(96)
    assert not measure(half).closed
    border = lattice.points(lattice.shape)[0]
    assert abs(half.vertices[:, 0].max() - border) < lattice.cell

"""Meshes of exact distances: size, shape, orientation, normals, no duplicates."""

import numpy as np
import pytest

ALL = ["sphere", "torus", "box", "box on the lattice", "thin plate", "rods", "two sheets", "three balls"]
THIN = {"thin plate", "rods", "two sheets"}
EULER = {"torus": 0, "two sheets": 4, "three balls": 6}


def test_sphere_has_its_radius_area_and_volume(surface_of, measure):
    surface = surface_of("sphere", 128)
    radius = np.linalg.norm(surface.vertices, axis=1)
    assert np.abs(radius - 0.7).max() < 1e-5
    found = measure(surface)
    assert found.area.sum() == pytest.approx(4 * np.pi * 0.7**2, rel=3e-4)
    assert found.volume.sum() == pytest.approx(4 / 3 * np.pi * 0.7**3, rel=3e-4)


def test_torus_has_its_area_and_volume(surface_of, measure):
    found = measure(surface_of("torus", 128))
    assert found.area.sum() == pytest.approx(4 * np.pi**2 * 0.6 * 0.25, rel=1e-3)
    assert found.volume.sum() == pytest.approx(2 * np.pi**2 * 0.6 * 0.25**2, rel=1e-3)


@pytest.mark.parametrize("name", ["box", "box on the lattice"])
def test_box_has_its_volume_and_flat_faces(shapes, surface_of, measure, name):
    surface = surface_of(name, 128)
    half = np.array([0.5, 0.4, 0.3] if name == "box" else [0.5, 0.375, 0.25])
    assert measure(surface).volume.sum() == pytest.approx(8 * half.prod(), rel=2e-3)
    off = np.abs(shapes[name].distance(surface.vertices))
    # Marching cubes cuts sharp edges by less than a cell; elsewhere vertices lie on the faces.
    assert np.mean(off < 1e-6) > 0.97
    assert off.max() < 2 / 128


@pytest.mark.parametrize("name", ALL)
def test_mesh_is_closed_oriented_outward_and_of_the_right_genus(surface_of, measure, name):
    surface = surface_of(name, 256 if name in THIN else 128)
    found = measure(surface)
    assert found.closed
    assert found.volume.sum() > 0
    if name != "rods":  # rods of the width of a cell may touch or break
        assert found.euler == EULER.get(name, 2)


@pytest.mark.parametrize("name", ALL)
def test_no_vertex_occurs_twice_and_no_triangle_is_degenerate(surface_of, name):
    surface = surface_of(name, 256 if name in THIN else 128)
    a, b, c = surface.faces.T
    assert not np.any((a == b) | (b == c) | (c == a))
    assert len(np.unique(surface.vertices, axis=0)) == len(surface.vertices)
    assert len(np.unique(surface.faces)) == len(surface.vertices)


@pytest.mark.parametrize("name", ["sphere", "torus", "box"])
def test_normals_are_unit_and_outward(shapes, surface_of, name):
    surface = surface_of(name, 128)
    np.testing.assert_allclose(np.linalg.norm(surface.normals, axis=1), 1, atol=1e-9)
    beyond = shapes[name].distance(surface.vertices + 0.01 * surface.normals)
    assert np.median(np.abs(beyond - 0.01)) < 1e-5
    assert np.mean(beyond > 0.005) > 0.99


@pytest.mark.parametrize("name", ["sphere", "torus", "box", "box on the lattice"])
def test_a_vertex_costs_few_evaluations(shapes, surface_of, name):
    surface = surface_of(name, 128)
    assert surface.evaluations == surface.lattice_evaluations + 3 * len(surface.vertices)
    # Faces that lie on lattice planes are the worst case: two ends for every vertex.
    assert surface.evaluations / len(surface.vertices) < (5.8 if name == "box on the lattice" else 5.3)


def test_evaluations_are_counted(shapes):
    shape, asked = shapes["torus"], []

    class Counted(type(shape)):
        def distance(self, points):
            asked.append(len(points))
            return shape.distance(points)

        def with_gradient(self, points):
            asked.append(3 * len(points))
            return shape.with_gradient(points)

    counted = object.__new__(Counted)
    counted.low, counted.high = shape.low, shape.high
    assert counted.surface(64).evaluations == sum(asked)

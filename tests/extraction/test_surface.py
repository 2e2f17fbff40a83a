"""Fields without a surface, progress, components."""

import numpy as np
import pytest

from sasnet_sdf.errors import NoSurface
from sasnet_sdf.extraction import extract_surface, lattice_around
from sasnet_sdf.geometry import TriangleMesh
from sasnet_sdf.mesh import drop_small_components
from sasnet_sdf.runtime.progress import stage

CUBE = lattice_around([-0.9] * 3, [0.9] * 3, 2 / 64)


def mesh_of(surface):
    return TriangleMesh(surface.vertices, surface.faces, surface.normals)


@pytest.mark.parametrize(("value", "side"), [(0.5, "positive"), (-0.5, "negative")])
def test_a_field_of_one_sign_has_no_surface(value, side):
    with pytest.raises(NoSurface, match=rf"{side}.* from {value} to {value}"):
        extract_surface(lambda p: np.full(len(p), value), lambda p: None, CUBE)


def test_a_field_that_only_touches_zero_from_outside_ends():
    # Zero counts as inside, so a single lattice point is a surface of eight triangles.
    surface = extract_surface(
        lambda p: np.linalg.norm(p, axis=1), lambda p: (np.linalg.norm(p, axis=1), p + 1e-12), CUBE
    )
    assert len(surface.faces) == 8


@pytest.mark.parametrize("creases", [False, True])
def test_no_two_vertices_coincide_where_planes_pass_through_lattice_points(creases):
    """A box aligned with the lattice, as parts made by programs often are."""
    middle = CUBE.points(np.array([[28, 28, 28]]))[0]
    half = CUBE.cell * np.array([5, 6, 7])

    def box(points):
        off = np.abs(points - middle) - half
        nearest = off.argmax(1)
        gradient = np.zeros_like(points)
        rows = np.arange(len(points))
        gradient[rows, nearest] = np.sign(points - middle)[rows, nearest]
        return off.max(1), gradient

    surface = extract_surface(lambda p: box(p)[0], box, CUBE, creases=creases)
    welded = np.unique(surface.vertices.astype(np.float32), axis=0)
    assert len(surface.vertices) == len(welded) > 1000
    assert np.abs(box(surface.vertices)[0]).max() < 2e-3 * CUBE.cell


def test_a_field_that_is_not_finite_is_refused():
    with pytest.raises(NoSurface, match="not finite"):
        extract_surface(lambda p: np.full(len(p), np.nan), lambda p: None, CUBE)


def test_a_noisy_field_is_refused_before_it_is_fully_sampled():
    lattice = lattice_around([-0.9] * 3, [0.9] * 3, 2 / 512)
    asked = []

    def noise(points):
        asked.append(len(points))
        return np.sin(1e4 * points @ [1.0, 1.7, 2.3])

    with pytest.raises(NoSurface, match="noise, not a surface"):
        extract_surface(noise, lambda p: None, lattice)
    assert sum(asked) < 1e-3 * np.prod(lattice.shape)


@pytest.mark.parametrize("resolution", [4, 9, 23, 24, 25])
def test_lattices_of_a_few_cells_work(shapes, measure, resolution):
    found = measure(shapes["sphere"].surface(resolution))
    assert found.closed
    assert found.euler == 2


def test_progress_runs_from_zero_to_one(shapes):
    told = []
    torus = shapes["torus"]
    with stage("extraction", told.append):
        extract_surface(torus.distance, torus.with_gradient, torus.lattice(64))
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0 and fractions[-1] == 1
    assert {progress.stage for progress in told} == {"extraction"}


def test_gradients_that_vanish_move_nothing(shapes):
    torus = shapes["torus"]

    def field(points):
        values, gradients = torus.with_gradient(points)
        gradients[::7] = 0
        gradients[1::7] = np.nan
        return values, gradients

    surface = extract_surface(torus.distance, field, torus.lattice(64))
    assert np.isfinite(surface.vertices).all() and np.isfinite(surface.normals).all()
    assert np.abs(torus.distance(surface.vertices)).max() < 2 / 64


def test_small_components_are_dropped_and_large_ones_kept(surface_of, measure):
    mesh = mesh_of(surface_of("three balls", 128))
    rest, dropped = drop_small_components(mesh, 0.01)
    assert dropped == 1
    assert measure(rest).euler == 4
    assert measure(rest).closed
    spheres = 4 * np.pi * (0.4**2 + 0.15**2)
    assert measure(rest).area.sum() == pytest.approx(spheres, rel=2e-3)
    np.testing.assert_allclose(np.linalg.norm(rest.normals, axis=1), 1)
    largest, dropped = drop_small_components(mesh, 0.5)
    assert dropped == 2
    assert measure(largest).euler == 2


def test_all_components_are_kept_where_none_is_small(surface_of):
    mesh = mesh_of(surface_of("three balls", 128))
    rest, dropped = drop_small_components(mesh, 0.001)
    assert dropped == 0
    assert rest is mesh


def test_colors_and_scalars_stay_with_their_vertices(surface_of):
    surface = surface_of("three balls", 128)
    colors = (128 + 127 * surface.vertices).astype(np.uint8)
    scalars = {"height": surface.vertices[:, 2]}
    mesh = TriangleMesh(surface.vertices, surface.faces, None, colors, scalars)
    rest, dropped = drop_small_components(mesh, 0.01)
    assert dropped == 1
    np.testing.assert_array_equal(rest.colors, (128 + 127 * rest.vertices).astype(np.uint8))
    np.testing.assert_array_equal(rest.scalars["height"], rest.vertices[:, 2])

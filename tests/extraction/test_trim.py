"""Exact surfaces, and points on parts of them: what is cut away, what is kept, and where the cut runs."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.extraction import Capped, Support, lattice_around
from sasnet_sdf.extraction.refinement import GAP_OF_CLOUD
from sasnet_sdf.extraction.surface import extract_surface
from sasnet_sdf.extraction.trim import (
    EDGE,
    LENGTH,
    REACH,
    clip,
    held_to_length,
    trim_by_spacing,
    trim_to_length,
)
from sasnet_sdf.geometry import TriangleMesh
from sasnet_sdf.mesh import Edges, areas, at_boundary, drop_unsupported_components
from sasnet_sdf.spatial import Tree, morton_order

RADIUS = 0.7


def support_of(points: np.ndarray) -> Support:
    tree = Tree.of(points[morton_order(points)])
    neighbors, distances = tree.neighbors(12)
    spacing = distances[:, :6].mean(1, dtype=np.float64)
    return Support(tree, spacing[neighbors].mean(1), GAP_OF_CLOUD)


def on_sphere(count: int = 20_000, seed: int = 0) -> np.ndarray:
    directions = np.random.default_rng(seed).normal(size=(count, 3))
    return RADIUS * directions / np.linalg.norm(directions, axis=1, keepdims=True)


def trimmed(mesh: TriangleMesh, support: Support):
    ends = np.zeros(len(mesh.vertices), np.bool_)
    return trim_by_spacing(mesh, *support.distance(mesh.vertices), support, ends)


def farthest(mesh: TriangleMesh, support: Support) -> float:
    return float(support.distance(mesh.vertices)[0].max())


@pytest.fixture(scope="module")
def sphere(surface_of) -> TriangleMesh:
    surface = surface_of("sphere", 128)
    return TriangleMesh(surface.vertices, surface.faces, surface.normals)


def test_points_all_around_keep_the_surface_closed(sphere):
    found = trimmed(sphere, support_of(on_sphere()))
    assert found.solid and found.mesh is sphere and found.length is None and found.removed == 0


@pytest.mark.parametrize("angle", [0.1, 0.3, 0.5])
def test_small_holes_in_the_data_of_a_solid_stay_covered(sphere, angle):
    points = on_sphere()
    found = trimmed(sphere, support_of(points[points[:, 2] < RADIUS * np.cos(angle)]))
    assert found.solid and found.mesh is sphere and found.filled < 4
    # less than the cap itself: the surface is supported a little way into the hole
    assert found.widest <= np.sin(angle) ** 2 / (2 + 2 * np.cos(angle))


def test_half_a_sphere_is_open_along_a_smooth_line(sphere):
    points = on_sphere()
    support = support_of(points[points[:, 2] > 0])
    found = trimmed(sphere, support)
    assert not found.solid and found.length == LENGTH * support.usual_spacing
    assert Edges.of(found.mesh.faces).loops == 1 and Edges.of(found.mesh.faces).branching == 0
    assert farthest(found.mesh, support) <= found.length
    assert found.removed == pytest.approx(0.5, abs=0.05)
    assert found.widest == pytest.approx(0.5, abs=0.05)
    rim = boundary(found.mesh)[:, 2]
    edge = EDGE * support.usual_spacing
    assert -2 * edge < rim.min() and rim.max() < edge / 2 and -1.2 * edge < rim.mean() < -0.3 * edge
    assert rim.std() < 0.5 * support.usual_spacing
    assert found.mesh.normals is not None
    np.testing.assert_allclose(np.linalg.norm(found.mesh.normals, axis=1), 1)
    np.testing.assert_allclose(
        np.linalg.norm(sphere.vertices[found.source] - found.mesh.vertices, axis=1), 0, atol=0.03
    )


def test_a_small_hole_in_half_a_sphere_stays_covered_and_a_large_one_does_not(sphere):
    points = on_sphere()
    half = points[points[:, 2] > 0]
    spacing = support_of(half).usual_spacing
    for radius, loops in ((0.6 * LENGTH, 1), (1.6 * LENGTH, 2)):
        support = support_of(half[np.linalg.norm(half - [0, 0, RADIUS], axis=1) > radius * spacing])
        found = trimmed(sphere, support)
        assert Edges.of(found.mesh.faces).loops == loops
        assert found.filled == 2 - loops
        assert farthest(found.mesh, support) <= found.length


def test_one_side_of_a_plate_is_a_sheet(shapes):
    surface = shapes["box on the lattice"].surface(128)
    mesh = TriangleMesh(surface.vertices, surface.faces, surface.normals)
    grid = np.random.default_rng(1).uniform([-0.5, -0.375], [0.5, 0.375], (20_000, 2))
    support = support_of(np.column_stack([grid, np.full(len(grid), 0.25)]))
    found = trimmed(mesh, support)
    assert not found.solid and Edges.of(found.mesh.faces).loops == 1
    assert found.mesh.vertices[:, 2].min() > 0.25 - REACH * support.usual_spacing - 2 / 128
    # a tube without its ends is no solid either, though the normals of its points cancel out
    ends = np.abs(mesh.vertices[:, 0]) > 0.4999
    sides = support_of(
        mesh.vertices[~ends] + np.random.default_rng(2).normal(0, 1e-4, (int((~ends).sum()), 3))
    )
    assert not trimmed(mesh, sides).solid


@pytest.mark.parametrize("length", [0.02, 0.1, 0.5, 3.0])
def test_a_given_length_is_respected(sphere, length):
    support = support_of(on_sphere(200))
    distance, _ = support.distance(sphere.vertices)
    found = trim_to_length(sphere, distance, support, length)
    assert found.length == length
    assert farthest(found.mesh, support) <= length
    if length < distance.max():
        # and it is used up: the rim lies there
        assert support.distance(boundary(found.mesh))[0].min() > 0.8 * length
    else:
        assert found.mesh is sphere


def test_vertices_beyond_the_length_move_as_far_as_they_must(sphere):
    support = support_of(on_sphere(200))
    distance, _ = support.distance(sphere.vertices)
    length = float(np.quantile(distance, 0.9))
    held = held_to_length(sphere, support, length)
    assert farthest(held, support) <= length
    moved = np.linalg.norm(held.vertices - sphere.vertices, axis=1)
    np.testing.assert_allclose(moved, (distance - length).clip(0), atol=2e-5 * length)
    assert held.faces is sphere.faces


def test_clip_cuts_where_the_function_vanishes(sphere):
    mesh, ends = clip(sphere, sphere.vertices[:, 0], lambda p: np.full(len(p), True))
    source = ends[:, 0]
    assert mesh.vertices[:, 0].max() <= 1e-12
    np.testing.assert_allclose(boundary(mesh)[:, 0], 0, atol=0.02 * 2 / 128)
    assert len(source) == len(mesh.vertices)
    a, b, c = (mesh.vertices[mesh.faces[:, n]] for n in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    assert area == pytest.approx(2 * np.pi * RADIUS**2, rel=2e-3)
    nothing, _ = clip(sphere, np.ones(len(sphere.vertices)), lambda p: np.full(len(p), True))
    assert len(nothing.faces) == len(nothing.vertices) == 0


def test_components_are_kept_by_their_support(surface_of, measure):
    surface = surface_of("three balls", 128)
    mesh = TriangleMesh(surface.vertices, surface.faces, surface.normals)
    small = np.linalg.norm(mesh.vertices - [0.3, -0.6, 0], axis=1) < 0.05
    middle = np.linalg.norm(mesh.vertices - [0.5, 0.1, 0.2], axis=1) < 0.2
    spacing = np.full(len(mesh.vertices), 0.002)
    # the middle one grew from nothing; the smallest is one of three thousand points
    kept, dropped = drop_unsupported_components(mesh, ~middle, spacing, 200)
    assert dropped == 1
    assert measure(kept).area.sum() == pytest.approx(4 * np.pi * (0.4**2 + 0.03**2), rel=5e-3)
    _, dropped = drop_unsupported_components(mesh, ~middle, np.where(small, 0.02, spacing), 200)
    assert dropped == 2
    best, dropped = drop_unsupported_components(mesh, small, spacing, 1e9)
    assert dropped == 2
    assert measure(best).area.sum() == pytest.approx(4 * np.pi * 0.03**2, rel=0.1)


def test_a_field_that_runs_out_of_the_lattice_is_closed_by_walls(measure):
    def slope(points):
        return points @ np.array([0.1, 0.2, 0.97])

    def slope_with_gradient(points):
        return slope(points), np.tile([0.1, 0.2, 0.97], (len(points), 1))

    lattice = lattice_around([-0.5, -0.5, -0.2], [0.5, 0.5, 0.2], 2 / 64)
    capped = Capped.inside(lattice, slope, slope_with_gradient)
    surface = extract_surface(capped.distance, capped.gradient, lattice)
    found = measure(TriangleMesh(surface.vertices, surface.faces))
    assert found.closed and found.euler == 2 and found.volume.sum() > 0
    assert (surface.vertices > lattice.low).all()
    free = extract_surface(slope, slope_with_gradient, lattice)
    assert Edges.of(free.faces).loops == 1


def plane_field(points: np.ndarray) -> np.ndarray:
    return points[:, 2]


def plane_gradient(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return points[:, 2], np.tile([0.0, 0.0, 1.0], (len(points), 1))


@pytest.mark.parametrize("walls", [False, True])
@pytest.mark.parametrize("spacing", [0.01, 0.04])
def test_a_sheet_that_leaves_the_lattice_beside_its_data_is_not_a_solid(spacing, walls):
    count = int(1 / spacing**2)
    flat = np.random.default_rng(3).uniform(-0.5, 0.5, (count, 2))
    support = support_of(np.column_stack([flat, np.zeros(count)]))
    lattice = lattice_around([-0.5, -0.5, 0], [0.5, 0.5, 0], 2 / 128)
    found = left_of(lattice, plane_field, plane_gradient, support, walls)
    assert not found.solid and found.widest == pytest.approx(1, abs=0.15)
    assert Edges.of(found.mesh.faces).loops == 1
    assert np.abs(found.mesh.vertices[:, 2]).max() <= (lattice.cell if walls else 1e-9)
    # all that the data cover, and no more than a spacing and a cell beyond
    most = 0.5 + EDGE * support.usual_spacing + 2 * lattice.cell
    assert 0.5 < np.abs(found.mesh.vertices[:, :2]).max() < most
    assert 0.99 < area_of(found.mesh) < (2 * most) ** 2


def test_two_levels_that_face_up_are_two_sheets():
    flat = np.random.default_rng(4).uniform(-0.5, 0.5, (10_000, 2))
    points = np.column_stack([flat, np.where(np.arange(10_000) % 2, 0.4, -0.4)])

    def levels(points):  # up through both, and down halfway in between
        heights = np.stack([points[:, 2] + 0.4, -points[:, 2], points[:, 2] - 0.4])
        rows = np.abs(heights).argmin(0)
        return heights[rows, np.arange(len(points))], rows

    def gradient(points):
        values, rows = levels(points)
        return values, np.array([[0.0, 0, 1], [0, 0, -1], [0, 0, 1]])[rows]

    lattice = lattice_around([-0.5, -0.5, -0.4], [0.5, 0.5, 0.4], 2 / 96)
    support = support_of(points)
    found = left_of(lattice, lambda points: levels(points)[0], gradient, support, walls=False)
    assert not found.solid and Edges.of(found.mesh.faces).loops == 2
    np.testing.assert_allclose(np.abs(found.mesh.vertices[:, 2]), 0.4, atol=1e-9)


@pytest.mark.parametrize("walls", [False, True])
def test_a_tube_that_leaves_the_lattice_at_its_ends_is_open(walls):
    length = lattice_around([-0.5, -0.5, -0.5], [0.5, 0.5, 0.5], 2 / 64)

    def tube(points):
        return np.hypot(points[:, 1], points[:, 2]) - 0.4

    def tube_gradient(points):
        radius = np.hypot(points[:, 1], points[:, 2]).clip(1e-9)
        return tube(points), np.column_stack([0 * radius, points[:, 1] / radius, points[:, 2] / radius])

    angle = np.random.default_rng(6).uniform(0, 2 * np.pi, 20_000)
    around = np.column_stack([np.linspace(-0.5, 0.5, 20_000), 0.4 * np.cos(angle), 0.4 * np.sin(angle)])
    found = left_of(length, tube, tube_gradient, support_of(around), walls)
    assert not found.solid and Edges.of(found.mesh.faces).loops == 2


def left_of(lattice, field, gradient, support: Support, walls: bool):
    """What trimming leaves of a field's surface in a lattice, closed by walls or not."""
    capped = Capped.inside(lattice, field, gradient)
    sampled = (capped.distance, capped.gradient) if walls else (field, gradient)
    surface = extract_surface(*sampled, lattice)
    mesh = TriangleMesh(surface.vertices, surface.faces, surface.normals)
    count = len(mesh.vertices)
    ends = capped.at_walls(mesh.vertices) if walls else at_boundary(mesh.faces, count)
    return trim_by_spacing(mesh, *support.distance(mesh.vertices), support, ends)


def area_of(mesh: TriangleMesh) -> float:
    return float(areas(mesh.vertices, mesh.faces).sum())


def boundary(mesh: TriangleMesh) -> np.ndarray:
    """The vertices on the boundary."""
    ends = mesh.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    there = {tuple(edge) for edge in ends.tolist()}
    return mesh.vertices[sorted({a for a, b in there if (b, a) not in there})]

"""Decimation: meshes that are closed, manifold, sharp or connected stay so."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import KDTree

from sasnet_sdf.extraction import decimate
from sasnet_sdf.geometry import TriangleMesh
from sasnet_sdf.mesh import Edges, component_of_vertices

CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])


def mesh_of(surface):
    return TriangleMesh(surface.vertices, surface.faces, surface.normals)


def squares(side):
    """The triangles of a grid of side x side points."""
    corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
    a, b, c, d = corner, corner + side, corner + side + 1, corner + 1
    return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def sheet(height, side=81):
    """A sheet over [-1, 1]^2 of the given height (x, y) -> z."""
    x, y = (grid.ravel() for grid in np.meshgrid(*[np.linspace(-1, 1, side)] * 2, indexing="ij"))
    return TriangleMesh(np.stack([x, y, height(x, y)], 1), squares(side))


def cube(side=21):
    """The surface of [-1, 1]^3, outward."""
    flat = sheet(lambda x, y: 0 * x + 1, side)
    vertices, faces = [], []
    for axis in range(3):
        for sign in (1, -1):
            faces.append(flat.faces[:, ::sign] + len(vertices) * side**2)
            vertices.append(np.roll(flat.vertices * [1, 1, sign], axis, axis=1))
    places, number = np.unique(np.concatenate(vertices), axis=0, return_inverse=True)
    return TriangleMesh(places, number.reshape(-1)[np.concatenate(faces)])


def sound(mesh):
    """Edges and components of a manifold mesh without folds, vertices at one place taken as one."""
    places, number = np.unique(mesh.vertices.astype(np.float32), axis=0, return_inverse=True)
    assert len(places) == len(mesh.vertices)
    faces = number.reshape(-1)[mesh.faces]
    a, b, c = (mesh.vertices[mesh.faces[:, n]] for n in range(3))
    normals = np.cross(b - a, c - a)
    length = np.linalg.norm(normals, axis=1)
    assert length.min() > 0
    directed = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    there, back = (directed @ [len(places), 1], directed @ [1, len(places)])
    assert len(np.unique(there)) == len(there), "two triangles run along an edge in the same direction"
    edge, first, second = np.intersect1d(there, back, return_indices=True)
    normals = normals / length[:, None]
    assert np.einsum("ij,ij->i", normals[first // 3], normals[second // 3]).min() > -0.9
    rim = directed[~np.isin(there, edge)]
    assert (np.bincount(rim.ravel())[rim.ravel()] == 2).all(), "the boundary branches"
    return Edges.of(faces), len(np.unique(component_of_vertices(mesh)))


CLOSED = Edges(0, 0, 0)


def test_a_cube_decimates_to_the_exact_cube(measure):
    fewer = decimate(cube(), 12)
    assert len(fewer.faces) == 12 and sound(fewer) == (CLOSED, 1)
    assert KDTree(fewer.vertices).query(CORNERS)[0].max() < 1e-5
    assert measure(fewer).volume.sum() == pytest.approx(8, abs=1e-4)


def test_triangles_of_flat_parts_are_well_shaped(measure):
    fewer = decimate(cube(), 300)
    assert measure(fewer).volume.sum() == pytest.approx(8, abs=1e-4)
    a, b, c = (fewer.vertices[fewer.faces[:, n]] for n in range(3))
    squared = ((a - b) ** 2 + (b - c) ** 2 + (c - a) ** 2).sum(1)
    quality = 4 * np.sqrt(3) * measure(fewer).area / squared
    assert quality.min() > 0.2 and quality.mean() > 0.8


@pytest.mark.parametrize(("side", "width", "faces"), [(21, 0.15, 300), (41, 0.1, 3840), (41, 0.3, 3840)])
def test_creases_stay_where_triangles_without_area_lie_along_them(measure, side, width, faces):
    mesh = cube(side)
    vertices = np.where(np.abs(mesh.vertices) > 1 - width, np.sign(mesh.vertices), mesh.vertices)
    assert (measure(TriangleMesh(vertices, mesh.faces)).area == 0).mean() > 0.1
    fewer = decimate(TriangleMesh(vertices, mesh.faces), faces)
    assert len(fewer.faces) == faces and sound(fewer) == (CLOSED, 1)
    assert np.abs(np.abs(fewer.vertices).max(1) - 1).max() < 1e-6
    assert measure(fewer).volume.sum() == pytest.approx(8, abs=1e-4)


@pytest.mark.parametrize(("faces", "error"), [(5000, 1e-3), (500, 1e-2)])
def test_a_ball_stays_a_ball(surface_of, measure, faces, error):
    fewer = decimate(mesh_of(surface_of("sphere", 128)), faces)
    assert len(fewer.faces) == faces and sound(fewer) == (CLOSED, 1)
    found = measure(fewer)
    assert found.euler == 2
    assert found.volume.sum() == pytest.approx(4 / 3 * np.pi * 0.7**3, rel=3 * error)
    assert np.abs(np.linalg.norm(fewer.vertices, axis=1) - 0.7).max() < error


def test_a_ring_keeps_its_hole(shapes, surface_of, measure):
    mesh = mesh_of(surface_of("torus", 128))
    fewer = decimate(mesh, 5000)
    assert len(fewer.faces) == 5000 and sound(fewer) == (CLOSED, 1)
    assert measure(fewer).volume.sum() == pytest.approx(2 * np.pi**2 * 0.6 * 0.25**2, rel=5e-3)
    ring = np.hypot(np.hypot(fewer.vertices[:, 0], fewer.vertices[:, 1]) - 0.6, fewer.vertices[:, 2])
    assert np.abs(ring - 0.25).max() < 2e-3
    few = decimate(mesh, 500)
    a, b, c = (few.vertices[few.faces[:, n]] for n in range(3))
    outward = shapes["torus"].with_gradient((a + b + c) / 3)[1]
    assert np.einsum("ij,ij->i", np.cross(b - a, c - a), outward).min() > 0, "a triangle turned over"
    least = decimate(mesh, 4)
    assert sound(least)[0] == CLOSED and measure(least).euler == 0 and 14 <= len(least.faces) < 60


def test_boundary_of_a_sheet_stays(measure):
    fewer = decimate(sheet(lambda x, y: 0.2 * np.sin(3 * x)), 400)
    edges, components = sound(fewer)
    assert 399 <= len(fewer.faces) <= 400 and components == 1
    assert edges.loops == 1 and edges.branching == 0
    x, _, z = fewer.vertices.T
    assert np.abs(z - 0.2 * np.sin(3 * x)).max() < 5e-3
    assert KDTree(fewer.vertices[:, :2]).query([[-1, -1], [-1, 1], [1, -1], [1, 1]])[0].max() < 2e-3
    assert np.abs(fewer.vertices[:, :2]).max() < 1.002
    # seen from above, its triangles cover the square once and none is turned over
    above = TriangleMesh(fewer.vertices * [1, 1, 0] + [0, 0, 1], fewer.faces)
    volume = measure(above).volume
    assert volume.min() > 0 and volume.sum() == pytest.approx(4 / 3, rel=1e-3)


def test_triangles_remain_where_the_surface_is_curved():
    fewer = decimate(sheet(lambda x, y: 0.2 * x.clip(0) ** 2 * np.cos(9 * x) * np.cos(9 * y)), 500)
    sound(fewer)
    assert (fewer.vertices[:, 0] < -0.02).sum() < 12


@pytest.mark.parametrize("faces", [2000, 200, 8])
def test_balls_that_nearly_touch_stay_two(shapes, measure, faces):
    ball, two = type(shapes["sphere"]), []
    for side in (-1, 1):
        center = np.array([side * 0.3005, 0, 0])
        two.append(ball(lambda p, c=center: np.linalg.norm(p - c, axis=1) - 0.3, center - 0.3, center + 0.3))
    surfaces = [shape.surface(96) for shape in two]
    vertices = np.concatenate([s.vertices for s in surfaces])
    triangles = np.concatenate([surfaces[0].faces, surfaces[1].faces + len(surfaces[0].vertices)])
    fewer = decimate(TriangleMesh(vertices, triangles), faces)
    assert len(fewer.faces) == faces and sound(fewer) == (CLOSED, 2)
    volume = measure(fewer).volume
    assert np.bincount(component_of_vertices(fewer)[fewer.faces[:, 0]], volume).min() > 0


@pytest.mark.parametrize("name", ["thin plate", "rods", "two sheets"])
def test_thin_parts_stay_closed(surface_of, measure, name):
    mesh = mesh_of(surface_of(name, 256))
    fewer = decimate(mesh, 2000)
    assert len(fewer.faces) == 2000
    assert sound(fewer) == (CLOSED, len(np.unique(component_of_vertices(mesh))))
    assert measure(fewer).euler == measure(mesh).euler
    assert measure(fewer).volume.sum() == pytest.approx(measure(mesh).volume.sum(), rel=0.02)


@pytest.mark.parametrize("seed", range(8))
def test_rough_meshes_with_holes_stay_manifold(surface_of, seed):
    rng = np.random.default_rng(seed)
    mesh = mesh_of(surface_of("three balls", 64))
    vertices = mesh.vertices * (1 + rng.normal(0, 0.005, (len(mesh.vertices), 1)))
    far = np.linalg.norm(vertices - vertices[rng.integers(len(vertices), size=3)][:, None], axis=2) > 0.1
    rough = TriangleMesh(vertices, mesh.faces[far.all(0)[mesh.faces].all(1)])
    for faces in (2000, 100):
        fewer = decimate(rough, faces)
        before, after = Edges.of(rough.faces), sound(fewer)[0]
        assert after.loops == before.loops > 0 and after.branching == 0
        assert faces - 1 <= len(fewer.faces) <= 1.5 * faces


def test_non_manifold_edges_do_not_change():
    wings, flat = [], sheet(lambda x, y: 0 * x, 17)
    for turn in (0, 2, 4):
        out = flat.vertices[:, 0] + 1
        wings.append(np.stack([out * np.cos(turn), flat.vertices[:, 1], out * np.sin(turn)], 1))
    places, number = np.unique(np.concatenate(wings).round(9) + 0.0, axis=0, return_inverse=True)
    faces = number.reshape(-1)[np.concatenate([flat.faces + 17**2 * n for n in range(3)])]
    assert Edges.of(faces).branching == 16
    fewer = decimate(TriangleMesh(places, faces), 100)
    assert Edges.of(fewer.faces).branching == 16 and len(fewer.faces) < 110
    seam = np.stack([np.zeros(17), np.linspace(-1, 1, 17), np.zeros(17)], 1)
    assert KDTree(fewer.vertices).query(seam)[0].max() < 1e-9


@pytest.mark.parametrize(
    ("faces", "least"),
    [([[0, 1, 2]], 1), ([[0, 1, 2], [0, 3, 1], [1, 3, 2], [2, 3, 0]], 4), ([[0, 1, 2], [2, 1, 4]], 1)],
)
def test_the_smallest_meshes_stay(faces, least):
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 1], [1, 1, 0]])
    mesh = TriangleMesh(vertices, np.array(faces))
    assert decimate(mesh, len(faces)) is mesh
    assert len(decimate(mesh, 0).faces) == least


def test_equal_points_raise_no_error():
    mesh = TriangleMesh(np.ones((81, 3)), squares(9))
    assert len(decimate(mesh, 50).faces) <= len(mesh.faces)


def test_the_same_mesh_gives_the_same_bytes(surface_of):
    mesh = mesh_of(surface_of("box", 96))
    first, second = decimate(mesh, 1000), decimate(mesh, 1000)
    assert first.vertices.tobytes() == second.vertices.tobytes()
    assert first.faces.tobytes() == second.faces.tobytes()


def test_a_mesh_that_is_small_enough_is_returned_unchanged(surface_of):
    mesh = mesh_of(surface_of("sphere", 128))
    assert decimate(mesh, len(mesh.faces)) is decimate(mesh, 10**9) is mesh

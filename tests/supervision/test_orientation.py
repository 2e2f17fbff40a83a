"""Sides of normals that nothing but the points themselves tell."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sasnet_sdf.geometry import Frame, PointCloud, TriangleMesh
from sasnet_sdf.io import read_cloud, read_geometry
from sasnet_sdf.spatial import Tree
from sasnet_sdf.supervision.cloud import DOUBTFUL, prepare_cloud


def oriented(points, outward) -> tuple[float, dict]:
    """The share of normals on their outward (N, 3) side, and the facts that the report tells."""
    target, facts = prepare_cloud(PointCloud(points))
    assert facts["normals_from"] == "estimate"
    return float(((target.normals * outward(target.points)).sum(1) > 0).mean()), facts


def of_samples(points, normals) -> Callable:
    """The normal of the sample nearest to each point."""
    order = np.lexsort(points.T)  # any order will do
    tree = Tree.of(np.ascontiguousarray(points[order]))
    return lambda queries: normals[order][tree.nearest(queries)]


def slope(distance: Callable) -> Callable:
    """The gradient of a distance, by differences."""
    axes = 1e-4 * np.eye(3)
    return lambda p: np.stack([distance(p + axis) - distance(p - axis) for axis in axes], 1)


def sphere(count, radius, rng):
    normals = rng.normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return radius * normals, normals


@pytest.mark.parametrize("name", ["sphere", "torus", "box"])
@pytest.mark.parametrize("noise", [0.0, 0.005])
def test_solids(name, noise, solids, rng):
    points, _ = solids[name].sample(20_000, rng)
    share, facts = oriented(points + noise * rng.normal(size=points.shape), slope(solids[name].distance))
    assert share > 0.997
    assert facts["orientation_confidence"] > 0.99 and not facts["findings"]


@pytest.mark.parametrize(("gap", "least"), [(0.015, 0.95), (0.03, 0.99)])
def test_blocks_one_and_two_spacings_apart(gap, least, solids, rng):
    points, _ = solids["box"].sample(60_000, rng)
    side = rng.choice([-1.0, 1.0], (60_000, 1))
    apart = np.array([[1, 1, 0.5]]) * points + side * [0, 0, 0.2 + gap / 2]

    def distance(p):
        q = np.stack([p[:, 0], p[:, 1], np.abs(p[:, 2]) - 0.2 - gap / 2], 1)
        return (np.abs(q) - [0.8, 0.6, 0.2]).max(1)

    assert oriented(apart, slope(distance))[0] > least


def test_a_thin_shell(rng):
    outer, inner = sphere(30_000, 0.8, rng), sphere(30_000, 0.77, rng)
    points = np.concatenate([outer[0], inner[0]])
    share, facts = oriented(points, lambda p: p * np.sign(np.linalg.norm(p, axis=1, keepdims=True) - 0.785))
    assert share > 0.999
    assert facts["orientation_confidence"] > 0.99


def test_surfaces_inside_surfaces(rng):
    radii = np.array([0.9, 0.7, 0.5, 0.3])
    points = np.concatenate([sphere(8000, radius, rng)[0] for radius in radii])

    def outward(p):
        shell = np.abs(np.linalg.norm(p, axis=1)[:, None] - radii).argmin(1)
        return p * np.where(shell % 2 == 0, 1, -1)[:, None]

    assert oriented(points, outward)[0] == 1


def test_linked_rings_that_nearly_touch(rng):
    def ring(p, center, flat):
        q = (p - center)[:, [0, 1, 2] if flat else [0, 2, 1]]
        return np.hypot(np.hypot(q[:, 0], q[:, 1]) - 0.4, q[:, 2]) - 0.18

    def distance(p):
        return np.minimum(ring(p, [-0.2, 0, 0], True), ring(p, [0.2, 0, 0], False))

    assert oriented(on_surface(distance, 30_000, rng), slope(distance))[0] > 0.995


def test_many_handles(rng):
    def distance(p):  # a shell around a gyroid, cut to a ball
        x, y, z = 6 * p.T
        gyroid = np.sin(x) * np.cos(y) + np.sin(y) * np.cos(z) + np.sin(z) * np.cos(x)
        return np.maximum(np.abs(gyroid) / 9 - 0.06, np.linalg.norm(p, axis=1) - 0.85)

    share, facts = oriented(on_surface(distance, 60_000, rng), slope(distance))
    assert share > 0.98
    assert facts["orientation_confidence"] > DOUBTFUL


def on_surface(distance, count, rng):
    """Points (count, 3) near where a distance vanishes, put onto it."""
    found = []
    while sum(map(len, found)) < count:
        p = rng.uniform(-1, 1, (4 * count, 3))
        p = p[np.abs(distance(p)) < 0.01]
        for _ in range(3):
            g = slope(distance)(p) / 2e-4
            p = p - (distance(p) / np.maximum((g * g).sum(1), 0.1))[:, None] * g
        found.append(p)
    return np.concatenate(found)[:count]


def test_an_open_sheet_has_one_side(rng):
    flat = rng.uniform(-0.9, 0.9, (20_000, 2))
    points = np.concatenate([flat, 0.2 * np.sin(4 * flat).prod(1, keepdims=True)], 1)
    share, facts = oriented(points, lambda p: np.array([[0.0, 0.0, 1.0]]))
    assert max(share, 1 - share) == 1
    assert facts["orientation_confidence"] < 0.3
    assert "is a guess" in facts["findings"][0].text


def test_a_bowl_looks_outward(rng):
    points, _ = sphere(20_000, 0.8, rng)
    assert oriented(points[points[:, 2] < 0], lambda p: p)[0] == 1


def test_a_cloud_without_a_surface_is_doubtful(rng):
    _, facts = oriented(rng.uniform(-0.9, 0.9, (10_000, 3)), lambda p: p)
    assert facts["orientation_confidence"] < 0.5
    assert "is a guess" in facts["findings"][0].text


def test_the_same_cloud_gives_the_same_normals(solids, rng):
    points, _ = solids["box"].sample(5000, rng)
    first, again = (prepare_cloud(PointCloud(points))[0].surfels for _ in range(2))
    assert np.array_equal(first, again)


def test_few_points_are_handled(rng):
    target, _ = prepare_cloud(PointCloud(sphere(10, 0.8, rng)[0]))
    assert np.linalg.norm(target.normals, axis=1) == pytest.approx(1)


def test_a_real_scan(data_dir):
    """The dragon: noise, unseen parts, and a mouth and coils whose sheets nearly touch."""
    scan, mesh = read_cloud(data_dir / "scans/dragon.ply"), read_geometry(data_dir / "meshes/dragon.ply")
    assert isinstance(mesh, TriangleMesh)
    frame = Frame.around(scan.points)
    corners = frame.to_unit(mesh.vertices)[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    share, facts = oriented(frame.to_unit(scan.points), of_samples(corners.mean(1), normals))
    assert share > 0.99
    assert facts["orientation_confidence"] > 0.98

"""The tree of boxes against brute force and scipy, and the winding number against what it must be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

import sasnet_sdf.runtime.compiled
from sasnet_sdf.spatial import Tree, first_of_equals, morton_code, morton_order
from sasnet_sdf.supervision.orientation import WindingNumber, surfels_of


def _clustered(count, rng):
    """Points at scales from 1 down to 1e-4, in Morton order."""
    points = rng.uniform(-1, 1, (count, 3)) * 10.0 ** rng.integers(-4, 1, (count, 1))
    return points[morton_order(points)]


@pytest.mark.parametrize("count", [2, 15, 16, 17, 1000, 5000])
def test_nearest_and_neighbors_are_exact(count, rng):
    points = _clustered(count, rng)
    tree, reference = Tree.of(points), cKDTree(points)
    queries = rng.uniform(-1, 1, (500, 3))
    expected = reference.query(queries)[0]
    assert np.linalg.norm(points[tree.nearest(queries)] - queries, axis=1) == pytest.approx(expected)
    indices, distances = tree.neighbors(16)
    k = min(16, count - 1)
    assert indices.shape == (count, k)
    expected = reference.query(points, k + 1)[0][:, 1:].reshape(count, k)
    assert distances == pytest.approx(expected, rel=1e-5)
    found = np.linalg.norm(points[indices] - points[:, None], axis=2)
    assert found == pytest.approx(expected, rel=1e-5)
    assert (indices != np.arange(count)[:, None]).all()


def test_neighbors_on_a_lattice_where_distances_are_equal():
    axis = np.linspace(-0.9, 0.9, 12)
    points = np.stack(np.meshgrid(axis, axis, axis), -1).reshape(-1, 3)
    points = points[morton_order(points)]
    _, distances = Tree.of(points).neighbors(40)
    assert distances == pytest.approx(cKDTree(points).query(points, 41)[0][:, 1:], rel=1e-5)


def test_nearest_does_not_depend_on_the_ranges_where_distances_are_equal(monkeypatch):
    """In the middle of the cells of a lattice eight points are as near as each other."""
    axis = np.linspace(-0.9, 0.9, 12)
    points = np.stack(np.meshgrid(axis, axis, axis), -1).reshape(-1, 3)
    tree = Tree.of(points[morton_order(points)])
    queries = points[(points < 0.8).all(1)] + (axis[1] - axis[0]) / 2
    answers = []
    for longest in (1, 7, 10**6):
        monkeypatch.setattr(sasnet_sdf.runtime.compiled, "LONGEST", longest)
        answers.append(tree.nearest(queries))
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_array_equal(answers[0], answers[2])


def test_results_do_not_depend_on_threads(rng, threads):
    points = _clustered(30_000, rng)
    queries = rng.uniform(-1, 1, (30_000, 3))
    answers = []
    for count in (1, 2, 3):
        threads(count)
        tree = Tree.of(points)
        answers.append((tree.nearest(queries), *tree.neighbors(8)))
    for one, *others in zip(*answers, strict=True):
        assert all(np.array_equal(one, other) for other in others)


def test_morton_code_interleaves_bits():
    corners = np.array([[-1, -1, -1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, 1, 1]], float)
    all_x = int("001" * 10, 2)
    assert morton_code(corners).tolist() == [0, all_x, 2 * all_x, 4 * all_x, 2**30 - 1]
    points = np.random.default_rng(0).uniform(-1, 1, (1000, 3))
    code = morton_code(points)[morton_order(points, 10)]
    assert (np.diff(code) >= 0).all()


def test_winding_number_of_a_sphere(solids, rng):
    points, normals = solids["sphere"].sample(20_000, rng)
    order = morton_order(points)
    points, normals = points[order], normals[order]
    tree = Tree.of(np.ascontiguousarray(points))
    spacing = np.full(len(points), np.sqrt(4 * np.pi * 0.64 / len(points)))
    number = WindingNumber.of_cloud(tree, surfels_of(points, normals), spacing)
    queries = rng.uniform(-1, 1, (2000, 3))
    radius = np.linalg.norm(queries, axis=1)
    clear = np.abs(radius - 0.8) > 0.03
    assert number.number(queries)[clear] == pytest.approx((radius < 0.8)[clear].astype(float), abs=0.15)
    assert number.level == pytest.approx(0.5, abs=0.05)


def test_first_of_equals():
    points = np.array([[1, 2, 3], [0.0, 1, 1], [1, 2, 3], [-0.0, 1, 1], [3, 2, 1], [1, 2, 3]], float)
    assert first_of_equals(points).tolist() == [0, 1, 4]
    assert first_of_equals(points[[0, 1, 4]]).tolist() == [0, 1, 2]

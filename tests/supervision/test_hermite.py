"""Few points with normals: the smooth field between them, where it counts, and curvature that is no noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sasnet_sdf.geometry import PointCloud
from sasnet_sdf.supervision.cloud import NOISY, prepare_cloud
from sasnet_sdf.supervision.hermite import FEW, MANY, fewness


def target_of(solid, count, *, shift=0.0):
    """The target of random points on a solid, moved along their normals by N(0, shift), and the facts."""
    rng = np.random.default_rng(3)
    points, normals = solid.sample(count, rng)
    points += shift * rng.normal(size=(len(points), 1)) * normals
    return prepare_cloud(PointCloud(points, normals))


def error(target, solid, spread, rng):
    """The mean error of distances at so far from the surface."""
    points, normals = solid.sample(4000, rng)
    queries = points + rng.normal(0, spread, (len(points), 1)) * normals
    distance, gradient = target.distance(queries)
    assert np.linalg.norm(gradient, axis=1) == pytest.approx(1, abs=1e-6)
    return np.abs(distance - solid.distance(queries)).mean()


@pytest.mark.parametrize(("count", "on_surface"), [(200, 3e-4), (500, 4e-5), (1000, 1.5e-5)])
def test_the_field_follows_curvature_between_few_points(count, on_surface, solids, rng):
    target, solid = target_of(solids["torus"], count)[0], solids["torus"]
    assert error(target, solid, 0.0, rng) < on_surface
    assert error(target, solid, 0.02, rng) < 1e-3
    assert error(replace(target, hermite=None), solid, 0.0, rng) > 15 * on_surface  # of spheres


def test_the_gradient_is_that_of_the_values(solids, rng):
    target, step = target_of(solids["torus"], 500)[0], 1e-5
    points, normals = solids["torus"].sample(1000, rng)
    points += rng.uniform(-0.02, 0.02, (1000, 1)) * normals
    _, gradient = target.distance(points)
    ends = [[target.distance(points + side * step * axis)[0] for side in (1, -1)] for axis in np.eye(3)]
    slope = np.stack([(after - before) / (2 * step) for after, before in ends], 1)
    assert (np.abs(slope - gradient).max(1) < 0.1).mean() > 0.98  # but where the nearest point changes


def test_beside_a_sharp_edge_spheres_decide(solids, rng):
    target, solid = target_of(solids["box"], 5000)[0], solids["box"]
    assert target.hermite is not None
    share = target.hermite.share
    nearest = np.abs(np.sort(np.abs(np.abs(target.points) - [0.8, 0.6, 0.4]), 1)[:, 1])  # to an edge
    assert share[nearest < 0.01].mean() < 0.2
    assert share[nearest > 0.1].mean() > 0.98
    everywhere = replace(target, hermite=target.hermite._replace(share=np.ones_like(share)))
    assert error(target, solid, 0.0, rng) < 1e-4 < 2e-4 < error(everywhere, solid, 0.0, rng)


def test_both_sides_of_a_sheet_thinner_than_the_spacing(solids, rng):
    target = target_of(solids["plate"], 5000)[0]
    middle = np.concatenate([rng.uniform(-0.75, 0.75, (3000, 2)), np.zeros((3000, 1))], 1)
    assert (target.distance(middle)[0] < 0).mean() > 0.98
    for side in (-1, 1):
        assert (target.distance(middle + [0, 0, 0.015 * side])[0] > 0).mean() > 0.98


def test_curvature_is_not_taken_for_noise(solids):
    target, facts = target_of(solids["torus"], 200)
    assert facts["noise_in_spacings"] < 0.02
    assert facts["noise"] is None
    assert target.trust == 1.0
    noisy, facts = target_of(solids["torus"], 1000, shift=0.02)  # spacings are 0.08
    assert facts["noise_in_spacings"] > NOISY
    assert noisy.hermite is None
    assert noisy.trust < 1


def test_two_points_at_nearly_the_same_place(solids, rng):
    points, normals = solids["torus"].sample(500, rng)
    points = np.concatenate([points, points[:100] + 1e-7 * rng.normal(size=(100, 3))])
    tilted = normals[:100] + 0.2 * rng.normal(size=(100, 3))
    normals = np.concatenate([normals, tilted / np.linalg.norm(tilted, axis=1, keepdims=True)])
    target, _ = prepare_cloud(PointCloud(points, normals))
    assert error(target, solids["torus"], 0.0, rng) < 2e-3


def test_many_points_have_no_smooth_field():
    counts = np.geomspace(FEW / 2, 2 * MANY, 200)
    shares = np.array([fewness(int(count)) for count in counts])
    assert shares[0] == 1
    assert shares[-1] == 0
    assert (np.diff(shares) <= 0).all()
    assert -np.diff(shares).min() < 0.02

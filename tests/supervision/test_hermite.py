"""Few points with normals: the smooth field between them, where it counts, and curvature that is no noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sasnet_sdf.geometry import PointCloud
from sasnet_sdf.supervision.cloud import NOISY, prepare_cloud
from sasnet_sdf.supervision.hermite import FEW, MANY, fewness


@pytest.fixture(scope="module")
def torus(solids):
    """The target of 500 points on a torus, and what was found in them."""
    points, normals = solids["torus"].sample(500, np.random.default_rng(3))
    return prepare_cloud(PointCloud(points, normals))


def errors(target, solid, spread, rng):
    """Of distances near the surface."""
    points, normals = solid.sample(4000, rng)
    queries = points + rng.normal(0, spread, (len(points), 1)) * normals
    distance, gradient = target.distance(queries)
    assert np.linalg.norm(gradient, axis=1) == pytest.approx(1, abs=1e-6)
    return np.abs(distance - solid.distance(queries))


def test_a_torus_of_few_points(torus, solids, rng):
    target, solid = torus[0], solids["torus"]
    smooth = errors(target, solid, 0.0, rng).mean()
    print(
        smooth,
        errors(replace(target, hermite=None), solid, 0.0, rng).mean(),
        errors(target, solid, 0.02, rng).mean(),
    )


def test_print(torus, solids, rng):
    print(torus[1])
    for n in (200, 1000):
        for shift in (0, 0.1, 0.2, 0.4):
            points, normals = solids["torus"].sample(n, np.random.default_rng(3))
            sp = np.sqrt(4 * np.pi**2 * 0.6 * 0.25 / n)
            t, f = prepare_cloud(
                PointCloud(points + shift * sp * rng.normal(size=(len(points), 1)) * normals, normals)
            )
            print(
                n,
                shift,
                f["noise_in_spacings"],
                f["noise"],
                t.hermite is None,
                errors(t, solids["torus"], 0.0, rng).mean(),
                errors(replace(t, hermite=None), solids["torus"], 0.0, rng).mean(),
            )
    for n in (1000, 5000):
        points, normals = solids["box"].sample(n, np.random.default_rng(3))
        t, f = prepare_cloud(PointCloud(points, normals))
        s = t.hermite.share
        print(
            "box",
            n,
            f["noise_in_spacings"],
            (s < 0.5).mean(),
            errors(t, solids["box"], 0, rng).mean(),
            errors(replace(t, hermite=replace(t.hermite, share=s * 0 + 1)), solids["box"], 0, rng).mean(),
        )
        points, normals = solids["plate"].sample(n, np.random.default_rng(3))
        t, f = prepare_cloud(PointCloud(points, normals))
        print(
            "plate",
            n,
            f["noise_in_spacings"],
            (t.hermite.share < 0.5).mean(),
            errors(t, solids["plate"], 0, rng).mean(),
            errors(replace(t, hermite=None), solids["plate"], 0, rng).mean(),
        )

"""Normals: planes, and which way they point."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.geometry import PointCloud
from sasnet_sdf.spatial import Tree
from sasnet_sdf.supervision.cloud import prepare_cloud
from sasnet_sdf.supervision.planes import fit_planes


def test_planes_agree_with_numpy(rng):
    points = rng.normal(size=(500, 3)) * [1, 0.5, 0.1]
    lists = Tree.of(points).neighbors(12)[0]
    normals, residuals = fit_planes(points, lists)
    near = np.concatenate([points[:, None], points[lists]], 1)
    near -= near.mean(1, keepdims=True)
    values, vectors = np.linalg.eigh(near.transpose(0, 2, 1) @ near / 13)
    assert residuals == pytest.approx(np.sqrt(values[:, 0]), abs=1e-9)
    assert np.abs((normals * vectors[:, :, 0]).sum(1)) == pytest.approx(1, abs=1e-6)


def test_planes_through_flat_straight_and_single_places(rng):
    flat = np.concatenate([rng.uniform(-1, 1, (100, 2)), np.zeros((100, 1))], 1)
    line = np.concatenate([rng.uniform(-1, 1, (100, 1)), np.zeros((100, 2))], 1)
    for points, axis in ((flat, 2), (line, 0), (np.zeros((100, 3)), None)):
        lists = np.tile(np.arange(1, 9, dtype=np.int32), (100, 1))
        normals, residuals = fit_planes(points, lists)
        assert np.linalg.norm(normals, axis=1) == pytest.approx(1)
        assert np.abs(residuals).max() < 1e-9
        if axis is not None:
            assert np.abs(normals[:, axis]) == pytest.approx(1 if axis == 2 else 0, abs=1e-6)


@pytest.mark.parametrize("name", ["sphere", "torus", "box"])
def test_propagation_turns_all_normals_outward(name, solids, rng):
    points, _ = solids[name].sample(8000, rng)
    target, facts = prepare_cloud(PointCloud(points))
    assert facts["normals_from"] == "estimate"
    step = 1e-3
    rises = solids[name].distance(target.points + step * target.normals) > solids[name].distance(
        target.points - step * target.normals
    )
    assert rises.mean() > 0.995


def test_every_connected_part_is_oriented(solids, rng):
    points, _ = solids["sphere"].sample(4000, rng)
    apart = np.concatenate([0.4 * points + [0.6, 0, 0], 0.4 * points - [0.6, 0, 0]])
    target, _ = prepare_cloud(PointCloud(apart))
    center = np.where(target.points[:, :1] > 0, 0.6, -0.6) * [1, 0, 0]
    assert (((target.points - center) * target.normals).sum(1) > 0).all()


def test_sensors_decide_the_side(solids, rng):
    points, _ = solids["sphere"].sample(4000, rng)
    outside, _ = prepare_cloud(PointCloud(points, None, None, points * 3))
    inside, facts = prepare_cloud(PointCloud(points, None, None, np.zeros_like(points)))
    assert facts["normals_from"] == "sensors"
    assert ((outside.normals * outside.points).sum(1) > 0).all()
    assert ((inside.normals * inside.points).sum(1) < 0).all()


def test_stray_normals_are_outvoted(solids, rng):
    points, normals = solids["box"].sample(10_000, rng)
    wrong = rng.random(10_000) < 0.01
    normals[wrong] *= -1
    target, _ = prepare_cloud(PointCloud(points, normals))
    queries = rng.uniform(-1, 1, (10_000, 3))
    truth = solids["box"].distance(queries)
    agree = np.sign(target.distance(queries)[0]) == np.sign(truth)
    assert agree[np.abs(truth) > 0.03].all()
    assert agree[np.abs(truth) > 0.003].mean() > 0.999

"""Distances from clouds of known solids: values, slopes and signs, near and far."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import sasnet_sdf.runtime.compiled
from sasnet_sdf.errors import UnusableGeometry
from sasnet_sdf.geometry import Frame, PointCloud
from sasnet_sdf.supervision import prepare
from sasnet_sdf.supervision.cloud import prepare_cloud

COUNT = 20_000


@pytest.fixture(scope="module")
def targets(solids):
    """The target of a clean oriented cloud of each solid, by name, as many points have it."""
    made = {}
    for name, solid in solids.items():
        points, normals = solid.sample(COUNT, np.random.default_rng(3))
        made[name] = replace(prepare_cloud(PointCloud(points, normals))[0], hermite=None)
    return made


@pytest.mark.parametrize(
    ("name", "on_surface", "near", "far"),
    [
        ("sphere", 1e-6, 1e-6, 1e-5),  # an algebraic sphere is exact on a sphere
        ("torus", 1e-4, 1e-4, 2e-4),
        ("box", 5e-5, 5e-5, 1e-3),
        ("plate", 1e-4, 2e-3, 2e-3),
    ],
)
def test_distances(name, on_surface, near, far, targets, solids, rng):
    target, solid = targets[name], solids[name]
    points, _ = solid.sample(5000, rng)
    assert np.abs(target.distance(points)[0]).mean() < on_surface
    for spread, limit in ((0.01, near), (0.3, far)):
        queries = (points + rng.normal(0, spread, points.shape)).clip(-1, 1)
        distance, gradient = target.distance(queries)
        assert np.abs(distance - solid.distance(queries)).mean() < limit
        assert np.linalg.norm(gradient, axis=1) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", ["sphere", "torus", "box", "plate"])
def test_the_sign_is_right_everywhere(name, targets, solids, rng):
    queries = rng.uniform(-1, 1, (20_000, 3))
    truth = solids[name].distance(queries)
    clear = np.abs(truth) > (0.026 if name == "plate" else 1e-3)  # two spacings beside the rim
    assert (np.sign(targets[name].distance(queries)[0]) == np.sign(truth))[clear].all()


@pytest.mark.parametrize("name", ["sphere", "torus"])
def test_gradients_point_outward_and_match_the_slope(name, targets, solids, rng):
    points, normals = solids[name].sample(2000, rng)
    step = rng.uniform(-0.01, 0.01, (2000, 1))
    distance, gradient = targets[name].distance(points + step * normals)
    assert (gradient * normals).sum(1).min() > 0.99
    assert distance == pytest.approx(step[:, 0], abs=2e-3)
    slope = np.polyfit(step[:, 0], distance, 1)[0]
    assert slope == pytest.approx(1, abs=0.01)


def test_an_edge_stays_sharp(targets, solids, rng):
    # along the box's edges, within a spacing of them, inside and outside
    along = rng.uniform(-0.7, 0.7, 3000)
    queries = np.stack([along, np.full(3000, 0.6), np.full(3000, 0.4)], 1)
    queries[:, 1:] += rng.uniform(-0.01, 0.01, (3000, 2))
    truth = solids["box"].distance(queries)
    error = np.abs(targets["box"].distance(queries)[0] - truth)
    assert error.mean() < 1.5e-3
    assert np.percentile(error, 95) < 6e-3  # a smooth fit rounds it off by as much on average


def test_two_sheets_closer_than_their_samples_keep_their_sides(targets, rng):
    inside = np.concatenate([rng.uniform(-0.75, 0.75, (3000, 2)), rng.uniform(-0.003, 0.003, (3000, 1))], 1)
    outside = inside + [0, 0, 0.012]
    assert (targets["plate"].distance(inside)[0] < 0).mean() > 0.97
    assert (targets["plate"].distance(outside)[0] > 0).mean() > 0.98


def test_the_gap_between_two_plates_stays_open(solids, rng):
    # half a gap of 0.8 spacings, each plate far thicker
    points, normals = solids["box"].sample(COUNT, rng)
    both = np.concatenate([points * [1, 1, 0.5] + [0, 0, 0.205], points * [1, 1, 0.5] - [0, 0, 0.205]])
    target, _ = prepare_cloud(PointCloud(both, np.concatenate([normals, normals])))
    gap = np.concatenate([rng.uniform(-0.5, 0.5, (3000, 2)), rng.uniform(-0.003, 0.003, (3000, 1))], 1)
    assert (target.distance(gap)[0] > 0).mean() > 0.99
    assert (target.distance(gap + [0, 0, 0.05])[0] < 0).all()


def test_mild_noise_is_averaged(solids, rng):
    points, normals = solids["sphere"].sample(COUNT, rng)
    noise = 0.004
    noisy = points + noise * rng.normal(size=(COUNT, 1)) * normals
    target, facts = prepare_cloud(PointCloud(noisy, None, None, 3 * normals))
    assert facts["normals_from"] == "sensors"
    queries, _ = solids["sphere"].sample(5000, rng)
    assert np.abs(target.distance(queries)[0]).mean() < noise / 2
    away = rng.uniform(-1, 1, (5000, 3))
    truth = solids["sphere"].distance(away)
    clear = np.abs(truth) > 4 * noise
    assert (np.sign(target.distance(away)[0]) == np.sign(truth))[clear].all()


def test_outliers_are_removed_and_nothing_else(solids, rng):
    points, normals = solids["torus"].sample(COUNT, rng)
    stray = rng.uniform(-1, 1, (200, 3))
    stray = stray[np.abs(solids["torus"].distance(stray)) > 0.1]
    everything = np.concatenate([points, stray])
    sides = np.concatenate([normals, np.tile([[0.0, 0.0, 1.0]], (len(stray), 1))])
    target, facts = prepare_cloud(PointCloud(everything, sides))
    assert np.abs(solids["torus"].distance(target.points)).max() < 0.1
    assert facts["outliers_removed"] == len(stray)


def test_a_sparse_part_is_not_an_outlier(rng):
    dense = np.concatenate([rng.uniform(-0.9, 0, (20_000, 1)), rng.uniform(-0.9, 0.9, (20_000, 1))], 1)
    sparse = np.concatenate([rng.uniform(0, 0.9, (400, 1)), rng.uniform(-0.9, 0.9, (400, 1))], 1)
    points = np.concatenate([np.concatenate([dense, sparse]), np.zeros((20_400, 1))], 1)
    _, facts = prepare_cloud(PointCloud(points, np.tile([[0.0, 0.0, 1.0]], (20_400, 1))))
    # all but some on the border, whose neighbors are on the dense side
    assert facts["outliers_removed"] < 40


def test_duplicates_are_merged(solids, rng):
    points, normals = solids["sphere"].sample(2000, rng)
    once, facts_once = prepare_cloud(PointCloud(points, normals))
    thrice = PointCloud(np.concatenate([points] * 3), np.concatenate([normals] * 3))
    merged, facts = prepare_cloud(thrice)
    assert (facts_once["duplicates_merged"], facts["duplicates_merged"]) == (0, 4000)
    queries = rng.uniform(-1, 1, (500, 3))
    assert np.array_equal(once.distance(queries)[0], merged.distance(queries)[0])


def test_an_open_sheet_has_two_sides(rng):
    points = np.concatenate([rng.uniform(-0.9, 0.9, (10_000, 2)), np.zeros((10_000, 1))], 1)
    target, _ = prepare_cloud(PointCloud(points, np.tile([[0.0, 0.0, 1.0]], (10_000, 1))))
    over = np.concatenate([rng.uniform(-0.8, 0.8, (2000, 2)), rng.uniform(-0.3, 0.3, (2000, 1))], 1)
    distance, _ = target.distance(over)
    assert distance == pytest.approx(over[:, 2], abs=2e-3)


def test_a_cavity_seen_in_part_is_empty_up_to_its_middle(solids, rng):
    # a ball with a round cavity of which one half was seen: there the winding number is about 1/2
    outer, outward = solids["sphere"].sample(COUNT, rng)
    seen = outer[outer[:, 2] < 0] / 2
    cloud = PointCloud(np.concatenate([outer, seen]), np.concatenate([outward, -2.5 * seen]))
    target, _ = prepare_cloud(cloud)
    queries = rng.uniform(-0.3, 0.3, (20_000, 3)) * [1, 1, 0.5] - [0, 0, 0.16]
    queries = queries[np.linalg.norm(queries, axis=1) < 0.39]
    distance, _ = target.distance(queries)
    assert (distance > 0).mean() > 0.99
    assert (target.distance(outer * 0.75)[0] < 0).all()  # the solid around it


def test_the_result_does_not_depend_on_the_ranges(solids, rng, monkeypatch, threads):
    """Ranges of any length give the same bytes: of a noisy cloud, whose every step is taken."""
    points, _ = solids["torus"].sample(3000, rng)
    cloud = PointCloud(points + rng.normal(0, 0.01, points.shape))
    queries = rng.uniform(-1, 1, (2000, 3))
    answers = []
    for longest, number in ((37, 2), (10**6, 1)):
        monkeypatch.setattr(sasnet_sdf.runtime.compiled, "LONGEST", longest)
        threads(number)
        target, facts = prepare_cloud(cloud)
        assert facts["noise"] > 0
        answers.append([target.points, target.normals, target.lists, target.width, *target.distance(queries)])
    for one, other in zip(*answers, strict=True):
        np.testing.assert_array_equal(one, other)


def test_too_few_points_are_refused():
    points = np.tile([[0.1, 0.2, 0.3]], (50, 1))
    with pytest.raises(UnusableGeometry, match="distinct points"):
        prepare_cloud(PointCloud(points, np.tile([[0.0, 0.0, 1.0]], (50, 1))))


def test_world_units_do_not_matter(solids, rng):
    points, normals = solids["torus"].sample(5000, rng)
    moved = PointCloud(points * 300 + [5e6, 0, 0], normals)
    frame = Frame.around(moved.points)
    target, facts = prepare(moved, frame)
    truth = solids["torus"].distance(points) * 300 / frame.scale
    distance, _ = target.distance(frame.to_unit(moved.points))
    assert np.abs(distance - truth).mean() < 1e-3
    assert facts["normals_from"] == "file"
    low, high = target.bounds
    assert (high - low).max() == pytest.approx(1.9)

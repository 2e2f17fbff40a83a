"""Noise of known size on known surfaces: what is taken off, what is left, and what stays as it was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from sasnet_sdf.geometry import PointCloud
from sasnet_sdf.spatial import Tree, morton_order
from sasnet_sdf.supervision.cloud import prepare_cloud
from sasnet_sdf.supervision.denoise import Denoised, denoise

Array = NDArray[np.floating]
COUNT = 20_000
SHARE = 0.5  # noise, in spacings of an even lattice


@dataclass(frozen=True)
class Case:
    """What came of noisy points; all arrays in one order."""

    found: Denoised
    noisy: Array
    clean: Array
    normals: Array
    sigma: float
    spacing: float


def _denoised(points: Array, normals: Array) -> tuple[Denoised, NDArray[np.int64], float]:
    """Also the order of the points, and their median spacing."""
    order = morton_order(points)
    tree = Tree.of(np.ascontiguousarray(points[order]))
    spacing = np.maximum(tree.neighbors(6)[1].mean(1, dtype=np.float64), 1e-9)
    return denoise(tree, spacing, normals[order]), order, float(np.median(spacing))


def _case(clean: Array, normals: Array, area: float) -> Case:
    sigma = SHARE * np.sqrt(area / len(clean))
    shifts = np.random.default_rng(1).normal(size=(len(clean), 1))
    noisy = clean + sigma * shifts * normals
    found, order, spacing = _denoised(noisy, normals)
    return Case(found, noisy[order], clean[order], normals[order], sigma, spacing)


@pytest.fixture(scope="module", params=["plane", "sphere"])
def smooth(request, solids):
    """A noisy smooth surface, and the distances of points from it."""
    rng = np.random.default_rng(7)
    if request.param == "plane":
        points = rng.uniform(-0.9, 0.9, (COUNT, 3)) * [1, 1, 0]
        normals = np.tile([0.0, 0, 1], (COUNT, 1))
        return _case(points, normals, 1.8**2), lambda points: np.abs(points[:, 2])
    sphere = solids["sphere"]
    points, normals = sphere.sample(COUNT, rng)
    return _case(points, normals, 4 * np.pi * 0.8**2), lambda points: np.abs(sphere.distance(points))


@pytest.fixture(scope="module")
def box(solids):
    area = 8 * (0.8 * 0.6 + 0.8 * 0.4 + 0.6 * 0.4)
    points, normals = solids["box"].sample(COUNT, np.random.default_rng(7))
    return _case(points, normals, area)


def test_points_move_onto_the_surface(smooth):
    case, distance = smooth
    assert case.found.supported.all()
    assert distance(case.found.points).mean() < distance(case.noisy).mean() / 8
    assert np.percentile(distance(case.found.points), 99) < case.sigma / 2


def test_points_move_along_normals_only(smooth):
    case, _ = smooth
    moved = case.found.points - case.clean
    along = (moved * case.normals).sum(1, keepdims=True) * case.normals
    assert np.median(np.linalg.norm(moved - along, axis=1)) < case.spacing / 20


def test_the_noise_is_known(smooth):
    case, _ = smooth
    assert case.found.noise == pytest.approx(case.sigma, rel=0.1)


def test_normals_are_those_of_the_surface(smooth):
    case, _ = smooth
    assert np.linalg.norm(case.found.normals, axis=1) == pytest.approx(1)
    cosine = np.abs((case.found.normals * case.normals).sum(1))
    degrees = np.degrees(np.arccos(cosine.clip(max=1)))
    assert np.median(degrees) < 1 and np.percentile(degrees, 95) < 3


def test_edges_stay(box, solids):
    half = np.array([0.8, 0.6, 0.4])
    from_edge = np.sort(half - np.abs(box.clean), axis=1)[:, 1]
    error = np.abs(solids["box"].distance(box.found.points)) / box.sigma
    supported = box.found.supported
    assert supported.mean() > 0.999
    near, away = supported & (from_edge < box.spacing), supported & (from_edge > 8 * box.spacing)
    assert near.sum() > 1000 and away.sum() > 1000
    assert error[near].mean() < 0.7  # of a noisy box 0.8, and of one with rounded edges more
    assert error[away].mean() < 0.12
    assert box.found.noise == pytest.approx(box.sigma, rel=0.1)


def test_points_far_from_any_surface_are_unsupported(solids):
    rng = np.random.default_rng(4)
    alone = rng.uniform(-1, 1, (40, 3))
    alone = alone[np.abs(solids["sphere"].distance(alone)) > 0.2]
    points, normals = solids["sphere"].sample(COUNT, rng)
    noisy = points + 0.01 * rng.normal(size=(COUNT, 1)) * normals
    found, order, _ = _denoised(
        np.concatenate([noisy, alone]), np.concatenate([normals, np.sign(alone) / 3**0.5])
    )
    assert len(alone) > 10
    assert np.array_equal(found.supported, order < COUNT)


def test_the_same_points_give_the_same_bytes(box):
    again, order, _ = _denoised(box.noisy, box.normals)
    assert np.array_equal(order, np.arange(COUNT))
    for name, value in vars(box.found).items():
        assert np.asarray(value).tobytes() == np.asarray(getattr(again, name)).tobytes(), name


@pytest.mark.parametrize("count", [12, 100])
def test_a_few_points_are_handled(count):
    points = 0.3 * np.random.default_rng(0).normal(size=(count, 3))
    found, _, _ = _denoised(points, np.sign(points) / 3**0.5)
    assert found.points.shape == found.normals.shape == (count, 3)
    assert np.isfinite(found.points).all()
    assert np.isfinite(found.normals[found.supported]).all()


def test_noise_wider_than_the_narrow_windows_is_taken_off(solids):
    # two spacings: a window of 1.9 is full of points, and sees no more of the noise than fits into it
    rng = np.random.default_rng(7)
    clean, normals = solids["sphere"].sample(COUNT, rng)
    sigma = 2 * np.sqrt(4 * np.pi * 0.8**2 / COUNT)
    noisy = clean + sigma * rng.normal(size=(COUNT, 1)) * normals
    target, facts = prepare_cloud(PointCloud(noisy, normals))
    places, _ = solids["sphere"].sample(5000, rng)
    assert facts["used_points"] > 0.97 * COUNT
    assert np.abs(target.distance(places)[0]).mean() < sigma / 7
    assert facts["noise"] == pytest.approx(sigma, rel=0.1)


def test_both_sides_of_a_thin_sheet_stay_apart():
    # two planes at three times the noise: windows hold points of both, but for the side they were seen from
    rng = np.random.default_rng(3)
    sigma = 0.5 * 1.8 / np.sqrt(COUNT / 2)
    sides = np.where(rng.random(COUNT) < 0.5, -1.0, 1.0)[:, None]
    points = rng.uniform(-0.9, 0.9, (COUNT, 3)) * [1, 1, 0] + sides * [0, 0, 1.5 * sigma]
    normals = sides * [0.0, 0, 1]
    found, order, _ = _denoised(points + sigma * rng.normal(size=(COUNT, 1)) * normals, normals)
    off = np.abs(found.points[:, 2] - points[order, 2])
    assert found.supported.mean() > 0.99
    assert off[found.supported].mean() < sigma / 6

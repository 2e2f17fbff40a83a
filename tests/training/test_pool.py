"""The pool of targets and the batches drawn from it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sasnet_sdf.geometry import Frame, PointCloud
from sasnet_sdf.spatial import morton_code
from sasnet_sdf.supervision import prepare
from sasnet_sdf.training.samplers import Batches, Pool, Slices, draw_pool

NEAR_SHARE, MIDDLE_SHARE = 0.7, 0.15
RADIUS = 0.95
COUNT = 20_001


@pytest.fixture(scope="module")
def target():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(20_000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return prepare(PointCloud(points * 5, points), Frame.around(5 * points))[0]


@pytest.fixture(scope="module")
def pool(target):
    return draw_pool(target, COUNT, 0)


def test_the_pool_has_the_requested_size_and_type(pool):
    assert len(pool) == COUNT
    for part, shape in ((pool.points, (COUNT, 3)), (pool.distances, (COUNT,)), (pool.normals, (COUNT, 3))):
        assert part.shape == shape
        assert part.dtype == torch.float32
        assert torch.isfinite(part).all()
    assert pool.points.abs().max() <= 1


def test_targets_are_the_distances_of_the_stored_points(pool):
    radius = pool.points.double().norm(dim=1).numpy()
    error = np.abs(pool.distances.numpy() - (radius - RADIUS))
    assert error.mean() < 2e-4
    off_center = radius > 0.2
    cosine = (pool.normals * pool.points).sum(1).numpy()[off_center] / radius[off_center]
    assert np.percentile(cosine, 5) > 0.99


def test_shares(pool):
    distance = pool.distances.abs().numpy()
    spacing = np.sqrt(4 * np.pi * RADIUS**2 / 20_000)
    close = (distance < 3 * spacing).mean()
    assert NEAR_SHARE * 0.95 < close < NEAR_SHARE + MIDDLE_SHARE
    # the rest fills the cube: its corners hold their share of it
    corners = (pool.points.abs() > 0.8).all(1).float().mean()
    assert corners == pytest.approx((1 - NEAR_SHARE - MIDDLE_SHARE) * 0.2**3, rel=0.6)


def test_more_targets_closer_to_the_surface(target, pool):
    closer = draw_pool(target, COUNT, 0, near_share=0.9, near_spread=0.1)
    spacing = np.sqrt(4 * np.pi * RADIUS**2 / 20_000)
    # an axis at a time half of a Laplace distribution lies within ln 2 of its scale; across them fewer
    shares = [(p.distances.abs() < 0.1 * np.log(2) * spacing).float().mean() for p in (closer, pool)]
    assert 0.9 * 0.4 < shares[0] < 0.9 * 0.5 and shares[1] < 0.1


def test_the_near_targets_cover_the_surface(pool):
    points = pool.points[pool.distances.abs() < 0.02].numpy()
    octant = (points > 0) @ [1, 2, 4]
    share = np.bincount(octant, minlength=8) / len(points)
    assert share == pytest.approx(np.full(8, 1 / 8), abs=0.01)


def test_the_pool_is_in_morton_order(pool):
    assert (np.diff(morton_code(pool.points.numpy())) >= 0).all()


def test_the_seed_decides(target, pool):
    again, other = draw_pool(target, COUNT, 0), draw_pool(target, COUNT, 1)
    assert torch.equal(pool.points, again.points)
    assert torch.equal(pool.distances, again.distances)
    assert torch.equal(pool.normals, again.normals)
    assert not torch.equal(pool.points, other.points)


def test_batches_take_one_target_of_every_slice():
    index = torch.arange(1000, dtype=torch.float32)
    pool = Pool(index[:, None].expand(-1, 3), index, index[:, None].expand(-1, 3))
    seen = set()
    batches = Batches(pool, 100, seed=0)
    for step in range(150):
        points, distances, normals = batches(step)
        assert torch.equal(distances.long() // 10, torch.arange(100))
        assert torch.equal(points[:, 0], distances)
        assert torch.equal(normals[:, 2], distances)
        seen.update(distances.tolist())
        assert len(seen) == 100 * min(step + 1, 10)  # an epoch has every place once


@pytest.mark.parametrize("count, size", [(1003, 100), (101, 100), (100, 100), (7, 100), (10**6, 3)])
def test_an_epoch_has_every_place_at_least_once(count, size):
    slices = Slices(count, size, 3)
    steps = -(-count // min(size, count))
    places = np.sort(np.concatenate([slices(step) for step in range(steps)]))
    assert np.array_equal(np.unique(places), np.arange(count))
    assert len(places) - count < size  # where a slice is shorter by one, one comes twice
    second = np.concatenate([slices(step) for step in range(steps, 2 * steps)])
    assert np.array_equal(np.unique(second), np.arange(count))
    assert count <= 101 or not np.array_equal(slices(steps), slices(0))  # in another order


def test_batches_are_reproducible_and_fit_the_pool(pool):
    one, other = Batches(pool, 64, 5), Batches(pool, 64, 5)
    for step in (2, 0, 1):  # in any order
        assert all(torch.equal(a, b) for a, b in zip(one(step), other(step), strict=True))
    assert not torch.equal(one(0)[1], one(1)[1])
    assert not torch.equal(one(0)[1], Batches(pool, 64, 6)(0)[1])
    assert len(Batches(pool, 10**6, 0)(0)[0]) == COUNT

"""Analytic clouds and their sketches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sasnet_sdf.geometry import Frame, PointCloud
from sasnet_sdf.plausibility.claims import Sketch

COUNT = 4000


def ellipsoid(rng, count=COUNT):
    """Points (count, 3) on an ellipsoid of half axes 1, 0.7, 0.5, and outward normals."""
    sides = rng.normal(size=(count, 3))
    points = sides / np.linalg.norm(sides, axis=1, keepdims=True) * [1, 0.7, 0.5]
    normals = points / np.square([1, 0.7, 0.5])
    return points, normals / np.linalg.norm(normals, axis=1, keepdims=True)


def terrain(rng, count=COUNT):
    """Points (count, 3) of hills over a square of 100, and normals that look up."""
    x, y = rng.uniform(-50, 50, (2, count))
    slope = np.stack([0.2 * np.cos(x / 10), 0.1 * np.cos(y / 20)], 1)
    normals = np.concatenate([-slope, np.ones((count, 1))], 1)
    points = np.stack([x, y, 2 * np.sin(x / 10) + 2 * np.sin(y / 20)], 1)
    return points, normals / np.linalg.norm(normals, axis=1, keepdims=True)


def room(rng, count=COUNT):
    """Points (count, 3) of a room of 6 x 5 x 3 as a scanner at 0 0 0 saw them, and inward normals."""
    rays = rng.normal(size=(count, 3))
    near = np.array([3, 2.5, 1.5]) / np.abs(rays)
    wall = near.argmin(1)
    points = rays * near.min(1, keepdims=True)
    return points, -np.sign(rays[np.arange(count), wall])[:, None] * np.eye(3)[wall]


def plate(rng, count=COUNT):
    """Points (count, 3) on a plate 1 x 0.6 x 0.01, and outward normals."""
    sizes = np.array([1, 0.6, 0.01])
    areas = sizes.prod() / sizes
    axis = rng.choice(3, count, p=areas / areas.sum())
    points, rows = rng.uniform(-0.5, 0.5, (count, 3)) * sizes, np.arange(count)
    side = rng.choice([-1.0, 1.0], count)
    points[rows, axis] = side * sizes[axis] / 2
    return points, side[:, None] * np.eye(3)[axis]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def floors(rng):
    """Two floors of a house, both seen from above."""
    points = rng.uniform(0, 6, (1000, 3))
    points[:, 2] = 3.0 * (rng.random(1000) < 0.5)
    return points, np.tile([0.0, 0, 1], (1000, 1))


def slab(rng):
    """A plate that is more than two spacings thick, on both sides."""
    points = rng.uniform(0, 1, (3000, 3)) * [1, 0.6, 1]
    points[:, 2] = 0.05 * (rng.random(3000) < 0.5)
    return points, np.where(points[:, 2:] > 0, 1.0, -1.0) * [0, 0, 1]


@pytest.fixture
def shapes() -> dict[str, Callable]:
    return {shape.__name__: shape for shape in (ellipsoid, terrain, room, plate, floors, slab)}


@pytest.fixture
def sketch_of() -> Callable[..., Sketch]:
    """The sketch of points (N, 3) in the unit cube's frame, and that frame."""

    def of(points):
        sketch = Sketch.of(PointCloud(points), Frame.around(points))
        assert sketch is not None
        return sketch

    return of

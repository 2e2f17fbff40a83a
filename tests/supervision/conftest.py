"""Analytic solids in the unit cube: oriented samples of them, and exact signed distances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Solid:
    """`sample(count, rng)` gives points and outward normals, `distance(points)` is exact, negative inside."""

    sample: Callable[[int, np.random.Generator], tuple[Array, Array]]
    distance: Callable[[Array], Array]


def _sphere(count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    normals = rng.normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return 0.8 * normals, normals


def _torus(count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    # even by area: accept with the share of the ring's length
    v = rng.uniform(0, 2 * np.pi, 3 * count)
    v = v[rng.random(3 * count) * 0.85 < 0.6 + 0.25 * np.cos(v)][:count]
    u = rng.uniform(0, 2 * np.pi, len(v))
    normals = np.stack([np.cos(v) * np.cos(u), np.cos(v) * np.sin(u), np.sin(v)], 1)
    return 0.6 * np.stack([np.cos(u), np.sin(u), 0 * u], 1) + 0.25 * normals, normals


def _box(half: Array) -> Solid:
    def sample(count: int, rng: np.random.Generator) -> tuple[Array, Array]:
        area = np.prod(half) / half
        axis = rng.choice(3, count, p=area / area.sum())
        side = np.where(rng.random(count) < 0.5, -1.0, 1.0)
        points = rng.uniform(-1, 1, (count, 3)) * half
        normals = np.zeros((count, 3))
        rows = np.arange(count)
        points[rows, axis], normals[rows, axis] = side * half[axis], side
        return points, normals

    def distance(points: Array) -> Array:
        q = np.abs(points) - half
        return np.linalg.norm(np.maximum(q, 0), axis=1) + np.minimum(q.max(1), 0)

    return Solid(sample, distance)


SOLIDS = {
    "sphere": Solid(_sphere, lambda p: np.linalg.norm(p, axis=1) - 0.8),
    "torus": Solid(_torus, lambda p: np.hypot(np.hypot(p[:, 0], p[:, 1]) - 0.6, p[:, 2]) - 0.25),
    "box": _box(np.array([0.8, 0.6, 0.4])),
    "plate": _box(np.array([0.8, 0.8, 0.005])),  # thinner than the samples are apart
}


@pytest.fixture(scope="session")
def solids() -> dict[str, Solid]:
    return SOLIDS


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)

"""Shapes whose figures are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import trimesh

from sasnet_sdf.geometry import TriangleMesh
from sasnet_sdf.metrics import Triangles, frame_around


def _mesh(found: trimesh.Trimesh) -> TriangleMesh:
    return TriangleMesh(np.array(found.vertices, np.float64), np.array(found.faces, np.int64))


def make_ball(radius: float, subdivisions: int = 5) -> TriangleMesh:
    return _mesh(trimesh.creation.icosphere(subdivisions, radius))


def make_square(height: float) -> TriangleMesh:
    corners = np.array([[0, 0, height], [1, 0, height], [1, 1, height], [0, 1, height]], np.float64)
    return TriangleMesh(corners, np.array([[0, 1, 2], [0, 2, 3]]))


@pytest.fixture(scope="session")
def ball() -> Callable[..., TriangleMesh]:
    """A sphere about the origin, of a radius."""
    return make_ball


@pytest.fixture(scope="session")
def square() -> Callable[[float], TriangleMesh]:
    """The unit square at a height."""
    return make_square


@pytest.fixture(scope="session")
def brick() -> TriangleMesh:
    """A box of the sides 2, 1.2 and 0.6 about the origin."""
    return _mesh(trimesh.creation.box((2.0, 1.2, 0.6)))


@pytest.fixture(scope="session")
def measured() -> Callable[[TriangleMesh, TriangleMesh], tuple[Triangles, Triangles]]:
    """A mesh and its reference in the reference's frame."""

    def both(mesh: TriangleMesh, reference: TriangleMesh) -> tuple[Triangles, Triangles]:
        frame = frame_around(reference.vertices)
        return Triangles.of(mesh, frame), Triangles.of(reference, frame)

    return both


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)

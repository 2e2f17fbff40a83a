"""A sphere, whose picture is known."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from sasnet_sdf.geometry import TriangleMesh


@pytest.fixture(scope="session")
def sphere():
    """A sphere of radius 2 around (5, -3, 1)."""
    ball = trimesh.creation.icosphere(subdivisions=5, radius=2.0)
    return TriangleMesh(np.asarray(ball.vertices) + [5.0, -3.0, 1.0], np.asarray(ball.faces, np.int64))

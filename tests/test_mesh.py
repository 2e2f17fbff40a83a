"""Boundary edges, their loops, and edges of more than two triangles."""

from __future__ import annotations

import numpy as np
import pytest

from sasnet_sdf.mesh import Edges

OCTAHEDRON = np.array([(i, 2 + j, 4 + k) for i in (0, 1) for j in (0, 1) for k in (0, 1)])


@pytest.mark.parametrize(
    ("faces", "edges"),
    [
        (OCTAHEDRON, Edges(0, 0, 0)),
        (OCTAHEDRON[:6], Edges(4, 1, 0)),
        (OCTAHEDRON[1:7], Edges(6, 2, 0)),
        (np.array([[0, 1, 2], [1, 0, 3], [0, 1, 4]]), Edges(6, 1, 1)),
        (np.empty((0, 3), np.int64), Edges(0, 0, 0)),
    ],
    ids=["closed", "a hole", "two holes", "three triangles on an edge", "nothing"],
)
def test_edges(faces, edges):
    assert Edges.of(faces) == edges

"""The parts of a surface that no data support, and how wide the holes in the data are that they span."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..geometry import Array, TriangleMesh


@dataclass(frozen=True)
class Patches:
    """Connected regions of a mesh, each wholly supported or wholly not; R of them.

    region: (V,) the region that each vertex belongs to. supported: (R,) bool. area: (R,); a
    triangle that lies in two regions counts to the one without support. opening: (R,) the area of
    the hole that an unsupported region spans, whatever its own shape: half |sum of a x b| over the
    directed edges of its rim. Zero where it has no rim. beside: (R,) the area of the supported
    regions around it. farthest: (R,) the largest distance of its vertices from the data.
    """

    region: NDArray[np.int32]
    supported: NDArray[np.bool_]
    area: Array
    opening: Array
    beside: Array
    farthest: Array

    @property
    def supported_area(self) -> float:
        return float(self.area[self.supported].sum())

    @property
    def floating(self) -> NDArray[np.bool_]:
        """The unsupported regions (R,) that touch no supported one."""
        return ~self.supported & (self.beside == 0)


def patches_of(mesh: TriangleMesh, supported: NDArray[np.bool_], distance: Array) -> Patches:
    """The regions of a mesh by what supports its vertices (V,) and their distance (V,) from the data."""
    region = _regions(mesh, supported)
    count = int(region.max(initial=-1)) + 1
    of_region = np.zeros(count, np.bool_)
    of_region[region] = supported
    farthest = np.zeros(count)
    np.maximum.at(farthest, region, distance)

    known = supported[mesh.faces]
    first = np.where(known.all(1), 0, (~known).argmax(1))  # an unsupported corner where there is one
    corners = np.take_along_axis(mesh.faces, (first[:, None] + np.arange(3)) % 3, 1)
    a, b, c = (mesh.vertices[corners[:, n]] for n in range(3))
    owner = region[corners[:, 0]]
    area = _sums(owner, np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2, count)

    rim = known.sum(1) == 2
    across = np.cross(b[rim], c[rim]) / 2
    opening = np.stack([_sums(owner[rim], across[:, n], count) for n in range(3)], 1)
    pairs = np.unique(np.stack([owner[rim], region[corners[rim, 1]]], 1), axis=0)
    beside = _sums(pairs[:, 0], area[pairs[:, 1]], count)
    return Patches(region, of_region, area, np.linalg.norm(opening, axis=1), beside, farthest)


def _regions(mesh: TriangleMesh, supported: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Numbers (V,) of the regions that vertices belong to, connected by edges within a region."""
    a, b, c = mesh.faces.astype(np.int32).T
    starts, ends = np.concatenate([a, b, c]), np.concatenate([b, c, a])
    same = supported[starts] == supported[ends]
    starts, ends = starts[same], ends[same]
    shape = (len(mesh.vertices),) * 2
    graph = coo_array((np.ones(len(starts), np.int8), (starts, ends)), shape=shape).tocsr()
    return connected_components(graph, directed=False)[1]


def _sums(group: NDArray, values: Array, count: int) -> Array:
    """The sum of the values (N,) of each of `count` groups."""
    return np.bincount(group, values, count).astype(np.float64)

"""The parts of a surface that no data support, and how wide the holes in the data are that they span."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..geometry import Array, TriangleMesh
from ..progress import tick
from .triangles import areas

CHUNK = 1 << 15
"""Triangles that are looked at together."""


@dataclass(frozen=True)
class Patches:
    """Connected regions of a mesh, each wholly supported or wholly not; R of them.

    region: (V,) the region that each vertex belongs to. supported: (R,) bool. area: (R,); a
    triangle that lies in two regions counts to the one without support. opening: (R,) the area of
    the hole that an unsupported region spans, whatever its own shape: half |sum of a x b| over the
    directed edges of its rim, which are closed loops where no supported vertex is at a boundary of the
    mesh. Zero where it has no rim. beside: (R,) the area of the supported regions around it. farthest:
    (R,) the largest distance of its vertices from the data.
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

    area, opening = np.zeros(count), np.zeros((count, 3))
    measured = areas(mesh.vertices, mesh.faces)
    touching = [np.empty((0, 2), np.int32)]
    for start in range(0, len(mesh.faces), CHUNK):
        tick()
        part = slice(start, start + CHUNK)
        faces = mesh.faces[part]
        known = supported[faces]
        first = np.where(known.all(1), 0, (~known).argmax(1))  # an unsupported corner where there is one
        owner = region[np.take_along_axis(faces, first[:, None], 1)[:, 0]]
        area += np.bincount(owner, measured[part], count)
        rim = np.flatnonzero(known.sum(1) == 2)
        b, c = (faces[rim, (first[rim] + n) % 3] for n in (1, 2))
        np.add.at(opening, owner[rim], np.cross(mesh.vertices[b], mesh.vertices[c]) / 2)
        touching.append(np.stack([owner[rim], region[b]], 1))
    pairs = np.unique(np.concatenate(touching), axis=0)
    beside = np.zeros(count)
    np.add.at(beside, pairs[:, 0], area[pairs[:, 1]])
    return Patches(region, of_region, area, np.linalg.norm(opening, axis=1), beside, farthest)


def _regions(mesh: TriangleMesh, supported: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Numbers (V,) of the regions that vertices belong to, connected by edges within a region."""
    corners = mesh.faces.astype(np.int32)
    starts, ends = corners.ravel(), np.roll(corners, -1, 1).ravel()
    same = supported[starts] == supported[ends]
    starts, ends = starts[same], ends[same]
    del corners, same
    tick()
    shape = (len(mesh.vertices),) * 2
    graph = coo_array((np.ones(len(starts), np.int8), (starts, ends)), shape=shape).tocsr()
    del starts, ends
    tick()
    return connected_components(graph, directed=False)[1]

"""The solid that a closed mesh encloses: makes its parts consistent and outward, and finds inner walls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import igl
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..geometry import Array
from ..runtime.progress import steps
from .targets import MeshTree, face_crosses, face_normals

Faces = NDArray[np.int64]

FLAT = 1e-7  # volume over area to the power of 3/2 below which a part encloses nothing
FLAT_SHARE = 0.01  # a mesh is a sheet if a larger share of its area is in parts that enclose nothing
INSIDE = 0.9  # least share of a part's samples that lie inside another part for it to lie inside that part
SAMPLES = 64  # number of faces of a part whose centers are tested
BESIDE = 2e-5  # distance from a face at which its sides are tested: winding numbers have single precision


@dataclass(frozen=True)
class Solid:
    """A solid: where the winding number of its triangles exceeds 0.5.

    faces: (F, 3) consistently wound. boundary: (F,) whether the solid lies on only one side of the face.
    notes: what was done to the mesh, one sentence each.
    """

    faces: Faces
    boundary: NDArray[np.bool_]
    notes: list[str]


def solid_of(vertices: Array, faces: Faces) -> Solid | None:
    """The solid that triangles (F, 3) of vertices (V, 3) in the unit cube enclose; None for an open mesh.

    A mesh is closed if each edge has equally many triangles in both directions, once the triangles of each
    part are wound consistently. A part that lies in no other part is turned outward, together with the parts
    inside it. A part inside another one is a cavity if it is wound in the opposite direction; otherwise both
    form one solid.
    """
    step = steps()
    step(0.4)
    wound, sides = faces, _Sides.of(faces)
    if not sides.are_balanced:
        wound = _rewound(vertices, faces)
        sides = _Sides.of(wound)
        if not sides.are_balanced:
            return None
    part = _parts(wound, sides)
    area, volume = _sizes(vertices, wound, part)
    if area[np.abs(volume) <= FLAT * area**1.5].sum() > FLAT_SHARE * area.sum():
        return None
    step(0.7)
    one = [[]], np.zeros(1, np.bool_)
    containers, meet = _containers(vertices, wound, part) if len(area) > 1 else one
    turned = _turned(volume, containers)
    solid = np.ascontiguousarray(np.where(turned[part][:, None], wound[:, ::-1], wound))
    step(1.0)
    suspect = meet[part] if sides.are_pairs else np.ones(len(faces), np.bool_)
    boundary = _boundary(vertices, solid, np.flatnonzero(suspect))
    return Solid(solid, boundary, _notes(faces, wound, turned, boundary))


@dataclass(frozen=True)
class _Sides:
    """The sides of triangles (3 F,), sorted by edge.

    face: the triangle of each side. up: 1 if the side leads to the higher vertex index, else -1. first: the
    first side of each edge.
    """

    face: NDArray[np.int64]
    up: NDArray[np.int8]
    first: NDArray[np.int64]

    @classmethod
    def of(cls, faces: Faces) -> _Sides:
        a, b = faces.ravel(), faces[:, [1, 2, 0]].ravel()
        edge = np.minimum(a, b) * (int(faces.max(initial=0)) + 1) + np.maximum(a, b)
        order = np.argsort(edge)
        edge = edge[order]
        first = np.flatnonzero(np.append(True, edge[1:] != edge[:-1]))
        return cls(order // 3, np.where(a < b, 1, -1).astype(np.int8)[order], first)

    @property
    def are_balanced(self) -> bool:
        """Whether each edge has equally many sides up and down."""
        return not np.add.reduceat(self.up, self.first, dtype=np.int64).any()

    @property
    def are_pairs(self) -> bool:
        """Whether each edge has two sides."""
        return 2 * len(self.first) == len(self.face) and bool((np.diff(self.first) == 2).all())


def _notes(faces: Faces, wound: Faces, turned: NDArray[Any], boundary: NDArray[Any]) -> list[str]:
    notes = []
    if rewound := int((faces != wound).any(axis=1).sum()):
        notes.append(
            f"{rewound} of {len(faces)} faces were wound against their neighbors and have been turned"
        )
    if len(turned) == 1 and turned[0]:
        notes.append("the mesh was inside out and has been turned")
    elif turned.any():
        notes.append(f"{turned.sum()} of {len(turned)} closed parts were inside out and have been turned")
    if inside := int((~boundary).sum()):
        notes.append(f"{inside} of {len(faces)} faces lie inside the solid and were left out")
    return ["; ".join(notes)] if notes else []


def _rewound(vertices: Array, faces: Faces) -> Faces:
    """The triangles, wound consistently; each patch keeps the direction of most of its area."""
    found: Any = igl.bfs_orient(faces)
    wound, patch = found
    differs = (wound != faces).any(axis=1)
    area = np.where(differs, -1, 1) * np.linalg.norm(face_crosses(vertices, faces), axis=1)
    back = np.bincount(patch, area)[patch] < 0
    # reversed in bfs_orient's order, so that triangles that it did not change remain as they were
    return np.where((differs ^ back)[:, None], faces[:, ::-1], faces)


def _parts(faces: Faces, sides: _Sides) -> NDArray[np.int64]:
    """The part (F,) of each triangle: patches joined by edges of two triangles, if each part is closed."""
    if sides.are_pairs:
        count = len(faces)
        pairs = sides.face.reshape(-1, 2).T
        links = coo_array((np.ones(pairs.shape[1], np.bool_), (pairs[0], pairs[1])), (count, count))
        return connected_components(links, directed=False)[1].astype(np.int64)
    patch: Any = igl.orientable_patches(faces)
    patch = np.asarray(patch[0] if isinstance(patch, tuple) else patch)
    # with separate vertices per patch, so that an edge shared by several patches counts for each
    apart = np.unique(patch[:, None] * (int(faces.max()) + 1) + faces, return_inverse=True)[1]
    if _Sides.of(apart.reshape(faces.shape)).are_balanced:
        return patch
    _, component = igl.facet_components(faces)
    return np.asarray(component)


def _sizes(vertices: Array, faces: Faces, part: NDArray[Any]) -> tuple[Array, Array]:
    """The area and the signed volume (P,) of each part."""
    across = face_crosses(vertices, faces)
    # relative to a vertex of the part, so that small parts far from the origin lose no digits
    origin = np.empty((int(part.max()) + 1, 3))
    origin[part] = vertices[faces[:, 0]]
    volume = np.einsum("ij,ij->i", vertices[faces[:, 0]] - origin[part], across) / 6
    area = np.bincount(part, np.sqrt(np.einsum("ij,ij->i", across, across)) / 2)
    return area.astype(np.float64), np.bincount(part, volume).astype(np.float64)


def _containers(
    vertices: Array, faces: Faces, part: NDArray[Any]
) -> tuple[list[list[int]], NDArray[np.bool_]]:
    """The parts that each part lies in, and whether its bounding box (P,) overlaps that of another part."""
    order = np.argsort(part, kind="stable")
    ends = np.searchsorted(part[order], np.arange(int(part.max()) + 2))
    corners = vertices[faces[order]]
    # one row for each axis, since NumPy is fast along rows
    low = np.ascontiguousarray(np.minimum.reduceat(corners.min(1), ends[:-1]).T)
    high = np.ascontiguousarray(np.maximum.reduceat(corners.max(1), ends[:-1]).T)
    containers: list[list[int]] = [[] for _ in ends[1:]]
    meet = np.zeros(len(containers), np.bool_)
    for outer in range(len(containers)):
        meet[outer] = ((low <= high[:, outer, None]) & (high >= low[:, outer, None])).all(0).sum() > 1
        within = np.flatnonzero(((low >= low[:, outer, None]) & (high <= high[:, outer, None])).all(0))
        within = within[within != outer]
        if not len(within):
            continue
        tree = MeshTree(vertices, np.ascontiguousarray(faces[order[ends[outer] : ends[outer + 1]]]))
        for inner in within:
            mine = order[ends[inner] : ends[inner + 1]]
            samples = vertices[faces[mine[:: -(-len(mine) // SAMPLES)]]].mean(1)
            if (np.abs(tree.winding_number(samples)) > 0.5).mean() >= INSIDE:
                containers[inner].append(outer)
    return containers, meet


def _turned(volume: Array, containers: list[list[int]]) -> NDArray[np.bool_]:
    """Which parts (P,) must be turned for the winding number in the solid to be at least one."""
    turned = np.zeros(len(volume), np.bool_)
    sign = np.where(volume < 0, -1, 1)
    for part in sorted(range(len(volume)), key=lambda k: len(containers[k])):
        around = containers[part]
        if around:
            turned[part] = turned[max(around, key=lambda k: len(containers[k]))]
        outward = sign[part] * (-1 if turned[part] else 1)
        if outward < 0 and sum(sign[k] for k in around) <= 0:
            turned[part] = not turned[part]
            outward = 1
        sign[part] = outward
    return turned


def _boundary(vertices: Array, faces: Faces, suspects: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether the solid (F,) lies on only one side of each face, near its center or near a corner.

    suspects: the faces to test; all other faces, and faces without area, count as boundary.
    """
    boundary = np.ones(len(faces), np.bool_)
    if not len(suspects):
        return boundary
    tree = MeshTree(vertices, faces)
    normals = face_normals(vertices, faces)
    suspects = suspects[normals[suspects].any(axis=1)]
    for weights in np.vstack([np.full(3, 1 / 3), 0.97 * np.eye(3) + 0.01]):
        places = np.einsum("k,nkd->nd", weights, vertices[faces[suspects]])
        away = BESIDE * normals[suspects]
        sides = [tree.winding_number(places + sign * away) > 0.5 for sign in (1, -1)]
        boundary[suspects] = sides[0] != sides[1]
        suspects = suspects[~boundary[suspects]]
    return boundary

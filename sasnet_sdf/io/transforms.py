"""Where the nodes of a glTF scene place what they hold: matrices, hierarchies, instances."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import Array
from .gltf import Document, item

Matrix = NDArray[np.float64]
"""(4, 4): world = matrix @ (x, y, z, 1)."""


def points_under(matrix: Matrix, points: Array) -> Array:
    """Points (N, 3) where the matrix places them."""
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def normals_under(matrix: Matrix, normals: Array) -> Array:
    """Normals (N, 3), of any length, that stay perpendicular to what the matrix places."""
    linear = matrix[:3, :3]
    # the cofactors: the inverse transposed times the determinant, which a flat matrix has too
    cofactors = np.stack([np.cross(linear[k - 2], linear[k - 1]) for k in range(3)])
    return normals @ cofactors.T * np.sign(np.linalg.det(linear))


def placements(document: Document) -> Iterator[tuple[dict[str, Any], Matrix]]:
    """The nodes of the default scene, each with its matrix. Raises ValueError where they are no trees."""
    tree = document.tree
    nodes, scenes = tree["nodes"], tree["scenes"]
    if scenes:
        waiting = [*item(scenes, tree.get("scene", 0)).get("nodes", [])]
    else:
        below = {child for node in nodes for child in node.get("children", [])}
        waiting = [k for k in range(len(nodes)) if k not in below]
    stack = [(index, np.eye(4)) for index in reversed(waiting)]
    seen: set[int] = set()
    while stack:
        index, above = stack.pop()
        if index in seen:
            raise ValueError(f"node {index} has two parents")
        seen.add(index)
        node = item(nodes, index)
        matrix = above @ _matrix(node)
        yield node, matrix
        stack += [(child, matrix) for child in reversed(node.get("children", []))]


def instances(node: dict[str, Any], document: Document) -> Iterator[Matrix]:
    """The matrices, below the node's own, under which its mesh appears: one, or those of its instances."""
    arrays = {name: document.array(k) for name, k in attributes_of_instances(node).items()}
    if not arrays:
        yield np.eye(4)
        return
    for k in range(min(map(len, arrays.values()))):
        yield _composed(
            *(arrays[n][k] if n in arrays else None for n in ("TRANSLATION", "ROTATION", "SCALE"))
        )


def attributes_of_instances(node: dict[str, Any]) -> dict[str, int]:
    """The accessors that place the node's instances, by name; none where it has no instances."""
    attributes = node.get("extensions", {}).get("EXT_mesh_gpu_instancing", {}).get("attributes", {})
    return {name: attributes[name] for name in ("TRANSLATION", "ROTATION", "SCALE") if name in attributes}


def _matrix(node: dict[str, Any]) -> Matrix:
    """A node's own matrix, which its file has by columns or as its three parts."""
    if "matrix" in node:
        matrix = np.array(node["matrix"], np.float64).reshape(4, 4).T
    else:
        matrix = _composed(node.get("translation"), node.get("rotation"), node.get("scale"))
    if not np.isfinite(matrix).all():
        raise ValueError("a node's matrix is not finite")
    return matrix


def _composed(translation: Any, rotation: Any, scale: Any) -> Matrix:
    """The matrix that scales, then rotates by a quaternion x y z w, then moves."""
    matrix = np.eye(4)
    if rotation is not None:
        matrix[:3, :3] = _rotation(np.array(rotation, np.float64))
    if scale is not None:
        matrix[:3, :3] *= np.array(scale, np.float64).reshape(3)
    if translation is not None:
        matrix[:3, 3] = np.array(translation, np.float64).reshape(3)
    return matrix


def _rotation(quaternion: Array) -> Array:
    x, y, z, w = quaternion / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )

"""GLB: the parts of a scene, placed by its nodes and merged into one mesh or one cloud.

The reader is our own because trimesh silently leaves out points in a scene with meshes, triangle fans,
sparse accessors, instances and quantized attributes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnreadableInput
from ..geometry import Array, PointCloud, TriangleMesh
from ..mesh import welded
from .files import check_claim, division, not_carried, reason_of
from .gltf import (
    Document,
    Matrix,
    attributes_of_instances,
    count_of,
    instances,
    item,
    normals_under,
    placements,
    points_under,
)
from .polygons import strips
from .stl import rounding_of

FEW_FACES = 0.25
"""Up to this many triangles per point, a scene with both is a cloud whose meshes only mark the cameras."""

_POINTS, _TRIANGLES, _STRIP, _FAN = 0, 4, 5, 6
_LINES = (1, 2, 3)
_READ = re.compile(
    r"KHR_mesh_quantization|EXT_mesh_gpu_instancing"
    # extensions that change the appearance of a surface, not its position
    r"|(KHR|EXT|MSFT|ADOBE|AGI)_(materials|texture|lights|xmp|animation)_.*|KHR_materials.*|KHR_xmp.*"
)
"""The glTF extensions that a file may require."""


@dataclass(frozen=True)
class _Part:
    """vertices (V, 3); faces (F, 3), None for points; colors (V, 3) in 0..1 and normals (V, 3), or None."""

    vertices: Array
    faces: NDArray[np.int64] | None
    colors: Array | None
    normals: Array | None

    def under(self, matrix: Matrix) -> _Part:
        """The part transformed by a node's matrix; a mirroring matrix also flips the triangles."""
        mirrors = np.linalg.det(matrix[:3, :3]) < 0
        faces = self.faces[:, ::-1] if mirrors and self.faces is not None else self.faces
        normals = None if self.normals is None else normals_under(matrix, self.normals)
        return replace(self, vertices=points_under(matrix, self.vertices), faces=faces, normals=normals)


def read(path: Path) -> PointCloud | TriangleMesh:
    """The default scene as a mesh with welded vertices, or as a cloud where it has points.

    A scene with both is a cloud where it has at most `FEW_FACES` triangles per point, and refused where it
    has more. Vertex colors times material colors are kept as numbers of the file; a note names textures,
    lines, deformations and the division into parts, which are lost. Raises UnreadableInput, which names an
    unknown compression or required extension.
    """
    try:
        document = Document.of(path)
        for name in document.tree["extensionsRequired"]:
            if not _READ.fullmatch(name):
                raise UnreadableInput(f"{path}: requires {name}, which is not read; export it without")
        return _Scene(document).geometry()
    except UnreadableInput:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise UnreadableInput(f"{path}: not a GLB file that can be read ({reason_of(error)})") from error


class _Scene:
    """The parts of a document's scene, and counts of what is left out."""

    def __init__(self, document: Document) -> None:
        self.document, self.path = document, document.path
        self.left_out: Counter[str] = Counter()
        self.notes: list[str] = []
        self.parts: dict[int, list[_Part]] = {}
        self.placed = self.elsewhere = 0

    def geometry(self) -> PointCloud | TriangleMesh:
        placed = [
            (node["mesh"], matrix, node) for node, matrix in placements(self.document) if "mesh" in node
        ]
        self.elsewhere = len(self.document.tree["meshes"]) - len({index for index, *_ in placed})
        self._check_size(placed)
        parts = list(self._placed(placed))
        clouds = [part for part in parts if part.faces is None]
        meshes = [part for part in parts if part.faces is not None]
        points = sum(len(part.vertices) for part in clouds)
        faces = sum(len(part.faces) for part in meshes if part.faces is not None)
        if not points and not faces:
            lines = self.left_out["lines"]
            reason = f"holds {lines} lines and no surface" if lines else "holds no points and no triangles"
            elsewhere = f"; its {self.elsewhere} meshes are not in its scene" if self.elsewhere else ""
            raise UnreadableInput(f"{self.path}: {reason}{elsewhere}")
        if points and faces > FEW_FACES * points:
            raise UnreadableInput(
                f"{self.path}: its scene holds {points} points and {faces} triangles; export what is to be"
                " reconstructed alone"
            )
        self._say_what_is_left(0 if points else self.placed)
        if not points:
            return self._mesh(meshes)
        if faces:
            self.notes.append(
                f"its {faces} triangles beside {points} points were left out, as marks of cameras"
            )
        return self._cloud(clouds)

    def _check_size(self, placed: list[tuple[int, Matrix, dict[str, Any]]]) -> None:
        """Refuse scenes that place implausibly many vertices and triangles for the size of the file."""
        accessors, meshes = self.document.tree["accessors"], self.document.tree["meshes"]
        sizes: dict[int, int] = {}
        total = 0
        for index, _, node in placed:
            if index not in sizes:
                sizes[index] = sum(_bytes(p, accessors) for p in item(meshes, index)["primitives"])
            total += sizes[index] * _copies(node, accessors)
        check_claim(self.path, total)

    def _placed(self, placed: list[tuple[int, Matrix, dict[str, Any]]]) -> Iterator[_Part]:
        for index, matrix, node in placed:
            if index not in self.parts:
                mesh = item(self.document.tree["meshes"], index)
                self.parts[index] = [p for p in map(self._part, mesh["primitives"]) if p is not None]
                if any(mesh.get("weights", ())):
                    self.left_out["morph targets"] += 1
            if "skin" in node:
                self.left_out["skins"] += 1
            for place in instances(node, self.document):
                self.placed += 1
                yield from (part.under(matrix @ place) for part in self.parts[index])

    def _part(self, primitive: dict[str, Any]) -> _Part | None:
        """The vertices and triangles of a primitive; None where it has neither, which is counted."""
        attributes, mode = primitive["attributes"], primitive.get("mode", _TRIANGLES)
        if compressed := [n for n in primitive.get("extensions", {}) if "compression" in n]:
            raise UnreadableInput(f"{self.path}: is compressed ({compressed[0]}); export it without")
        if "POSITION" not in attributes:
            self.left_out["parts without positions"] += 1
            return None
        positions = self.document.array(attributes["POSITION"]).astype(np.float64)
        if positions.shape[1] != 3:
            raise UnreadableInput(f"{self.path}: its vertices have the shape {positions.shape}, not (N, 3)")
        count = len(positions)
        indices = np.arange(count)
        if "indices" in primitive:
            indices = self.document.array(primitive["indices"])[:, 0].astype(np.int64)
        if len(indices) and not 0 <= indices.min() <= indices.max() < count:
            outside = indices[(indices < 0) | (indices >= count)][0]
            raise UnreadableInput(f"{self.path}: a face names vertex {outside}, there are {count}")
        if mode in _LINES:
            self.left_out["lines"] += len(indices) // 2 if mode == 1 else max(len(indices) - 1, 0)
            return None
        self.left_out["Gaussians"] += any("gaussian" in name for name in primitive.get("extensions", {}))
        colors = self._colors_of(primitive, count)
        normals = self._attribute(attributes, "NORMAL", count)
        if mode == _POINTS:
            colors, normals = (None if v is None else v[indices] for v in (colors, normals))
            return _Part(positions[indices], None, colors, normals)
        return _Part(positions, _faces(indices, mode), colors, normals)

    def _attribute(self, attributes: dict[str, int], name: str, count: int) -> Array | None:
        """Three numbers for each vertex (V, 3), or None."""
        if name not in attributes:
            return None
        values = self.document.array(attributes[name])
        if len(values) != count or values.shape[1] < 3:
            raise ValueError(f"{name} has the shape {values.shape} at {count} vertices")
        # the standard requires integers to be normalized, but not every program sets the flag
        largest = np.iinfo(values.dtype).max if values.dtype.kind in "iu" else 1
        return values[:, :3] / np.float64(largest)

    def _colors_of(self, primitive: dict[str, Any], count: int) -> Array | None:
        """Vertex colors (V, 3) of a primitive times its material's color; None where both are white."""
        colors = self._attribute(primitive["attributes"], "COLOR_0", count)
        if "material" not in primitive:
            return colors
        material = item(self.document.tree["materials"], primitive["material"])
        gloss = material.get("extensions", {}).get("KHR_materials_pbrSpecularGlossiness", {})
        rough = material.get("pbrMetallicRoughness", {})
        if "baseColorTexture" in rough or "diffuseTexture" in gloss:
            self.left_out["textures"] += 1
            return colors
        white = [1.0] * 4
        own = np.array(rough.get("baseColorFactor", gloss.get("diffuseFactor", white)), np.float64)[:3]
        if own.shape != (3,):
            raise ValueError("a material's color has no three numbers")
        if (own == 1).all():
            return colors
        return np.tile(own, (count, 1)) if colors is None else colors * own

    def _say_what_is_left(self, parts: int) -> None:
        left = self.left_out
        things = ["textures"] * bool(left["textures"])
        if left["Gaussians"]:
            things.append("shapes and opacities of its 3D Gaussians")
        things += [f"{name} ({left[name]})" for name in ("lines", "parts without positions") if left[name]]
        if self.elsewhere:
            things.append(f"meshes outside its default scene ({self.elsewhere})")
        self.notes += not_carried([*things, *division(parts)])
        undone = [name for name in ("skins", "morph targets") if left[name]]
        if undone:
            self.notes.append(f"it is read undeformed: {' and '.join(undone)} are not applied")

    def _mesh(self, parts: list[_Part]) -> TriangleMesh:
        starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
        faces = [p.faces + start for p, start in zip(parts, starts, strict=False) if p.faces is not None]
        vertices = np.concatenate([part.vertices for part in parts])
        colors = self._colors(parts)
        return welded(TriangleMesh(vertices, np.concatenate(faces), colors=colors, notes=tuple(self.notes)))

    def _cloud(self, parts: list[_Part]) -> PointCloud:
        normals = [part.normals for part in parts if part.normals is not None]
        return PointCloud(
            np.concatenate([part.vertices for part in parts]),
            np.concatenate(normals) if len(normals) == len(parts) else None,
            self._colors(parts),
            notes=tuple(self.notes),
        )

    def _colors(self, parts: list[_Part]) -> NDArray[np.uint8] | None:
        """The colors of all vertices; where only some parts have colors, the others are white as in glTF."""
        if all(part.colors is None for part in parts):
            return None
        if any(part.colors is None for part in parts):
            self.notes.append("parts without colors are white")
        values = [np.ones((len(p.vertices), 3)) if p.colors is None else p.colors for p in parts]
        return np.rint(np.nan_to_num(np.concatenate(values)).clip(0, 1) * 255).astype(np.uint8)


def _faces(indices: NDArray[np.int64], mode: int) -> NDArray[np.int64]:
    """Triangles (F, 3) from a primitive's indices."""
    if mode == _TRIANGLES:
        return indices[: len(indices) // 3 * 3].reshape(-1, 3)
    if mode == _STRIP:
        return strips(indices, np.array([len(indices)]))
    if mode == _FAN:
        first = np.full(max(len(indices) - 2, 0), indices[0] if len(indices) else 0)
        return np.stack([first, indices[1:-1], indices[2:]], axis=1)
    raise ValueError(f"a primitive of the mode {mode}")


def _bytes(primitive: dict[str, Any], accessors: list[dict[str, Any]]) -> int:
    """The memory that vertices and triangles take."""
    corners = count_of(item(accessors, primitive["indices"])) if "indices" in primitive else 0
    if "POSITION" not in primitive["attributes"]:
        return 0
    return 24 * (count_of(item(accessors, primitive["attributes"]["POSITION"])) + 3 * corners)


def _copies(node: dict[str, Any], accessors: list[dict[str, Any]]) -> int:
    counts = [count_of(item(accessors, index)) for index in attributes_of_instances(node).values()]
    return max(counts, default=1)


def write(path: Path, mesh: TriangleMesh) -> list[str]:
    """Write single precision; far from the origin, relative to the mesh's center, offset by the scene."""
    import trimesh

    far = rounding_of(mesh.vertices) > 0
    offset = np.rint((mesh.vertices.min(0) + mesh.vertices.max(0)) / 2) if far else np.zeros(3)
    part = trimesh.Trimesh(
        mesh.vertices - offset,
        mesh.faces,
        vertex_normals=mesh.normals,
        vertex_colors=mesh.colors,
        process=False,
    )
    scene = trimesh.Scene()
    scene.add_geometry(part, transform=trimesh.transformations.translation_matrix(offset))
    scene.export(path, file_type="glb", include_normals=mesh.normals is not None)
    if not far:
        return []
    place = " ".join(f"{number:.0f}" for number in offset)
    return [
        f"GLB is single precision: vertices are written about {place}, a translation in its scene"
        " that most programs apply"
    ]

"""Meshes: writing in every format; reading STL and GLB, which trimesh parses."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UnreadableInput, UsageError
from ..geometry import Array, PointCloud, TriangleMesh
from . import glb, obj, off, ply
from .atomic import MESHES, atomic_write
from .reading import reason_of, text_of
from .triangles import welded


def read(path: Path) -> PointCloud | TriangleMesh:
    """A mesh, its vertices welded, which both formats split; points where a GLB has no faces.

    The parts of a GLB scene become one mesh in the scene's coordinates. Raises UnreadableInput.
    """
    kind = path.suffix.lower()
    least = {".stl": _check_stl, ".glb": _check_glb}[kind](path)
    mesh = _parsed(path, kind[1:])
    vertices, faces = np.array(mesh.vertices, np.float64), np.array(mesh.faces, np.int64).reshape(-1, 3)
    if vertices.shape[1:] != (3,):
        raise UnreadableInput(f"{path}: its vertices have the shape {vertices.shape}, not (N, 3)")
    if len(faces) < least or not len(vertices):
        raise UnreadableInput(
            f"{path}: {len(faces)} triangles could be read where at least {least} should be; it is damaged"
        )
    colors = mesh.visual.vertex_colors[:, :3] if mesh.visual.kind == "vertex" else None
    if colors is not None:
        colors = np.array(colors, np.uint8)
    if not len(faces):
        return PointCloud(vertices, colors=colors)
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise UnreadableInput(f"{path}: a face names vertex {faces.max()}, there are {len(vertices)}")
    return welded(TriangleMesh(vertices, faces, colors=colors))


def _parsed(path: Path, kind: str) -> Any:
    import trimesh

    # it logs what it tries, with tracebacks
    logging.getLogger("trimesh").addHandler(logging.NullHandler())
    options: dict[str, Any] = {"skip_materials": True} if kind == "glb" else {}
    try:
        with path.open("rb") as file:
            return trimesh.load(file, file_type=kind, force="mesh", process=False, **options)
    except Exception as error:
        raise UnreadableInput(
            f"{path}: not a {kind.upper()} file that can be read ({reason_of(error)})"
        ) from error


def _check_stl(path: Path) -> int:
    """At least as many triangles as the file names; trimesh takes a file that is cut short for empty."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(84)
    count = int.from_bytes(head[80:84], "little")
    if len(head) == 84 and size == 84 + 50 * count:
        if not count:
            raise UnreadableInput(f"{path}: has no triangles")
        return count
    if head.lstrip()[:5].lower() == b"solid":
        text = text_of(path).lower()
        if "endsolid" not in text:
            raise UnreadableInput(f"{path}: cut short: its solid has no end; copy or export it again")
        if "endfacet" not in text:
            raise UnreadableInput(f"{path}: has no triangles")
        return text.count("endfacet")
    if len(head) < 84 or size < 84 + 50 * count:
        there = max(size - 84, 0) // 50
        raise UnreadableInput(
            f"{path}: cut short, or not an STL file: holds {there} of the {count} triangles that its"
            " header names"
        )
    return count


def _check_glb(path: Path) -> int:
    glb.check(path)
    return 1


def write_mesh(path: str | Path, mesh: TriangleMesh) -> tuple[str, ...]:
    """Write a mesh in the format of the extension: .ply .obj .stl .off .glb, whole or not at all.

    PLY, OBJ and OFF keep double precision; STL is single; so is GLB, which far from the origin is
    written around the mesh's centre, which its scene puts back. Only PLY carries scalars.
    Gives back a sentence about coordinates and colours that the format cannot keep as they are.
    Raises UsageError.
    """
    kind = Path(path).suffix.lower()
    writers = {".ply": ply.write_mesh, ".obj": obj.write, ".off": off.write, ".stl": _write_stl}
    if kind not in MESHES:
        raise UsageError(f"{path}: unknown extension {kind or '(none)'}; known: {' '.join(MESHES)}")
    notes = writers.get(kind, _write_glb)(path, mesh) or ()
    if mesh.colors is not None and kind in (".off", ".stl"):
        notes = (*notes, f"{path}: {kind[1:].upper()} is written without colours; PLY keeps them")
    return notes


def _rounding(vertices: Array) -> float:
    """What single precision makes of the largest coordinate, in world units."""
    return float(np.spacing(np.float32(np.abs(vertices).max(initial=0))))


def _is_coarse(vertices: Array) -> bool:
    """Whether single precision where the mesh lies would show: 10⁻⁵ of its diagonal."""
    return _rounding(vertices) > 1e-5 * float(np.linalg.norm(np.ptp(vertices, axis=0)))


def _write_stl(path: str | Path, mesh: TriangleMesh) -> tuple[str, ...]:
    """Binary: programs read the digits of an ASCII file into single precision all the same."""
    import trimesh

    with atomic_write(path) as partial:
        trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(partial, file_type="stl")
    if not _is_coarse(mesh.vertices):
        return ()
    rounding = _rounding(mesh.vertices)
    return (f"{path}: STL is single precision, coordinates are rounded to {rounding:.2g}; PLY keeps them",)


def _write_glb(path: str | Path, mesh: TriangleMesh) -> tuple[str, ...]:
    import trimesh

    far = _is_coarse(mesh.vertices)
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
    with atomic_write(path) as partial:
        scene.export(partial, file_type="glb", include_normals=mesh.normals is not None)
    if not far:
        return ()
    place = " ".join(f"{number:.0f}" for number in offset)
    return (
        f"{path}: GLB is single precision: vertices are written about {place}, a translation in its scene"
        " that most programs apply",
    )

"""Meshes in every format, and signed distances at points as a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..geometry import Array, TriangleMesh
from . import obj, off, ply
from .files import MESHES, TABLES, atomic_write
from .ply import write_columns


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


COLUMNS = ("x", "y", "z", "distance", "gx", "gy", "gz")


def write_table(path: str | Path, points: Array, distances: Array, gradients: Array) -> None:
    """Write points (N, 3), distances (N,) and gradients (N, 3) in float64, by the extension.

    .csv and .txt: seven columns under their names; .npy: the same (N, 7); .npz: three arrays named
    points, distances, gradients; .ply: vertices with these properties. Raises UsageError.
    """
    kind = Path(path).suffix.lower()
    if kind not in TABLES:
        raise UsageError(f"{path}: unknown extension {kind or '(none)'}; known: {' '.join(TABLES)}")
    table = np.column_stack([points, distances, gradients]).astype(np.float64)
    if kind == ".ply":
        write_columns(path, dict(zip(COLUMNS, table.T, strict=True)))
        return
    with atomic_write(path) as partial:
        if kind == ".npy":
            np.save(partial, table)
        elif kind == ".npz":
            np.savez(partial, points=table[:, :3], distances=table[:, 3], gradients=table[:, 4:])
        else:
            mark = "," if kind == ".csv" else " "
            with partial.open("w", encoding="ascii", newline="\n") as file:
                file.write(mark.join(COLUMNS) + "\n")
                # repr gives the shortest digits that read back as the same number
                file.writelines(mark.join(map(repr, row)) + "\n" for row in table.tolist())

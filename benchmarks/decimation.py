"""Decimation of one mesh beside that of other libraries; prints one JSON object.

    pip install "sasnet-sdf[bench]"
    python benchmarks/decimation.py surface.ply --faces 20000

For each library: seconds on one core; triangles, boundary and non-manifold edges and components, after
welding; mean and largest distance from the given mesh, both ways, in 1e-4 of its bounding box's diagonal.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import igl
import numpy as np
from common import circumstances

from sasnet_sdf.extraction import decimate
from sasnet_sdf.geometry import TriangleMesh
from sasnet_sdf.io import read_geometry
from sasnet_sdf.metrics import Triangles, frame_around, mesh_figures, surface_figures

SAMPLES = 200_000


def fast_simplification(mesh: TriangleMesh, faces: int) -> TriangleMesh:
    frame = frame_around(mesh.vertices)
    library: Any = import_module("fast_simplification")
    vertices, triangles = library.simplify(
        frame.to_unit(mesh.vertices), mesh.faces.astype(np.int32), target_count=faces
    )
    return TriangleMesh(frame.to_world(vertices), triangles.astype(np.int64))


def open3d(mesh: TriangleMesh, faces: int) -> TriangleMesh:
    library: Any = import_module("open3d")
    given = library.geometry.TriangleMesh(
        library.utility.Vector3dVector(mesh.vertices),
        library.utility.Vector3iVector(mesh.faces.astype(np.int32)),
    )
    found = given.simplify_quadric_decimation(faces)
    return TriangleMesh(np.asarray(found.vertices), np.asarray(found.triangles).astype(np.int64))


def libigl(mesh: TriangleMesh, faces: int) -> TriangleMesh:
    qslim: Any = igl.qslim
    vertices, triangles, *_ = qslim(
        np.asfortranarray(mesh.vertices), np.asfortranarray(mesh.faces.astype(np.int32)), faces
    )
    return TriangleMesh(np.ascontiguousarray(vertices), np.ascontiguousarray(triangles, np.int64))


def welded(mesh: TriangleMesh) -> TriangleMesh:
    """The mesh with coincident vertices merged, without the triangles that this makes degenerate."""
    vertices, number = np.unique(mesh.vertices, axis=0, return_inverse=True)
    faces = number.reshape(-1)[mesh.faces]
    a, b, c = faces.T
    return TriangleMesh(vertices, faces[(a != b) & (b != c) & (c != a)])


def measure(
    mesh: TriangleMesh, faces: int, method: Callable[[TriangleMesh, int], TriangleMesh]
) -> dict[str, Any]:
    start = time.process_time()
    fewer = method(mesh, faces)
    seconds = time.process_time() - start
    frame = frame_around(mesh.vertices)
    pair = Triangles.of(fewer, frame), Triangles.of(mesh, frame)
    figures = surface_figures(*pair, SAMPLES, np.random.default_rng(0)) | mesh_figures(welded(fewer))
    wanted = ("error", "hausdorff", "faces", "boundary_edges", "non_manifold_edges", "components")
    return {"seconds": round(seconds, 2), **{name: figures[name] for name in wanted}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mesh", type=Path)
    parser.add_argument("--faces", type=int, default=20_000)
    given = parser.parse_args()
    mesh = read_geometry(given.mesh)
    assert isinstance(mesh, TriangleMesh)
    decimate(TriangleMesh(mesh.vertices, mesh.faces[:1000]), 500)  # compiles the kernels if necessary
    methods = {"sasnet-sdf": decimate, "libigl": libigl}
    methods |= {"fast-simplification": fast_simplification, "open3d": open3d}
    rows = {name: measure(mesh, given.faces, method) for name, method in methods.items()}
    print(json.dumps({**circumstances(0), "triangles": len(mesh.faces), "methods": rows}, indent=1))


if __name__ == "__main__":
    main()

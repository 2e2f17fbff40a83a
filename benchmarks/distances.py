"""How close fields are to true distances: their values and slopes near a surface.

    python benchmarks/distances.py > distances.json
    python benchmarks/tables.py --distances distances.json

Clouds of 100,000 points of analytic shapes, and of the rocker-arm from SASNET_SDF_DATA
(docs/benchmarks-data.md). Query points are uniform in space within 10 % of the diagonal of the surface; the
truth is the exact distance from the mesh. One JSON object goes to stdout, a line for each row to stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import numpy as np
import trimesh
from common import PRESETS, circumstances, data_file

from sasnet_sdf import PointCloud, reconstruct
from sasnet_sdf.geometry import Array
from sasnet_sdf.supervision.targets import MeshTarget

POINTS, PLACES = 100_000, 50_000
BAND = 0.1
"""How far query points lie from the surface at most, in diagonals."""


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--presets", nargs="+", default=PRESETS, choices=PRESETS)
    cli.add_argument("--seed", type=int, default=0)
    options = cli.parse_args()
    result: dict[str, Any] = {**circumstances(options.seed), "shapes": {}}
    for name, mesh in shapes().items():
        points, faces = trimesh.sample.sample_surface(mesh, POINTS, seed=options.seed)[:2]
        cloud = PointCloud(np.asarray(points), np.asarray(mesh.face_normals[faces]))
        places, truth = asked(mesh, options.seed)
        rows = result["shapes"][name] = {}
        for preset in options.presets:
            field = reconstruct(cloud, preset=preset, seed=options.seed).field
            rows[preset] = figures(field.distance(places), field.gradient(places), truth, size(mesh))
            print(name, preset, rows[preset], file=sys.stderr, flush=True)
    print(json.dumps(result, indent=1))


def shapes() -> dict[str, trimesh.Trimesh]:
    """The true surfaces, by name."""
    create = trimesh.creation
    return {
        "sphere": create.icosphere(subdivisions=5),
        "torus": create.torus(1.0, 0.35, major_sections=256, minor_sections=128),
        "box": create.box((1.0, 0.7, 0.5)),
        "cylinder": create.cylinder(0.5, 1.5, sections=256),
        "rocker-arm": trimesh.load_mesh(data_file("meshes", "rocker-arm.ply")),
    }


def size(mesh: trimesh.Trimesh) -> float:
    """The diagonal of the bounding box."""
    return float(np.linalg.norm(mesh.extents))


def asked(mesh: trimesh.Trimesh, seed: int) -> tuple[Array, Array]:
    """Points (N, 3) in the band, and their exact signed distances (N,)."""
    width = BAND * size(mesh)
    low, high = mesh.bounds
    places = np.random.default_rng(seed).uniform(low - width, high + width, (8 * PLACES, 3))
    exact = MeshTarget(np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64))
    distance, _ = exact.distance(places)
    inside = np.flatnonzero(np.abs(distance) < width)[:PLACES]
    return places[inside], distance[inside]


def figures(found: Array, gradient: Array, truth: Array, diagonal: float) -> dict[str, float]:
    """Fractions of the points; `off_99` is the 99th percentile of the distance errors, in diagonals."""
    off, slope = np.abs(found - truth) / diagonal, np.linalg.norm(gradient, axis=1)
    return {
        "within_1_percent": float((off < 0.01).mean()),
        "off_99": float(np.percentile(off, 99)),
        "slope_within_10_percent": float((np.abs(slope - 1) < 0.1).mean()),
        "wrong_side": float(((found > 0) != (truth > 0)).mean()),
    }


if __name__ == "__main__":
    main()

"""What the eikonal term does: surfaces and fields of the preset fast at several of its weights.

    python benchmarks/eikonal.py
    python benchmarks/eikonal.py --shapes cheburashka --weights 0 3e-4

Four clouds of each shape, from meshes/NAME.ply of SASNET_SDF_DATA (docs/benchmarks-data.md): `clean`,
200,000 points; `noisy`, a simulated scan; `sparse`, 5,000 points; `holes`, clean, without the points in 8
balls of 4 % of the diagonal. Lengths are in 1e-4 of the diagonal; `slope` is the mean of ||grad f| - 1|, near
the surface and far from it; `signs` is the share of points far from it on the wrong side.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean
from typing import Any

import numpy as np
from common import data_file, table
from scanner import Scanner, clean_cloud, read_mesh

from sasnet_sdf import evaluate, reconstruct
from sasnet_sdf.geometry import PointCloud, TriangleMesh

WEIGHTS = (0.0, 3e-4, 1e-3, 3e-3, 1e-2)
FIGURES = {
    "error": ("error", ".2f"),
    "hausdorff": ("Hausdorff", ".0f"),
    "normal_consistency": ("normals", ".4f"),
    "eikonal_error_near": ("slope near", ".3f"),
    "eikonal_error_far": ("slope far", ".3f"),
    "sign_error_far": ("signs far", ".2%"),
}


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--shapes", nargs="+", default=["cheburashka", "casting"], metavar="NAME")
    cli.add_argument("--weights", nargs="+", type=float, default=WEIGHTS, metavar="W")
    cli.add_argument("--small", action="store_true", help="a sphere, 20 steps")
    options = cli.parse_args()
    meshes = [ball()] if options.small else [read_mesh(_path(name)) for name in options.shapes]
    clouds = [clouds_of(mesh, options.small) for mesh in meshes]
    lines = []
    for kind in clouds[0]:
        for weight in options.weights:
            found = [
                measured(of[kind], mesh, weight, options.small)
                for of, mesh in zip(clouds, meshes, strict=True)
            ]
            means = [f"{fmean(row[key] for row in found):{form}}" for key, (_, form) in FIGURES.items()]
            lines.append([kind, f"{weight:g}", *means])
            print("  ".join(lines[-1]), file=sys.stderr, flush=True)
    print(table(["cloud", "weight", *(heading for heading, _ in FIGURES.values())], lines), end="")


def _path(name: str) -> Any:
    return data_file("meshes", f"{name}.ply")


def clouds_of(mesh: TriangleMesh, small: bool) -> dict[str, PointCloud]:
    clean = clean_cloud(mesh, 5000 if small else 200_000)
    clouds = {"clean": clean, "sparse": clean_cloud(mesh, 1000 if small else 5000), "holes": holed(clean)}
    return clouds if small else clouds | {"noisy": Scanner().scan(mesh)}


def holed(cloud: PointCloud) -> PointCloud:
    size = np.linalg.norm(np.ptp(cloud.points, axis=0))
    centers = np.random.default_rng(0).choice(cloud.points, 8)
    away = np.linalg.norm(cloud.points[:, None] - centers, axis=2).min(1)
    kept = away > 0.04 * size
    assert cloud.normals is not None
    return replace(cloud, points=cloud.points[kept], normals=cloud.normals[kept])


def measured(cloud: PointCloud, truth: TriangleMesh, weight: float, small: bool) -> Mapping[str, Any]:
    sizes: dict[str, Any] = {"steps": 20, "resolution": 64} if small else {}
    done = reconstruct(cloud, preset="fast", settings=[f"training.eikonal_weight={weight:g}"], **sizes)
    return evaluate(done.mesh, truth, field=done.field, samples=50_000)


def ball() -> TriangleMesh:
    import trimesh

    sphere = trimesh.creation.icosphere(4)
    return TriangleMesh(np.asarray(sphere.vertices), np.asarray(sphere.faces))


if __name__ == "__main__":
    main()

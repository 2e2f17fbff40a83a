"""Very sparse clouds: errors of every preset beside screened Poisson at its best depth.

    python benchmarks/sparse.py
    python benchmarks/sparse.py --shapes horse --points 200 1000

Clouds without noise, with exact normals, of meshes/NAME.ply of SASNET_SDF_DATA (docs/benchmarks-data.md).
Errors are in 1e-4 of the diagonal.
"""

from __future__ import annotations

import argparse

from common import data_file, table
from poisson import run_poisson
from scanner import clean_cloud, read_mesh

from sasnet_sdf import evaluate, reconstruct

POINTS, SHAPES = (200, 1000, 5000), ("armadillo", "dragon", "horse")


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--shapes", nargs="+", default=SHAPES, metavar="NAME")
    cli.add_argument("--points", nargs="+", type=int, default=POINTS, metavar="N")
    cli.add_argument("--preset", default="fast")
    options = cli.parse_args()
    rows = []
    for shape in options.shapes:
        truth = data_file("meshes", f"{shape}.ply")
        for points in options.points:
            cloud = clean_cloud(read_mesh(truth), points)
            best = run_poisson(cloud, truth, ("error", "normal_consistency"))["best"]
            mesh = reconstruct(cloud, preset=options.preset, watertight=True).mesh
            ours = evaluate(mesh, truth)
            rows.append(
                [
                    shape,
                    f"{points:,}",
                    f"{ours.error:.2f}",
                    f"{best['error']:.2f} (depth {best['depth']})",
                    f"{ours.error / best['error']:.2f}",
                    f"{ours.normal_consistency:.4f}",
                    f"{best['normal_consistency']:.4f}",
                ]
            )
    columns = ["shape", "points", "error", "Poisson's", "ratio", "normals", "Poisson's"]
    print(table(columns, rows), end="")


if __name__ == "__main__":
    main()

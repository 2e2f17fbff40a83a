"""`sasnet-sdf reconstruct` beside screened Poisson on noisy scans of known surfaces.

    python benchmarks/scans.py -o scans.json
    python benchmarks/scans.py --shapes bunny horse --variants default,no-sensors -o scans.json
    python benchmarks/scans.py --variants points1000,points5000,points20000 -o few.json

The surfaces are meshes/NAME.ply of SASNET_SDF_DATA (docs/benchmarks-data.md); scanner.py scans them.
Variants: `default` is its scan, which contains the sensor position of each point; `no-sensors` the same scan
without sensors; `sigmaS`, `outliersF` and `camerasN` have that noise, fraction of outliers, or number of
cameras; `pointsN` are clean clouds of N points with normals. For Poisson outliers are removed, except from
clean clouds; it always gets the sensors, and its best depth, which only the ground truth can choose. The
tool runs with its defaults.

`error` is in 1e-4 of the diagonal; `ratios` are relative to Poisson; `right_normals` is the share of points
whose normal points away from the solid. FILE is written after every row; rows in it of the same commit,
preset and seed are not run again.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import geometric_mean
from typing import Any

from common import PRESETS, cells, circumstances, data_file, run_tool, warm_up
from poisson import run_poisson
from scanner import Scanner, clean_cloud, read_mesh

from sasnet_sdf import PointCloud, TriangleMesh, evaluate
from sasnet_sdf.io import write_cloud
from sasnet_sdf.metrics import Triangles, frame_around

SHAPES = ("armadillo", "bunny", "dragon", "fandisk", "horse", "rocker-arm")
VARIANTS = ("default", "no-sensors", "sigma0.005", "sigma0", "outliers0.05", "cameras4")
RATIOS = ("error", "accuracy_mean", "completeness_mean", "hausdorff")
SCORES = (
    *(*RATIOS, "normal_consistency", "iou"),
    *("boundary_edges", "non_manifold_edges", "components"),
)
COLUMNS = {
    "error": ".3f",
    "ratio": ".3f",
    "right_normals": ".4f",
    "seconds": ".1f",
    "peak_memory_bytes": ".3g",
    "hausdorff": ".1f",
    "normal_consistency": ".4f",
    "iou": ".4f",
}
OPTIONS = {"sigma": ("noise", float), "outliers": ("outliers", float), "cameras": ("cameras", int)}
"""The scanner's setting that the name of a variant changes, and its type."""

NEAR = 0.02
"""Distance from the surface, in diagonals, beyond which a point has no right normal."""


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--shapes", nargs="+", default=SHAPES, metavar="NAME", help="meshes/NAME.ply")
    cli.add_argument("--variants", type=variants, default=VARIANTS, metavar="A,B", help=",".join(VARIANTS))
    cli.add_argument("--preset", default="balanced", choices=PRESETS)
    cli.add_argument("--seed", type=int, default=0)
    cli.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.json")
    options = cli.parse_args()
    earlier = json.loads(options.output.read_text(encoding="utf-8")) if options.output.exists() else {}
    result: dict[str, Any] = {**circumstances(options.seed), "preset": options.preset}
    rows = result["rows"] = earlier.get("rows", [])
    done = {(row["variant"], row["shape"]) for row in rows_of(result)}
    failed = 0
    truths = {shape: data_file("meshes", f"{shape}.ply") for shape in options.shapes}

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result["warm_up_seconds"] = warm_up(folder)

        @cache
        def scan(variant: str, shape: str) -> PointCloud:
            return scan_of(variant, read_mesh(truths[shape]), options.seed)

        @cache
        def poisson(variant: str, shape: str) -> dict[str, Any]:
            clean = variant.startswith("points")
            return run_poisson(scan(variant, shape), truths[shape], SCORES, clean=not clean)["best"]

        for variant in options.variants:
            for shape in options.shapes:
                if (variant, shape) in done:
                    continue
                try:
                    blind = variant == "no-sensors"
                    whole = "default" if blind else variant
                    cloud = scan(whole, shape)
                    given = replace(cloud, sensors=None) if blind else cloud
                    row = run(given, truths[shape], folder, options.preset, options.seed, blind)
                    row["poisson"] = poisson(whole, shape)
                except subprocess.CalledProcessError as error:
                    print(f"{variant:<14}{shape:<12}{error}", file=sys.stderr, flush=True)
                    failed += 1
                    continue
                row["ratios"] = {key: row[key] / row["poisson"][key] for key in RATIOS}
                key = {"commit": result["commit"], "preset": options.preset, "seed": options.seed}
                rows.append({"variant": variant, "shape": shape, **key, **row})
                write(options.output, result)
                line = cells({**row, "ratio": row["ratios"]["error"]}, COLUMNS)
                print(f"{variant:<14}{shape:<12}{line}", file=sys.stderr, flush=True)
    write(options.output, result)
    for variant, found in result["summary"].items():
        print(f"{variant:<14}{json.dumps(found)}", file=sys.stderr)
    raise SystemExit(failed > 0)


def variants(words: str) -> tuple[str, ...]:
    names = tuple(words.split(","))
    for name in names:
        if name not in VARIANTS[:2]:
            parts_of(name)
    return names


def parts_of(variant: str) -> tuple[str, str]:
    """The name and the number of a variant such as sigma0.005."""
    found = re.fullmatch(rf"(points|{'|'.join(OPTIONS)})(\d+(?:\.\d+)?)", variant)
    if not found:
        raise argparse.ArgumentTypeError(f"unknown variant {variant!r}")
    return found[1], found[2]


def scan_of(variant: str, mesh: TriangleMesh, seed: int) -> PointCloud:
    """The scan with sensors, or the clean cloud, of a variant."""
    if variant == "default":
        return Scanner().scan(mesh, seed)
    name, number = parts_of(variant)
    if name == "points":
        return clean_cloud(mesh, int(number), seed)
    setting, kind = OPTIONS[name]
    return replace(Scanner(), **{setting: kind(number)}).scan(mesh, seed)


def run(cloud: PointCloud, truth: Path, folder: Path, preset: str, seed: int, blind: bool) -> dict[str, Any]:
    """Scores and costs of one reconstruction; `blind`: with the fraction of right normals."""
    source, output = folder / "scan.ply", folder / "surface.ply"
    write_cloud(source, cloud)
    seconds, report = run_tool(source, output, "--preset", preset, "--seed", str(seed))
    scores = evaluate(output, truth)
    return {
        **{name: scores[name] for name in SCORES},
        **({"right_normals": right_normals(cloud, truth)} if blind else {}),
        "seconds": seconds,
        "stages": report["seconds"],
        "peak_memory_bytes": report["peak_memory_bytes"],
        "input": {name: value for name, value in report["input"].items() if name != "path"},
        **{name: report[name] for name in ("trim", "extraction", "notes")},
        **{name: report[name] for name in ("device", "engine", "threads")},
    }


def right_normals(scan: PointCloud, truth: Path) -> float:
    """The fraction of a scan's points, as used for training, whose normals point to the right side."""
    from sasnet_sdf.problems.surface import framed
    from sasnet_sdf.supervision import CloudTarget, prepare

    cloud, frame, _ = framed(scan)
    target, _ = prepare(cloud, frame)
    assert isinstance(target, CloudTarget)
    mesh = read_mesh(truth)
    unit = frame_around(mesh.vertices)
    away, normals = Triangles.of(mesh, unit).nearest(unit.to_unit(frame.to_world(target.points)))
    right = (target.normals * normals).sum(1) > 0
    return float(right[away <= NEAR].mean())


def rows_of(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows with the commit, preset and seed of the result."""
    key = ("commit", "preset", "seed")
    return [row for row in result["rows"] if all(row[name] == result[name] for name in key)]


def summary(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """For each variant geometric means, and the worst, over its shapes."""
    found: dict[str, dict[str, Any]] = {}
    for variant in dict.fromkeys(row["variant"] for row in rows_of(result)):
        rows = [row for row in rows_of(result) if row["variant"] == variant]
        worst = max(rows, key=lambda row: row["ratios"]["error"])
        found[variant] = {
            "shapes": len(rows),
            "error": geometric_mean([row["error"] for row in rows]),
            "poisson_error": geometric_mean([row["poisson"]["error"] for row in rows]),
            "ratios": {key: geometric_mean([row["ratios"][key] for row in rows]) for key in RATIOS},
            "worst_ratio": worst["ratios"]["error"],
            "worst_shape": worst["shape"],
            "most_seconds": max(row["seconds"] for row in rows),
            "most_memory_bytes": max(row["peak_memory_bytes"] for row in rows),
        }
        if "right_normals" in worst:
            found[variant]["fewest_right_normals"] = min(row["right_normals"] for row in rows)
    return found


def write(path: Path, result: dict[str, Any]) -> None:
    """Write all rows, so that an interrupted run keeps what it has."""
    result["summary"] = summary(result)
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(result, indent=1), encoding="utf-8")
    partial.replace(path)


if __name__ == "__main__":
    main()

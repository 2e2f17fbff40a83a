"""`sasnet-sdf reconstruct` beside screened Poisson: error, time and memory on clouds of known surfaces.

    python benchmarks/reconstruct.py > results.json
    python benchmarks/reconstruct.py --tuned > results.json
    python benchmarks/reconstruct.py --shapes fandisk --presets fast --poisson-from results.json
    python benchmarks/reconstruct.py --presets balanced --resolution 1024 --poisson-from results.json

The ground truths are meshes/NAME.ply of SASNET_SDF_DATA (docs/benchmarks-data.md); scanner.py draws the
clouds from them. Every run of the tool is a process of its own; `seconds` is its wall time, start of Python
included, while Poisson's seconds exclude start and files. `error` is in 1e-4 of the diagonal, as
`sasnet-sdf evaluate` reports it; `ratio` and `time_ratio` are relative to Poisson at its best depth, found
in the same run unless --poisson-from gives it. With --tuned the ground truth also chooses its samples per
node and point weight, for `tuned_ratio`; that takes a quarter of an hour per shape. `means` are geometric,
over all shapes but fandisk. One JSON object goes to stdout, a table to stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import geometric_mean
from typing import Any

from common import PRESETS, cells, circumstances, data_file, run_tool, warm_up
from poisson import run_poisson
from scanner import clean_cloud, read_mesh

from sasnet_sdf import evaluate
from sasnet_sdf.io import write_cloud

SHAPES = ("armadillo", "dragon", "horse", "bunny", "fertility", "fandisk")
APART = "fandisk"
"""All planes and edges: its ratios are of another kind."""

SCORES = (
    *("error", "hausdorff", "normal_consistency", "iou"),
    *("boundary_edges", "non_manifold_edges", "components"),
)
COLUMNS = {
    "error": ".3f",
    "ratio": ".2f",
    "tuned_ratio": ".2f",
    "seconds": ".1f",
    "peak_memory_bytes": ".3g",
    "evaluations_per_vertex": ".2f",
    "boundary_edges": "d",
    "non_manifold_edges": "d",
    "components": "d",
    "iou": ".4f",
    "normal_consistency": ".4f",
    "hausdorff": ".1f",
}


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--shapes", nargs="+", default=SHAPES, metavar="NAME", help="meshes/NAME.ply")
    cli.add_argument("--presets", nargs="+", default=PRESETS, choices=PRESETS)
    cli.add_argument("--resolution", type=int, help="instead of the preset's")
    cli.add_argument("--seed", type=int, default=0)
    cli.add_argument("--tuned", action="store_true", help="other options of Poisson, too")
    cli.add_argument("--poisson-from", type=Path, metavar="JSON", help="an earlier output of this script")
    options = cli.parse_args()
    earlier = json.loads(options.poisson_from.read_text())["shapes"] if options.poisson_from else {}
    truths = {shape: data_file("meshes", f"{shape}.ply") for shape in options.shapes}

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result: dict[str, Any] = {
            **circumstances(options.seed),
            "resolution": options.resolution,
            "warm_up_seconds": warm_up(folder),
            "shapes": {},
        }
        for shape, truth in truths.items():
            points = clean_cloud(read_mesh(truth), seed=options.seed)
            poisson = earlier.get(shape, {}).get("poisson")
            poisson = poisson or run_poisson(points, truth, SCORES, tuned=options.tuned)
            cloud = folder / f"{shape}.ply"
            write_cloud(cloud, points)
            rows = {"poisson": poisson}
            tell(shape, "poisson", {**poisson["best"], "ratio": 1.0})
            for preset in options.presets:
                rows[preset] = run_preset(preset, cloud, truth, folder, options.resolution, options.seed)
                rows[preset]["ratio"] = rows[preset]["error"] / poisson["best"]["error"]
                rows[preset]["time_ratio"] = rows[preset]["seconds"] / poisson["best"]["seconds"]
                if "tuned" in poisson:
                    rows[preset]["tuned_ratio"] = rows[preset]["error"] / poisson["tuned"]["error"]
                tell(shape, preset, rows[preset])
            result["shapes"][shape] = rows
    alike = [rows for shape, rows in result["shapes"].items() if shape != APART]
    result["means"] = {preset: means(alike, preset) for preset in options.presets if alike}
    result["worst"] = {preset: worst(result["shapes"].values(), preset) for preset in options.presets}
    print(json.dumps(result, indent=1))


def means(shapes: list[dict[str, Any]], preset: str) -> dict[str, float]:
    """The geometric means of the ratios that every shape has."""
    names = [name for name in ("ratio", "tuned_ratio", "time_ratio") if name in shapes[0][preset]]
    return {name: geometric_mean([rows[preset][name] for rows in shapes]) for name in names}


def run_preset(
    preset: str, cloud: Path, truth: Path, folder: Path, resolution: int | None, seed: int
) -> dict[str, Any]:
    """Scores and costs of one reconstruction."""
    options = ["--preset", preset, "--seed", str(seed)]
    if resolution is not None:
        options += ["--resolution", str(resolution)]
    output = folder / "surface.ply"
    seconds, report = run_tool(cloud, output, *options)
    scores = evaluate(output, truth)
    extraction = report["extraction"]
    return {
        **{name: scores[name] for name in SCORES},
        "seconds": seconds,
        "stages": report["seconds"],
        "peak_memory_bytes": report["peak_memory_bytes"],
        "evaluations_per_vertex": extraction["evaluations"] / extraction["vertices"],
        **{name: extraction[name] for name in ("resolution", "vertices", "faces")},
        "training": report["training"],
        **{name: report[name] for name in ("device", "engine", "threads")},
    }


def worst(shapes: Any, preset: str) -> dict[str, float]:
    """The largest of each figure over all shapes."""
    names = ("ratio", "seconds", "peak_memory_bytes", "evaluations_per_vertex")
    return {name: max(rows[preset][name] for rows in shapes) for name in names}


def tell(shape: str, name: str, row: dict[str, Any]) -> None:
    """One line of the table, as soon as it is known."""
    print(f"{shape:<12}{name:<10}{cells(row, COLUMNS)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

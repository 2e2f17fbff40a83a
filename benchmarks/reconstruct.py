"""`sasnet-sdf reconstruct` beside screened Poisson: error, time, memory, on clouds of known surfaces.

    python benchmarks/reconstruct.py > results.json
    python benchmarks/reconstruct.py --shapes fandisk --presets fast --poisson-from results.json
    python benchmarks/reconstruct.py --presets balanced --resolution 1024 --poisson-from results.json

SASNET_SDF_DATA names the folder of the clouds and of their ground truths, SASNET_SDF_JUDGE that of
poisson_reference.py and mesh_metrics.py. Every run is a process of its own; `seconds` is its wall
time, start of Python included. `error` is in 1e-4 of the diagonal, `ratio` is that over Poisson's
at its best depth, found in the same run unless --poisson-from gives it. One JSON object goes to
stdout, a table to stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import PRESETS, cells, circumstances, folders, run_poisson, run_tool, warm_up

SHAPES = ("armadillo", "dragon", "fandisk")
SCORES = (
    *("error", "hausdorff", "normal_consistency", "iou"),
    *("boundary_edges", "nonmanifold_edges", "components"),
)
COLUMNS = {
    "error": ".3f",
    "ratio": ".2f",
    "seconds": ".1f",
    "peak_memory_bytes": ".3g",
    "evaluations_per_vertex": ".2f",
    "boundary_edges": "d",
    "nonmanifold_edges": "d",
    "components": "d",
    "iou": ".4f",
    "normal_consistency": ".4f",
    "hausdorff": ".1f",
}


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--shapes", nargs="+", default=SHAPES, metavar="NAME", help="clouds/NAME.ply")
    cli.add_argument("--presets", nargs="+", default=PRESETS, choices=PRESETS)
    cli.add_argument("--resolution", type=int, help="instead of the preset's")
    cli.add_argument("--seed", type=int, default=0)
    cli.add_argument("--poisson-from", type=Path, metavar="JSON", help="an earlier output of this script")
    options = cli.parse_args()
    data, judge = folders()
    earlier = json.loads(options.poisson_from.read_text())["shapes"] if options.poisson_from else {}

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result: dict[str, Any] = {
            **circumstances(options.seed),
            "resolution": options.resolution,
            "warm_up_seconds": warm_up(folder),
            "shapes": {},
        }
        for shape in options.shapes:
            cloud, truth = data / "clouds" / f"{shape}.ply", data / "meshes" / f"{shape}.ply"
            poisson = earlier.get(shape, {}).get("poisson") or run_poisson(
                judge, cloud, truth, folder, SCORES
            )
            rows = {"poisson": poisson}
            tell(shape, "poisson", {**poisson["best"], "ratio": 1.0})
            for preset in options.presets:
                rows[preset] = run_preset(preset, cloud, truth, folder, options.resolution, options.seed)
                rows[preset]["ratio"] = rows[preset]["error"] / poisson["best"]["error"]
                tell(shape, preset, rows[preset])
            result["shapes"][shape] = rows
    result["worst"] = {preset: worst(result["shapes"].values(), preset) for preset in options.presets}
    print(json.dumps(result, indent=1))


def run_preset(
    preset: str, cloud: Path, truth: Path, folder: Path, resolution: int | None, seed: int
) -> dict[str, Any]:
    """Scores and costs of one reconstruction."""
    from mesh_metrics import compare  # type: ignore[import-not-found]

    options = ["--preset", preset, "--seed", str(seed)]
    if resolution is not None:
        options += ["--resolution", str(resolution)]
    output = folder / "surface.ply"
    seconds, report = run_tool(cloud, output, *options)
    scores = compare(output, truth)
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
    """Over all shapes, the figures that the bars are about."""
    names = ("ratio", "seconds", "peak_memory_bytes", "evaluations_per_vertex")
    return {name: max(rows[preset][name] for rows in shapes) for name in names}


def tell(shape: str, name: str, row: dict[str, Any]) -> None:
    """One line of the table, as soon as it is known."""
    print(f"{shape:<12}{name:<10}{cells(row, COLUMNS)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

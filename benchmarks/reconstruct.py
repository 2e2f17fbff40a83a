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
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from sasnet_sdf.system import hardware

SHAPES = ("armadillo", "dragon", "fandisk")
PRESETS = ("fast", "balanced", "fine")
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
    data, judge = (Path(os.environ[f"SASNET_SDF_{name}"]).resolve() for name in ("DATA", "JUDGE"))
    sys.path.insert(0, str(judge))
    earlier = json.loads(options.poisson_from.read_text())["shapes"] if options.poisson_from else {}

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result: dict[str, Any] = {
            "hardware": hardware(),
            "versions": {package: version(package) for package in ("sasnet-sdf", "torch", "numba", "numpy")},
            "commit": commit(),
            "seed": options.seed,
            "resolution": options.resolution,
            "warm_up_seconds": warm_up(folder),
            "shapes": {},
        }
        for shape in options.shapes:
            cloud, truth = data / "clouds" / f"{shape}.ply", data / "meshes" / f"{shape}.ply"
            poisson = earlier.get(shape, {}).get("poisson") or run_poisson(judge, cloud, truth, folder)
            rows = {"poisson": poisson}
            tell(shape, "poisson", {**poisson["best"], "ratio": 1.0})
            for preset in options.presets:
                rows[preset] = run_preset(preset, cloud, truth, folder, options.resolution, options.seed)
                rows[preset]["ratio"] = rows[preset]["error"] / poisson["best"]["error"]
                tell(shape, preset, rows[preset])
            result["shapes"][shape] = rows
    result["worst"] = {preset: worst(result["shapes"].values(), preset) for preset in options.presets}
    print(json.dumps(result, indent=1))


def warm_up(folder: Path) -> float:
    """Seconds of a small run, which compiles the kernels where they are not in the cache yet."""
    points = np.random.default_rng(0).normal(size=(2000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    path = folder / "warm_up.npz"
    np.savez(path, points=points, normals=points)
    return run_tool(path, folder / "warm_up.ply", "--steps", "20", "--resolution", "48")[0]


def run_tool(source: Path, output: Path, *options: str) -> tuple[float, dict[str, Any]]:
    """Wall seconds and report of one `sasnet-sdf reconstruct`."""
    report = output.with_suffix(".json")
    words = ["reconstruct", str(source), "-o", str(output), "--report", str(report), "--overwrite", "-q"]
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "sasnet_sdf", *words, *options], check=True, stdout=sys.stderr)
    return time.perf_counter() - start, json.loads(report.read_text(encoding="utf-8"))


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


def run_poisson(judge: Path, cloud: Path, truth: Path, folder: Path) -> dict[str, Any]:
    """Screened Poisson at every depth, and the depth of the smallest error."""
    script = [str(judge / "poisson_reference.py"), str(cloud), str(folder / "poisson")]
    done = subprocess.run(
        [sys.executable, *script, "--ground-truth", str(truth)], check=True, stdout=subprocess.PIPE, text=True
    )
    *depths, best = map(json.loads, done.stdout.splitlines())
    kept = ("depth", "seconds", *SCORES)
    return {
        "best": {name: best["best"][name] for name in kept},
        "depths": [{name: row[name] for name in kept} for row in depths],
    }


def worst(shapes: Any, preset: str) -> dict[str, float]:
    """Over all shapes, the figures that the bars are about."""
    names = ("ratio", "seconds", "peak_memory_bytes", "evaluations_per_vertex")
    return {name: max(rows[preset][name] for rows in shapes) for name in names}


def commit() -> str:
    """The commit of the working tree, with a mark where it is not clean."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def tell(shape: str, name: str, row: dict[str, Any]) -> None:
    """One line of the table, as soon as it is known."""
    cells = [f"{column}={row[column]:{form}}" for column, form in COLUMNS.items() if column in row]
    print(f"{shape:<12}{name:<10}" + "  ".join(cells), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

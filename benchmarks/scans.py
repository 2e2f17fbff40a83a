"""`sasnet-sdf reconstruct` beside screened Poisson on noisy scans of known surfaces.

    python benchmarks/scans.py -o scans.json
    python benchmarks/scans.py --shapes bunny horse --variants default,no-sensors -o scans.json
    python benchmarks/scans.py --variants points1000,points5000,points20000 -o few.json

Variants: `default` is scans/NAME.ply of SASNET_SDF_DATA, which says where the sensor of each point
stood; `no-sensors` the same file without that; `sigmaS`, `outliersF` and `camerasN` are made by
make_scans.py of SASNET_SDF_JUDGE with that option; `pointsN` are clean clouds of N points with normals.
Poisson gets outliers removed (--clean) but for the latter, the sensors always, and its best depth,
which only the ground truth can tell. The tool gets its defaults.

`error` is in 1e-4 of the diagonal; `ratios` are over Poisson's; `right_normals` is the share of
points whose normal looks away from the solid. FILE is written after every row; rows that it has
of the same commit, preset and seed are not run again.
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

from common import PRESETS, cells, circumstances, folders, run_poisson, run_tool, warm_up

from sasnet_sdf.io import read_cloud, write_cloud

SHAPES = ("armadillo", "bunny", "dragon", "fandisk", "horse", "rocker-arm")
VARIANTS = ("default", "no-sensors", "sigma0.005", "sigma0", "outliers0.05", "cameras4")
RATIOS = ("error", "accuracy_mean", "completeness_mean", "hausdorff")
SCORES = (
    *(*RATIOS, "normal_consistency", "iou"),
    *("boundary_edges", "nonmanifold_edges", "components"),
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
KIND = ("--scans", "--clouds")
"""The option of make_scans.py that names the folder, of a scan and of a clean cloud."""

NEAR = 0.02
"""Of the diagonal: farther from the surface a point has no right normal."""


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--shapes", nargs="+", default=SHAPES, metavar="NAME", help="meshes/NAME.ply")
    cli.add_argument("--variants", type=variants, default=VARIANTS, metavar="A,B", help=",".join(VARIANTS))
    cli.add_argument("--preset", default="balanced", choices=PRESETS)
    cli.add_argument("--seed", type=int, default=0)
    cli.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.json")
    options = cli.parse_args()
    data, judge = folders()
    earlier = json.loads(options.output.read_text(encoding="utf-8")) if options.output.exists() else {}
    result: dict[str, Any] = {**circumstances(options.seed), "preset": options.preset}
    rows = result["rows"] = earlier.get("rows", [])
    done = {(row["variant"], row["shape"]) for row in rows_of(result)}
    failed = 0

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result["warm_up_seconds"] = warm_up(folder)

        @cache
        def poisson(cloud: Path, truth: Path) -> dict[str, Any]:
            options = [] if clean(cloud.parent.name) else ["--clean"]
            return run_poisson(judge, cloud, truth, folder, SCORES, *options)["best"]

        for variant in options.variants:
            for shape in options.shapes:
                if (variant, shape) in done:
                    continue
                try:
                    truth = data / "meshes" / f"{shape}.ply"
                    cloud = scan_of(variant, shape, data, judge, folder)
                    row = run(cloud, truth, folder, options.preset, options.seed, variant == "no-sensors")
                    row["poisson"] = poisson(cloud, truth)
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
            option_of(name)
    return names


def option_of(variant: str) -> list[str]:
    """The option of make_scans.py that a variant such as sigma0.005 stands for."""
    found = re.fullmatch(r"(sigma|outliers|cameras|points)(\d+(?:\.\d+)?)", variant)
    if not found:
        raise argparse.ArgumentTypeError(f"unknown variant {variant!r}")
    return [f"--{'cloud-' * clean(variant)}{found[1]}", found[2]]


def clean(variant: str) -> bool:
    """Whether it is a clean cloud, and no scan."""
    return variant.startswith("points")


def scan_of(variant: str, shape: str, data: Path, judge: Path, folder: Path) -> Path:
    """The scan with sensors, or the clean cloud, made where it is not among the data."""
    if variant in VARIANTS[:2]:
        return data / "scans" / f"{shape}.ply"
    path = folder / variant / f"{shape}.ply"
    words = [judge / "make_scans.py", data / "meshes" / path.name, KIND[clean(variant)], path.parent]
    subprocess.run([sys.executable, *map(str, words), *option_of(variant)], check=True, stdout=sys.stderr)
    return path


def run(cloud: Path, truth: Path, folder: Path, preset: str, seed: int, blind: bool) -> dict[str, Any]:
    """Scores and costs of one reconstruction; `blind`: of the cloud without its sensors."""
    from mesh_metrics import compare  # type: ignore[import-not-found]

    source, output = cloud, folder / "surface.ply"
    if blind:
        source = folder / cloud.name
        write_cloud(source, replace(read_cloud(cloud), sensors=None))
    seconds, report = run_tool(source, output, "--preset", preset, "--seed", str(seed))
    scores = compare(output, truth)
    return {
        **{name: scores[name] for name in SCORES},
        **({"right_normals": right_normals(source, truth)} if blind else {}),
        "seconds": seconds,
        "stages": report["seconds"],
        "peak_memory_bytes": report["peak_memory_bytes"],
        "input": {name: value for name, value in report["input"].items() if name != "path"},
        **{name: report[name] for name in ("trim", "extraction", "notes")},
        **{name: report[name] for name in ("device", "engine", "threads")},
    }


def right_normals(source: Path, truth: Path) -> float:
    """The share of a scan's points, as they are trained on, whose normals are on the right side."""
    from mesh_metrics import distance, face_normals, load  # type: ignore[import-not-found]

    from sasnet_sdf.problems.selection import framed
    from sasnet_sdf.supervision import CloudTarget, prepare

    cloud, frame, _ = framed(read_cloud(source))
    target, _ = prepare(cloud, frame)
    assert isinstance(target, CloudTarget)
    vertices, faces = load(truth)
    away, face = distance(frame.to_world(target.points), vertices, faces)
    diagonal = ((vertices.max(0) - vertices.min(0)) ** 2).sum() ** 0.5
    right = (target.normals * face_normals(vertices, faces)[face]).sum(1) > 0
    return float(right[away <= NEAR * diagonal].mean())


def rows_of(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the commit, preset and seed that the whole result is of."""
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
    """The whole of it, so that a run that ends midway leaves what it has."""
    result["summary"] = summary(result)
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(result, indent=1), encoding="utf-8")
    partial.replace(path)


if __name__ == "__main__":
    main()

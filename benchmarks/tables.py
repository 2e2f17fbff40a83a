"""The tables of docs/benchmarks.md and of the README, from what the benchmarks printed.

    python benchmarks/reconstruct.py > reconstruct.json
    python benchmarks/reconstruct.py --presets balanced --resolution 1024 \\
        --poisson-from reconstruct.json > fine_lattice.json
    python benchmarks/step.py > step.json
    python benchmarks/tables.py reconstruct.json fine_lattice.json step.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
START, END = "<!-- from benchmarks/tables.py -->\n", "<!-- end -->\n"
PRESETS = ("fast", "balanced", "fine")


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("reconstruct", type=Path)
    cli.add_argument("fine_lattice", type=Path)
    cli.add_argument("step", type=Path)
    options = cli.parse_args()
    results, finer, step = (
        json.loads(path.read_text(encoding="utf-8"))
        for path in (options.reconstruct, options.fine_lattice, options.step)
    )
    (ROOT / "docs" / "benchmarks.md").write_text(page(results, finer, step), encoding="utf-8")
    readme = ROOT / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split(START)
    readme.write_text(before + START + presets(results) + END + rest.split(END)[1], encoding="utf-8")


def page(results: dict[str, Any], finer: dict[str, Any], step: dict[str, Any]) -> str:
    return f"""# Benchmarks

{machine(results)};
commit {results["commit"]}. Times are whole commands, start of Python included, with kernels compiled,
which is done once a machine: the first, small run of all took {results["warm_up_seconds"]:.0f} s. Errors
are mean distances between the surfaces, both ways, in 1e-4 of the bounding box's diagonal.

## Clean clouds of 200,000 points, beside screened Poisson

`python benchmarks/reconstruct.py`. Poisson (Open3D) is given its best depth for each cloud, which only
the ground truth can tell.

{surfaces(results, PRESETS)}
## The same fields on a lattice of 1024

`python benchmarks/reconstruct.py --presets balanced --resolution 1024`

{surfaces(finer, ("balanced",))}
## A training step

`python benchmarks/step.py`: 8,192 points, width 64, 2 hidden layers, optimiser included, in milliseconds;
with the eikonal term on {step["setting"]["eikonal_points"]} points, or without. The floor is the matrix
products, sines, gathers and scatters of forward and backward alone, and one pass of Adam by its bytes,
measured in turn with the step.

{steps(step)}"""


def machine(results: dict[str, Any]) -> str:
    hardware, versions = results["hardware"], results["versions"]
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{hardware['cores']} cores of a shared machine ({hardware['cpu']}), {named}"


def table(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def surfaces(results: dict[str, Any], names: tuple[str, ...]) -> str:
    columns = ["cloud", "", "error", "/ Poisson's", "seconds", "peak memory", "evaluations a vertex"]
    columns += ["normal consistency", "Hausdorff", "open edges", "components"]
    rows = []
    for shape, found in results["shapes"].items():
        best = found["poisson"]["best"]
        rows.append([shape, f"Poisson, depth {best['depth']}", *scores(best, best)])
        rows += [[shape, f"`{name}`", *scores(found[name], best)] for name in names]
    return table(columns, rows)


def scores(row: dict[str, Any], best: dict[str, Any]) -> list[str]:
    memory, evaluations = row.get("peak_memory_bytes"), row.get("evaluations_per_vertex")
    return [
        f"{row['error']:.3f}",
        f"{row['error'] / best['error']:.2f}",
        f"{row['seconds']:.1f}",
        "" if memory is None else f"{memory / 1e9:.2f} GB",
        "" if evaluations is None else f"{evaluations:.2f}",
        f"{row['normal_consistency']:.4f}",
        f"{row['hausdorff']:.1f}",
        f"{row['boundary_edges']}",
        f"{row['components']}",
    ]


def presets(results: dict[str, Any]) -> str:
    rows = []
    for name in PRESETS:
        found = [rows_of[name] for rows_of in results["shapes"].values()]
        rows.append(
            [
                f"`{name}`",
                span([row["seconds"] for row in found], ".0f", " s"),
                span([row["ratio"] for row in found], ".2f", ""),
                f"{max(row['peak_memory_bytes'] for row in found) / 1e9:.1f} GB",
            ]
        )
    return table(["preset", "time", "error / Poisson's", "peak memory"], rows)


def span(values: list[float], form: str, unit: str) -> str:
    low, high = (f"{value:{form}}" for value in (min(values), max(values)))
    return (low if low == high else f"{low}–{high}") + unit


def steps(step: dict[str, Any]) -> str:
    rows = []
    for size, found in (("8 → 256, 2^16", step), ("8 → 512, 2^18", step["large"])):
        for kind in ("plain", "eikonal"):
            row = found[kind]
            parts = ", ".join(f"{name} {value:.1f}" for name, value in row["parts"].items())
            rows.append(
                [size, kind, f"{row['ms']:.1f}", f"{row['floor_ms']:.1f}", f"{row['ratio']:.2f}", parts]
            )
    return table(["grid, table", "", "step", "floor", "ratio", "of which"], rows)


if __name__ == "__main__":
    main()

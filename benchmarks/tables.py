"""The tables of docs/benchmarks.md, scans.md, sheets.md, report.md and the README, made from
the benchmarks' results.

    python benchmarks/reconstruct.py > reconstruct.json
    python benchmarks/reconstruct.py --presets balanced --resolution 1024 \\
        --poisson-from reconstruct.json > fine_lattice.json
    python benchmarks/step.py > step.json
    python benchmarks/tables.py reconstruct.json fine_lattice.json step.json
    python benchmarks/scans.py -o scans.json
    python benchmarks/tables.py --scans scans.json
    python benchmarks/distances.py > distances.json
    python benchmarks/tables.py --distances distances.json
    python benchmarks/sheets.py -o sheets.json
    python benchmarks/tables.py --sheets sheets.json

Of the three files of the fourth command the last two are optional, and so are their sections.
docs/benchmarks.md is written as a whole; the other pages change between their marks only.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from common import table
from surface_tables import distances, sheets

ROOT = Path(__file__).resolve().parent.parent
START, END = "<!-- from benchmarks/tables.py -->\n", "<!-- end -->\n"
PRESETS = ("fast", "balanced", "fine")


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("clean", nargs="*", type=Path, metavar="RECONSTRUCT FINE_LATTICE STEP")
    cli.add_argument("--scans", type=Path)
    cli.add_argument("--distances", type=Path)
    cli.add_argument("--sheets", type=Path)
    options = cli.parse_args()
    if len(options.clean) > 3 or not any(vars(options).values()):
        cli.error("give up to three files, --scans, --distances or --sheets")
    if options.clean:
        results, *others = map(read, options.clean)
        (ROOT / "docs" / "benchmarks.md").write_text(page(results, *others), encoding="utf-8")
        put(ROOT / "README.md", presets(results))
    if options.scans:
        put(ROOT / "docs" / "scans.md", scans(read(options.scans)))
    if options.distances:
        put(ROOT / "docs" / "report.md", distances(read(options.distances)))
    if options.sheets:
        put(ROOT / "docs" / "sheets.md", sheets(read(options.sheets)))


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def put(path: Path, found: str) -> None:
    """Put `found` between the marks of a page."""
    before, rest = path.read_text(encoding="utf-8").split(START)
    path.write_text(before + START + found + END + rest.split(END)[1], encoding="utf-8")


def page(
    results: dict[str, Any], finer: dict[str, Any] | None = None, step: dict[str, Any] | None = None
) -> str:
    parts = [clean(results)]
    if finer is not None:
        parts.append(f"""## On a lattice of 1024

`python benchmarks/reconstruct.py --presets balanced --resolution 1024`

{surfaces(finer, ("balanced",))}""")
    if step is not None:
        parts.append(f"""## A training step

`python benchmarks/step.py`: 8,192 points, width 64, 2 hidden layers, optimizer included, in milliseconds;
with the eikonal term on {step["setting"]["eikonal_points"]} points, or without. The floor is the matrix
products, sines, gathers and scatters of forward and backward alone, and one pass of Adam by its bytes,
measured in turn with the step.

{steps(step)}""")
    return "\n".join(parts)


def clean(results: dict[str, Any]) -> str:
    return f"""# Benchmarks

{machine(results)};
commit {results["commit"]}. Times are whole commands, start of Python included, with kernels compiled,
which happens once on each machine: the first, small run took {results["warm_up_seconds"]:.0f} s. Errors
are mean distances between the surfaces, both ways, in 1e-4 of the bounding box's diagonal
([evaluate.md](evaluate.md)). [benchmarks-data.md](benchmarks-data.md) says where the shapes come from, and
how to run everything on this page.

{AGREEMENT}
## Clean clouds of 200,000 points, beside screened Poisson

`python benchmarks/reconstruct.py`. Points without noise, uniform by area, with the exact normals of their
triangles. Poisson (Open3D) runs at its best depth for each cloud, which only the ground truth can choose;
its seconds exclude the start of a process and files. The weights of the supervision
were chosen on cheburashka, pepper, casting, spot and bunny. The thresholds of the blend and of creases
were chosen on fandisk, casting, abc_00016513 and the dragon, so those are not test data for them.

{surfaces(results, PRESETS)}"""


AGREEMENT = """\
An independent scoring script gives the same figures for surfaces of the armadillo and of fandisk
(clean clouds, `fast`) and of the bunny (a noisy scan): mean errors within 0.07 % (0.479, 0.025, 2.025) and
normal consistencies within 1e-5 from 2,000,000 samples each, and from the same samples also the same
Hausdorff distances (11.7, 14.3, 18.6), which as maxima differ by a few percent from draw to draw.
"""


def machine(results: dict[str, Any]) -> str:
    hardware, versions = results["hardware"], results["versions"]
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{hardware['cores']} cores of a shared machine ({hardware['cpu']}), {named}"


def surfaces(results: dict[str, Any], names: tuple[str, ...]) -> str:
    columns = ["cloud", "", "error", "/ Poisson's", "seconds", "peak memory", "evaluations per vertex"]
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


def scans(results: dict[str, Any]) -> str:
    """Means for each kind of scan, then every scan."""
    columns = ["scan", "shapes", "error", "Poisson's", "ratio", "worst", "accuracy", "completeness"]
    columns += ["Hausdorff", "right normals", "time", "peak memory"]
    means = []
    for variant, found in results["summary"].items():
        ratios, right = found["ratios"], found.get("fewest_right_normals")
        means.append(
            [
                f"`{variant}`",
                f"{found['shapes']}",
                f"{found['error']:.2f}",
                f"{found['poisson_error']:.2f}",
                *(f"{ratios['error']:.2f}", f"{found['worst_ratio']:.2f} ({found['worst_shape']})"),
                *(f"{ratios[name]:.2f}" for name in ("accuracy_mean", "completeness_mean", "hausdorff")),
                "" if right is None else f"≥ {right:.2%}",
                f"≤ {found['most_seconds']:.0f} s",
                f"≤ {found['most_memory_bytes'] / 1e9:.2f} GB",
            ]
        )
    return f"""
{machine(results)}; commit {results["commit"]}, preset `{results["preset"]}`.

{table(columns, means)}
{each_scan(results)}"""


def each_scan(results: dict[str, Any]) -> str:
    columns = ["scan", "shape", "error", "Poisson's", "ratio", "accuracy", "completeness", "Hausdorff"]
    columns += ["normal consistency", "IoU", "right normals", "open edges", "seconds", "peak memory"]
    same = ("commit", "preset", "seed")
    rows = []
    for row in results["rows"]:
        if any(row[name] != results[name] for name in same):
            continue
        best, right = row["poisson"], row.get("right_normals")
        pairs = [
            f"{row[name]:{form}} / {best[name]:{form}}"
            for name, form in (
                *(("accuracy_mean", ".2f"), ("completeness_mean", ".2f"), ("hausdorff", ".0f")),
                *(("normal_consistency", ".4f"), ("iou", ".4f")),
            )
        ]
        rows.append(
            [
                f"`{row['variant']}`",
                row["shape"],
                f"{row['error']:.2f}",
                f"{best['error']:.2f} (depth {best['depth']})",
                f"{row['ratios']['error']:.2f}",
                *pairs,
                "" if right is None else f"{right:.2%}",
                f"{row['boundary_edges']} / {best['boundary_edges']}",
                f"{row['seconds']:.0f} / {best['seconds']:.0f}",
                f"{row['peak_memory_bytes'] / 1e9:.2f} GB",
            ]
        )
    return table(columns, rows)


def presets(results: dict[str, Any]) -> str:
    shapes = list(results["shapes"].values())
    best = [rows_of["poisson"]["best"] for rows_of in shapes]
    rows = [["Poisson, best depth", span([row["seconds"] for row in best], ".0f", " s"), "1", "1", ""]]
    for name in PRESETS:
        found = [rows_of[name] for rows_of in shapes]
        rows.append(
            [
                f"`{name}`",
                span([row["seconds"] for row in found], ".0f", " s"),
                f"{results['means'][name]['ratio']:.2f}",
                span([row["ratio"] for row in found], ".2f", ""),
                f"{max(row['peak_memory_bytes'] for row in found) / 1e9:.1f} GB",
            ]
        )
    return table(["preset", "time", "error / Poisson's, mean", "on each", "peak memory"], rows)


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

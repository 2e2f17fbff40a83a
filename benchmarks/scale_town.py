"""Reconstructs a town of any number of points, which are made piece by piece; measured by scale.py.

    python benchmarks/scale_town.py 10000000 town.ply

The report is written beside the mesh. The points are those of scale_shapes.Town.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scale_runs import Asked, figures, run, tell
from scale_shapes import Town

from sasnet_sdf import SasnetError, read_mesh, reconstruct
from sasnet_sdf.metrics import mesh_figures

SAMPLES = 200_000
"""Number of vertices whose distances from the true surface are measured."""

MANY, MEMORY, MEMORY_OF_MORE, SECONDS = 10_000_000, 6e9, 8e9, 600
"""The limits of a run: bytes up to this many points and of more, and seconds up to this many."""

LARGE = 30_000_000
"""Number of faces above which edges and components are not counted, for lack of memory."""


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("points", type=int)
    cli.add_argument("output", type=Path, metavar="FILE.ply")
    cli.add_argument("--preset", default="balanced")
    cli.add_argument("--tiles", default="auto")
    cli.add_argument("--workers", type=int)
    cli.add_argument("--steps", type=int)
    cli.add_argument("--seed", type=int, default=0)
    cli.add_argument("--resume", action="store_true")
    options = cli.parse_args()
    try:
        result = reconstruct(
            Town(options.points).pieces,
            preset=options.preset,
            tiles=options.tiles,
            workers=options.workers,
            steps=options.steps,
            seed=options.seed,
            resume=options.resume,
            scratch=f"{options.output}.tiles",
            output=options.output,
        )
    except SasnetError as error:
        sys.exit(f"error: {error}")
    options.output.with_suffix(".json").write_text(json.dumps(result.report), "utf-8")


def size(asked: Asked) -> dict[str, Any]:
    """A town of any number of points, which are never in memory or in a file together."""
    count = asked.points or (40_000 if asked.small else 10_000_000)
    town, output = Town(count), asked.folder / "town.ply"
    side = "22" if asked.small and asked.tiles == "auto" else asked.tiles
    words = [sys.executable, str(Path(__file__)), str(count), str(output)]
    words += [*asked.options(), "--tiles", side, *["--resume"] * asked.resume]
    made = figures(run(words, asked.folder / "town.ply.tiles"), output)
    mesh = read_mesh(output)
    some = np.random.default_rng(asked.seed).choice(
        len(mesh.vertices), min(SAMPLES, len(mesh.vertices)), False
    )
    off = town.distance(mesh.vertices[some])
    million = count / 1e6
    found = {
        "points": count,
        "seconds": made["seconds"],
        "seconds_per_million_points": {name: taken / million for name, taken in made["stages"].items()},
        "peak_pss_bytes": made["peak_pss_bytes"],
        "peak_scratch_bytes": made["peak_scratch_bytes"],
        "error_meters": {
            "mean": float(off.mean()),
            **{f"p{n}": float(np.percentile(off, n)) for n in (50, 95, 99)},
            "max": float(off.max()),
        },
        "mesh": mesh_figures(mesh) if len(mesh.faces) < LARGE else {"faces": len(mesh.faces)},
        "resumed": asked.resume,
    }
    tell(
        "size",
        seconds=made["seconds"],
        peak_gib=made["peak_pss_bytes"] / 2**30,
        error=found["error_meters"]["mean"],
    )
    holds = {"no process left": not made["left"]}
    allowed = MEMORY if count <= MANY else MEMORY_OF_MORE
    holds[f"memory <= {allowed / 1e9:.0f} GB"] = made["peak_pss_bytes"] <= allowed
    if count <= MANY:
        holds[f"seconds <= {SECONDS}"] = made["seconds"] <= SECONDS
    return {**found, "run": made, "holds": holds}


if __name__ == "__main__":
    main()

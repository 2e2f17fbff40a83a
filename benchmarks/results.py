"""Surfaces: networks of equal parameters, targets and steps, by the same optimizer; writes docs/results.md.

    python benchmarks/results.py -o FILE.json
    python benchmarks/results.py -o FILE.json --protocols muon --models sasnet sasnet:no-masks --shapes horse
    python benchmarks/results.py -o FILE.json --protocols muon --steps 400
    python benchmarks/results.py -o FILE.json --write
    python benchmarks/results.py -o FILE.json --small

For clean clouds of meshes/NAME.ply of SASNET_SDF_DATA (docs/benchmarks-data.md). Protocols (docs/compare.md):
`published`, each network by its own optimizer at its own rates; `adam` and `muon`, all by one optimizer, each
at the rate with the least product of held-out errors on two tuning shapes in a quarter of the steps, which is
then held for the test shapes. Networks whose mean error is within 5 % of SASNet's are trained with two more
seeds.

A row is one training. FILE has all rows; those of the package's present code are not run again. A table has
the rows of one version of the code, that of its latest run. --small runs everything at toy size, on made-up
shapes.
"""

from __future__ import annotations

import argparse
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from common import data_file
from results_page import write
from scanner import clean_cloud, read_mesh
from trainings import Job, Plan, Table

from sasnet_sdf.comparison.protocols import RATES, candidates
from sasnet_sdf.comparison.results import Budget, sized
from sasnet_sdf.comparison.subjects import SurfaceSubject
from sasnet_sdf.comparison.training import Training
from sasnet_sdf.comparison.without_network import no_network
from sasnet_sdf.geometry import TriangleMesh
from sasnet_sdf.problems.settings import make_config
from sasnet_sdf.runtime.progress import silent

TUNING, TEST = ("casting", "bunny"), ("armadillo", "dragon", "horse")
TOY_TUNING, TOY_TEST = ("ball 0", "ball 1"), ("ball 2",)
PARAMETERS, STEPS, BATCH = 150_000, 800, 4096
RESOLUTION = 256
"""Lattice cells: a field that is noise has a surface everywhere, and takes minutes at 512."""
CLOSE = 0.05
"""Part of SASNet's error below which a difference needs three seeds."""

SASNETS = ("sasnet", "sasnet:no-masks")
SINES = (*SASNETS, *(f"siren:omega0={n}" for n in (15, 30, 60, 90, 120, 240)), "finer")
ABLATIONS = ("sasnet:unfrozen", "sasnet:siren-layer")
OTHERS = ("wire:omega0=10:scale=5", "gauss:scale=10", "pemlp", "ffn", "ngp")
AS_RELEASED = "sasnet:published:grid.coarsest=16:grid.finest=256"
PROTOCOLS: dict[str, tuple[str, ...]] = {
    "published": (
        *("sasnet", AS_RELEASED, "siren", "finer", "wire", "gauss", "pemlp", "ffn", "ngp"),
        *("bacon", "tuner", "supervision", "poisson"),
    ),
    "adam": (*SASNETS, "siren:omega0=30", "siren:omega0=60", "finer", *OTHERS),
    "muon": (*SINES, *ABLATIONS),
}
"""The models of each protocol."""


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.json")
    cli.add_argument("--protocols", nargs="+", choices=tuple(RATES), default=list(RATES))
    cli.add_argument("--models", nargs="+", metavar="MODEL", help="these only")
    cli.add_argument("--shapes", nargs="+", metavar="NAME", help="these test shapes only")
    cli.add_argument("--steps", type=int, default=STEPS, metavar="N", help=f"instead of {STEPS}")
    cli.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="one thread each")
    cli.add_argument("--write", action="store_true")
    cli.add_argument("--small", action="store_true")
    options = cli.parse_args()
    table = Table(options.output, trained, options.workers)
    if not options.write:
        for protocol in options.protocols:
            table.run(plan(protocol, options.models, options.shapes, options.steps, options.small))
    if options.write or options.small:
        write(table.rows(), options.output.with_suffix(".md") if options.small else None)


def plan(protocol: str, models: list[str] | None, shapes: list[str] | None, steps: int, small: bool) -> Plan:
    words, tuning, test = models or PROTOCOLS[protocol], TUNING, shapes or TEST
    if small:
        words, tuning, test = words[:2], TOY_TUNING, TOY_TEST
    steps, tuning_steps = (20, 10) if small else (steps, steps // 4)
    return Plan(
        "surfaces", protocol, words, tuning, test, steps, small, "error", np.inf, is_close, tuning_steps
    )


def is_close(error: float, ours: float) -> bool:
    return abs(error - ours) < CLOSE * ours


@cache
def subject_of(name: str, steps: int, small: bool) -> SurfaceSubject:
    """A clean cloud of a shape, to be measured against the shape; its targets are computed once."""
    truth = ball(int(name.split()[-1])) if small else read_mesh(data_file("meshes", f"{name}.ply"))
    cloud = clean_cloud(truth, 3000 if small else 200_000)
    budget = Budget(parameters=10_000 if small else PARAMETERS, steps=steps, batch=BATCH)
    settings = ["supervision.targets=20000"] if small else []
    config = make_config("balanced", settings=settings, resolution=48 if small else RESOLUTION)
    samples = 20_000 if small else 200_000
    return SurfaceSubject(cloud, truth, config, budget, "published", ["supervision"], samples, silent)


def trained(job: Job) -> dict[str, Any]:
    """The figures of one training, or the `failure`. Surfaces are only made of test shapes."""
    subject = subject_of(job.input, job.steps, job.small)
    if no_network(job.model):
        row, mesh = subject.without_network(job.model, silent)
        return row | {"held_out": 0.0} | (subject.judged(None, mesh, silent)[0] if mesh else {})
    budget = Budget(parameters=10_000 if job.small else PARAMETERS)
    base = sized(job.model, budget, job.protocol)
    used = base if job.rate == "own" else candidates(base, job.protocol)[job.rate]
    training = Training.on(subject, "cpu", "numba", silent).with_seed(job.seed)
    row, field = training.once(used, silent)
    if field is None:
        return row
    row["held_out"] = row.pop("held_out_error")
    del row["history"]
    return row if job.input in (*TUNING, *TOY_TUNING) else row | subject.judged(field, None, silent)[0]


def ball(number: int) -> TriangleMesh:
    import trimesh

    sphere = trimesh.creation.icosphere(3, radius=1.0 + number)
    return TriangleMesh(np.asarray(sphere.vertices), np.asarray(sphere.faces))


if __name__ == "__main__":
    main()

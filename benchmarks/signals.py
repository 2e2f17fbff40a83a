"""Images and volumes: networks of equal depth, parameters and steps, by the same optimizer.

    python benchmarks/signals.py -o FILE.json
    python benchmarks/signals.py -o FILE.json --tasks images --protocols muon
    python benchmarks/signals.py -o FILE.json --write
    python benchmarks/signals.py -o FILE.json --small

Tasks, on the images and volumes of SASNET_SDF_DATA (docs/benchmarks-data.md): `images`, fitted at a quarter
of their size; `x4` and `x16`, an image reduced by that factor, fitted, rendered at the original size and
compared with the original; `volumes`. Protocols (docs/compare.md): `published`, each network by its own
optimizer at its own rates, with its own depth; `adam` and `muon`, all by one optimizer, each at the rate with
the least product of errors on two tuning signals, which is then held for the test signals. Networks whose
mean PSNR is within 0.3 dB of SASNet's are trained with two more seeds.

A row is one training. FILE has all rows; those of the package's present code are not run again. A table has
the rows of one version of the code, that of its latest run. --write makes docs/signals-results.md. --small
runs everything at toy size, on made-up signals.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
from signals_data import TEST, TUNING, problem
from signals_page import tables, write
from trainings import Job, Plan, Table

from sasnet_sdf import fit_image, fit_volume
from sasnet_sdf.comparison.protocols import BESIDE_MUON, RATES, candidates
from sasnet_sdf.errors import SasnetError
from sasnet_sdf.metrics.signals import signal_figures
from sasnet_sdf.problems.signal_settings import signal_config

STEPS = {"images": 800, "x4": 400, "x16": 400, "volumes": 600}
"""Steps of each task: images that are enlarged have a quarter of the pixels, or fewer."""
BATCH, DEPTH = 4096, 3
CLOSE = 0.3
"""Decibels from SASNet below which a difference needs three seeds."""

SASNETS = ("sasnet", "sasnet:no-masks")
SINES = (*SASNETS, *(f"siren:omega0={omega}" for omega in (15, 30, 60, 90)), "finer")
SMOOTH = (*SASNETS, *(f"siren:omega0={omega}" for omega in (15, 30)), "finer")
BY_ADAM = (*SASNETS, *(f"siren:omega0={omega}" for omega in (30, 60, 90)), "finer")
ABLATIONS = ("sasnet:siren-layer", "sasnet:siren-layer:masks=off")
SMALLER = ("wire:omega0=10:scale=5", "gauss:scale=10")
"""Scales that do better on kodim13 than the published ones, which are for larger networks."""
WITH_RELU = ("pemlp", "ffn", "ngp")
OTHERS = ("wire", "gauss", *WITH_RELU)
AS_PUBLISHED = (
    *("sasnet", "sasnet:published", "siren", "finer:hidden_layers=3:rate=5e-4"),
    *("wire:omega0=20:scale=30:rate=5e-3", *OTHERS),
)
TASKS: dict[str, dict[str, tuple[str, ...]]] = {
    "images": {
        "muon": (*SINES, "sasnet:masked=all:groups=8", *ABLATIONS),
        "adam": (*BY_ADAM, *SMALLER, *OTHERS),
        "published": AS_PUBLISHED,
    },
    "x4": {"muon": SMOOTH},
    "x16": {"muon": SMOOTH},
    "volumes": {
        "muon": (*SINES, "sasnet:masked=last:groups=16", *ABLATIONS),
        "adam": (*BY_ADAM, *SMALLER, *WITH_RELU),
    },
}
"""The models of each task, by protocol."""


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.json")
    cli.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    cli.add_argument("--protocols", nargs="+", choices=tuple(RATES), default=list(RATES))
    cli.add_argument("--models", nargs="+", metavar="MODEL", help="these only")
    cli.add_argument("--signals", nargs="+", metavar="NAME", help="these test signals only")
    cli.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="one thread each")
    cli.add_argument("--write", action="store_true")
    cli.add_argument("--small", action="store_true")
    options = cli.parse_args()
    table = Table(options.output, trained, options.workers)
    if options.write:
        write(table.rows())
        return
    for task in options.tasks:
        for protocol in [name for name in TASKS[task] if name in options.protocols]:
            table.run(plan(task, protocol, options.models, options.signals, options.small))
    print(tables(table.rows()))


def plan(task: str, protocol: str, models: list[str] | None, signals: list[str] | None, small: bool) -> Plan:
    kind = "volumes" if task == "volumes" else "images"
    tuning, test = TUNING[kind], signals or TEST[kind]
    depth = "" if protocol == "published" else f":hidden_layers={DEPTH}"
    words = [model + depth for model in models or TASKS[task][protocol]]
    if small:
        tuning, test, words = ("made 0", "made 1"), ("made 2",), words[:2]
    steps = 20 if small else STEPS[task]
    return Plan(task, protocol, words, tuning, test, steps, small, "psnr", 0.0, is_close)


def is_close(psnr: float, ours: float) -> bool:
    return abs(psnr - ours) < CLOSE


def trained(job: Job) -> dict[str, Any]:
    """The figures of one training, or the `failure`."""
    signal, truth, scale, parameters = problem(job.task, job.input, job.small)
    sizes: dict[str, Any] = {"steps": job.steps, "batch": BATCH, "parameters": parameters}
    fit = fit_image if signal.kind == "image" else fit_volume
    try:
        base = signal_config(signal, model=job.model, **sizes).model
        assert base is not None
        used = base if job.rate == "own" else candidates(base, job.protocol, BESIDE_MUON["signal"])[job.rate]
        rates = [n for n in vars(base) if n.endswith("rate") or n == "optimizer"]
        words = "".join(f":{name}={getattr(used, name)}" for name in rates)
        fitted = fit(signal, model=job.model + words, seed=job.seed, device="cpu", **sizes)
    except SasnetError as error:
        return {"failure": str(error)}
    assert fitted.report is not None
    training, figures = fitted.report["training"], fitted.report["metrics"]
    if scale > 1:
        figures = signal_figures(fitted.render(scale=scale).values, truth, fitted.peak)
    psnr = figures["psnr"]
    if psnr is None or not np.isfinite(psnr):
        return {"failure": "no finite PSNR"}
    return {
        **figures,
        "held_out": 10 ** (-psnr / 10),
        "parameters": training["parameters"],
        "ms_per_step": training["ms_per_step"],
        "seconds": fitted.report["seconds"]["training"],
        "settings": fitted.report["settings"]["model"],
    }


if __name__ == "__main__":
    main()

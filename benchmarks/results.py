"""Every claim about the method, run: `compare` on the development data, and docs/results.md from it.

    python benchmarks/results.py -o folder
    python benchmarks/results.py -o folder --shapes armadillo dragon
    python benchmarks/results.py -o folder --write

For each clean cloud of SASNET_SDF_DATA: all models at their published rates; SASNet and the three
others that are best at the best of three rates; SIREN at seven omega0; what masks cost. A run that
was stopped goes on. --write only makes the page and its pictures from what the folder has.
"""

from __future__ import annotations

import argparse
import datetime
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from common import commit, folders

from sasnet_sdf import compare
from sasnet_sdf.model_config import PUBLISHED, SASNetConfig
from sasnet_sdf.models import build_model, parameter_count
from sasnet_sdf.models.budget import with_parameters
from sasnet_sdf.pipelines.budget import Budget
from sasnet_sdf.pipelines.compare import MODELS
from sasnet_sdf.progress import Progress
from sasnet_sdf.training.optimiser import Optimiser

ROOT = Path(__file__).resolve().parent.parent
BUDGET = Budget(parameters=150_000, steps=1500, batch=8192)
RESOLUTION = 320
"""Of the lattice: a field that is noise has a surface everywhere, and takes minutes at 512."""
ALSO = ("wire:omega0=10:scale=40:rate=5e-3",)
"""Beside the models that compare has by default: WIRE with its own authors' settings for shapes."""
OMEGAS = (5, 10, 20, 30, 60, 90, 120)
SWEPT = 3
"""Models whose rates are swept too, beside SASNet."""


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    cli.add_argument("--shapes", nargs="+", default=["armadillo"], metavar="NAME", help="clouds/NAME.ply")
    cli.add_argument("--write", action="store_true")
    options = cli.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    if not options.write:
        for shape in options.shapes:
            run(shape, options.output)
    write(options.output)


def run(shape: str, output: Path) -> None:
    data, _ = folders()
    cloud, truth = data / "clouds" / f"{shape}.ply", data / "meshes" / f"{shape}.ply"
    measured = {"reference": truth, "budget": BUDGET, "resolution": RESOLUTION}
    shared: dict[str, Any] = {**measured, "on_progress": tell}
    models = list(dict.fromkeys([*MODELS, *ALSO, *(f"siren:omega0={n}" for n in OMEGAS)]))
    table = compare(cloud, output / shape, models=models, **shared)
    about = {"date": f"{datetime.date.today():%d %B %Y}", "commit": commit(), "masks": cost_of_masks()}
    (output / f"{shape}.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    best = ["sasnet", *others(table["rows"])[:SWEPT]]
    compare(cloud, output / f"{shape}_rates", models=best, sweep_rates=True, **shared)


def others(rows: list[dict[str, Any]]) -> list[str]:
    """The networks that are not SASNet nor an ablation, best first, and of SIREN the best omega0 only."""
    networks = [row for row in rows if not row["model"].startswith(("sasnet", "poisson")) and row["mesh"]]
    best: dict[str, str] = {}
    for row in sorted(networks, key=lambda row: row["error"]):
        best.setdefault(row["model"].partition(":")[0], row["model"])
    return list(best.values())


def cost_of_masks() -> list[dict[str, Any]]:
    """Parameters and milliseconds of a step of SASNet with masks and without, of the same width."""
    sized = with_parameters(PUBLISHED["sasnet"], BUDGET.parameters or 0)
    assert isinstance(sized, SASNetConfig)
    points = torch.rand(BUDGET.batch, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    rows = []
    for label, config, compiled in (
        ("masks, compiled", sized, True),
        ("masks, PyTorch", sized, False),
        ("no masks, PyTorch", replace(sized, masks=False), False),
    ):
        model = build_model(config, engine="numba")
        model.compiled = compiled
        rows.append(
            {"label": label, "parameters": parameter_count(model), "ms_per_step": step_time(model, points)}
        )
    return rows


def step_time(model: Any, points: torch.Tensor, steps: int = 40) -> float:
    """Milliseconds of a step without the eikonal term, the median of `steps`."""
    optimiser, target = Optimiser(model.parameter_groups()), points.norm(dim=1) - 0.7
    times = []
    for _ in range(steps + 5):
        start = time.perf_counter()
        (model(points)[:, 0] - target).abs().mean().backward()
        optimiser.step()
        times.append(time.perf_counter() - start)
    optimiser.close()
    return 1e3 * sorted(times[5:])[steps // 2]


def tell(progress: Progress) -> bool:
    if progress.step and progress.steps and progress.step % (progress.steps // 3) < 20:
        print(f"{progress.label}: step {progress.step}, loss {progress.loss:.3g}", flush=True)
    return True


def write(output: Path) -> None:
    """docs/results.md and its pictures."""
    from results_page import page, pictures

    shapes = [path.stem for path in sorted(output.glob("*.json"))]
    found = {shape: read(output, shape) for shape in shapes}
    for shape in shapes:
        pictures(output, shape, found[shape], ROOT / "docs" / "images")
    (ROOT / "docs" / "results.md").write_text(page(found), encoding="utf-8")


def read(output: Path, shape: str) -> dict[str, Any]:
    about = json.loads((output / f"{shape}.json").read_text(encoding="utf-8"))
    paths = (output / folder / "results.json" for folder in (shape, f"{shape}_rates"))
    models, rates = (
        json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"rows": []} for path in paths
    )
    every = {row["model"]: row for row in models["rows"]}
    models["rows"] = [every[name] for name in (*MODELS, *ALSO) if name in every]
    names = [f"siren:omega0={n}" for n in OMEGAS]
    omega0 = {"rows": [every[name] for name in names if name in every]}
    return about | {"models": models, "rates": rates, "omega0": omega0}


if __name__ == "__main__":
    main()

"""Every claim about the method, measured with `compare`; writes docs/results.md.

    python benchmarks/results.py -o folder
    python benchmarks/results.py -o folder --shapes armadillo dragon
    python benchmarks/results.py -o folder --write

For a clean cloud of each shape, from meshes/NAME.ply of SASNET_SDF_DATA (docs/benchmarks-data.md): all models
at their published learning rates; SASNet and the three best others, each at the best of five rates; SIREN at
seven omega0; the cost of masks. A run that was stopped continues. --write only makes the page and its
pictures from the results in the folder.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from common import commit, data_file, medians_ms
from scanner import clean_cloud, read_mesh

from sasnet_sdf import compare
from sasnet_sdf.comparison.compare import MODELS
from sasnet_sdf.comparison.results import Budget, sized
from sasnet_sdf.comparison.without_network import is_poisson
from sasnet_sdf.config import TrainingConfig
from sasnet_sdf.field import Field
from sasnet_sdf.io import write_cloud
from sasnet_sdf.model_config import PUBLISHED, SASNetConfig
from sasnet_sdf.networks.registry import build_model, parameter_count, with_parameters
from sasnet_sdf.runtime.progress import Progress
from sasnet_sdf.training.loop import step_of
from sasnet_sdf.training.losses import DistanceTask
from sasnet_sdf.training.optimizers import Optimizer

ROOT = Path(__file__).resolve().parent.parent
BUDGET = Budget(parameters=150_000, steps=1500, batch=8192)
RESOLUTION = 320
"""Lattice cells: a field that is noise has a surface everywhere, and takes minutes at 512."""
ALSO = ("wire:omega0=10:scale=40:rate=5e-3",)
"""Models beside the default ones of compare: WIRE with its own authors' settings for shapes."""
OMEGAS = (5, 10, 20, 30, 60, 90, 120)
SWEPT = 3
"""Number of models whose rates are swept, beside SASNet."""


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    cli.add_argument("--shapes", nargs="+", default=["armadillo"], metavar="NAME", help="meshes/NAME.ply")
    cli.add_argument("--write", action="store_true")
    options = cli.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    if not options.write:
        for shape in options.shapes:
            run(shape, options.output)
        measure_times(options.output)
    write(options.output)


def run(shape: str, output: Path) -> None:
    truth, cloud = data_file("meshes", f"{shape}.ply"), output / f"{shape}_cloud.ply"
    if not cloud.exists():
        write_cloud(cloud, clean_cloud(read_mesh(truth)))
    measured = {"reference": truth, "budget": BUDGET, "resolution": RESOLUTION}
    shared: dict[str, Any] = {**measured, "on_progress": tell}
    models = list(dict.fromkeys([*MODELS, *ALSO, *(f"siren:omega0={n}" for n in OMEGAS)]))
    table = compare(cloud, output / shape, models=models, **shared)
    about = {"date": f"{datetime.date.today():%d %B %Y}", "commit": commit()}
    (output / f"{shape}.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    best = ["sasnet", *others(table["rows"])[:SWEPT]]
    compare(cloud, output / f"{shape}_rates", models=best, protocol="adam", **shared)


def measure_times(output: Path) -> None:
    """Write the time of a step of each network, and the cost of masks, to times.json; on a quiet machine."""
    models = list(dict.fromkeys([*MODELS, *ALSO, *(f"siren:omega0={n}" for n in OMEGAS)]))
    times = {"steps": cost_of_steps(models), "masks": cost_of_masks()}
    (output / "times.json").write_text(json.dumps(times, indent=1), encoding="utf-8")


def others(rows: list[dict[str, Any]]) -> list[str]:
    """The networks other than SASNet and its ablations, best first; of SIREN only the best omega0."""
    networks = [row for row in rows if not row["model"].startswith(("sasnet", "poisson")) and row["mesh"]]
    best: dict[str, str] = {}
    for row in sorted(networks, key=lambda row: row["error"]):
        best.setdefault(row["model"].partition(":")[0], row["model"])
    return list(best.values())


def cost_of_steps(models: list[str]) -> dict[str, float]:
    """Milliseconds of a step of each network, as `compare` trains it; the networks take turns."""
    steps: dict[str, Callable[[], object]] = {}
    for words in models:
        if not is_poisson(words):
            model = build_model(sized(words, BUDGET), engine="numba")
            points, target = sphere(BUDGET.batch)
            batch = (points, target, points)
            task = DistanceTask(model, lambda _, batch=batch: batch, TrainingConfig())
            steps[words] = step_of_task(task)
    return medians_ms(steps, 15)


def cost_of_masks() -> list[dict[str, Any]]:
    """Parameters and milliseconds of a step of SASNet with masks and without, of the same width."""
    config = with_parameters(PUBLISHED["sasnet"], BUDGET.parameters or 0)
    assert isinstance(config, SASNetConfig)
    points, target = sphere(BUDGET.batch)
    steps, rows = {}, []
    for label, settings, compiled in (
        ("masks, compiled", config, True),
        ("masks, PyTorch", config, False),
        ("no masks, PyTorch", replace(config, masks=False), False),
    ):
        model = build_model(settings, engine="numba")
        model.compiled = compiled
        training = TrainingConfig(eikonal_weight=0.0)
        batch = (points, target, points)
        steps[label] = step_of_task(DistanceTask(model, lambda _, batch=batch: batch, training))
        rows.append({"label": label, "parameters": parameter_count(model)})
    taken = medians_ms(steps, 15)
    return [row | {"ms_per_step": taken[row["label"]]} for row in rows]


def sphere(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points of the cube, sorted along an axis, and their distances from a sphere."""
    points = torch.rand(count, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    points = points[points[:, 0].argsort()].contiguous()
    return points, points.norm(dim=1) - 0.7


def step_of_task(task: DistanceTask) -> Callable[[], object]:
    optimizer, number = Optimizer(task.model.parameter_groups()), itertools.count()
    take = step_of(task, optimizer)
    return lambda: float(take(next(number), 1.0))


def tell(progress: Progress) -> bool:
    if progress.step and progress.steps and progress.step % (progress.steps // 3) < 20:
        print(f"{progress.label}: step {progress.step}, loss {progress.loss:.3g}", flush=True)
    return True


def write(output: Path) -> None:
    """docs/results.md and its pictures."""
    from results_page import page, pictures

    shapes = [path.stem for path in sorted(output.glob("*.json")) if path.stem != "times"]
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
    moved = how_far_frequencies_moved(output / shape / "fields" / "sasnet_unfrozen.sasnet")
    times = json.loads((output / "times.json").read_text(encoding="utf-8"))
    for row in (*models["rows"], *rates["rows"], *omega0["rows"]):
        # measured in turn, so that other work on the machine affects all of them alike
        row["ms_per_step"] = times["steps"].get(row["model"])
    return about | {
        "models": models,
        "rates": rates,
        "omega0": omega0,
        "masks": times["masks"],
        "moved": moved,
    }


def how_far_frequencies_moved(path: Path) -> tuple[float, float] | None:
    """Mean and largest distance of trained frequencies from their initial whole numbers."""
    if not path.exists():
        return None
    frequencies: torch.Tensor = Field.load(path, device="cpu").model.get_parameter("frequencies")
    moved = (frequencies - frequencies.round()).abs()
    return float(moved.mean()), float(moved.max())


if __name__ == "__main__":
    main()

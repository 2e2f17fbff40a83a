"""The protocols that papers trained on: a shape's distances for 200,000 steps, an image for 10,000.

    python benchmarks/published.py distances -o folder
    python benchmarks/published.py image -o folder
    python benchmarks/published.py measure -o folder

Made for a GPU. `distances`: the armadillo of SASNET_SDF_DATA (docs/benchmarks-data.md), batches of 10,000,
as BACON and FINER were trained on distances. `image`: kodim23 reduced to a short side of 256 pixels, every
pixel in every step, the Tiger protocol of SASNet's code. Both write rows and models to the folder; `measure`
extracts and evaluates the surfaces there, on any machine.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import circumstances, data_file
from torch import Tensor

import sasnet_sdf
from sasnet_sdf.config import TrainingConfig
from sasnet_sdf.field import Field
from sasnet_sdf.geometry import Frame
from sasnet_sdf.model_config import PUBLISHED, GridConfig, ModelConfig, SASNetConfig
from sasnet_sdf.networks.registry import build_model, parameter_count, parameters_of, with_parameters
from sasnet_sdf.runtime.progress import Progress
from sasnet_sdf.supervision.targets import MeshTarget
from sasnet_sdf.training import History, train
from sasnet_sdf.training.samplers import Batches, Pool

FINE, COARSE = 0.002, 0.2
"""Laplace scales of the two halves of a batch, in the cube [-1, 1]^3; the papers' cube has a side of 1."""
COARSE_WEIGHT = 0.01
POOL = 4_000_000
"""Targets of each half that batches are drawn from."""
SIDE = 256
"""Pixels of the image's short side."""
RESOLUTION = 512
"""Of the surfaces that are measured."""

TIGER = SASNetConfig(
    width=238,
    omega0=30.0,
    low=9,
    band=42,
    rate=1e-3,
    grid_rate=5e-3,
    grid=GridConfig(levels=10, log2_table=10, coarsest=8, finest=128),
)


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("protocol", choices=("distances", "image", "measure"))
    cli.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    cli.add_argument("--steps", type=int, help="instead of the protocol's")
    cli.add_argument("--only", nargs="+", metavar="NAME", help="these networks only")
    cli.add_argument("--device", default="cuda")
    options = cli.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    if options.protocol == "measure":
        return measure(options.output)
    protocol, contenders, fit = {
        "distances": (200_000, distance_contenders(), distance_fit),
        "image": (10_000, image_contenders(), image_fit),
    }[options.protocol]
    names = options.only or list(contenders)
    run = fit(options.output, options.steps or protocol, options.device)
    path = options.output / f"{options.protocol}.json"
    before = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    rows = [row for row in before if row["model"] not in names]
    for name in names:
        config, seed = contenders[name]
        rows.append({"model": name, **run(name, config, seed)})
        about = {
            **circumstances(0),
            "gpu": torch.cuda.get_device_name() if options.device == "cuda" else None,
        }
        text = json.dumps({**about, "rows": rows}, indent=1)
        path.write_text(text, encoding="utf-8")
        shown = {key: value for key, value in rows[-1].items() if key != "history"}
        print(json.dumps(shown), flush=True)
    return None


Contenders = dict[str, tuple[ModelConfig, int]]
"""By name: settings and seed."""

Run = Callable[[str, ModelConfig, int], dict[str, Any]]


def distance_contenders() -> Contenders:
    """The published networks of two hidden layers of 256, and SASNet with as many parameters."""
    count = parameters_of(PUBLISHED["siren"])
    return {
        "sasnet": (with_parameters(PUBLISHED["sasnet"], count), 0),
        "siren": (PUBLISHED["siren"], 0),
        "finer": (PUBLISHED["finer"], 0),
    }


class Distances:
    """Squared errors; those of the coarse half have a hundredth of the weight."""

    recordable = True

    def __init__(self, model: Any, fine: Batches, coarse: Batches):
        self.model, self.fine, self.coarse = model, fine, coarse

    def draw(self, step: int) -> tuple[Tensor, ...]:
        (points, target, _), (more, their_target, _) = self.fine(step), self.coarse(step)
        return torch.cat([points, more]), torch.cat([target, their_target])

    def loss(self, points: Tensor, target: Tensor) -> Tensor:
        squares = (self.model(points)[:, 0] - target).square()
        fine, coarse = squares.chunk(2)
        return fine.mean() + COARSE_WEIGHT * coarse.mean()


def distance_fit(output: Path, steps: int, device: str) -> Run:
    mesh = sasnet_sdf.read_geometry(data_file("meshes", "armadillo.ply"))
    assert isinstance(mesh, sasnet_sdf.TriangleMesh)
    frame = Frame.around(mesh.vertices, 0.9)
    target = MeshTarget(frame.to_unit(mesh.vertices), mesh.faces)
    fine, coarse = (pool_around(target, scale) for scale in (FINE, COARSE))

    def run(name: str, config: ModelConfig, seed: int) -> dict[str, Any]:
        model = build_model(config, seed=seed).to(device)
        task = Distances(model, *(Batches(pool, 5000, seed, device) for pool in (fine, coarse)))
        history = train(task, model.parameter_groups(), TrainingConfig(steps=steps), printed(name, steps))
        row = figures(model, history)
        Field(model, frame, *target.bounds, {"steps": steps}).save(output / f"{file_name(name)}.sasnet")
        return row

    return run


def pool_around(target: MeshTarget, scale: float) -> Pool:
    """Targets at surface points displaced by a Laplace distribution, inside the cube."""
    rng = np.random.default_rng([0, round(1e6 * scale)])
    points = target.surface_points(POOL, rng)[0] + rng.laplace(0, scale, (POOL, 3))
    points = points[np.abs(points).max(1) <= 1].astype(np.float32)
    distances, normals = target.distance(points.astype(np.float64))
    return Pool(*(torch.from_numpy(part.astype(np.float32)) for part in (points, distances, normals)))


def image_contenders() -> Contenders:
    """Settings P with three seeds, D, and others of P's size."""
    count = parameters_of(TIGER, 2, 3)
    tiger_d = replace(TIGER, width=256, hidden_layers=3, grid_rate=5e-4)
    large = parameters_of(tiger_d, 2, 3)
    without = replace(TIGER, masks=False)
    return {
        **{f"P, seed {seed}": (TIGER, seed) for seed in range(3)},
        "P, no masks": (with_parameters(without, count, 2, 3), 0),
        "D": (tiger_d, 0),
        "D, no masks": (with_parameters(replace(tiger_d, masks=False), large, 2, 3), 0),
        "siren": (with_parameters(PUBLISHED["siren"], count, 2, 3), 0),
        "siren, rate 1e-3": (with_parameters(replace(PUBLISHED["siren"], rate=1e-3), count, 2, 3), 0),
        "ngp, rate 1e-2": (with_parameters(replace(PUBLISHED["ngp"], rate=1e-2), count, 2, 3), 0),
    }


class Image:
    """The mean squared error of every pixel, in values from -1 to 1."""

    recordable = True

    def __init__(self, model: Any, points: Tensor, values: Tensor):
        self.model, self.points, self.values = model, points, values

    def draw(self, step: int) -> tuple[Tensor, ...]:
        return ()

    def loss(self) -> Tensor:
        return (self.model(self.points) - self.values).square().mean()


def image_fit(output: Path, steps: int, device: str) -> Run:
    from PIL import Image as Picture

    picture = Picture.open(data_file("images", "kodak", "kodim23.png")).convert("RGB")
    ratio = SIDE / min(picture.size)
    width, height = (round(ratio * side) for side in picture.size)
    values = np.asarray(picture.resize((width, height), Picture.Resampling.LANCZOS), np.float32) / 127.5 - 1
    axes = [torch.linspace(-1, 1, side) for side in values.shape[:2]]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2).to(device)
    wanted = torch.from_numpy(values.reshape(-1, 3)).to(device)

    def run(name: str, config: ModelConfig, seed: int) -> dict[str, Any]:
        model = build_model(config, 2, 3, seed=seed).to(device)
        task = Image(model, points, wanted)
        history = train(task, model.parameter_groups(), TrainingConfig(steps=steps), printed(name, steps))
        with torch.no_grad():
            error = float(task.loss())
        psnr = [psnr_of(loss) for loss in history.losses]
        reached = next((t for t, value in zip(history.times, psnr, strict=True) if value >= 40), None)
        row = figures(model, history)
        return row | {
            "psnr": psnr_of(error),
            "psnr_peak": max(psnr),
            "seconds_to_40_db": reached,
            "parameters_per_value": row["parameters"] / wanted.numel(),
        }

    return run


def psnr_of(squares: float) -> float:
    return 10 * math.log10(4 / squares)


def figures(model: Any, history: History) -> dict[str, Any]:
    return {
        "parameters": parameter_count(model),
        "steps": history.steps_done,
        "seconds": history.seconds,
        "ms_per_step": history.ms_per_step,
        "loss": history.loss,
        "history": {name: getattr(history, name)[::10] for name in ("steps", "losses", "times")},
    }


def printed(name: str, steps: int) -> Callable[[Progress], None]:
    """A callback that prints five lines of progress."""

    def tell(progress: Progress) -> None:
        if progress.step and progress.loss is not None and progress.step % max(steps // 5, 1) < 20:
            print(f"{name}: step {progress.step}, loss {progress.loss:.3g}", flush=True)

    return tell


def measure(output: Path) -> None:
    """Extract the surfaces of the fields and add their figures to distances.json."""
    path = output / "distances.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    for row in found["rows"]:
        field = Field.load(output / f"{file_name(row['model'])}.sasnet")
        mesh, _ = sasnet_sdf.extract(field, resolution=RESOLUTION)
        figures = sasnet_sdf.evaluate(mesh, data_file("meshes", "armadillo.ply"), field=field)
        row["figures"] = dict(figures)
        print(json.dumps({"model": row["model"], **figures}), flush=True)
        path.write_text(json.dumps(found, indent=1), encoding="utf-8")


def file_name(name: str) -> str:
    return name.replace(" ", "_")


if __name__ == "__main__":
    main()

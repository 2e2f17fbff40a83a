"""How many steps masks need to settle: their change per step, and how far they are from their last values.

    python benchmarks/settle.py
    python benchmarks/settle.py --pictures folder

A surface (preset balanced) and an image (reduced to a quarter), from SASNET_SDF_DATA
(docs/benchmarks-data.md). Masks are looked at about every 20 steps at 20,000 places. `change` is the mean
size of a mask's change per step since the last look, `left` its mean distance from its last value; masks lie
in [0, 1].
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import data_file, table
from scanner import clean_cloud, read_mesh
from signals_data import image_of, picture, shrunk, squares

from sasnet_sdf.config import PRESETS
from sasnet_sdf.geometry import PointCloud
from sasnet_sdf.problems.problem import Problem, new_network
from sasnet_sdf.problems.signal import SignalProblem
from sasnet_sdf.problems.signal_settings import signal_config
from sasnet_sdf.problems.surface import SurfaceProblem, framed
from sasnet_sdf.runtime.progress import Progress
from sasnet_sdf.training.loop import train
from sasnet_sdf.views import curves

SHOWN = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Parts of the training that the table has a row for."""

Snapshots = list[tuple[int, np.ndarray]]


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--mesh", default="armadillo", metavar="NAME")
    cli.add_argument("--picture", default="kodim23", metavar="NAME")
    cli.add_argument("--pictures", type=Path, metavar="DIR", help="draw settle.png there")
    cli.add_argument("--small", action="store_true", help="a made-up surface and picture, 60 steps")
    options = cli.parse_args()
    kinds = {
        "surface": surface(options.mesh, options.small),
        "image": image(options.picture, options.small),
    }
    rows, drawn = [], []
    for kind, found in kinds.items():
        steps, changes, left = settling(found)
        for part in SHOWN:
            n = min(int(part * len(steps)), len(steps) - 1)
            rows.append([kind, f"{steps[n]:,}", f"{changes[n]:.1e}", f"{left[n]:.4f}"])
        drawn.append((f"{kind}: change per step", steps, steps, changes))
    print(table(["", "step", "change", "left"], rows), end="")
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
        curves.convergence(drawn, options.pictures / "settle.png")


def surface(name: str, small: bool) -> Snapshots:
    if small:
        points = np.random.default_rng(0).normal(size=(4000, 3))
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        cloud = PointCloud(points, points)
    else:
        cloud = clean_cloud(read_mesh(data_file("meshes", f"{name}.ply")))
    config = PRESETS["balanced"]
    supervision = replace(config.supervision, targets=20_000) if small else config.supervision
    training = replace(config.training, steps=60) if small else config.training
    geometry, frame, _ = framed(cloud)
    problem = SurfaceProblem.of(geometry, frame, supervision, 0)
    return snapshots(problem, config.model, training, 3, 1)


def image(name: str, small: bool) -> Snapshots:
    signal = image_of(shrunk(squares("made 0", 128) if small else picture(name), 4))
    config = signal_config(signal, ratio=3.0 if small else 0.25, steps=60 if small else 1500, batch=4096)
    return snapshots(SignalProblem.of(signal)[0], config.model, config.training, 2, 3)


def snapshots(problem: Problem[Any], model: Any, training: Any, dim: int, outputs: int) -> Snapshots:
    network = new_network(model, dim, outputs, "numba", 0)
    points = torch.rand(20_000, dim, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found: Snapshots = []

    def watch(progress: Progress) -> bool:
        with torch.no_grad():
            if progress.step and (not found or progress.step >= found[-1][0] + 20):
                found.append((progress.step, network.with_masks(points)[1].numpy().copy()))
        return True

    train(problem.task(network, training, 0, "cpu"), network.parameter_groups(), training, watch)
    return found


def settling(found: Snapshots) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps, changes per step, and distances from the last masks."""
    last = found[-1][1]
    steps = np.array([step for step, _ in found[1:]])
    changes = [np.abs(b - a).mean() / (n - m) for (m, a), (n, b) in itertools.pairwise(found)]
    return steps, np.array(changes), np.array([np.abs(masks - last).mean() for _, masks in found[1:]])


if __name__ == "__main__":
    main()

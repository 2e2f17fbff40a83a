"""The cost of a training step beside its floor, measured in the same run; prints one JSON object.

    python benchmarks/step.py

8,192 points around a sphere in spatial order, width 64, 2 hidden layers; 8 levels 8 -> 256 with
tables of 2^16 entries, and 8 -> 512 with 2^18 (`large`); loss, backward and optimizer included.
`plain` is without the eikonal term, `eikonal` with it on as many points as the presets take. Then
images: 16,384 pixels of three channels, widths 128 and 256, 4 levels 8 -> 64 with 2^10 entries.

The floor is the work that no implementation can omit, each part run alone on arrays of the same sizes:
PyTorch's matrix products, the sines and cosines, and the gathers from and scatters to the tables with
precomputed indices, forward and backward; and one pass of Adam over the parameters by its memory traffic
(reads gradient, value and both moments, writes the last three). For `eikonal` the same work for its own
forward and two backward passes is added. Figures are medians of runs that take turns, so that drifts in the
machine's speed affect all of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import reduce
from operator import xor
from typing import Any

import numpy as np
import torch
from common import medians_ms
from numba import njit, prange

from sasnet_sdf.config import TrainingConfig
from sasnet_sdf.model_config import GridConfig, SASNetConfig
from sasnet_sdf.networks import sasnet_cpu
from sasnet_sdf.networks.hash_grid import PRIMES
from sasnet_sdf.networks.kernels import sines_of
from sasnet_sdf.networks.numba_engine import add_scattered
from sasnet_sdf.networks.registry import build_model
from sasnet_sdf.runtime.compiled import thread_count
from sasnet_sdf.runtime.system import hardware
from sasnet_sdf.spatial import morton_code
from sasnet_sdf.training.losses import DistanceTask, SignalTask
from sasnet_sdf.training.optimizers import Optimizer

POINTS, PIXELS, REPEATS = 8192, 16_384, 60


@njit(parallel=True, cache=True)
def gather(table, index, out):
    for level in prange(index.shape[0]):
        for i in range(index.shape[2]):
            a = b = np.float32(0)
            for corner in range(index.shape[1]):
                a += table[index[level, corner, i], 0]
                b += table[index[level, corner, i], 1]
            out[2 * level, i] = a
            out[2 * level + 1, i] = b


@njit(parallel=True, cache=True)
def scatter(table, index, values):
    for level in prange(index.shape[0]):
        for i in range(index.shape[2]):
            for corner in range(index.shape[1]):
                table[index[level, corner, i], 0] += values[2 * level, i]
                table[index[level, corner, i], 1] += values[2 * level + 1, i]


@njit(parallel=True, cache=True)
def both_of(z, sine, cosine):
    for row in prange(len(z)):
        sines_of(z[row : row + 1], np.float32(1), sine[row : row + 1], cosine[row : row + 1])


@njit(parallel=True, cache=True, fastmath=True)
def stream(value, gradient, first, second):
    for i in prange(len(value)):
        first[i] += gradient[i]
        second[i] += gradient[i]
        value[i] += first[i] + second[i]


def corner_rows(points: torch.Tensor, layout) -> np.ndarray:
    """The table rows (levels, 2^d, N) that the reference engine reads."""
    rows = np.empty((len(layout.scales), 2**layout.dim, len(points)), np.int32)
    unit = points.double().numpy() * 0.5 + 0.5
    for level, scale in enumerate(layout.scales):
        cell = np.floor(unit * float(scale) + 0.5).astype(np.int64)
        entries = int(layout.offsets[level + 1] - layout.offsets[level])
        for corner in range(2**layout.dim):
            axes = (cell + [(corner >> a) & 1 for a in range(layout.dim)]).T
            if layout.hashed[level]:
                row = reduce(xor, [v * prime for v, prime in zip(axes, PRIMES, strict=False)])
            else:
                n = int(layout.resolutions[level])
                row = sum(v * n**a for a, v in enumerate(axes))
            rows[level, corner] = layout.offsets[level] + row % entries
    return rows


def floor_parts(config: SASNetConfig, points: torch.Tensor, passes: int) -> dict[str, Callable[[], object]]:
    """The floor's parts; `passes`: 3 for value, and gradients by weights and inputs."""
    dim = points.shape[1]
    outputs = 1 if dim == 3 else 3
    model: Any = build_model(config, dim, outputs, engine="numba")
    layout, count, width = model.masks.grid.layout, len(points), config.width
    shapes = [(width, dim)] + [(width, width)] * config.hidden_layers + [(outputs, width)]
    features = config.grid.levels * config.grid.features
    masks = sum(config.masks_of_layers)
    shapes += [(config.decoder_width, features), (masks, config.decoder_width)]
    pairs = [(torch.randn(m, k), torch.randn(k, count), torch.empty(m, count)) for m, k in shapes]

    def products() -> None:
        for weight, inputs, out in pairs:
            torch.mm(weight, inputs, out=out)
            for _ in range((passes - 1) // 2):
                torch.mm(out, inputs.t())
                torch.mm(weight.t(), out)

    layers = [torch.randn(width, count).numpy() for _ in range(config.hidden_layers + 1)]
    sine, cosine = np.empty((width, count), np.float32), np.empty((width, count), np.float32)

    def sines() -> None:
        for z in layers:
            both_of(z, sine, cosine)

    index = corner_rows(points, layout)
    table = np.zeros((layout.entries, config.grid.features), np.float32)
    sums = np.empty((features, count), np.float32)
    total = sum(p.numel() for p in model.parameters() if p.requires_grad)
    streams = [np.zeros(total, np.float32) for _ in range(4)]
    times = (passes - 1) // 2

    def repeated(function: Callable[..., None], *arguments: object) -> Callable[[], None]:
        def run() -> None:
            for _ in range(times):
                function(*arguments)

        return run

    parts: dict[str, Callable[[], object]] = {
        "products": products,
        "sines": sines,
        "gathers": repeated(gather, table, index, sums),
        "scatters": repeated(scatter, table, index, sums),
    }
    return parts | ({"adam": lambda: stream(*streams)} if passes == 3 else {})


def step_parts(
    task: DistanceTask | SignalTask, optimizer: Optimizer, points: torch.Tensor
) -> dict[str, Callable[[], object]]:
    """The parts of a step without the eikonal term, as the compiled passes run them."""
    model: Any = task.model
    table: Any = model.masks.grid.table
    batch = sasnet_cpu._Batch(points, sasnet_cpu._flat(model).detach(), table, model, keeps=True)
    by_values = torch.ones(model.outputs, len(points)) / len(points)
    by_features = torch.zeros(1, int(batch.shapes[0, 1]), len(points))
    sums = np.zeros((batch.parts, len(batch.flat)), np.float32)

    kept = getattr(table, "gradient_sums", torch.zeros_like(table))  # a small one has none

    def scatter_and_update() -> None:
        add_scattered(points, None, by_features[0], batch.layout, batch.smooth, kept)
        optimizer.step()

    return {
        "forward": batch.evaluate,
        "reverse": lambda: batch._reverse(by_values, None, sums, by_features, None),
        "scatter and Adam": scatter_and_update,
    }


def measure(config: SASNetConfig, eikonal: bool, points: torch.Tensor) -> dict:
    training = TrainingConfig()
    training = TrainingConfig(eikonal_weight=training.eikonal_weight if eikonal else 0.0)
    if points.shape[1] == 3:
        model = build_model(config, engine="numba")
        batch = (points, points.norm(dim=1) - 0.8, torch.nn.functional.normalize(points, dim=1))
        task: Any = DistanceTask(model, lambda _: batch, training)
    else:
        model = build_model(config, 2, 3, engine="numba")
        pixels = (points, torch.rand(len(points), 3) * 2 - 1)
        task = SignalTask(model, lambda _: pixels)
    optimizer = Optimizer(model.parameter_groups())
    counter = iter(range(10**9))

    def step() -> None:
        task.loss(*task.draw(next(counter))).backward()
        optimizer.step()

    floors = {f"floor {name}": part for name, part in floor_parts(config, points, passes=3).items()}
    if eikonal:
        some = points[:: len(points) // training.eikonal_batch].contiguous()
        own = floor_parts(config, some, passes=5)
        floors |= {f"floor eikonal {name}": part for name, part in own.items()}
    timed = medians_ms({"step": step, **step_parts(task, optimizer, points), **floors}, REPEATS)
    ms = timed.pop("step")
    floor = {name.removeprefix("floor "): v for name, v in timed.items() if name.startswith("floor ")}
    parts = {name: v for name, v in timed.items() if not name.startswith("floor ")}
    parts["eikonal and the rest" if eikonal else "the rest"] = ms - sum(parts.values())
    floor_ms = sum(floor.values())
    return {
        "ms": round(ms, 3),
        "floor_ms": round(floor_ms, 3),
        "ratio": round(ms / floor_ms, 3),
        "parts": {name: round(value, 3) for name, value in parts.items()},
        "floor_parts": {name: round(value, 3) for name, value in floor.items()},
    }


def main() -> None:
    torch.manual_seed(0)
    points = torch.nn.functional.normalize(torch.randn(POINTS, 3), dim=1) * 0.8 + 0.01 * torch.randn(
        POINTS, 3
    )
    points = points[torch.from_numpy(np.argsort(morton_code(points.numpy())))].contiguous()
    small = SASNetConfig(grid=GridConfig(levels=8, coarsest=8, finest=256, log2_table=16))
    large = SASNetConfig(grid=GridConfig(levels=8, coarsest=8, finest=512, log2_table=18))
    results = {kind: measure(small, kind == "eikonal", points) for kind in ("plain", "eikonal")}
    results["large"] = {kind: measure(large, kind == "eikonal", points) for kind in ("plain", "eikonal")}
    pixels = torch.rand(PIXELS, 2) * 2 - 1
    pixels = pixels[pixels[:, 0].argsort()].contiguous()
    for width in (128, 256):
        image = SASNetConfig(
            width=width,
            low=9,
            band=60,
            bands=8,
            decoder_width=16,
            grid=GridConfig(levels=4, coarsest=8, finest=64, log2_table=10),
        )
        results[f"image, width {width}"] = {"plain": measure(image, False, pixels)}
    results["setting"] = {
        "points": POINTS,
        "eikonal_points": TrainingConfig().eikonal_batch,
        "threads": thread_count(),
        "hardware": hardware(),
    }
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()

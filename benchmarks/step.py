"""The cost of a training step beside its floor, measured in the same run; one JSON object out.

    python benchmarks/step.py

8,192 points around a sphere in spatial order, width 64, 2 hidden layers; 8 levels 8 -> 256 with
tables of 2^16 entries, and 8 -> 512 with 2^18 (`large`); loss, backward and optimiser included.
`plain` is without the eikonal term, `eikonal` with it on as many points as the presets take.

The floor is what cannot be left out, each part run alone on arrays of the same sizes: the matrix
products, the sines and cosines, the gathers from and scatters to the tables with indices known
beforehand, of forward and backward; and one pass of Adam over the parameters by its bytes (reads
gradient, value and both moments, writes the last three). For `eikonal` the same work of its own
forward and two backward passes is added. Rows of the tables that a batch did not touch are
skipped by our optimiser, which the floor does not know. Figures are medians.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numba
import numpy as np
import torch
from numba import njit, prange

from sasnet_sdf.config import GridConfig, ModelConfig, TrainingConfig
from sasnet_sdf.layers import sine_kernels
from sasnet_sdf.models import build_model
from sasnet_sdf.pipelines.distance_task import DistanceTask
from sasnet_sdf.samplers.surface import morton_code
from sasnet_sdf.system import hardware
from sasnet_sdf.training.optimiser import Optimiser

POINTS, REPEATS = 8192, 60
PARTS = {
    "products": ("aten::mm", "aten::addmm"),
    "sines": ("_MaskedSine",),
    "grid": ("_Encode", "_PullBack", "_Scatter"),
    "optimiser": ("TableAdam", "fused_adam", "Optimizer.step"),
}


def median_ms(function: Callable[[], object]) -> float:
    for _ in range(5):
        function()
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function()
        taken.append(time.perf_counter() - start)
    return 1e3 * float(np.median(taken))


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


@njit(parallel=True, cache=True, fastmath=True)
def stream(value, gradient, first, second):
    for i in prange(len(value)):
        first[i] += gradient[i]
        second[i] += gradient[i]
        value[i] += first[i] + second[i]


def corner_rows(points: torch.Tensor, layout) -> np.ndarray:
    """The table rows (levels, 8, N) that the reference engine reads."""
    rows = np.empty((len(layout.scales), 8, len(points)), np.int32)
    unit = points.double().numpy() * 0.5 + 0.5
    for level, scale in enumerate(layout.scales):
        cell = np.floor(unit * float(scale) + 0.5).astype(np.int64)
        entries = int(layout.offsets[level + 1] - layout.offsets[level])
        for corner in range(8):
            x, y, z = (cell + [(corner >> a) & 1 for a in range(3)]).T
            if layout.hashed[level]:
                row = x ^ (y * 2654435761 & 0xFFFFFFFF) ^ (z * 805459861 & 0xFFFFFFFF)
            else:
                n = int(layout.resolutions[level])
                row = x + n * (y + n * z)
            rows[level, corner] = layout.offsets[level] + row % entries
    return rows


def floor_parts(config: ModelConfig, points: torch.Tensor, passes: int) -> dict[str, float]:
    """Milliseconds of the floor; `passes`: 3 for value, and gradients by weights and inputs."""
    model = build_model(config, engine="numba")
    layout, count, width = model.masks.grid.layout, len(points), config.width
    shapes = [(width, 3)] + [(width, width)] * config.hidden_layers + [(1, width)]
    features = config.grid.levels * config.grid.features
    masks = config.bands + config.hidden_layers * config.groups
    shapes += [(config.decoder_width, features), (masks, config.decoder_width)]
    pairs = [(torch.randn(m, k), torch.randn(k, count), torch.empty(m, count)) for m, k in shapes]

    def products() -> None:
        for weight, inputs, out in pairs:
            torch.mm(weight, inputs, out=out)
            for _ in range((passes - 1) // 2):
                torch.mm(out, inputs.t())
                torch.mm(weight.t(), out)

    layers = [torch.randn(width, count).numpy() for _ in range(config.hidden_layers + 1)]
    none, no_masks, y = np.full(width, -1), np.empty((0, count), np.float32), np.empty((width, count), np.float32)

    def sines() -> None:
        for z in layers:
            for _ in range(passes - 1):
                sine_kernels.forward(z, no_masks, none, np.float32(1), y)

    index = corner_rows(points, layout)
    table = model.masks.grid.table.detach().numpy()
    sums = np.empty((features, count), np.float32)
    total = sum(p.numel() for p in model.parameters() if p.requires_grad)
    streams = [np.zeros(total, np.float32) for _ in range(4)]
    parts = {
        "products": median_ms(products),
        "sines": median_ms(sines),
        "gathers": median_ms(lambda: gather(table, index, sums)) * (passes - 1) / 2,
        "scatters": median_ms(lambda: scatter(table, index, sums)) * (passes - 1) / 2,
    }
    return parts | ({"adam": median_ms(lambda: stream(*streams))} if passes == 3 else {})


def measure(config: ModelConfig, eikonal: bool, points: torch.Tensor) -> dict:
    training = TrainingConfig()
    training = TrainingConfig(eikonal_weight=training.eikonal_weight if eikonal else 0.0)
    model = build_model(config, engine="numba")
    batch = (points, points.norm(dim=1) - 0.8, torch.nn.functional.normalize(points, dim=1))
    task = DistanceTask(model, iter(lambda: batch, None), training)
    optimiser = Optimiser(model.parameter_groups(), training)
    counter = iter(range(10**9))

    def step() -> None:
        task(next(counter)).backward()
        optimiser.step(1.0)

    floor = floor_parts(config, points, passes=3)
    if eikonal:
        some = points[:: len(points) // training.eikonal_batch].contiguous()
        for name, value in floor_parts(config, some, passes=5).items():
            floor[name] += value
    ms, floor_ms = median_ms(step), sum(floor.values())
    return {
        "ms": round(ms, 3),
        "floor_ms": round(floor_ms, 3),
        "ratio": round(ms / floor_ms, 3),
        "parts": {name: round(value, 3) for name, value in breakdown(step, ms).items()},
        "floor_parts": {name: round(value, 3) for name, value in floor.items()},
    }


def breakdown(step: Callable[[], None], ms: float) -> dict[str, float]:
    """Where a step's milliseconds go, by the profiler's shares."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        for _ in range(10):
            step()
    events = profile.key_averages()
    whole = sum(event.self_cpu_time_total for event in events)
    shares = dict.fromkeys(PARTS, 0.0)
    for event in events:
        part = next((name for name, keys in PARTS.items() if any(key in event.key for key in keys)), None)
        if part is not None:
            shares[part] += event.self_cpu_time_total / whole * ms
    return shares | {"elementwise and overhead": ms - sum(shares.values())}


def main() -> None:
    torch.manual_seed(0)
    points = torch.nn.functional.normalize(torch.randn(POINTS, 3), dim=1) * 0.8 + 0.01 * torch.randn(POINTS, 3)
    points = points[torch.from_numpy(np.argsort(morton_code(points.numpy())))].contiguous()
    small = ModelConfig(grid=GridConfig(levels=8, coarsest=8, finest=256, log2_table=16))
    large = ModelConfig(grid=GridConfig(levels=8, coarsest=8, finest=512, log2_table=18))
    results = {kind: measure(small, kind == "eikonal", points) for kind in ("plain", "eikonal")}
    results["large"] = {kind: measure(large, kind == "eikonal", points) for kind in ("plain", "eikonal")}
    results["setting"] = {
        "points": POINTS,
        "eikonal_points": TrainingConfig().eikonal_batch,
        "threads": {"torch": torch.get_num_threads(), "numba": numba.get_num_threads()},
        "hardware": hardware(),
    }
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()

"""Whether masks help on radiance, a signal of five dimensions: place and direction.

    python benchmarks/radiance.py
    python benchmarks/radiance.py --steps 150 --seeds 0

The light that leaves the surfaces of a made-up scene, a textured ground and balls of different gloss under
three lamps, as a function of the place (x, y, z) and of the direction of view (two angles). SASNet, whose
masks see the place alone, beside SASNet without masks and beside SIREN, of equal depth and size, all by Muon,
at the rate of `--rates` that is best on another scene. PSNR on places and directions that were not trained
on: over the whole scene, over the textured ground, and over the plain, glossy balls.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Any

import numpy as np
import torch
from common import table
from torch import Tensor, nn

from sasnet_sdf.config import TrainingConfig
from sasnet_sdf.model_config import GridConfig, SASNetConfig, SirenConfig
from sasnet_sdf.networks.baselines import Siren
from sasnet_sdf.networks.network import Network
from sasnet_sdf.networks.sasnet import MaskNetwork, SASNet
from sasnet_sdf.training.loop import train

TUNING, TEST = 0, (1, 2)
"""The numbers of the scenes on which rates are chosen, and of those that are reported."""
BALLS, BATCH, HELD_OUT = 12, 4096, 40_000


@dataclass(frozen=True)
class Scene:
    """Balls (K, 4) of centers and radii on the ground z = -0.9, their colors (K, 3) and gloss (K,)."""

    balls: np.ndarray
    colors: np.ndarray
    gloss: np.ndarray
    lamps: np.ndarray

    @classmethod
    def made(cls, number: int) -> Scene:
        rng = np.random.default_rng(100 + number)
        radii = rng.uniform(0.1, 0.3, BALLS)
        centers = np.column_stack([rng.uniform(-0.7, 0.7, (BALLS, 2)), radii - 0.9])
        lamps = rng.normal(size=(3, 3)) + (0, 0, 2)
        lamps /= np.linalg.norm(lamps, axis=1, keepdims=True)
        gloss = rng.choice([10.0, 40.0, 160.0], BALLS)
        return cls(np.column_stack([centers, radii]), rng.uniform(0.1, 0.8, (BALLS, 3)), gloss, lamps)

    def samples(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Inputs (N, 5) in [-1, 1], colors (N, 3), and which lie on the ground (N,); half do."""
        ground = rng.random(count) < 0.5
        normals = rng.normal(size=(count, 3))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        ball = rng.integers(BALLS, size=count)
        places = self.balls[ball, :3] + self.balls[ball, 3:] * normals
        places[ground] = np.column_stack(
            [rng.uniform(-0.95, 0.95, (ground.sum(), 2)), np.full(ground.sum(), -0.9)]
        )
        normals[ground] = (0, 0, 1)
        azimuth, height = rng.uniform(-np.pi, np.pi, count), rng.uniform(0.0, 1.0, count)
        level = np.sqrt(1 - height**2)
        view = np.column_stack([level * np.cos(azimuth), level * np.sin(azimuth), height])
        albedo = np.where(ground[:, None], tiles(places), self.colors[ball])
        shine = np.where(ground, 40.0, self.gloss[ball])
        colors = 0.15 * albedo
        for lamp in self.lamps:
            facing = (normals @ lamp).clip(0)[:, None]
            half = view + lamp
            half /= np.linalg.norm(half, axis=1, keepdims=True)
            mirrored = ((normals * half).sum(1).clip(0) ** shine)[:, None] * np.where(ground, 0.05, 0.4)[
                :, None
            ]
            colors += 0.4 * facing * albedo + mirrored * (facing > 0)
        return np.column_stack([places, azimuth / np.pi, 2 * height - 1]), colors.clip(0, 1), ground


def tiles(places: np.ndarray) -> np.ndarray:
    """The ground's colors (N, 3): tiles with a fine pattern in every other one, plain in between."""
    x, y = places[:, 0], places[:, 1]
    patterned = (np.floor(x * 3) + np.floor(y * 3)) % 2 == 0
    fine = 0.5 + 0.3 * np.sin(40 * x + 3 * np.sin(9 * y)) * np.sin(35 * y)
    return np.where(patterned, fine, 0.5)[:, None] * (1.0, 0.9, 0.75)


class OfPlace(nn.Module):
    """The masks of the first three coordinates."""

    def __init__(self, masks: nn.Module):
        super().__init__()
        self.masks = masks

    def forward(self, points: Tensor) -> Tensor:
        return self.masks(points[:, :3])


class Masked(SASNet):
    """SASNet of five dimensions, whose masks see the place alone."""

    def build(self, generator: torch.Generator, engine: str) -> None:
        config = self.config
        self.config = replace(config, masks=False)
        super().build(generator, engine)
        self.config = config
        masks: Any = OfPlace(MaskNetwork(config, 3, sum(config.masks_of_layers), "torch", generator))
        self.masks = masks


GRID = GridConfig(levels=2, log2_table=9, coarsest=4, finest=8, interpolation="smoothstep")
SINES = SASNetConfig(
    width=96,
    hidden_layers=3,
    optimizer="muon",
    rate=3e-3,
    grid_rate=1e-2,
    low=2,
    band=5,
    bands=3,
    low_share=0.8,
    grid=GRID,
)
WITH = replace(SINES, width=94, groups=16, masked="last", decoder_width=4, mask_bias=2.0)
ALL = replace(WITH, groups=8, masked="all")
SIREN = SirenConfig(width=95, hidden_layers=3, optimizer="muon", rate=3e-3)
MODELS: dict[str, Callable[[float, int], Network[Any]]] = {
    "SASNet": lambda rate, seed: Masked(replace(WITH, muon_rate=rate), 5, 3, "torch", seed),
    "SASNet, masks on all layers": lambda rate, seed: Masked(
        replace(ALL, muon_rate=rate), 5, 3, "torch", seed
    ),
    "SASNet without masks": lambda rate, seed: SASNet(
        replace(SINES, masks=False, muon_rate=rate), 5, 3, "torch", seed
    ),
    "SIREN, omega0 10": lambda rate, seed: Siren(
        replace(SIREN, omega0=10, muon_rate=rate), 5, 3, "torch", seed
    ),
    "SIREN, omega0 30": lambda rate, seed: Siren(
        replace(SIREN, omega0=30, muon_rate=rate), 5, 3, "torch", seed
    ),
}


class Radiance:
    """The task of a scene: the mean squared error of colors."""

    recordable = False

    def __init__(self, scene: Scene, model: nn.Module, seed: int):
        self._scene, self._model, self._rng = scene, model, np.random.default_rng(seed)

    def draw(self, step: int) -> tuple[Tensor, ...]:
        points, colors, _ = self._scene.samples(BATCH, self._rng)
        return torch.from_numpy(points).float(), torch.from_numpy(colors).float()

    def loss(self, points: Tensor, colors: Tensor) -> Tensor:
        return ((self._model(points) - colors) ** 2).mean()


def errors(name: str, rate: float, number: int, seed: int, steps: int) -> tuple[float, float, float, int]:
    """The PSNR of everything, of the ground and of the balls, and the number of parameters."""
    scene, model = Scene.made(number), MODELS[name](rate, seed)
    task = Radiance(scene, model, seed)
    train(task, model.parameter_groups(), TrainingConfig(steps=steps, batch=BATCH, warmup=50))
    points, colors, ground = scene.samples(HELD_OUT, np.random.default_rng(9))
    with torch.no_grad():
        found = model(torch.from_numpy(points).float()).numpy()
    squared = ((found.clip(0, 1) - colors) ** 2).mean(1)
    parts = [float(-10 * np.log10(squared[part].mean())) for part in (slice(None), ground, ~ground)]
    return parts[0], parts[1], parts[2], sum(p.numel() for p in model.parameters() if p.requires_grad)


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--steps", type=int, default=600)
    cli.add_argument("--seeds", nargs="+", type=int, default=(0, 1, 2), metavar="N")
    cli.add_argument("--rates", nargs="+", type=float, default=(0.01, 0.03, 0.1, 0.3), metavar="R")
    cli.add_argument("--models", nargs="+", choices=tuple(MODELS), default=tuple(MODELS), metavar="MODEL")
    options = cli.parse_args()
    lines = []
    for name in options.models:
        best = max(options.rates, key=lambda rate: errors(name, rate, TUNING, 0, options.steps)[0])
        found = {
            (number, seed): errors(name, best, number, seed, options.steps)
            for number in TEST
            for seed in options.seeds
        }
        means = [fmean(row[k] for row in found.values()) for k in range(3)]
        by_seed = [fmean(found[number, seed][0] for number in TEST) for seed in options.seeds]
        spread = f" ± {stdev(by_seed):.2f}" if len(by_seed) > 1 else ""
        parameters = next(iter(found.values()))[3]
        cells = [f"{means[0]:.2f}{spread}", f"{means[1]:.2f}", f"{means[2]:.2f}"]
        lines.append([name, f"{parameters:,}", f"{best:g}", *cells])
    print(table(["", "parameters", "rate", "PSNR", "ground", "balls"], lines), end="")


if __name__ == "__main__":
    main()

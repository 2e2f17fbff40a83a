"""BACON (Lindell et al., "Band-limited Coordinate Networks", CVPR 2022)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..layers.linear import Linear, uniform
from ..model_config import BaconConfig
from .baseline import Baseline

SHARES = (1 / 24, 1 / 16, 1 / 8, 1 / 4)
"""Of the bandwidth, for the sines of each scale (the authors' settings for distances)."""


class Bacon(Baseline[BaconConfig]):
    """h = g(x) * (W h + b), g = sin(pi k x + phase) with whole frequencies k that stay as drawn (sec. 3.1).

    The layers are of four scales, each with one g and an output of its own; every output is trained
    on. Weights are from U(+-sqrt(6 / width)), phases from U(+-pi).
    """

    def build(self, generator: torch.Generator, engine: str) -> None:
        width, layers = self.config.width, self.config.hidden_layers
        if layers % len(SHARES):
            raise ValueError(f"the layers of bacon must be a multiple of {len(SHARES)}, found {layers}")
        frequencies = []
        for share in SHARES:
            most = round(self.config.band / 2 * share)
            frequencies.append(torch.randint(-most, most + 1, (width, self.dim), generator=generator))
        self.register_buffer("frequencies", torch.stack(frequencies).float())
        self.phases = uniform(math.pi, len(SHARES), width, generator=generator)
        bound = (6 / width) ** 0.5
        self.hidden = nn.ModuleList([Linear(width, width, generator, bound) for _ in range(layers)])
        self.last = nn.ModuleList([Linear(width, self.outputs, generator, bound) for _ in SHARES])

    def forward(self, points: Tensor) -> Tensor:
        return self.every_scale(points)[-1]

    def every_scale(self, points: Tensor) -> list[Tensor]:
        """Values (N, outputs) of each scale, coarse to fine."""
        angles = math.pi * points @ self.get_buffer("frequencies").transpose(1, 2)
        sines = torch.sin(angles + self.phases[:, None])  # (scales, N, width)
        h, values = sines[0], []
        a_scale = len(self.hidden) // len(SHARES)
        for number, layer in enumerate(self.hidden):
            scale, place = divmod(number, a_scale)
            h = sines[scale] * layer(h)
            if place == a_scale - 1:
                values.append(self.last[scale](h))
        return values

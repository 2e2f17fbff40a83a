"""Fixed sines and cosines of the coordinates, then ReLU layers: Fourier features and positional encoding."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..layers.linear import Linear, hidden
from ..model_config import FourierConfig, PositionalConfig
from .baseline import Baseline, Config


class _EncodedReLU(Baseline[Config]):
    """`encode`, then ReLU layers drawn as PyTorch draws them."""

    def build_layers(self, inputs: int, generator: torch.Generator) -> None:
        width = self.config.width
        self.first = Linear(inputs, width, generator)
        self.hidden = hidden(width, self.config.hidden_layers, generator)
        self.last = Linear(width, self.outputs, generator)

    def encode(self, points: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, points: Tensor) -> Tensor:
        h = self.encode(points)
        for layer in (self.first, *self.hidden):
            h = torch.relu(layer(h))
        return self.last(h)


class FourierFeatures(_EncodedReLU[FourierConfig]):
    """sin and cos of 2 pi B x, B from N(0, scale^2), x in a cube of side 1 (Tancik et al. 2020, eq. 5)."""

    def build(self, generator: torch.Generator, engine: str) -> None:
        frequencies = torch.empty(self.config.features, self.dim)
        self.register_buffer("frequencies", frequencies.normal_(0, self.config.scale, generator=generator))
        self.build_layers(2 * self.config.features, generator)

    def encode(self, points: Tensor) -> Tensor:
        # a side of the cube is 2 long here
        angles = math.pi * points @ self.get_buffer("frequencies").t()
        return torch.cat([angles.sin(), angles.cos()], 1)


class PositionalEncoding(_EncodedReLU[PositionalConfig]):
    """x, sin and cos of 2^k pi x of every coordinate (Mildenhall et al. 2020, eq. 4)."""

    def build(self, generator: torch.Generator, engine: str) -> None:
        self.build_layers(self.dim * (1 + 2 * self.config.octaves), generator)

    def encode(self, points: Tensor) -> Tensor:
        octaves = math.pi * 2.0 ** torch.arange(self.config.octaves, device=points.device)
        angles = (points[:, :, None] * octaves.to(points)).flatten(1)
        return torch.cat([points, angles.sin(), angles.cos()], 1)

"""instant-ngp (Mueller et al., "Instant Neural Graphics Primitives", SIGGRAPH 2022)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..encodings import HashGrid
from ..layers.linear import Linear, hidden
from ..model_config import InstantNGPConfig
from .baseline import Baseline


class InstantNGP(Baseline[InstantNGPConfig]):
    """A hash grid, then ReLU layers; table from U(+-1e-4) (sec. 4), weights from Glorot's uniform range."""

    def build(self, generator: torch.Generator, engine: str) -> None:
        width, grid = self.config.width, self.config.grid
        inputs = grid.levels * grid.features
        self.grid, self.engine = HashGrid(grid, self.dim, engine, generator), engine
        with torch.no_grad():
            self.grid.table.uniform_(-1e-4, 1e-4, generator=generator)
        self.first = Linear(inputs, width, generator, (6 / (inputs + width)) ** 0.5)
        self.hidden = hidden(width, self.config.hidden_layers - 1, generator, (3 / width) ** 0.5)
        self.last = Linear(width, self.outputs, generator, (6 / (width + self.outputs)) ** 0.5)

    def forward(self, points: Tensor) -> Tensor:
        h = self.grid(points).t()
        for layer in (self.first, *self.hidden):
            h = torch.relu(layer(h))
        return self.last(h)

"""SIREN (Sitzmann et al., "Implicit Neural Representations with Periodic Activation Functions", 2020)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..layers.linear import Linear, hidden
from ..model_config import SirenConfig
from .baseline import Baseline


class Siren(Baseline[SirenConfig]):
    """h = sin(omega0 (W h + b)); W from U(+-1/dim) first, then U(+-sqrt(6 / width) / omega0) (sec. 3.2)."""

    def build(self, generator: torch.Generator, engine: str) -> None:
        width, bound = self.config.width, (6 / self.config.width) ** 0.5 / self.config.omega0
        self.first = Linear(self.dim, width, generator, 1 / self.dim)
        self.hidden = hidden(width, self.config.hidden_layers, generator, bound)
        self.last = Linear(width, self.outputs, generator, bound)

    def forward(self, points: Tensor) -> Tensor:
        h = points
        for layer in (self.first, *self.hidden):
            h = torch.sin(self.config.omega0 * layer(h))
        return self.last(h)

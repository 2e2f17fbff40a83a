"""Gaussian activations (Ramasinghe & Lucey, "Beyond Periodicity", ECCV 2022)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..layers.gaussian import decay
from ..layers.linear import Linear, hidden
from ..model_config import GaussConfig
from .baseline import Baseline


class Gauss(Baseline[GaussConfig]):
    """h = exp(-(scale (W h + b))^2), numbers drawn as PyTorch draws them."""

    def build(self, generator: torch.Generator, engine: str) -> None:
        width = self.config.width
        self.first = Linear(self.dim, width, generator)
        self.hidden = hidden(width, self.config.hidden_layers, generator)
        self.last = Linear(width, self.outputs, generator)

    def forward(self, points: Tensor) -> Tensor:
        h = points
        for layer in (self.first, *self.hidden):
            h = decay(-((self.config.scale * layer(h)) ** 2))
        return self.last(h)

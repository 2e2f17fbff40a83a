"""The network that says where each group of neurons speaks: hash grid -> ReLU layer -> sigmoid."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..encodings import HashGrid
from ..model_config import SASNetConfig


class MaskNetwork(nn.Module):
    """Masks (masks, N) in [0, 1] of points (N, dim) in [-1, 1] (Feng et al. 2026, sec. 3)."""

    def __init__(self, config: SASNetConfig, dim: int, masks: int, engine: str, generator: torch.Generator):
        super().__init__()
        self.grid = HashGrid(config.grid, dim, engine, generator)
        self.count = masks
        features, hidden = config.grid.levels * config.grid.features, config.decoder_width
        self.hidden_weight = nn.Parameter(_kaiming(hidden, features, generator))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))
        self.mask_weight = nn.Parameter(_kaiming(masks, hidden, generator))
        self.mask_bias = nn.Parameter(torch.full((masks,), config.mask_bias))

    def forward(self, points: Tensor) -> Tensor:
        hidden = torch.relu(self.hidden_weight @ self.grid(points) + self.hidden_bias[:, None])
        return torch.sigmoid(self.mask_weight @ hidden + self.mask_bias[:, None])


def _kaiming(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    """He et al. 2015 for ReLU: uniform, variance 2 / columns."""
    bound = (6 / columns) ** 0.5
    return torch.empty(rows, columns).uniform_(-bound, bound, generator=generator)

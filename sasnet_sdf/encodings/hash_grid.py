"""The hash grid as a torch module."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..model_config import GridConfig
from .engines import find_engine
from .layout import grid_layout


class HashGrid(nn.Module):
    """Multi-resolution hash grid (Mueller et al. 2022): points (N, dim) to features (levels * F, N).

    Points lie in [-1, 1]. The only parameter, `table` (entries, F), drawn from N(0, 0.01^2), means
    the same to every engine. Raises MissingBackend where the engine is not installed.
    """

    def __init__(self, config: GridConfig, dim: int, engine: str, generator: torch.Generator):
        super().__init__()
        self.config, self.engine, self.layout = config, engine, grid_layout(config, dim)
        self.encode = find_engine(engine).load()
        table = torch.empty(self.layout.entries, config.features)
        self.table = nn.Parameter(table.normal_(0, 0.01, generator=generator))

    def forward(self, points: Tensor) -> Tensor:
        return self.encode(points, self.table, self.layout, self.config.interpolation)

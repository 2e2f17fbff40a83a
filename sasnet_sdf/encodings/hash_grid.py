"""The hash grid as a module: a table, and the engine that reads it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..config import GridConfig
from .layout import grid_layout


class HashGrid(nn.Module):
    """Features of points, interpolated on several lattices (Mueller et al. 2022).

    `table` (entries, F) is the same for every engine, so a trained grid moves between them.
    """

    def __init__(self, config: GridConfig, dim: int, engine: str, generator: torch.Generator):
        super().__init__()
        self.config, self.engine, self.layout = config, engine, grid_layout(config, dim)
        entries = torch.empty(self.layout.entries, config.features)
        self.table = nn.Parameter(entries.normal_(0, 0.01, generator=generator))

    def forward(self, points: Tensor) -> Tensor:
        """Features (levels * F, N) of points (N, dim) in [-1, 1]: level after level."""
        if self.engine == "tinycudann":
            from . import tinycudann_engine

            return tinycudann_engine.encode(points, self.table, self.layout, self.config)
        if self.engine == "numba":
            from . import numba_engine as engine
        else:
            from . import torch_engine as engine
        return engine.encode(points, self.table, self.layout, self.config.interpolation)

"""Networks by the name of their settings, and settings for a given number of parameters."""

from __future__ import annotations

import importlib
import math
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ..errors import UsageError
from ..model_config import GridConfig, ModelConfig
from .hash_grid import grid_layout
from .network import Network


def network_of(config: ModelConfig) -> type[Network[Any]]:
    """The class of the network that the settings are of."""
    if not isinstance(config.network, str):
        return config.network
    module, _, name = config.network.partition(":")
    return getattr(importlib.import_module(module), name)


def build_model(
    config: ModelConfig, dim: int = 3, outputs: int = 1, engine: str = "torch", seed: int = 0
) -> Network[Any]:
    """A freshly initialized network on the CPU, which takes points (N, dim) to values (N, outputs).

    Raises ValueError where the settings make no network.
    """
    return network_of(config)(config, dim, outputs, engine, seed)


def parameter_count(model: nn.Module) -> int:
    """How many numbers are trained; a table of a hash grid counts with all its rows."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


TOLERANCE = 0.02
"""The share of a number of parameters by which it may be missed."""


def with_parameters(
    config: ModelConfig,
    count: int,
    dim: int = 3,
    outputs: int = 1,
    table: bool = True,
    tolerance: float = TOLERANCE,
) -> ModelConfig:
    """The settings with that width, and that table of a hash grid, that come closest to `count`.

    Layers, frequencies and the number of the grid's levels stay as they are, and with `table` off all
    of the grid. Raises ValueError where no width comes within the tolerance, a share of `count`.
    """
    parameters_of(config, dim, outputs)  # raises if something else is wrong with the settings
    config = _with_table(config, count, dim) if table else config

    def size(width: int) -> float:
        try:
            return parameters_of(replace(config, width=width), dim, outputs)
        except (ValueError, UsageError):  # there are not as many frequencies, or no such width
            return math.inf

    low, high = 1, 8
    while size(high) < count:
        low, high = high, 2 * high
    while low < high:  # the narrowest that has as many
        middle = (low + high) // 2
        low, high = (middle + 1, high) if size(middle) < count else (low, middle)
    width = min(max(low - 1, 1), low, key=lambda width: abs(size(width) - count))
    if not (size(width) < math.inf and abs(size(width) - count) <= tolerance * count):
        raise ValueError(f"no width gives {config.name} about {count:,} parameters")
    return replace(config, width=width)


def parameters_of(config: ModelConfig, dim: int = 3, outputs: int = 1) -> int:
    """How many numbers a network of these settings trains; no memory is taken for them."""
    with torch.device("meta"):
        return parameter_count(build_model(config, dim, outputs))


def _with_table(config: ModelConfig, count: int, dim: int) -> ModelConfig:
    """The largest table of the hash grid, if there is one, that leaves the layers their share."""
    grid = config.sized_grid
    if grid is None:
        return config
    for log2_table in range(grid.log2_table, 2, -1):
        smaller = _coarser(replace(grid, log2_table=log2_table))
        if grid_layout(smaller, dim).entries * grid.features <= config.grid_share * count:
            return replace(config, grid=smaller)
    raise ValueError(f"no hash grid of {grid.levels} levels fits into {count:,} parameters")


def _coarser(grid: GridConfig) -> GridConfig:
    """The grid with levels no finer than its table can tell apart on a surface.

    A surface crosses some `finest`^2 cells of the finest level, and where they are many more than the
    table's rows, what one place learns disturbs others.
    """
    finest = min(grid.finest, 2 ** ((grid.log2_table + 1) // 2))
    return replace(grid, finest=finest, coarsest=min(grid.coarsest, max(2, finest // 16)))

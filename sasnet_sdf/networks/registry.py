"""The table of networks by name, how one is built, and settings for a given number of parameters."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ..model_config import GridConfig, ModelConfig
from .baselines import Bacon, Finer, FourierFeatures, Gauss, InstantNGP, PositionalEncoding, Siren, Wire
from .hash_grid import grid_layout
from .sasnet import SASNet

MODELS: dict[str, type[Any]] = {
    "sasnet": SASNet,
    "siren": Siren,
    "finer": Finer,
    "wire": Wire,
    "gauss": Gauss,
    "ffn": FourierFeatures,
    "pemlp": PositionalEncoding,
    "ngp": InstantNGP,
    "bacon": Bacon,
}
"""By the name of their settings (ModelConfig.name)."""


def build_model(
    config: ModelConfig, dim: int = 3, outputs: int = 1, engine: str = "torch", seed: int = 0
) -> Any:
    """A freshly initialised network on the CPU: an nn.Module that takes points (N, dim) to (N, outputs)."""
    return MODELS[config.name](config, dim, outputs, engine, seed)


def parameter_count(model: nn.Module) -> int:
    """How many numbers are trained; a table of a hash grid counts with all its rows."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


GRID_SHARE = {"sasnet": 2 / 3, "ngp": 0.9}
"""Of the parameters, what a hash grid's table takes at most; the width of the layers takes the rest."""

TOLERANCE = 0.02
"""By which share the number may be missed."""


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
    parameters_of(config, dim, outputs)  # says what else is wrong with the settings
    config = _with_table(config, count, dim) if table else config

    def size(width: int) -> float:
        try:
            return parameters_of(replace(config, width=width), dim, outputs)
        except ValueError:  # there are not as many frequencies
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
    grid: Any = getattr(config, "grid", None)
    if grid is None or not getattr(config, "masks", True):
        return config
    for log2_table in range(grid.log2_table, 2, -1):
        smaller = _coarser(replace(grid, log2_table=log2_table))
        if grid_layout(smaller, dim).entries * grid.features <= GRID_SHARE[config.name] * count:
            return replace(config, grid=smaller)
    raise ValueError(f"no hash grid of {grid.levels} levels fits into {count:,} parameters")


def _coarser(grid: GridConfig) -> GridConfig:
    """The grid with levels no finer than its table can tell apart on a surface.

    A surface crosses some `finest`^2 cells of the finest level, and where they are many more than the
    table's rows, what one place learns disturbs others.
    """
    finest = min(grid.finest, 2 ** ((grid.log2_table + 1) // 2))
    return replace(grid, finest=finest, coarsest=min(grid.coarsest, max(2, finest // 16)))

"""The table of models by name, and how one is built."""

from __future__ import annotations

from typing import Any

from torch import nn

from ..model_config import ModelConfig
from .bacon import Bacon
from .finer import Finer
from .fourier import FourierFeatures, PositionalEncoding
from .gauss import Gauss
from .instant_ngp import InstantNGP
from .sasnet import SASNet
from .siren import Siren
from .wire import Wire

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

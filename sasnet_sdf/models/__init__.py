"""The table of models by name."""

from __future__ import annotations

from torch import nn

from ..config import ModelConfig
from .sasnet import SASNet

MODELS: dict[str, type[nn.Module]] = {"sasnet": SASNet}


def build_model(
    config: ModelConfig, dim: int = 3, outputs: int = 1, engine: str = "torch", seed: int = 0
) -> SASNet:
    """A freshly initialised network on the CPU."""
    return SASNet(config, dim, outputs, engine, seed)

"""What the networks that SASNet is compared with have in common."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import torch
from torch import nn

from ..model_config import ModelConfig

Config = TypeVar("Config", bound=ModelConfig)


class Baseline(nn.Module, Generic[Config]):
    """A network over points (N, dim) in [-1, 1] that gives values (N, outputs), in plain PyTorch.

    All of its parameters learn at the rate of its settings; `engine` is what computes it.
    """

    engine = "torch"

    def __init__(self, config: Config, dim: int, outputs: int, engine: str, seed: int):
        super().__init__()
        self.config, self.dim, self.outputs = config, dim, outputs
        self.build(torch.Generator().manual_seed(seed), engine)

    def build(self, generator: torch.Generator, engine: str) -> None:
        """Make the layers; the engine is for those that have a hash grid."""
        raise NotImplementedError

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The trainable parameters and their rate, as PyTorch's optimisers take them."""
        return [{"params": list(self.parameters()), "lr": self.config.rate}]

    def architecture(self) -> dict[str, Any]:
        """What a model file needs to build this network again."""
        return {"model": self.config.name, "dim": self.dim, "outputs": self.outputs}

"""FINER (Liu et al., "Flexible Spectral-bias Tuning in Implicit Neural Representation", CVPR 2024)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..differential import value_and_gradient
from ..layers.linear import Linear, hidden, uniform
from ..model_config import FinerConfig
from .baseline import Baseline


class Finer(Baseline[FinerConfig]):
    """SIREN with sin(omega0 (|z| + 1) z), biases of the first layer from U(+-first_bias) (eq. 5, sec. 3.3).

    As in the authors' code no gradient by the parameters flows through |z|; that by the points is whole.
    """

    def build(self, generator: torch.Generator, engine: str) -> None:
        width, bound = self.config.width, (6 / self.config.width) ** 0.5 / self.config.omega0
        self.first = Linear(self.dim, width, generator, 1 / self.dim)
        self.first.bias = uniform(self.config.first_bias, width, generator=generator)
        self.hidden = hidden(width, self.config.hidden_layers, generator, bound)
        self.last = Linear(width, self.outputs, generator, bound)

    def forward(self, points: Tensor) -> Tensor:
        return self._values(points, lambda z: z.detach().abs() + 1)

    def value_and_gradient(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """f (N,) and df/dx (N, dim) of a network of one output, both to train on."""
        return value_and_gradient(
            lambda x: self._values(x, lambda z: z.abs() + 1), points, torch.is_grad_enabled()
        )

    def _values(self, points: Tensor, stretch) -> Tensor:
        h = points
        layers: list[nn.Module] = [self.first, *self.hidden]
        for layer in layers:
            z = layer(h)
            h = torch.sin(self.config.omega0 * stretch(z) * z)
        return self.last(h)

"""WIRE (Saragadam et al., "Wavelet Implicit Neural Representations", CVPR 2023)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..layers.gaussian import decay
from ..layers.linear import ComplexLinear, Linear, hidden
from ..model_config import WireConfig
from .baseline import Baseline


class Wire(Baseline[WireConfig]):
    """Complex Gabor wavelets exp(i omega0 z - |scale z|^2) (eq. 4), or real ones of two layers each.

    The real part is the value. Numbers are drawn as PyTorch draws them, as in the authors' code.
    """

    def build(self, generator: torch.Generator, engine: str) -> None:
        width, layers = self.config.width, self.config.hidden_layers
        self.first = Linear(self.dim, width, generator)
        if self.config.complex_valued:
            self.hidden = nn.ModuleList([ComplexLinear(width, width, generator) for _ in range(layers)])
            self.last = ComplexLinear(width, self.outputs, generator)
        else:
            self.hidden = hidden(width, layers, generator)
            self.envelopes = nn.ModuleList(
                [Linear(self.dim, width, generator), *hidden(width, layers, generator)]
            )
            self.last = Linear(width, self.outputs, generator)

    def forward(self, points: Tensor) -> Tensor:
        return self._complex(points) if self.config.complex_valued else self._real(points)

    def _complex(self, points: Tensor) -> Tensor:
        z = self.first(points)
        h = self._wavelet(z, torch.zeros_like(z))
        for layer in self.hidden:
            z = layer(h)
            h = self._wavelet(z.real, z.imag)
        return self.last(h).real

    def _wavelet(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """exp(i omega0 z - |scale z|^2): in real numbers, whose functions take a tenth of the time."""
        omega0, scale = self.config.omega0, self.config.scale
        size = decay(-(scale**2) * (real**2 + imaginary**2) - omega0 * imaginary)
        return torch.complex(size * torch.cos(omega0 * real), size * torch.sin(omega0 * real))

    def _real(self, points: Tensor) -> Tensor:
        h = points
        for layer, envelope in zip((self.first, *self.hidden), self.envelopes, strict=True):
            size = decay(-((self.config.scale * envelope(h)) ** 2))
            h = torch.cos(self.config.omega0 * layer(h)) * size
        return self.last(h)

"""The networks that SASNet is compared with.

Siren: Sitzmann et al., "Implicit Neural Representations with Periodic Activation Functions", 2020.
Finer: Liu et al., "Flexible Spectral-bias Tuning in Implicit Neural Representation", CVPR 2024.
Gauss: Ramasinghe & Lucey, "Beyond Periodicity", ECCV 2022.
Wire: Saragadam et al., "Wavelet Implicit Neural Representations", CVPR 2023.
FourierFeatures, PositionalEncoding: fixed sines and cosines of the coordinates, then ReLU layers.
InstantNGP: Mueller et al., "Instant Neural Graphics Primitives", SIGGRAPH 2022.
Bacon: Lindell et al., "Band-limited Coordinate Networks", CVPR 2022.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..model_config import (
    BaconConfig,
    FinerConfig,
    FourierConfig,
    GaussConfig,
    InstantNGPConfig,
    PositionalConfig,
    SirenConfig,
    WireConfig,
)
from .hash_grid import HashGrid
from .network import C, ComplexLinear, Linear, Network, decay, hidden_layers, uniform, value_and_gradient


def weights_of(layers: Any) -> list[nn.Parameter]:
    """The weights of a list of Linear or ComplexLinear layers."""
    return [layer.weight for layer in layers]


class _Layers(Network[C]):
    """`encode`, then a first layer and hidden layers, each followed by `activate`, then a last layer."""

    first: Linear
    hidden: nn.ModuleList
    last: nn.Module

    def draw(
        self, inputs: int, generator: torch.Generator, *bounds: float | None, layers: int | None = None
    ) -> None:
        """Make the layers.

        bounds: of the weights of the first, the hidden and the last layers; PyTorch's default if None.
        layers: number of hidden layers, instead of that in the settings.
        """
        first, between, last = bounds or (None, None, None)
        width, count = self.config.width, self.config.hidden_layers if layers is None else layers
        self.first = Linear(inputs, width, generator, first)
        self.hidden = hidden_layers(width, count, generator, between)
        self.last = Linear(width, self.outputs, generator, last)

    def hidden_matrices(self) -> list[nn.Parameter]:
        return weights_of(self.hidden)

    def encode(self, points: Tensor) -> Tensor:
        """The inputs of the first layer."""
        return points

    def activate(self, z: Tensor) -> Tensor:
        """The activation."""
        return torch.relu(z)

    def forward(self, points: Tensor) -> Tensor:
        h = self.encode(points)
        for layer in (self.first, *self.hidden):
            h = self.activate(layer(h))
        return self.last(h)


class Siren(_Layers[SirenConfig]):
    """h = sin(omega0 (W h + b)); W from U(+-1/dim) first, then U(+-sqrt(6 / width) / omega0) (sec. 3.2)."""

    def build(self, generator: torch.Generator, engine: str) -> None:
        bound = (6 / self.config.width) ** 0.5 / self.config.omega0
        self.draw(self.dim, generator, 1 / self.dim, bound, bound)

    def activate(self, z: Tensor) -> Tensor:
        return torch.sin(self.config.omega0 * z)


class Finer(_Layers[FinerConfig]):
    """SIREN with sin(omega0 (|z| + 1) z), biases of the first layer from U(+-first_bias) (eq. 5, sec. 3.3).

    As in the authors' code, gradients with respect to the parameters do not flow through |z|. Gradients with
    respect to the points are complete.
    """

    def build(self, generator: torch.Generator, engine: str) -> None:
        width, bound = self.config.width, (6 / self.config.width) ** 0.5 / self.config.omega0
        self.first: Linear = Linear(self.dim, width, generator, 1 / self.dim)
        self.first.bias = uniform(self.config.first_bias, width, generator=generator)
        self.hidden: nn.ModuleList = hidden_layers(width, self.config.hidden_layers, generator, bound)
        self.last: nn.Module = Linear(width, self.outputs, generator, bound)

    def forward(self, points: Tensor) -> Tensor:
        return self._values(points, lambda z: z.detach().abs() + 1)

    def value_and_gradient(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """f (N,) and df/dx (N, dim) of a network with one output, both differentiable if autograd is on."""
        return value_and_gradient(
            lambda x: self._values(x, lambda z: z.abs() + 1), points, torch.is_grad_enabled()
        )

    def _values(self, points: Tensor, stretch: Callable[[Tensor], Tensor]) -> Tensor:
        h = points
        for layer in (self.first, *self.hidden):
            z = layer(h)
            h = torch.sin(self.config.omega0 * stretch(z) * z)
        return self.last(h)


class Gauss(_Layers[GaussConfig]):
    """h = exp(-(scale (W h + b))^2), initialized by PyTorch's default."""

    def build(self, generator: torch.Generator, engine: str) -> None:
        self.draw(self.dim, generator)

    def activate(self, z: Tensor) -> Tensor:
        return decay(-((self.config.scale * z) ** 2))


class Wire(_Layers[WireConfig]):
    """Complex Gabor wavelets exp(i omega0 z - |scale z|^2) (eq. 4), or real ones of two layers each.

    The value is the real part. As in the authors' code, parameters are initialized by PyTorch's default.
    """

    def build(self, generator: torch.Generator, engine: str) -> None:
        width, layers = self.config.width, self.config.hidden_layers
        self.first = Linear(self.dim, width, generator)
        if self.config.complex_valued:
            self.hidden = nn.ModuleList([ComplexLinear(width, width, generator) for _ in range(layers)])
            self.last = ComplexLinear(width, self.outputs, generator)
        else:
            self.hidden = hidden_layers(width, layers, generator)
            self.envelopes: nn.ModuleList = nn.ModuleList(
                [Linear(self.dim, width, generator), *hidden_layers(width, layers, generator)]
            )
            self.last = Linear(width, self.outputs, generator)

    def forward(self, points: Tensor) -> Tensor:
        return self._complex(points) if self.config.complex_valued else self._real(points)

    def hidden_matrices(self) -> list[nn.Parameter]:
        envelopes = [] if self.config.complex_valued else weights_of(self.envelopes[1:])
        return [*super().hidden_matrices(), *envelopes]

    def parameter_groups(self) -> list[dict[str, Any]]:
        groups = super().parameter_groups()
        return [
            {**group, "complex": self.config.complex_valued} if group.get("muon") else group
            for group in groups
        ]

    def _complex(self, points: Tensor) -> Tensor:
        z = self.first(points)
        h = self._wavelet(z, torch.zeros_like(z))
        for layer in self.hidden:
            z = layer(h)
            h = self._wavelet(z.real, z.imag)
        return self.last(h).real

    def _wavelet(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """exp(i omega0 z - |scale z|^2), computed in real numbers, which takes a tenth of the time."""
        omega0, scale = self.config.omega0, self.config.scale
        size = decay(-(scale**2) * (real**2 + imaginary**2) - omega0 * imaginary)
        return torch.complex(size * torch.cos(omega0 * real), size * torch.sin(omega0 * real))

    def _real(self, points: Tensor) -> Tensor:
        h = points
        for layer, envelope in zip((self.first, *self.hidden), self.envelopes, strict=True):
            size = decay(-((self.config.scale * envelope(h)) ** 2))
            h = torch.cos(self.config.omega0 * layer(h)) * size
        return self.last(h)


class FourierFeatures(_Layers[FourierConfig]):
    """sin and cos of 2 pi B x, B from N(0, scale^2), x in a cube of side 1 (Tancik et al. 2020, eq. 5)."""

    def build(self, generator: torch.Generator, engine: str) -> None:
        frequencies = torch.empty(self.config.features, self.dim)
        self.register_buffer("frequencies", frequencies.normal_(0, self.config.scale, generator=generator))
        self.draw(2 * self.config.features, generator)

    def encode(self, points: Tensor) -> Tensor:
        # the side of the cube is 2 here, not 1
        angles = math.pi * points @ self.get_buffer("frequencies").t()
        return torch.cat([angles.sin(), angles.cos()], 1)


class PositionalEncoding(_Layers[PositionalConfig]):
    """x, sin and cos of 2^k pi x of every coordinate (Mildenhall et al. 2020, eq. 4)."""

    def build(self, generator: torch.Generator, engine: str) -> None:
        self.draw(self.dim * (1 + 2 * self.config.octaves), generator)

    def encode(self, points: Tensor) -> Tensor:
        octaves = math.pi * 2.0 ** torch.arange(self.config.octaves, device=points.device)
        angles = (points[:, :, None] * octaves.to(points)).flatten(1)
        return torch.cat([points, angles.sin(), angles.cos()], 1)


class InstantNGP(_Layers[InstantNGPConfig]):
    """A hash grid, then ReLU layers; table from U(+-1e-4) (sec. 4), weights from Glorot's uniform range."""

    def build(self, generator: torch.Generator, engine: str) -> None:
        width, grid = self.config.width, self.config.grid
        inputs = grid.levels * grid.features
        self.grid: HashGrid = HashGrid(grid, self.dim, engine, generator)
        self.engine: str = engine
        with torch.no_grad():
            self.grid.table.uniform_(-1e-4, 1e-4, generator=generator)
        bounds = (6 / (inputs + width)) ** 0.5, (3 / width) ** 0.5, (6 / (width + self.outputs)) ** 0.5
        self.draw(inputs, generator, *bounds, layers=self.config.hidden_layers - 1)

    def encode(self, points: Tensor) -> Tensor:
        return self.grid(points).t()


SHARES: tuple[float, ...] = (1 / 24, 1 / 16, 1 / 8, 1 / 4)
"""The share of the bandwidth for the sines of each scale (the authors' settings for distances)."""


class Bacon(Network[BaconConfig]):
    """h = g(x) * (W h + b), g = sin(pi k x + phase) with frozen integer frequencies k (sec. 3.1).

    The layers have four scales, each with one g and its own output; all outputs are trained. Weights are from
    U(+-sqrt(6 / width)), phases from U(+-pi).
    """

    def build(self, generator: torch.Generator, engine: str) -> None:
        width, layers = self.config.width, self.config.hidden_layers
        if layers % len(SHARES):
            raise ValueError(f"the layers of bacon must be a multiple of {len(SHARES)}, found {layers}")
        frequencies = []
        for share in SHARES:
            most = round(self.config.band / 2 * share)
            frequencies.append(torch.randint(-most, most + 1, (width, self.dim), generator=generator))
        self.register_buffer("frequencies", torch.stack(frequencies).float())
        self.phases: nn.Parameter = uniform(math.pi, len(SHARES), width, generator=generator)
        bound = (6 / width) ** 0.5
        self.hidden: nn.ModuleList = hidden_layers(width, layers, generator, bound)
        last = [Linear(width, self.outputs, generator, bound) for _ in SHARES]
        self.last: nn.ModuleList = nn.ModuleList(last)

    def hidden_matrices(self) -> list[nn.Parameter]:
        return weights_of(self.hidden)

    def forward(self, points: Tensor) -> Tensor:
        """Values (N, outputs) of the finest scale at points (N, dim)."""
        return self.every_scale(points)[-1]

    def every_scale(self, points: Tensor) -> list[Tensor]:
        """Values (N, outputs) of each scale, coarse to fine."""
        angles = math.pi * points @ self.get_buffer("frequencies").transpose(1, 2)
        sines = torch.sin(angles + self.phases[:, None])  # (scales, N, width)
        h, values = sines[0], []
        a_scale = len(self.hidden) // len(SHARES)
        for number, layer in enumerate(self.hidden):
            scale, place = divmod(number, a_scale)
            h = sines[scale] * layer(h)
            if place == a_scale - 1:
                values.append(self.last[scale](h))
        return values

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
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from ..model_config import (
    BaconConfig,
    FinerConfig,
    FourierConfig,
    GaussConfig,
    InstantNGPConfig,
    ModelConfig,
    PositionalConfig,
    SirenConfig,
    WireConfig,
)
from .hash_grid import HashGrid
from .layers import ComplexLinear, Linear, decay, hidden, uniform, value_and_gradient

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


class Siren(Baseline[SirenConfig]):
    """h = sin(omega0 (W h + b)); W from U(+-1/dim) first, then U(+-sqrt(6 / width) / omega0) (sec. 3.2)."""

    def build(self, generator: torch.Generator, engine: str) -> None:
        width, bound = self.config.width, (6 / self.config.width) ** 0.5 / self.config.omega0
        self.first = Linear(self.dim, width, generator, 1 / self.dim)
        self.hidden = hidden(width, self.config.hidden_layers, generator, bound)
        self.last = Linear(width, self.outputs, generator, bound)

    def forward(self, points: Tensor) -> Tensor:
        h = points
        for layer in (self.first, *self.hidden):
            h = torch.sin(self.config.omega0 * layer(h))
        return self.last(h)


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


class Gauss(Baseline[GaussConfig]):
    """h = exp(-(scale (W h + b))^2), numbers drawn as PyTorch draws them."""

    def build(self, generator: torch.Generator, engine: str) -> None:
        width = self.config.width
        self.first = Linear(self.dim, width, generator)
        self.hidden = hidden(width, self.config.hidden_layers, generator)
        self.last = Linear(width, self.outputs, generator)

    def forward(self, points: Tensor) -> Tensor:
        h = points
        for layer in (self.first, *self.hidden):
            h = decay(-((self.config.scale * layer(h)) ** 2))
        return self.last(h)


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


class _EncodedReLU(Baseline[Config]):
    """`encode`, then ReLU layers drawn as PyTorch draws them."""

    def build_layers(self, inputs: int, generator: torch.Generator) -> None:
        width = self.config.width
        self.first = Linear(inputs, width, generator)
        self.hidden = hidden(width, self.config.hidden_layers, generator)
        self.last = Linear(width, self.outputs, generator)

    def encode(self, points: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, points: Tensor) -> Tensor:
        h = self.encode(points)
        for layer in (self.first, *self.hidden):
            h = torch.relu(layer(h))
        return self.last(h)


class FourierFeatures(_EncodedReLU[FourierConfig]):
    """sin and cos of 2 pi B x, B from N(0, scale^2), x in a cube of side 1 (Tancik et al. 2020, eq. 5)."""

    def build(self, generator: torch.Generator, engine: str) -> None:
        frequencies = torch.empty(self.config.features, self.dim)
        self.register_buffer("frequencies", frequencies.normal_(0, self.config.scale, generator=generator))
        self.build_layers(2 * self.config.features, generator)

    def encode(self, points: Tensor) -> Tensor:
        # a side of the cube is 2 long here
        angles = math.pi * points @ self.get_buffer("frequencies").t()
        return torch.cat([angles.sin(), angles.cos()], 1)


class PositionalEncoding(_EncodedReLU[PositionalConfig]):
    """x, sin and cos of 2^k pi x of every coordinate (Mildenhall et al. 2020, eq. 4)."""

    def build(self, generator: torch.Generator, engine: str) -> None:
        self.build_layers(self.dim * (1 + 2 * self.config.octaves), generator)

    def encode(self, points: Tensor) -> Tensor:
        octaves = math.pi * 2.0 ** torch.arange(self.config.octaves, device=points.device)
        angles = (points[:, :, None] * octaves.to(points)).flatten(1)
        return torch.cat([points, angles.sin(), angles.cos()], 1)


class InstantNGP(Baseline[InstantNGPConfig]):
    """A hash grid, then ReLU layers; table from U(+-1e-4) (sec. 4), weights from Glorot's uniform range."""

    def build(self, generator: torch.Generator, engine: str) -> None:
        width, grid = self.config.width, self.config.grid
        inputs = grid.levels * grid.features
        self.grid, self.engine = HashGrid(grid, self.dim, engine, generator), engine
        with torch.no_grad():
            self.grid.table.uniform_(-1e-4, 1e-4, generator=generator)
        self.first = Linear(inputs, width, generator, (6 / (inputs + width)) ** 0.5)
        self.hidden = hidden(width, self.config.hidden_layers - 1, generator, (3 / width) ** 0.5)
        self.last = Linear(width, self.outputs, generator, (6 / (width + self.outputs)) ** 0.5)

    def forward(self, points: Tensor) -> Tensor:
        h = self.grid(points).t()
        for layer in (self.first, *self.hidden):
            h = torch.relu(layer(h))
        return self.last(h)


SHARES = (1 / 24, 1 / 16, 1 / 8, 1 / 4)
"""Of the bandwidth, for the sines of each scale (the authors' settings for distances)."""


class Bacon(Baseline[BaconConfig]):
    """h = g(x) * (W h + b), g = sin(pi k x + phase) with whole frequencies k that stay as drawn (sec. 3.1).

    The layers are of four scales, each with one g and an output of its own; every output is trained
    on. Weights are from U(+-sqrt(6 / width)), phases from U(+-pi).
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
        self.phases = uniform(math.pi, len(SHARES), width, generator=generator)
        bound = (6 / width) ** 0.5
        self.hidden = nn.ModuleList([Linear(width, width, generator, bound) for _ in range(layers)])
        self.last = nn.ModuleList([Linear(width, self.outputs, generator, bound) for _ in SHARES])

    def forward(self, points: Tensor) -> Tensor:
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

"""Settings of the networks, with published values as defaults; docs/models.md says whose.

Coordinates are those of the unit cube [-1, 1]. `rate` is the learning rate of Adam at the start.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

from .errors import UsageError


@dataclass(frozen=True)
class GridConfig:
    """Multi-resolution hash grid (Mueller et al. 2022), in tiny-cuda-nn's convention.

    `coarsest` and `finest` count vertices along an axis; a level holds at most
    2**log2_table entries of `features` numbers.
    """

    levels: int = 8
    features: int = 2
    log2_table: int = 18
    coarsest: int = 16
    finest: int = 512
    interpolation: str = "linear"


_POSITIVE = ("rate", "grid_rate", "omega0", "period", "scale")


@dataclass(frozen=True)
class ModelConfig:
    """What a network is: `name` says which one, `width` how many neurons its layers have."""

    name: ClassVar[str]
    width: int = 256
    hidden_layers: int = 2
    rate: float = 1e-4

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if type(value) is int and value < 1:
                raise ValueError(f"{name} must be at least 1, found {value}")
            if name in _POSITIVE and not 0 < value < math.inf:
                raise ValueError(f"{name} must be positive, found {value}")
            if name == "muon_rate" and not 0 <= value < math.inf:
                raise ValueError(f"{name} must not be negative, found {value}")

    def named(self, name: str) -> ModelConfig:
        """These settings if that is their network, else its defaults. Raises UsageError."""
        if name not in CLASSES:
            raise UsageError(f"unknown model {name!r}; known: {', '.join(CLASSES)}")
        return self if name == self.name else CLASSES[name]()


@dataclass(frozen=True)
class SASNetConfig(ModelConfig):
    """SASNet (Feng et al. 2026): frozen frequencies, sine layers, masks from a hash grid.

    Frequencies are integer vectors k of h0 = sin(2 pi / period k.x + b); `low_share` of the
    `width` neurons have max|k| <= `low` and no mask, the rest reach up to `band` and are sorted
    into `bands`, one mask each. Every hidden layer has `groups` masks. `rate` is the sines',
    `grid_rate` that of the masks' network. With a `muon_rate` the matrices of the hidden layers
    learn by Muon: a step turns the arguments of their sines by about so many radians. Ablations: `frozen`
    off trains the frequencies too, `masks` off leaves their network away, `sampled` off starts from
    SIREN's first layer instead.
    """

    name: ClassVar[str] = "sasnet"
    width: int = 64
    rate: float = 1e-3
    omega0: float = 30.0
    period: float = 2 / 0.95
    low: int = 5
    band: int = 20
    low_share: float = 0.5
    bands: int = 4
    groups: int = 8
    decoder_width: int = 48
    mask_bias: float = 0.0
    grid: GridConfig = field(default_factory=GridConfig)
    grid_rate: float = 1e-2
    muon_rate: float = 0.0
    frozen: bool = True
    masks: bool = True
    sampled: bool = True

    @property
    def mask_names(self) -> list[str]:
        """Of every mask, in the order in which the network gives them."""
        names = [f"band {n + 1}" for n in range(self.bands)]
        for layer in range(self.hidden_layers):
            names += [f"layer {layer + 1} group {n + 1}" for n in range(self.groups)]
        return names


@dataclass(frozen=True)
class SirenConfig(ModelConfig):
    """SIREN (Sitzmann et al. 2020): layers sin(omega0 (W x + b))."""

    name: ClassVar[str] = "siren"
    omega0: float = 30.0


@dataclass(frozen=True)
class FinerConfig(ModelConfig):
    """FINER (Liu et al. 2024): layers sin(omega0 (|z| + 1) z); biases of the first up to `first_bias`."""

    name: ClassVar[str] = "finer"
    omega0: float = 30.0
    first_bias: float = 1.0


@dataclass(frozen=True)
class WireConfig(ModelConfig):
    """WIRE (Saragadam et al. 2023): Gabor wavelets of frequency `omega0` and width 1 / `scale`.

    `complex_valued`: exp(i omega0 z - |scale z|^2) of complex numbers, `width` of which count as two
    each; off: cos(omega0 z) exp(-(scale z')^2) of two real layers z and z'.
    """

    name: ClassVar[str] = "wire"
    width: int = 181
    omega0: float = 20.0
    scale: float = 10.0
    complex_valued: bool = True


@dataclass(frozen=True)
class GaussConfig(ModelConfig):
    """Gaussian activations exp(-(scale z)^2) (Ramasinghe & Lucey 2022)."""

    name: ClassVar[str] = "gauss"
    scale: float = 30.0


@dataclass(frozen=True)
class FourierConfig(ModelConfig):
    """Fourier features (Tancik et al. 2020): `features` sines and cosines, then ReLU layers.

    Frequencies are drawn from N(0, scale^2), in cycles per side of the cube.
    """

    name: ClassVar[str] = "ffn"
    rate: float = 5e-4
    features: int = 256
    scale: float = 12.0


@dataclass(frozen=True)
class PositionalConfig(ModelConfig):
    """NeRF's encoding (Mildenhall et al. 2020): sin, cos of 2^k pi x, k < octaves, then ReLU layers."""

    name: ClassVar[str] = "pemlp"
    rate: float = 5e-4
    octaves: int = 10


@dataclass(frozen=True)
class InstantNGPConfig(ModelConfig):
    """instant-ngp (Mueller et al. 2022): a hash grid, then ReLU layers."""

    name: ClassVar[str] = "ngp"
    width: int = 64
    grid: GridConfig = field(
        default_factory=lambda: GridConfig(levels=16, log2_table=19, coarsest=16, finest=2048)
    )


@dataclass(frozen=True)
class BaconConfig(ModelConfig):
    """BACON (Lindell et al. 2022): a product of sines of frozen frequencies, outputs at four scales.

    `band` is the bandwidth of the whole, in cycles per side of the cube, times two.
    """

    name: ClassVar[str] = "bacon"
    hidden_layers: int = 8
    rate: float = 1e-2
    band: int = 384


CLASSES: dict[str, type[ModelConfig]] = {
    kind.name: kind
    for kind in (
        *(SASNetConfig, SirenConfig, FinerConfig, WireConfig, GaussConfig),
        *(FourierConfig, PositionalConfig, InstantNGPConfig, BaconConfig),
    )
}

PUBLISHED: dict[str, ModelConfig] = {
    **{name: kind() for name, kind in CLASSES.items()},
    # TUNER (Novello et al. 2025) is the frozen embedding without masks
    "tuner": SASNetConfig(width=416, hidden_layers=1, rate=1e-4, masks=False),
}
"""What `--model NAME` stands for."""

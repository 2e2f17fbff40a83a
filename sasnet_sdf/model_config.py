"""Settings of the networks, with the values that their papers published as defaults, and their names.

Coordinates are those of the unit cube [-1, 1]. docs/models.md says where each value is from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

from .errors import UsageError
from .grid_config import BoundedSettings, GridConfig
from .runtime.system import Registry
from .settings import setting

OPTIMIZERS = ("adam", "muon")
"""What can train the matrices of hidden layers."""

MASKED = ("all", "last")
"""The layers of a SASNet that can have masks: all, or only the last hidden one."""


def _rate(default: float, help: str) -> Any:
    return setting(default, help, positive=True)


def _omega0(default: float) -> Any:
    return setting(default, "Frequency of the sines, in radians.", positive=True)


@dataclass(frozen=True)
class ModelConfig(BoundedSettings):
    """What a network is. A network's own settings are a subclass.

    name: how the network is called in `--model` and in model files. network: the class that these are the
    settings of, or "module:Class" to be imported when a network is built. variants: settings that a word
    of `--model` stands for, such as no-masks. steepness: the name of the setting that multiplies the
    arguments of the activation, if there is one; a step of Muon is divided by its value.
    """

    name: ClassVar[str]
    network: ClassVar[Any]
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    steepness: ClassVar[str | None] = None

    width: int = setting(256, "Neurons of each layer.", low=1)
    hidden_layers: int = setting(2, "Layers between the first and the last.", low=1, high=256)
    optimizer: str = setting(
        "adam",
        "What trains the matrices of the hidden layers; everything else is trained by Adam.",
        choices=OPTIMIZERS,
    )
    rate: float = _rate(1e-4, "Learning rate of Adam at the start.")
    muon_rate: float = setting(
        0.1,
        "Learning rate of Muon at the start: a step turns the arguments of sines by about this many radians.",
        low=0.0,
    )

    @property
    def sized_grid(self) -> GridConfig | None:
        """The hash grid, the field `grid`, whose table is sized together with the network; or None."""
        return None

    def most_in_table(self, count: int) -> float:
        """The most parameters that the table of `sized_grid` may have in a network of `count`."""
        return 0.0

    def named(self, name: str) -> ModelConfig:
        """These settings if they are that network's, else its defaults. Raises UsageError."""
        return self if name == self.name else class_of(name)()

    @property
    def matrix_rate(self) -> float:
        """The learning rate of Muon for the weights themselves: `muon_rate` over the steepness."""
        return self.muon_rate / (getattr(self, self.steepness) if self.steepness else 1.0)

    def at_rate(self, rate: float) -> ModelConfig:
        """These settings with another `rate`, and every other rate in the same ratio to it."""
        rates = [part.name for part in fields(self) if part.name.endswith("rate")]
        return replace(self, **{name: getattr(self, name) * rate / self.rate for name in rates})


@dataclass(frozen=True)
class SASNetConfig(ModelConfig):
    """SASNet (Feng et al. 2026): frozen frequencies, sine layers, masks from a hash grid.

    Frequencies are integer vectors k of h0 = sin(2 pi / period k.x + b): `low_share` of the neurons have
    max|k| <= `low` and no mask; the others reach up to `band` and are sorted into `bands`, one mask each.
    """

    name: ClassVar[str] = "sasnet"
    network: ClassVar[Any] = f"{__package__}.networks.sasnet:SASNet"
    steepness: ClassVar[str | None] = "omega0"
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "no-masks": {"masks": False},
        "unfrozen": {"frozen": False},
        "siren-layer": {"sampled": False, "frozen": False},
        # the authors' released settings for an image of 256 x 317 pixels (docs/models.md)
        "published": {
            "width": 232,
            "hidden_layers": 2,
            "omega0": 30.0,
            "period": 2 / 0.95,
            "low": 9,
            "band": 42,
            "low_share": 0.5,
            "bands": 4,
            "groups": 8,
            "decoder_width": 48,
            "mask_bias": 0.0,
            "grid": GridConfig(levels=10, features=2, log2_table=10, coarsest=8, finest=128),
            "optimizer": "adam",
            "rate": 1e-3,
            "grid_rate": 5e-3,
        },
    }

    width: int = setting(64, "Neurons of each layer.", low=1)
    rate: float = _rate(1e-3, "Learning rate of the sines at the start.")
    omega0: float = _omega0(30.0)
    period: float = setting(2 / 0.95, "Period of the lowest frequency.", positive=True)
    low: int = setting(5, "Highest frequency of the low group, whose neurons have no mask.", low=1)
    band: int = setting(20, "Highest frequency.", low=1)
    low_share: float = setting(
        0.5, "The share of the first layer's neurons in the low group.", low=0.0, high=1.0
    )
    bands: int = setting(4, "Masks of the first layer.", low=1, high=64)
    groups: int = setting(8, "Masks of each hidden layer.", low=1)
    masked: str = setting(
        "all", "The layers that have masks: all, or only the last hidden one.", choices=MASKED
    )
    decoder_width: int = setting(48, "Neurons between the hash grid and the masks.", low=1)
    mask_bias: float = setting(0.0, "Bias of the masks before their sigmoid, at the start.")
    grid: GridConfig = field(default_factory=GridConfig)
    grid_rate: float = _rate(1e-2, "Learning rate of the masks' network at the start.")
    frozen: bool = setting(True, "Off: frequencies are trained too.")
    masks: bool = setting(True, "Off: there is no network of masks.")
    sampled: bool = setting(True, "Off: the first layer starts as SIREN's.")

    @property
    def sized_grid(self) -> GridConfig | None:
        return self.grid if self.masks else None

    def most_in_table(self, count: int) -> float:
        # chosen on tuning shapes: by Adam the table learns faster than the layers, by Muon the layers do
        share = 2 / 3 if self.optimizer == "adam" else 1 / 5
        return max(share * count, count - 140_000)  # layers beyond 256 neurons are slow, and a table is not

    @property
    def mask_names(self) -> list[str]:
        """The names of all masks, in the order in which the network gives them."""
        first, *hidden = self.masks_of_layers
        names = [f"band {n + 1}" for n in range(first)]
        for layer, count in enumerate(hidden):
            names += [f"layer {layer + 1} group {n + 1}" for n in range(count)]
        return names

    @property
    def masks_of_layers(self) -> list[int]:
        """The number of masks of the first layer and of each hidden one."""
        counts = [self.bands] + [self.groups] * self.hidden_layers
        return counts if self.masked == "all" else [0] * self.hidden_layers + counts[-1:]


_BASELINES = f"{__package__}.networks.baselines"


@dataclass(frozen=True)
class SirenConfig(ModelConfig):
    """SIREN (Sitzmann et al. 2020): layers sin(omega0 (W x + b))."""

    name: ClassVar[str] = "siren"
    network: ClassVar[Any] = f"{_BASELINES}:Siren"
    steepness: ClassVar[str | None] = "omega0"
    omega0: float = _omega0(30.0)


@dataclass(frozen=True)
class FinerConfig(ModelConfig):
    """FINER (Liu et al. 2024): layers sin(omega0 (|z| + 1) z)."""

    name: ClassVar[str] = "finer"
    network: ClassVar[Any] = f"{_BASELINES}:Finer"
    steepness: ClassVar[str | None] = "omega0"
    omega0: float = _omega0(30.0)
    first_bias: float = setting(1.0, "Largest bias of the first layer at the start.", low=0.0)


@dataclass(frozen=True)
class WireConfig(ModelConfig):
    """WIRE (Saragadam et al. 2023): Gabor wavelets of frequency `omega0` and width 1 / `scale`.

    `complex_valued`: exp(i omega0 z - |scale z|^2) of complex numbers, `width` of which count as two
    each; off: cos(omega0 z) exp(-(scale z')^2) of two real layers z and z'.
    """

    name: ClassVar[str] = "wire"
    network: ClassVar[Any] = f"{_BASELINES}:Wire"
    steepness: ClassVar[str | None] = "omega0"
    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"real": {"complex_valued": False}}
    width: int = setting(181, "Neurons of each layer.", low=1)
    omega0: float = _omega0(20.0)
    scale: float = setting(10.0, "The inverse of the width of the wavelets.", positive=True)
    complex_valued: bool = setting(True, "Off: real wavelets, of two layers each.")


@dataclass(frozen=True)
class GaussConfig(ModelConfig):
    """Gaussian activations exp(-(scale z)^2) (Ramasinghe & Lucey 2022)."""

    name: ClassVar[str] = "gauss"
    network: ClassVar[Any] = f"{_BASELINES}:Gauss"
    steepness: ClassVar[str | None] = "scale"
    scale: float = setting(30.0, "The inverse of the width of the Gaussians.", positive=True)


@dataclass(frozen=True)
class FourierConfig(ModelConfig):
    """Fourier features (Tancik et al. 2020): sines and cosines of random frequencies, then ReLU layers."""

    name: ClassVar[str] = "ffn"
    network: ClassVar[Any] = f"{_BASELINES}:FourierFeatures"
    rate: float = _rate(5e-4, "Learning rate of Adam at the start.")
    features: int = setting(256, "Frequencies, each with a sine and a cosine.", low=1)
    scale: float = setting(
        12.0, "Standard deviation of the frequencies, in cycles per side of the cube.", positive=True
    )


@dataclass(frozen=True)
class PositionalConfig(ModelConfig):
    """NeRF's encoding (Mildenhall et al. 2020): sin, cos of 2^k pi x, k < octaves, then ReLU layers."""

    name: ClassVar[str] = "pemlp"
    network: ClassVar[Any] = f"{_BASELINES}:PositionalEncoding"
    rate: float = _rate(5e-4, "Learning rate of Adam at the start.")
    octaves: int = setting(10, "Frequencies along each axis.", low=1, high=100)


@dataclass(frozen=True)
class InstantNGPConfig(ModelConfig):
    """instant-ngp (Mueller et al. 2022): a hash grid, then ReLU layers."""

    name: ClassVar[str] = "ngp"
    network: ClassVar[Any] = f"{_BASELINES}:InstantNGP"
    width: int = setting(64, "Neurons of each layer.", low=1)
    grid: GridConfig = field(
        default_factory=lambda: GridConfig(levels=16, log2_table=19, coarsest=16, finest=2048)
    )

    @property
    def sized_grid(self) -> GridConfig | None:
        return self.grid

    def most_in_table(self, count: int) -> float:
        return 0.9 * count


@dataclass(frozen=True)
class BaconConfig(ModelConfig):
    """BACON (Lindell et al. 2022): a product of sines of frozen frequencies, outputs at four scales."""

    name: ClassVar[str] = "bacon"
    network: ClassVar[Any] = f"{_BASELINES}:Bacon"
    hidden_layers: int = setting(8, "Layers, a multiple of 4.", low=1, high=256)
    rate: float = _rate(1e-2, "Learning rate of Adam at the start.")
    band: int = setting(384, "Twice the bandwidth of the whole, in cycles per side of the cube.", low=1)


_NAMED: tuple[type[ModelConfig], ...] = (
    *(SASNetConfig, SirenConfig, FinerConfig, WireConfig, GaussConfig),
    *(FourierConfig, PositionalConfig, InstantNGPConfig, BaconConfig),
)

PUBLISHED: Registry[ModelConfig] = Registry(
    "sasnet_sdf.networks",
    "model",
    {
        **{kind.name: kind() for kind in _NAMED},
        # TUNER (Novello et al. 2025) is the frozen embedding without masks
        "tuner": SASNetConfig(width=416, hidden_layers=1, rate=1e-4, masks=False),
    },
)
"""The table of networks: the settings that a NAME of `--model` stands for, with their defaults."""


def class_of(name: str) -> type[ModelConfig]:
    """The class of a network's settings, by the network's name. Raises UsageError, MissingBackend."""
    kind = type(PUBLISHED.find(name))
    if kind.name != name:
        raise UsageError(f"{name} is a preset of the network {kind.name}, not a network")
    return kind

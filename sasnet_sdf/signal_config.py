"""Settings of a fit of an image or a volume, its presets, and the numbers by which its SASNet is chosen."""

from __future__ import annotations

from dataclasses import dataclass, field

from .config import CheckpointConfig, RunConfig, TrainingConfig
from .model_config import ModelConfig
from .settings import Settings, setting


@dataclass(frozen=True)
class SignalTuning(Settings):
    """How a SASNet is chosen from a signal's resolution and spectrum, and from its number of parameters.

    The defaults are for images; VOLUME_TUNING is for volumes. Chosen on tuning data (docs/signals.md). Where
    the published SASNet for images differs, the help says so.
    """

    power_share: float = setting(
        0.98,
        "The cutoff is the frequency below which this share of the power lies.",
        low=0.0,
        high=1.0,
    )
    band_share: float = setting(
        0.6, "The first layer's highest frequency, as a share of the cutoff.", positive=True
    )
    narrowest: float = setting(
        0.1, "Its least, as a share of the highest frequency that samples hold, half a cycle.", positive=True
    )
    widest: float = setting(
        0.2,
        "Its most, likewise; the layers after the first make higher frequencies (published: 0.22 to 0.25).",
        positive=True,
    )
    enough: float = setting(
        0.1, "Parameters per number of the signal, below which the band is narrowed with them.", positive=True
    )
    plenty: float = setting(
        0.25,
        "Parameters per number, above which lower frequencies suffice, and are smoother between samples.",
        positive=True,
    )
    most_band: int = setting(400, "The highest band: all vectors up to it are listed.", low=1)
    spectrum_samples: int = setting(512, "Samples along an axis that the spectrum is computed from.", low=8)
    low_band: float = setting(
        0.4,
        "The highest frequency without a mask, as a share of the band (published: .2).",
        low=0.0,
        high=1.0,
    )
    low_share: float = setting(
        0.8, "The share of the first layer up to that frequency (published: 0.5).", low=0.0, high=1.0
    )
    hidden_layers: int = setting(3, "Hidden layers.", low=1)
    rate: float = setting(1.5e-3, "Learning rate of the sines.", positive=True)
    grid_rate: float = setting(1e-3, "Learning rate of the masks' network.", positive=True)
    muon_rate: float = setting(0.18, "The highest rate of Muon; twice the best is too much.", low=0.0)
    muon_width: float = setting(15.0, "Muon's rate is this over the width, up to muon_rate.", low=0.0)
    longest_period: float = setting(
        6.3,
        "The period of a network with as many parameters as the signal has numbers; it shrinks with the "
        "root of their ratio.",
        positive=True,
    )
    smooth_omega0: float = setting(10.0, "omega0 of a network with more parameters than that.", positive=True)
    smooth_muon_rate: float = setting(
        0.015,
        "Its rate of Muon: at a higher one it fills the space between the samples with noise. It shrinks "
        "with the root of the ratio.",
        low=0.0,
    )
    smooth_epochs: float = setting(1500.0, "Epochs that this rate is for; with fewer it is higher.", low=1.0)
    mask_bias: float = setting(2.0, "Masks begin nearly open: 2 is 0.88.")
    table_share: float = setting(0.03, "The share of the parameters for the hash grid.", low=0.0, high=1.0)
    finest: int = setting(64, "The finest level of the hash grid.", low=5, high=4096)


VOLUME_TUNING = SignalTuning(most_band=60, spectrum_samples=128, muon_rate=0.08, muon_width=8.0, finest=32)


@dataclass(frozen=True)
class SignalConfig(RunConfig):
    """Everything that decides the fit of an image or a volume, apart from its input.

    `model`: None is a SASNet chosen from the signal, of the size that was asked for, by `tuning`; None is the
    tuning for the signal's kind.
    """

    parameters: int | None = setting(
        None,
        "Size of the network: N trained numbers.",
        option="parameters",
        form="N",
        low=100,
        high=10**9,
    )
    ratio: float | None = setting(
        None,
        "Size of the network: R trained numbers for each of the input's.",
        option="ratio",
        form="R",
        low=1e-6,
        high=100.0,
        usual="0.3, from 2,000 to 300,000 numbers",
    )
    model: ModelConfig | None = None
    tuning: SignalTuning | None = None
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(steps=1500, batch=16_384, warmup=50)
    )
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)


RATIO, FEWEST_PARAMETERS, MOST_PARAMETERS = 0.3, 2000, 300_000
"""The size of a fit's network unless another is asked for: the time of a step grows with it."""

SIGNAL_PRESETS: dict[str, SignalConfig] = {
    preset: SignalConfig(preset=preset, training=TrainingConfig(steps=steps, batch=16_384, warmup=50))
    for preset, steps in (("fast", 500), ("balanced", 1500), ("fine", 6000))
}

"""Settings of a fit of an image or a volume, its presets, and the numbers by which its SASNet is chosen."""

from __future__ import annotations

from dataclasses import dataclass, field

from .config import CheckpointConfig, RunConfig, TrainingConfig
from .model_config import MASKED, ModelConfig
from .settings import Settings, setting


@dataclass(frozen=True)
class SignalTuning(Settings):
    """How a SASNet is chosen from a signal's resolution and spectrum, and from its number of parameters.

    The defaults are for images; VOLUME_TUNING is for volumes. Chosen on tuning data (docs/signals.md). Where
    the published SASNet for images differs, the help says so.
    """

    power_share: float = setting(
        0.98,
        "Share of the signal's power that lies below the cutoff frequency.",
        low=0.0,
        high=1.0,
    )
    band_share: float = setting(
        0.6, "Highest frequency of the first layer, as a share of the cutoff frequency.", positive=True
    )
    narrowest: float = setting(
        0.1,
        "Lower limit of the first layer's highest frequency, as a share of the Nyquist frequency.",
        positive=True,
    )
    widest: float = setting(
        0.2,
        "Upper limit of the first layer's highest frequency, as a share of the Nyquist frequency (published: "
        "0.22 to 0.25); later layers produce higher frequencies.",
        positive=True,
    )
    enough: float = setting(
        0.1, "Parameters per value of the signal below which the band is narrowed.", positive=True
    )
    plenty: float = setting(
        0.25,
        "Parameters per value of the signal above which the band is narrowed, to be smooth between samples.",
        positive=True,
    )
    most_band: int = setting(
        400, "Upper limit of the band, since all frequency vectors up to it are enumerated.", low=1
    )
    spectrum_samples: int = setting(
        512, "Number of samples along each axis that the spectrum is computed from.", low=8
    )
    low_band: float = setting(
        0.4,
        "Highest frequency of the low group, as a share of the band (published: 0.2).",
        low=0.0,
        high=1.0,
    )
    low_share: float = setting(
        0.8, "Share of the first layer's neurons in the low group (published: 0.5).", low=0.0, high=1.0
    )
    hidden_layers: int = setting(3, "Number of hidden layers.", low=1)
    rate: float = setting(1.5e-3, "Learning rate of the sine layers.", positive=True)
    masked: str = setting("last", "The layers that have masks (published: all).", choices=MASKED)
    groups: int = setting(16, "Masks of each hidden layer that has masks (published: 8).", low=1)
    grid_rate: float = setting(1e-2, "Learning rate of the mask network.", positive=True)
    muon_rate: float = setting(
        2.4,
        "The learning rate of Muon is this number times the batch's share of the samples to the power "
        "muon_power, divided by the square root of the width, up to most_muon_rate.",
        low=0.0,
    )
    most_muon_rate: float = setting(0.18, "Upper limit of the learning rate of Muon.", low=0.0)
    muon_power: float = setting(
        0.4,
        "How strongly the rate of Muon falls with the batch's share of the samples: gradients of "
        "small batches are noisy.",
        low=0.0,
    )
    longest_period: float = setting(
        6.3,
        "Period of the frequencies where there are as many parameters as values of the signal; with fewer "
        "parameters it shrinks with the square root of their ratio.",
        positive=True,
    )
    smooth_omega0: float = setting(
        10.0, "omega0 where there are at least as many parameters as values of the signal.", positive=True
    )
    smooth_muon_rate: float = setting(
        0.015,
        "Upper limit of the learning rate of Muon, with as many parameters as values of the signal: "
        "higher rates cause noise between the samples. It shrinks with the square root of their ratio.",
        low=0.0,
    )
    smooth_epochs: float = setting(
        1500.0,
        "Number of epochs that smooth_muon_rate is for; with fewer epochs the limit is higher.",
        low=1.0,
    )
    mask_bias: float = setting(2.0, "Initial bias of the masks; 2 gives initial masks of 0.88.")
    table_share: float = setting(
        0.03, "Largest share of the parameters that the hash grid may have.", low=0.0, high=1.0
    )
    finest: int = setting(
        64, "Largest number of vertices along an axis of the hash grid's finest level.", low=5, high=4096
    )


VOLUME_TUNING = SignalTuning(
    most_band=60,
    spectrum_samples=128,
    masked="all",
    groups=8,
    grid_rate=5e-3,
    muon_rate=3.6,
    mask_bias=0.0,
    finest=32,
)


@dataclass(frozen=True)
class SignalConfig(RunConfig):
    """Everything that decides the fit of an image or a volume, apart from its input.

    `model`: the network; None: a SASNet of the requested size, chosen from the signal by `tuning`. `tuning`:
    None: the tuning for images or for volumes.
    """

    parameters: int | None = setting(
        None,
        "Size of the network: number of parameters.",
        option="parameters",
        form="N",
        low=100,
        high=10**9,
    )
    ratio: float | None = setting(
        None,
        "Size of the network: parameters per value of the input.",
        option="ratio",
        form="R",
        low=1e-6,
        high=100.0,
        usual="0.3, from 2,000 to 300,000 parameters",
    )
    model: ModelConfig | None = None
    tuning: SignalTuning | None = None
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(steps=1500, batch=16_384, warmup=50)
    )
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.checkpoint.check_resume()


RATIO, FEWEST_PARAMETERS, MOST_PARAMETERS = 0.3, 2000, 300_000
"""Parameters per value of the signal by default, and the limits of their number: it decides a step's time."""

SIGNAL_PRESETS: dict[str, SignalConfig] = {
    preset: SignalConfig(preset=preset, training=TrainingConfig(steps=steps, batch=16_384, warmup=50))
    for preset, steps in (("fast", 500), ("balanced", 1500), ("fine", 6000))
}

"""Derives the settings of a fit from the user's arguments and the signal."""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
from scipy.ndimage import distance_transform_edt

from ..config import TrainingConfig
from ..errors import UsageError, unknown
from ..metrics.signals import radial_spectrum
from ..model_config import PUBLISHED, GridConfig, ModelConfig, SASNetConfig
from ..networks.registry import parameters_of, with_parameters
from ..settings import with_options
from ..signal_config import (
    FEWEST_PARAMETERS,
    MOST_PARAMETERS,
    RATIO,
    SIGNAL_PRESETS,
    VOLUME_TUNING,
    SignalConfig,
    SignalTuning,
)
from ..signals import Signal
from .settings import model_of, with_settings

_OF_SURFACES = ("eikonal_weight", "eikonal_batch", "normal_weight", "mask_sparsity_weight")


def signal_config(
    signal: Signal,
    preset: str = "balanced",
    *,
    model: str | None = None,
    settings: Iterable[str] = (),
    **options: Any,
) -> SignalConfig:
    """The settings of a fit, including `model` and its width.

    model: as in model_of. Values for SASNet are chosen from the signal; those for other networks are the
    published ones. options: fields of a SignalConfig by name. Raises UsageError.
    """
    if preset not in SIGNAL_PRESETS:
        raise UsageError(unknown("preset", preset, SIGNAL_PRESETS))
    given = {name: value for name, value in options.items() if value is not None}
    chosen_width = [word for word in (model or "").split(":")[1:] if word.startswith("width=")]
    chosen_width += [s for s in settings if s.partition("=")[0].rpartition(".")[2] == "width"]
    sizes = [*sorted({"parameters", "ratio"} & set(given)), *["width"] * bool(chosen_width)]
    if len(sizes) > 1:
        raise UsageError(f"give the {sizes[0]} or the {sizes[1]}, not both: each decides the size")
    tuning = [setting for setting in settings if setting.startswith("tuning.")]
    config = replace(with_options(SIGNAL_PRESETS[preset], given), tuning=usual_tuning(signal))
    config = with_settings(config, tuning)
    count = _count(signal, config)
    known = known_models(signal, count, config.training, config.tuning)
    config = replace(config, parameters=count, model=model_of(model or "sasnet", known))
    for setting in settings:
        if setting.partition("=")[0].rpartition(".")[2] in _OF_SURFACES:
            raise UsageError(f"--set {setting}: only surfaces have that term")
    config = with_settings(config, [setting for setting in settings if setting not in tuning])
    assert config.model is not None
    if chosen_width:
        sized = config.model
        if isinstance(sized, SASNetConfig):
            sized = _with_vectors(sized, signal.grid.dim)
        try:
            count = parameters_of(sized, signal.grid.dim, signal.channels)
        except ValueError as error:
            raise UsageError(f"model {sized.name}: {error}") from error
    else:
        sized = sized_model(config.model, signal, count)
    return replace(config, model=sized, parameters=count)


def _count(signal: Signal, config: SignalConfig) -> int:
    if config.parameters is not None:
        return config.parameters
    if config.ratio is not None:
        return max(1, round(config.ratio * signal.values.size))
    return default_count(signal)


def default_count(signal: Signal) -> int:
    """The number of parameters of a fit if neither the number nor a ratio is given."""
    return round(min(max(RATIO * signal.values.size, FEWEST_PARAMETERS), MOST_PARAMETERS))


def usual_tuning(signal: Signal) -> SignalTuning:
    """The default tuning for this kind of signal."""
    return SignalTuning() if signal.kind == "image" else VOLUME_TUNING


def known_models(
    signal: Signal, count: int, training: TrainingConfig, tuning: SignalTuning | None = None
) -> Mapping[str, ModelConfig]:
    """The settings for each model's name; those of SASNet and TUNER are chosen from the signal."""
    published = PUBLISHED["tuner"]
    tuner = {"hidden_layers": published.hidden_layers, "masks": False, "rate": published.rate}
    ours: dict[str, ModelConfig] = {
        "sasnet": chosen(signal, count, training, tuning),
        "tuner": chosen(signal, count, training, tuning, **tuner, optimizer=published.optimizer),
    }
    return ChainMap(ours, cast(Any, PUBLISHED))  # only read


def sized_model(model: ModelConfig, signal: Signal, count: int) -> ModelConfig:
    """The settings with the width that comes closest to `count` parameters. Raises UsageError."""
    try:
        keeps = isinstance(model, SASNetConfig)  # its grid has already been chosen
        size = (count, signal.grid.dim, signal.channels)
        return with_parameters(model, *size, table=not keeps, tolerance=math.inf)
    except ValueError as error:
        least = "" if count > FEWEST_PARAMETERS else f" (most networks need {FEWEST_PARAMETERS:,})"
        raise UsageError(f"model {model.name}: {error}{least}") from error


def chosen(
    signal: Signal,
    count: int,
    training: TrainingConfig | None = None,
    tuning: SignalTuning | None = None,
    **changes: Any,
) -> SASNetConfig:
    """SASNet settings chosen from a signal's resolution and spectrum; the width is a first guess.

    count: number of parameters. training: the preset balanced by default.
    """
    tuning, training = tuning or usual_tuning(signal), training or SIGNAL_PRESETS["balanced"].training
    batch_share = min(1.0, training.batch / math.prod(signal.grid.shape))
    grid, base, ratio = signal.grid, SASNetConfig(), count / signal.values.size
    period = float(np.clip(tuning.longest_period * math.sqrt(ratio), base.period, tuning.longest_period))
    highest = period * grid.half / (2 * grid.spacing.min())  # Nyquist limit, in periods
    low, high = tuning.narrowest, tuning.widest
    share = np.clip(tuning.band_share * cutoff(signal, tuning) / 0.5, low, high)
    # a network that is small for its signal represents it as if the signal had fewer samples
    narrowing = min(1.0, (ratio / tuning.enough) ** (1 / grid.dim), tuning.plenty / ratio)
    band = int(np.clip(round(share * narrowing * highest), 4, tuning.most_band))
    hidden_layers = changes.get("hidden_layers", tuning.hidden_layers)
    width = max(8, int(math.sqrt(count / hidden_layers)))
    muon_rate = tuning.muon_rate * batch_share**tuning.muon_power / math.sqrt(width)
    omega0, muon_rate = base.omega0, min(muon_rate, tuning.most_muon_rate)
    if _is_larger(signal, count):
        shorter = max(1.0, tuning.smooth_epochs / (training.steps * batch_share))
        smooth_rate = tuning.smooth_muon_rate / math.sqrt(ratio) * shorter
        omega0, muon_rate = tuning.smooth_omega0, min(muon_rate, smooth_rate)
    config = replace(
        base,
        width=width,
        hidden_layers=hidden_layers,
        optimizer="muon",
        rate=tuning.rate,
        grid_rate=tuning.grid_rate,
        muon_rate=float(f"{muon_rate:.3g}"),
        omega0=omega0,
        period=period,
        band=band,
        low=max(1, round(tuning.low_band * band)),
        low_share=tuning.low_share,
        groups=tuning.groups,
        masked=tuning.masked,
        decoder_width=4,
        mask_bias=tuning.mask_bias,
        grid=_grid(count, grid.dim, tuning),
    )
    return _with_vectors(replace(config, **changes), grid.dim)


def _is_larger(signal: Signal, count: int) -> bool:
    return count >= signal.values.size


def notes_on(signal: Signal, config: SignalConfig) -> list[str]:
    """What the user should know of the settings."""
    assert config.parameters is not None
    if not (isinstance(config.model, SASNetConfig) and _is_larger(signal, config.parameters)):
        return []
    return [
        f"{config.parameters:,} parameters for {signal.values.size:,} numbers: kept smooth between the "
        "samples, and less close to them"
    ]


def _with_vectors(config: SASNetConfig, dim: int) -> SASNetConfig:
    """The settings with `low` and `band` raised until they hold enough frequency vectors for the width."""

    def vectors(up_to: int) -> int:
        return ((2 * up_to + 1) ** dim - 1) // 2  # in a box; k and -k count once

    lowest = math.ceil(config.low_share * config.width)
    low = config.low
    while vectors(low) < lowest + dim:
        low += 1
    band = max(config.band, low + 2)
    bands = min(config.bands, band - low)  # at least one whole number per band
    each = math.ceil((config.width - lowest) / bands) + 1
    while vectors(low + (band - low) // bands) - vectors(low) < each:
        band += 1
    return replace(config, low=low, band=band, bands=bands)


def cutoff(signal: Signal, tuning: SignalTuning | None = None) -> float:
    """The frequency, in cycles per sample, below which most of the power in the signal's middle lies."""
    tuning = tuning or usual_tuning(signal)
    shape = np.array(signal.grid.shape)
    size = np.minimum(shape, tuning.spectrum_samples)
    first = (shape - size) // 2
    part = tuple(slice(a, a + n) for a, n in zip(first, size, strict=True))
    values = np.asarray(signal.values[part], np.float64)
    missing = ~np.isfinite(values).all(-1)
    if missing.all():
        return 0.0
    if missing.any():  # filled with the nearest values, so that the rim of a hole does not look like detail
        nearest: Any = distance_transform_edt(missing, return_distances=False, return_indices=True)
        values = values[tuple(nearest)]
    # scaled by the range, since squares of very small or large numbers do not fit into float32
    values = values - values.mean()
    frequencies, power = radial_spectrum((values / (np.ptp(values) or 1.0)).astype(np.float32))
    # the number of waves in a ring grows with its length, in a shell with its area
    whole = np.cumsum(power * frequencies ** (len(shape) - 1))
    return (
        float(frequencies[np.searchsorted(whole, tuning.power_share * whole[-1])]) if whole[-1] > 0 else 0.0
    )


def _grid(count: int, dim: int, tuning: SignalTuning) -> GridConfig:
    """Two levels as fine as their share of the parameters allows; each vertex has its own table row.

    In a hashed table, vertices share rows; if the table is small, the masks then look like noise. Linear
    interpolation has kinks at the vertices, which show as blocks where few pixels lie between two of them.
    """
    from ..networks.hash_grid import grid_layout

    for finest in range(tuning.finest, 4, -1):
        grid = _two_levels(finest, dim)
        if grid_layout(grid, dim).entries * grid.features <= tuning.table_share * count:
            return grid
    return _two_levels(4, dim)


def _two_levels(finest: int, dim: int) -> GridConfig:
    return GridConfig(
        levels=2,
        log2_table=math.ceil(dim * math.log2(finest)),
        coarsest=finest // 2,
        finest=finest,
        interpolation="smoothstep",
    )

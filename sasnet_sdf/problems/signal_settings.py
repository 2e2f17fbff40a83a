"""From the user's arguments and the signal itself to the settings of a fit."""

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
    """The settings of a fit, `model` among them with its width.

    model: as model_of takes it; SASNet's values are those chosen from the signal, others' those that
    their papers published. options: options of a SignalConfig by name. Raises UsageError.
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
    """The parameters of a fit for which neither their number nor a ratio was asked."""
    return round(min(max(RATIO * signal.values.size, FEWEST_PARAMETERS), MOST_PARAMETERS))


def usual_tuning(signal: Signal) -> SignalTuning:
    """The tuning for signals of that kind."""
    return SignalTuning() if signal.kind == "image" else VOLUME_TUNING


def known_models(
    signal: Signal, count: int, training: TrainingConfig, tuning: SignalTuning | None = None
) -> Mapping[str, ModelConfig]:
    """The settings that each model's name stands for; SASNet and TUNER have the signal's frequencies."""
    samples = math.prod(signal.grid.shape)
    epochs = training.steps * min(training.batch, samples) / samples
    published = PUBLISHED["tuner"]
    tuner = {"hidden_layers": published.hidden_layers, "masks": False, "rate": published.rate}
    ours: dict[str, ModelConfig] = {
        "sasnet": chosen(signal, count, epochs, tuning),
        "tuner": chosen(signal, count, epochs, tuning, **tuner, muon_rate=0.0),
    }
    return ChainMap(ours, cast(Any, PUBLISHED))  # only looked up


def sized_model(model: ModelConfig, signal: Signal, count: int) -> ModelConfig:
    """The settings with as near `count` parameters as a width comes. Raises UsageError."""
    try:
        keeps = isinstance(model, SASNetConfig)  # its grid is chosen already
        size = (count, signal.grid.dim, signal.channels)
        return with_parameters(model, *size, table=not keeps, tolerance=math.inf)
    except ValueError as error:
        least = "" if count > FEWEST_PARAMETERS else f" (most networks need {FEWEST_PARAMETERS:,})"
        raise UsageError(f"model {model.name}: {error}{least}") from error


def chosen(
    signal: Signal,
    count: int,
    epochs: float | None = None,
    tuning: SignalTuning | None = None,
    **changes: Any,
) -> SASNetConfig:
    """SASNet for a signal, by its resolution and its spectrum; its width is a first guess.

    count: parameters. epochs: how often the training sees each sample; tuning.smooth_epochs by default.
    """
    tuning = tuning or usual_tuning(signal)
    epochs = tuning.smooth_epochs if epochs is None else epochs
    grid, base, ratio = signal.grid, SASNetConfig(), count / signal.values.size
    period = float(np.clip(tuning.longest_period * math.sqrt(ratio), base.period, tuning.longest_period))
    highest = period * grid.half / (2 * grid.spacing.min())  # periods across which two samples make one
    low, high = tuning.narrowest, tuning.widest
    share = np.clip(tuning.band_share * cutoff(signal, tuning) / 0.5, low, high)
    # a network that is small for its signal holds it as if it had fewer samples
    narrowing = min(1.0, (ratio / tuning.enough) ** (1 / grid.dim), tuning.plenty / ratio)
    band = int(np.clip(round(share * narrowing * highest), 4, tuning.most_band))
    hidden_layers = changes.get("hidden_layers", tuning.hidden_layers)
    width = max(8, int(math.sqrt(count / hidden_layers)))
    omega0, muon_rate = base.omega0, min(tuning.muon_rate, tuning.muon_width / width)
    if _is_larger(signal, count):
        smooth_rate = tuning.smooth_muon_rate / math.sqrt(ratio) * max(1.0, tuning.smooth_epochs / epochs)
        omega0, muon_rate = tuning.smooth_omega0, min(muon_rate, smooth_rate)
    config = replace(
        base,
        width=width,
        hidden_layers=hidden_layers,
        rate=tuning.rate,
        grid_rate=tuning.grid_rate,
        muon_rate=muon_rate,
        omega0=omega0,
        period=period,
        band=band,
        low=max(1, round(tuning.low_band * band)),
        low_share=tuning.low_share,
        decoder_width=8,
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
    """The settings with a low range, and a band, that hold vectors enough for the width."""

    def vectors(up_to: int) -> int:
        return ((2 * up_to + 1) ** dim - 1) // 2  # of a box; k and -k are one

    lowest = math.ceil(config.low_share * config.width)
    low = config.low
    while vectors(low) < lowest + dim:
        low += 1
    band = max(config.band, low + 2)
    bands = min(config.bands, band - low)  # a whole number for each
    each = math.ceil((config.width - lowest) / bands) + 1
    while vectors(low + (band - low) // bands) - vectors(low) < each:
        band += 1
    return replace(config, low=low, band=band, bands=bands)


def cutoff(signal: Signal, tuning: SignalTuning | None = None) -> float:
    """The frequency, in cycles a sample, below which most of the power in the signal's middle lies."""
    tuning = tuning or usual_tuning(signal)
    shape = np.array(signal.grid.shape)
    size = np.minimum(shape, tuning.spectrum_samples)
    first = (shape - size) // 2
    part = tuple(slice(a, a + n) for a, n in zip(first, size, strict=True))
    values = np.asarray(signal.values[part], np.float64)
    missing = ~np.isfinite(values).all(-1)
    if missing.all():
        return 0.0
    if missing.any():  # what lies nearest: a hole's rim should not look like detail
        nearest: Any = distance_transform_edt(missing, return_distances=False, return_indices=True)
        values = values[tuple(nearest)]
    # relative to the range, as float32 has no squares of very small or large numbers
    values = values - values.mean()
    frequencies, power = radial_spectrum((values / (np.ptp(values) or 1.0)).astype(np.float32))
    # a ring has as many waves as its length, a shell as its area
    whole = np.cumsum(power * frequencies ** (len(shape) - 1))
    return (
        float(frequencies[np.searchsorted(whole, tuning.power_share * whole[-1])]) if whole[-1] > 0 else 0.0
    )


def _grid(count: int, dim: int, tuning: SignalTuning) -> GridConfig:
    """Two levels as fine as their share of the parameters allows, every vertex with a row of its own.

    Rows that places share, as in a hashed table, make masks that are noise where the table is small.
    """
    from ..networks.hash_grid import grid_layout

    for finest in range(tuning.finest, 4, -1):
        grid = GridConfig(
            levels=2, log2_table=math.ceil(dim * math.log2(finest)), coarsest=finest // 2, finest=finest
        )
        if grid_layout(grid, dim).entries * grid.features <= tuning.table_share * count:
            return grid
    return GridConfig(levels=2, log2_table=2 * dim, coarsest=2, finest=4)

"""Makes settings from arguments of Python functions and of the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from ..config import PRESETS, Config
from ..errors import UsageError, unknown
from ..model_config import PUBLISHED, ModelConfig
from ..settings import value_of, with_changes, with_options
from ..signal_config import SignalConfig


def make_config(
    preset: str = "balanced", *, model: str | None = None, settings: Iterable[str] = (), **options: Any
) -> Config:
    """All settings of a reconstruction: those of a preset, changed by the arguments that are given.

    preset: "fast", "balanced" or "fine".

    model: NAME[:KEY=VALUE]..., such as "siren:omega0=10"; other values are those published in its paper.

    settings: any setting as "KEY=VALUE", such as "supervision.targets=200000".

    options: the settings of docs/settings.md by name; None keeps the preset's value.

    Raises UsageError.

        config = sasnet_sdf.make_config("fast", resolution=256, seed=1)
        result = sasnet_sdf.reconstruct("scan.ply", config=config)
    """
    if preset not in PRESETS:
        raise UsageError(unknown("preset", preset, PRESETS))
    given = {name: value for name, value in options.items() if value is not None}
    if "resolution" in given and "edge_length" in given:
        raise UsageError("give the resolution or the edge length, not both")
    config = with_options(PRESETS[preset], given)
    if "steps" in given:  # for noisy scans as well
        config = replace(config, training=replace(config.training, noisy_steps=None))
    if model is not None:
        config = replace(config, model=model_of(model))
    return with_settings(config, settings)


Settings = TypeVar("Settings", Config, SignalConfig)

_PLACES = ("model", "model.grid", "training", "supervision", "extraction", "input", "")
"""The sections that are searched, in this order, for a setting given without a path."""


def model_of(text: str, known: Mapping[str, ModelConfig] = PUBLISHED) -> ModelConfig:
    """The settings of NAME[:KEY=VALUE or VARIANT]..., such as `siren:omega0=10` or `sasnet:no-masks`.

    known: the settings that each NAME stands for. Raises UsageError for an unknown name, key or variant, and
    MissingBackend if the package that provides the network cannot be loaded.
    """
    name, *changes = text.split(":")
    if name not in known:
        raise UsageError(unknown("model", name, known))
    config = known[name]
    for change in changes:
        key, equals, value = change.partition("=")
        if equals:
            config = _set(config, key.split("."), value, f"model {text}")
        elif change in config.variants:
            config = replace(config, **config.variants[change])
        else:
            variants = f" or one of {', '.join(config.variants)}" if config.variants else ""
            raise UsageError(f"model {text}: unknown variant {change!r}; give KEY=VALUE{variants}")
    return config


def with_settings(config: Settings, settings: Iterable[str]) -> Settings:
    """The settings with every KEY=VALUE applied; KEY may be a path, such as model.grid.levels.

    Raises UsageError.
    """
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"--set takes KEY=VALUE, found {setting!r}")
        path = key.split(".") if "." in key else [*_place_of(config, key), key]
        config = _set(config, path, text, f"--set {key}")
    return config


def _place_of(config: Any, key: str) -> list[str]:
    known: list[str] = []
    for place in _PLACES:
        path = [part for part in place.split(".") if part]
        part: Any = config
        for name in path:
            part = getattr(part, name, None)
        if part is None:
            continue
        simple = [f.name for f in fields(part) if not is_dataclass(getattr(part, f.name))]
        if key in simple:
            return path
        known += simple if place.startswith("model") or place == "training" else []
    raise UsageError(f"--set: {unknown('setting', key, dict.fromkeys(known))}")


def _set(config: Any, path: list[str], text: str, where: str) -> Any:
    """A copy of a settings dataclass with one value, given as text; `path` leads to its field."""
    owner = part = config
    for name in path:
        if not is_dataclass(part) or name not in {f.name for f in fields(part)}:
            known = [f.name for f in fields(part)] if is_dataclass(part) else ["nothing"]
            raise UsageError(f"{where}: {unknown('setting', name, known)}")
        owner, part = part, getattr(part, name)
    changes: Any = value_of(text, type(owner), path[-1], where)
    for name in reversed(path):
        changes = {name: changes}
    try:
        return with_changes(config, changes)
    except (UsageError, ValueError) as error:
        raise UsageError(f"{where}: {error}") from error

"""Settings from text such as `siren:omega0=10` and `training.batch=8192`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from ..config import Config, SignalConfig
from ..errors import UsageError, unknown
from ..model_config import PUBLISHED, ModelConfig
from ..settings import value_of, with_changes

Settings = TypeVar("Settings", Config, SignalConfig)

_PLACES = ("model", "model.grid", "training", "supervision", "extraction", "input", "")
"""The sections in which a setting without a path is looked for, in this order."""


def model_of(text: str, known: Mapping[str, ModelConfig] = PUBLISHED) -> ModelConfig:
    """The settings of NAME[:KEY=VALUE or VARIANT]..., such as `siren:omega0=10` or `sasnet:no-masks`.

    known: what each NAME stands for. Raises UsageError for an unknown name, key or variant, and
    MissingBackend where the package that has the network cannot be loaded.
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
    """The settings with every KEY=VALUE applied, where KEY may have a path, as model.grid.levels.

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

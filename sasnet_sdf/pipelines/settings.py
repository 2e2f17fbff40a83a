"""From the words of the command line and of Python to a Config."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..config import PRESETS, Config
from ..errors import UsageError

_SECTION = {
    "steps": "training",
    "time_limit": "training",
    "resolution": "extraction",
    "edge_length": "extraction",
    "keep_components": "extraction",
    "faces": "extraction",
}
_TOP = ("seed", "device", "engine", "max_memory")
_BOUNDS = {
    "steps": (1, 10_000_000),
    "resolution": (8, 4096),
    "faces": (4, 10**9),
    "seed": (0, 2**63 - 1),
}


def make_config(preset: str = "balanced", **changes: Any) -> Config:
    """The preset with what was asked for changed; None leaves the preset's value.

    Words: steps, time_limit (seconds), resolution, edge_length (world units), keep_components,
    faces, seed, device, engine, max_memory (bytes, or "4G"). Raises UsageError.
    """
    if preset not in PRESETS:
        raise UsageError(f"unknown preset {preset!r}: one of {', '.join(PRESETS)}")
    config, given = PRESETS[preset], {name: value for name, value in changes.items() if value is not None}
    for name, value in given.items():
        low, high = _BOUNDS.get(name, (None, None))
        if low is not None and not low <= value <= high:
            raise UsageError(f"{name.replace('_', '-')} must lie between {low} and {high}, found {value}")
        if name in ("edge_length", "time_limit") and not 0 < value < float("inf"):
            raise UsageError(f"{name.replace('_', '-')} must be positive, found {value}")
        if name == "max_memory" and isinstance(value, str):
            from ..system import parse_memory

            value = parse_memory(value)
        if name in _TOP:
            config = replace(config, **{name: value})
        elif name in _SECTION:
            section = _SECTION[name]
            config = replace(config, **{section: replace(getattr(config, section), **{name: value})})
        else:
            raise UsageError(f"unknown setting {name!r}: one of {', '.join([*_SECTION, *_TOP])}")
    if "resolution" in given and "edge_length" in given:
        raise UsageError("give the resolution or the edge length, not both")
    return config

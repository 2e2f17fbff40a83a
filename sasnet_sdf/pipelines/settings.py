"""From the words of the command line and of Python to a Config."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..config import PRESETS, CheckpointConfig, Config, InputConfig
from ..errors import UsageError
from ..runtime.system import parse_memory
from .model_choice import model_of, with_settings

_SECTION = {
    "steps": "training",
    "time_limit": "training",
    "resolution": "extraction",
    "edge_length": "extraction",
    "keep_components": "extraction",
    "faces": "extraction",
    "trim": "extraction",
    "watertight": "extraction",
    "colors": "extraction",
    "refine": "extraction",
    "carry": "extraction",
    "normals": "supervision",
    "viewpoint": "supervision",
    "up": "supervision",
    "classes": "input",
    "crop": "input",
}
_TOP = ("seed", "device", "engine", "max_memory", "max_points", "strict")
_BOUNDS = {
    "steps": (1, 10_000_000),
    "resolution": (8, 4096),
    "faces": (4, 10**9),
    "seed": (0, 2**63 - 1),
    "max_points": (10, 10**12),
}
_CHECKPOINTS = {"checkpoint": "folder", "checkpoint_every": "every", "resume": "resume"}
_CHOICES = {
    "normals": ("auto", "file", "sensors", "estimate"),
    "colors": ("auto", "off"),
    "refine": ("auto", "off"),
}


def make_config(
    preset: str = "balanced", *, model: str | None = None, settings: Iterable[str] = (), **changes: Any
) -> Config:
    """The preset with what was asked for changed; None leaves the preset's value.

    model: NAME[:KEY=VALUE]... as model_of takes it, such as "siren:omega0=10", with the values that
    its paper published. settings: any other setting as "KEY=VALUE", such as "training.batch=8192".

    Words: steps, time_limit (seconds), resolution, edge_length (world units), trim ("auto", "off" or
    a length in world units), watertight, keep_components, faces, colors ("auto", "off"), refine
    ("auto", "off"), carry (names of scalars), normals ("auto", "file", "sensors", "estimate"),
    viewpoint (x, y, z), up ("+z", "-y", ... or x, y, z), strict, classes (numbers, or "2,6"), crop
    (x0, y0, z0, x1, y1, z1, world units), max_points, seed, device, engine, max_memory (bytes, or
    "4G"), checkpoint (a folder), checkpoint_every (seconds), resume.
    Raises UsageError.
    """
    if preset not in PRESETS:
        raise UsageError(f"unknown preset {preset!r}: one of {', '.join(PRESETS)}")
    given = {name: value for name, value in changes.items() if value is not None}
    config = replace(PRESETS[preset], checkpoint=checkpoint_config(given))
    for name, value in given.items():
        low, high = _BOUNDS.get(name, (None, None))
        if low is not None and not low <= value <= high:
            raise UsageError(f"{name.replace('_', '-')} must lie between {low} and {high}, found {value}")
        if name in ("edge_length", "time_limit") and not 0 < value < float("inf"):
            raise UsageError(f"{name.replace('_', '-')} must be positive, found {value}")
        if name in _CHOICES and value not in _CHOICES[name]:
            raise UsageError(f"{name} must be one of {', '.join(_CHOICES[name])}, found {value!r}")
        if name in _PARSED:
            value = _PARSED[name](value)
        if name in _TOP:
            config = replace(config, **{name: value})
        elif name in _SECTION:
            section = _SECTION[name]
            values = {"steps": value, "noisy_steps": None} if name == "steps" else {name: value}
            config = replace(config, **{section: replace(getattr(config, section), **values)})
        else:
            raise UsageError(
                f"unknown setting {name!r}: one of {', '.join([*_SECTION, *_TOP, *_CHECKPOINTS])}"
            )
    if model is not None:
        config = replace(config, model=model_of(model))
    config = with_settings(config, settings, (*_SECTION, *_TOP, "preset"))
    if "resolution" in given and "edge_length" in given:
        raise UsageError("give the resolution or the edge length, not both")
    if "viewpoint" in given and "up" in given:
        raise UsageError("give the viewpoint or the side that is up, not both")
    if config.extraction.watertight and not isinstance(config.extraction.trim, str):
        raise UsageError("watertight closes what trim would open: give one of them")
    return config


def checkpoint_config(given: dict[str, Any]) -> CheckpointConfig:
    """Takes the words checkpoint, checkpoint_every and resume out of those that were given.

    Raises UsageError.
    """
    words = {name: given.pop(word) for word, name in _CHECKPOINTS.items() if word in given}
    if not 0 <= words.get("every", 0) < float("inf"):
        raise UsageError(f"checkpoint-every must be seconds from 0 on, found {words['every']}")
    if "folder" in words:
        words["folder"] = str(words["folder"])
    try:
        return CheckpointConfig(**words)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _trim(value: Any) -> str | float:
    """auto, off, or a positive length."""
    if value in ("auto", "off"):
        return value
    try:
        length = float(value)
    except (TypeError, ValueError):
        length = 0.0
    if not 0 < length < float("inf"):
        raise UsageError(f"trim must be auto, off, or a positive length, found {value!r}")
    return length


def _names(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _place(value: Any, word: str = "viewpoint") -> tuple[float, ...]:
    """Three finite numbers, or their text with commas."""
    try:
        numbers = tuple(float(part) for part in _listed(value))
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
        raise UsageError(f"{word} must be three numbers, as in 1.5,0,-2, found {value!r}")
    return numbers


def _direction(value: Any) -> tuple[float, ...]:
    """An axis with its sign, or three numbers that are not all 0."""
    if isinstance(value, str) and re.fullmatch("[+-]?[xyz]", value.strip().lower()):
        sign = -1.0 if value.strip().startswith("-") else 1.0
        return tuple(sign * (axis == value.strip().lower()[-1]) for axis in "xyz")
    direction = _place(value, "up, unless it is an axis as +z or -y,")
    if not any(direction):
        raise UsageError("up must be a direction: 0,0,0 is none")
    return direction


def _classes(value: Any) -> tuple[int, ...] | None:
    try:
        return InputConfig(classes=tuple(int(str(code)) for code in _listed(value))).classes
    except (TypeError, ValueError):
        raise UsageError(f"classes must be numbers from 0 to 255, as 2,6, found {value!r}") from None


def _crop(value: Any) -> tuple[float, ...] | None:
    try:
        return InputConfig(crop=tuple(map(float, _listed(value)))).crop
    except (TypeError, ValueError):
        raise UsageError(f"crop must be six numbers, X0,Y0,Z0,X1,Y1,Z1, found {value!r}") from None


def _listed(value: Any) -> Any:
    return value.split(",") if isinstance(value, str) else value


_PARSED = {
    "trim": _trim,
    "max_memory": parse_memory,
    "carry": _names,
    "viewpoint": _place,
    "up": _direction,
    "classes": _classes,
    "crop": _crop,
}

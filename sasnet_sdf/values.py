"""Parsers of settings: from text with commas, sequences or keywords to values."""

from __future__ import annotations

import math
import re
from typing import Any

from .errors import UsageError


def _listed(value: Any) -> Any:
    return value.split(",") if isinstance(value, str) else value


def as_names(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def as_classes(value: Any) -> tuple[int, ...]:
    try:
        codes = tuple(int(str(code)) for code in _listed(value))
    except (TypeError, ValueError):
        codes = ()
    if not codes or not all(0 <= code <= 255 for code in codes):
        raise UsageError(f"classes must be numbers from 0 to 255, as 2,6, found {value!r}")
    return codes


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    """`count` finite numbers, from a sequence or from text with commas; None for anything else."""
    try:
        found = tuple(float(part) for part in _listed(value))
    except (TypeError, ValueError):
        return None
    return found if len(found) == count and all(map(math.isfinite, found)) else None


def as_crop(value: Any) -> tuple[float, ...]:
    if (box := _numbers(value, 6)) is None:
        raise UsageError(f"crop must be six numbers, X0,Y0,Z0,X1,Y1,Z1, found {value!r}")
    return box


def as_viewpoint(value: Any) -> tuple[float, ...]:
    if (place := _numbers(value, 3)) is None:
        raise UsageError(f"viewpoint must be three numbers, as in 1.5,0,-2, found {value!r}")
    return place


def as_up(value: Any) -> tuple[float, ...]:
    """An axis with its sign, or three numbers that are not all 0."""
    if isinstance(value, str) and re.fullmatch("[+-]?[xyz]", value.strip().lower()):
        sign = -1.0 if value.strip().startswith("-") else 1.0
        return tuple(sign * (axis == value.strip().lower()[-1]) for axis in "xyz")
    if (direction := _numbers(value, 3)) is None:
        raise UsageError(f"up must be an axis, as +z or -y, or three numbers, found {value!r}")
    if not any(direction):
        raise UsageError("up must be a direction, which 0,0,0 is not")
    return direction


def as_trim(value: Any) -> str | float:
    """auto, off, or a positive length."""
    if value in ("auto", "off"):
        return value
    try:
        length = float(value)
    except (TypeError, ValueError):
        length = 0.0
    if not 0 < length < math.inf:
        raise UsageError(f"trim must be auto, off, or a positive length, found {value!r}")
    return length

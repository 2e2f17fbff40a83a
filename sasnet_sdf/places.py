"""Places that users ask about: any array may be given, and one that is not finite has no value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .geometry import Array

FARTHEST = 1e100
"""A coordinate from which on a place counts as not finite: its square would come near the largest number."""


def as_places(places: Any, dim: int, name: str = "points") -> Array:
    """Coordinates (N, dim) as float64; what an array masks is NaN.

    Raises ValueError for another shape, and for what are no real numbers.
    """
    found = np.asanyarray(places)
    try:
        if found.dtype.kind not in "iufbO":
            raise TypeError
        with np.errstate(invalid="ignore"):  # a NaN that signals
            numbers = found.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        wanted = f"real numbers of the shape (N, {dim})"
        raise ValueError(f"{name} must be {wanted}, found {found.dtype}") from error
    found = np.ma.filled(numbers, np.nan)
    if found.ndim != 2 or found.shape[1] != dim:
        raise ValueError(f"{name} must have the shape (N, {dim}), found {found.shape}")
    return found


def are_finite(places: Array) -> NDArray[np.bool_]:
    """Which places (N, d) have finite coordinates, whose squares are finite too."""
    with np.errstate(over="ignore"):  # the limit, in single precision
        return np.asarray((np.abs(places) < FARTHEST).all(axis=1))


def at_finite(function: Callable[[Array], tuple[Array, ...]], places: Array) -> tuple[Array, ...]:
    """The arrays (N, ...) of reals that a function gives at places (N, d); NaN where a place is not finite.

    The function gets finite places only: compiled code would take a table's index from the others, and
    so read beyond its end.
    """
    usable = are_finite(places)
    if usable.all():
        return function(places)
    results = []
    for found in function(places[usable]):
        result = np.full((len(places), *found.shape[1:]), np.nan, found.dtype)
        result[usable] = found
        results.append(result)
    return tuple(results)

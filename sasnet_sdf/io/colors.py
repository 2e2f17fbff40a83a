"""Colors in files: in bytes, in 16-bit numbers, as reals, or all three channels packed into one number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import Array


def is_packed(name: str) -> bool:
    """Whether a column of that name holds packed colors."""
    return name.lower() in ("rgb", "rgba")


def packed_in(columns: Mapping[str, NDArray[Any]]) -> tuple[str | None, bool]:
    """The name of the column that holds packed colors, and whether all of them are lost.

    A column of one-byte numbers does not hold packed colors. The bits of an opaque color are a NaN when read
    as a float, so a text file that has `nan` there has lost the color.
    """
    name = next(filter(is_packed, columns), None)
    if name is None or columns[name].ndim != 1 or columns[name].dtype.itemsize < 4:
        return None, False
    packed = columns[name]
    lost = lost_in(packed) == len(packed)
    bits = _bits(packed)
    if not lost and (bits & 0xFFFFFF < 256).all() and bits.any():
        return None, False
    return name, lost


def lost_in(packed: NDArray[Any]) -> int:
    """How many packed colors are NaN; float32 values still have their bits, float64 ones come from text."""
    return int(np.isnan(packed).sum()) if packed.dtype == np.float64 else 0


def split_packed(columns: Mapping[str, NDArray[Any]], name: str, lost: bool) -> dict[str, NDArray[Any]]:
    """The columns with red, green and blue in place of the packed column `name`, or without it if lost."""
    rest = {other: values for other, values in columns.items() if other != name}
    if lost:
        return rest
    bits = _bits(columns[name])
    channels = (("red", 16), ("green", 8), ("blue", 0))
    return rest | {channel: (bits >> shift).astype(np.uint8) for channel, shift in channels}


def _bits(packed: NDArray[Any]) -> NDArray[np.uint32]:
    """The four bytes of each packed color.

    A whole number, also one stored as a float, is the color itself; any other float is read as float32 bits.
    """
    if packed.dtype.kind != "f":
        return packed.astype(np.uint32)
    whole = (packed == np.rint(packed)) & (np.abs(packed) >= 1) & (np.abs(packed) < 2**32)
    bits = np.nan_to_num(packed, nan=0.0) if packed.dtype == np.float64 else packed
    bits = bits.astype(np.float32).view(np.uint32)
    bits[whole] = packed[whole].astype(np.int64).astype(np.uint32)
    return bits


def as_colors(values: NDArray[Any], most: int | None = None) -> NDArray[np.uint8]:
    """Colors (N, 3) as uint8 from bytes, from 16-bit numbers, or from reals of 0..1 or 0..255.

    most: the nominal maximum of a channel; None: what `brightest` finds in these values.
    """
    if values.dtype == np.uint8:
        return values
    reals = _without_gaps(values) * 255 / (brightest(values) if most is None else most)
    return np.rint(reals.clip(0, 255)).astype(np.uint8)


def brightest(values: NDArray[Any]) -> int:
    """The nominal maximum of a channel of colors (N, 3): 1, 255 or 65535.

    Reals are taken as 0..1 where 99 in 100 are below 2, and whole numbers as 16-bit where one is above
    twice 255. The tolerance is for lamps and splats, which may be brighter than the nominal maximum.
    """
    if values.dtype == np.uint8:
        return 255
    reals = _without_gaps(values)
    largest = reals.max(initial=0.0)
    if values.dtype.kind == "f" and (largest <= 1 or _are_shares(reals)):
        return 1
    return 65535 if largest > 2 * 255 else 255


def _without_gaps(values: NDArray[Any]) -> Array:
    return np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)


def _are_shares(values: NDArray[Any]) -> bool:
    return bool(np.any(values != np.rint(values)) and np.quantile(values, 0.99) < 2)

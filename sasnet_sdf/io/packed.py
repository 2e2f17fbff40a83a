"""Colors that are packed into one number, 0xAARRGGBB, as the Point Cloud Library has them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def is_packed(name: str) -> bool:
    """Whether a column of that name holds packed colors."""
    return name.lower() in ("rgb", "rgba")


def unpacked(columns: Mapping[str, NDArray]) -> tuple[dict[str, NDArray], list[str]]:
    """The columns with red, green and blue for a column rgb or rgba, and a note on colors that are not there.

    A column of numbers of one byte is none of colors. An opaque color is NaN as a float: a text that
    says so has lost it.
    """
    columns = dict(columns)
    name = next(filter(is_packed, columns), None)
    if name is None or columns[name].ndim != 1 or columns[name].dtype.itemsize < 4:
        return columns, []
    packed = columns[name]
    # of float32 the bits are there; float64 are numbers from a text
    lost = int(np.isnan(packed).sum()) if packed.dtype == np.float64 else 0
    notes = [f"{lost} of {len(packed)} colors are written as nan and were lost"] if lost else []
    bits = _bits(packed)
    if lost < len(packed) and (bits & 0xFFFFFF < 256).all() and bits.any():
        return columns, []
    del columns[name]
    if lost == len(packed):
        return columns, notes
    channels = (("red", 16), ("green", 8), ("blue", 0))
    return columns | {name: (bits >> shift).astype(np.uint8) for name, shift in channels}, notes


def _bits(packed: NDArray) -> NDArray[np.uint32]:
    """The four bytes of integers, of floats that are whole numbers, or of the floats that they make up."""
    if packed.dtype.kind != "f":
        return packed.astype(np.uint32)
    whole = (packed == np.rint(packed)) & (np.abs(packed) >= 1) & (np.abs(packed) < 2**32)
    bits = np.nan_to_num(packed, nan=0.0) if packed.dtype == np.float64 else packed
    bits = bits.astype(np.float32).view(np.uint32)
    bits[whole] = packed[whole].astype(np.int64).astype(np.uint32)
    return bits

"""Points along a Z-curve: what is near in space becomes near in memory."""

from __future__ import annotations

import numpy as np

from ..geometry import Array

# magic numbers that spread the low 21 bits of a word three apart, a halving at a time
_SPREAD = (
    (32, 0x1F00000000FFFF),
    (16, 0x1F0000FF0000FF),
    (8, 0x100F00F00F00F00F),
    (4, 0x10C30C30C30C30C3),
    (2, 0x1249249249249249),
)


def morton_code(points: Array, bits: int = 10) -> np.ndarray:
    """The places (N,) int64 of points (N, 3) of the unit cube along a Z-curve of 2**bits steps an axis."""
    half = 1 << (bits - 1)
    code = np.zeros(len(points), np.int64)
    for axis in range(3):
        step = np.clip((points[:, axis] + 1) * half, 0, 2 * half - 1).astype(np.int64)
        for shift, mask in _SPREAD:
            step |= step << shift
            step &= mask
        code |= step << axis
    return code


def morton_order(points: Array, bits: int = 21) -> np.ndarray:
    """The indices (N,) that sort points (N, 3) of the unit cube along a Z-curve; ties keep their order."""
    index_bits = max(len(points) - 1, 1).bit_length()
    bits = min(bits, (63 - index_bits) // 3)
    # the index in the low bits makes the order stable, and one plain sort does it all
    key = morton_code(points, bits) << index_bits | np.arange(len(points))
    key.sort()
    return key & ((1 << index_bits) - 1)

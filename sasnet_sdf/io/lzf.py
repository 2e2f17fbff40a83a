"""LZF, the compression inside binary_compressed PCD files (M. Lehmann's LibLZF stream format)."""

from __future__ import annotations

from ..kernels import kept


@kept()
def decompress(source, target):  # pragma: no cover - compiled
    """Fill `target` from `source`, both uint8 arrays; the bytes written, or -1 where the stream is damaged.

    A control byte below 32 is followed by that many literals and one; any other holds the length of
    a copy, less two, in its upper three bits (7: a further byte adds to it) and the upper five bits
    of its distance, less one, in the lower.
    """
    here = there = 0
    while here < source.size:
        control = int(source[here])
        here += 1
        if control < 32:
            length = control + 1
            if here + length > source.size or there + length > target.size:
                return -1
            for k in range(length):
                target[there + k] = source[here + k]
            here += length
        else:
            length = control >> 5
            if here + (length == 7) >= source.size:
                return -1
            if length == 7:
                length += int(source[here])
                here += 1
            length += 2
            back = there - ((control & 31) << 8) - int(source[here]) - 1
            here += 1
            if back < 0 or there + length > target.size:
                return -1
            for k in range(length):
                target[there + k] = target[back + k]
        there += length
    return there

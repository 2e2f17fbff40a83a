"""Which points were seen from the side that a surface faces."""

from __future__ import annotations

from .compiled import part

BEHIND = -0.1
"""The cosine below which a point was seen from behind, so that it is of another sheet."""


@part
def of_one_side(axes, i, facing, found, count):
    """Move to the front those of `found` that were seen from the side that axis i of (3 N,) points to."""
    kept = 0
    for k in range(count):
        if along(axes, i, facing, found[k]) >= BEHIND:
            found[kept] = found[k]
            kept += 1
    return kept


@part
def along(axes, i, facing, j):
    """The cosine between axis i of (3 N,) and the side that point j was seen from."""
    total = 0.0
    for a in range(3):
        total += axes[3 * i + a] * facing[3 * j + a]
    return total

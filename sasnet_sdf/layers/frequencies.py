"""The frozen integer frequencies of the first layer (Novello et al., TUNER; Feng et al. 2026)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_VECTORS = 2_000_000
"""Integer vectors up to the band, all of which are laid out before some are drawn: 48 MB in 3-D."""


def draw_frequencies(
    dim: int, width: int, low: int, band: int, low_share: float, bands: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Integer frequency vectors (width, dim) and the band of each (width,), -1 for the low group.

    The low group is the unit vectors and vectors from the box max|k| <= low; the rest is spread
    evenly over `bands` equal ranges of max|k| up to `band`, rising. One of k and -k is kept, as
    they differ by a phase only. Raises ValueError where a range holds too few vectors, or too many.
    """
    if not 1 <= low <= band or (2 * band + 1) ** dim > MOST_VECTORS:
        raise ValueError(f"frequencies up to {low} and {band} cannot be drawn in {dim} dimensions")
    axes = np.eye(dim, dtype=np.int64)
    lowest = _half_space(dim, 0, low)
    lowest = lowest[np.abs(lowest).sum(1) > 1]
    low_count = max(dim, round(width * low_share))
    rows = [axes, _draw(lowest, low_count - dim, rng)]
    of_band = [np.full(low_count, -1)]
    edges = np.round(np.linspace(low, band, bands + 1)).astype(int)
    for number, share in enumerate(np.array_split(np.arange(width - low_count), bands)):
        rows.append(_draw(_half_space(dim, edges[number], edges[number + 1]), len(share), rng))
        of_band.append(np.full(len(share), number))
    return np.concatenate(rows), np.concatenate(of_band).astype(np.int64)


def _half_space(dim: int, above: int, up_to: int) -> NDArray[np.int64]:
    """Every integer vector with above < max|k| <= up_to whose first non-zero entry is positive."""
    axis = np.arange(-up_to, up_to + 1)
    k = np.stack(np.meshgrid(*[axis] * dim, indexing="ij"), -1).reshape(-1, dim)
    k = k[len(k) // 2 + 1 :]  # lexicographic order: the second half has a positive leading entry
    return k[np.abs(k).max(1) > above]


def _draw(candidates: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    if count > len(candidates):
        raise ValueError(f"{count} frequencies asked of a range that holds {len(candidates)}: widen the band")
    return candidates[np.sort(rng.choice(len(candidates), count, replace=False))]

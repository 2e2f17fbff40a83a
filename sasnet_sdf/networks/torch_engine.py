"""The reference of the hash grid in plain torch: any device, any floating type, twice differentiable."""

from __future__ import annotations

from functools import lru_cache, reduce
from operator import mul, xor
from typing import NamedTuple

import torch
from torch import Tensor

from .hash_grid import PRIMES, GridLayout


def encode(points: Tensor, table: Tensor, layout: GridLayout, interpolation: str) -> Tensor:
    """Features (levels * F, N) of points (N, d) in [-1, 1] from a table (entries, F).

    Rows run level after level, the F features of a level side by side. Points outside the cube
    take the value of its border, where the gradient by the point is zero.
    """
    of = _constants(layout, points.device)
    unit = (points.clamp(-1, 1) + 1) / 2
    position = unit * of.scales.to(points.dtype)[:, None, None] + 0.5  # (L, N, d)
    cell = position.detach().floor()
    fraction = position - cell
    upper = fraction * fraction * (3 - 2 * fraction) if interpolation == "smoothstep" else fraction

    axes = torch.arange(layout.dim, device=points.device)
    corners = (torch.arange(2**layout.dim, device=points.device)[:, None] >> axes) & 1  # (2^d, d)
    factors = torch.where(corners.bool(), upper[:, :, None], 1 - upper[:, :, None])
    weights = reduce(mul, factors.unbind(-1))  # (L, N, 2^d)

    rows = _rows(cell.long()[:, :, None] + corners, of)
    entries = table.index_select(0, rows.flatten()).view(*rows.shape, table.shape[1])
    # not einsum: on a GPU its products of tiny matrices take longer than all the rest
    return (weights[..., None] * entries).sum(2).transpose(1, 2).flatten(0, 1)


class _Constants(NamedTuple):
    """A layout's numbers on a device, each for all levels (L, 1, 1) but for the scales (L,)."""

    scales: Tensor
    strides: tuple[Tensor, ...]
    hashed: Tensor
    sizes: Tensor
    offsets: Tensor


@lru_cache(maxsize=16)
def _constants(layout: GridLayout, device: torch.device) -> _Constants:
    def per_level(values) -> Tensor:
        return torch.as_tensor(values, device=device).view(-1, 1, 1)

    strides = tuple(per_level(layout.resolutions**axis) for axis in range(layout.dim))
    sizes = layout.offsets[1:] - layout.offsets[:-1]
    return _Constants(
        torch.as_tensor(layout.scales, device=device),
        *(strides, per_level(layout.hashed), per_level(sizes), per_level(layout.offsets[:-1])),
    )


def _rows(vertices: Tensor, of: _Constants) -> Tensor:
    """The table's row for each vertex (L, N, 2^d, d), see GridLayout."""
    terms = list(vertices.unbind(-1))
    # 64-bit products: a level's entries, where it is hashed, are a power of two, so the bits above
    # the 32nd do not reach the remainder.
    hashes = reduce(xor, [v * prime for v, prime in zip(terms, PRIMES, strict=False)])
    dense = sum(v * stride for stride, v in zip(of.strides, terms, strict=True))
    return torch.where(of.hashed, hashes, dense) % of.sizes + of.offsets

"""The reference of the hash grid in plain torch: any device, any floating type, twice differentiable."""

from __future__ import annotations

from functools import reduce
from operator import mul, xor

import torch
from torch import Tensor

from .layout import PRIMES, GridLayout


def encode(points: Tensor, table: Tensor, layout: GridLayout, interpolation: str) -> Tensor:
    """Features (levels * F, N) of points (N, d) in [-1, 1] from a table (entries, F).

    Rows run level after level, the F features of a level side by side. Points outside the cube
    take the value of its border, where the gradient by the point is zero.
    """
    unit = (points.clamp(-1, 1) + 1) / 2
    position = unit * torch.as_tensor(layout.scales).to(points)[:, None, None] + 0.5  # (L, N, d)
    cell = position.detach().floor()
    fraction = position - cell
    upper = fraction * fraction * (3 - 2 * fraction) if interpolation == "smoothstep" else fraction

    axes = torch.arange(layout.dim, device=points.device)
    corners = (torch.arange(2**layout.dim, device=points.device)[:, None] >> axes) & 1  # (2^d, d)
    factors = torch.where(corners.bool(), upper[:, :, None], 1 - upper[:, :, None])
    weights = reduce(mul, factors.unbind(-1))  # (L, N, 2^d)

    rows = _rows(cell.long()[:, :, None] + corners, layout)
    entries = table.index_select(0, rows.flatten()).view(*rows.shape, table.shape[1])
    return torch.einsum("lnc,lncf->lfn", weights, entries).flatten(0, 1)


def _rows(vertices: Tensor, layout: GridLayout) -> Tensor:
    """The table's row for each vertex (L, ..., d), see GridLayout."""

    def per_level(values) -> Tensor:
        return torch.as_tensor(values, device=vertices.device).view(-1, *[1] * (vertices.ndim - 2))

    terms = list(vertices.unbind(-1))
    # 64-bit products: a level's entries, where it is hashed, are a power of two, so the bits above
    # the 32nd do not reach the remainder.
    hashes = reduce(xor, [v * prime for v, prime in zip(terms, PRIMES, strict=False)])
    dense = sum(v * per_level(layout.resolutions**axis) for axis, v in enumerate(terms))
    index = torch.where(per_level(layout.hashed), hashes, dense)
    sizes = layout.offsets[1:] - layout.offsets[:-1]
    return index % per_level(sizes) + per_level(layout.offsets[:-1])

"""The reference of the hash grid in plain torch: any device, any float type, twice differentiable."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from .layout import PRIMES, GridLayout


def encode(points: Tensor, table: Tensor, layout: GridLayout, interpolation: str) -> Tensor:
    """Features (levels * F, N) of points (N, d) in [-1, 1] from a table (entries, F).

    Points outside are taken at the border.
    """
    unit = points.clamp(-1, 1) * 0.5 + 0.5
    rows = []
    for level in range(len(layout.scales)):
        position = unit * float(layout.scales[level]) + 0.5
        cell = position.detach().floor()
        fraction = position - cell
        if interpolation == "smoothstep":
            fraction = fraction * fraction * (3 - 2 * fraction)
        values = table[int(layout.offsets[level]) : int(layout.offsets[level + 1])]
        total = torch.zeros((), dtype=table.dtype, device=table.device)
        for corner in itertools.product((0, 1), repeat=layout.dim):
            up = torch.tensor(corner, device=points.device)
            weight = torch.where(up.bool(), fraction, 1 - fraction).prod(1)
            index = _entry(cell.long() + up, layout, level)
            total = total + weight[:, None] * values[index]
        rows.append(total.t())
    return torch.cat(rows)


def _entry(vertex: Tensor, layout: GridLayout, level: int) -> Tensor:
    """The row of the level's table for integer vertices (N, d)."""
    entries = int(layout.offsets[level + 1] - layout.offsets[level])
    index = vertex[:, 0].clone()
    stride = 1
    for axis in range(1, layout.dim):
        if layout.hashed[level]:
            index ^= vertex[:, axis] * PRIMES[axis] & 0xFFFFFFFF
        else:
            stride *= int(layout.resolutions[level])
            index += vertex[:, axis] * stride
    return index % entries

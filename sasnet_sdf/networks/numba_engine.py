"""The CPU engine of the hash grid: numba kernels under autograd, twice differentiable, float32.

Gradients with respect to the table and the points can be differentiated once more; a third derivative raises.
The engine is deterministic: the same input gives the same bits for any number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ..runtime.compiled import kept, over_ranges
from .grid_kernels import FAST, TILE, Floats, Grid, interpolate, pull_back, scatter
from .hash_grid import GridLayout

_entry = kept(nogil=True, fastmath=FAST, error_model="numpy")


@_entry
def _interpolate_tiles(first_tile, end_tile, points, tangent, along, table, grid, smooth, out):
    """out (levels * F, N) = the features, or with `along` their derivative along tangent (N, d)."""
    tile = np.empty((len(out), TILE), np.float32)
    for first in range(first_tile * TILE, min(end_tile * TILE, len(points)), TILE):
        size = min(TILE, len(points) - first)
        interpolate(points, tangent, along, first, size, table, grid, smooth, tile)
        for row in range(len(out)):
            for i in range(size):
                out[row, first + i] = tile[row, i]


@_entry
def _pull_back_tiles(first_tile, end_tile, points, tangent, along, cotangent, table, grid, smooth, out):
    """out (N, d) = the gradient of <cotangent, features> with respect to the points.

    cotangent: (levels * F, N). With `along`, the features are replaced by their derivative along tangent (N,
    d), which gives products of second derivatives and tangent.
    """
    some, tile = np.empty((len(cotangent), TILE), np.float32), np.empty((points.shape[1], TILE), np.float32)
    for first in range(first_tile * TILE, min(end_tile * TILE, len(points)), TILE):
        size = min(TILE, len(points) - first)
        for row in range(len(some)):
            for i in range(size):
                some[row, i] = cotangent[row, first + i]
        for a in range(len(tile)):
            for i in range(TILE):
                tile[a, i] = 0
        pull_back(points, tangent, along, first, size, some, table, grid, smooth, tile)
        for i in range(size):
            for a in range(len(tile)):
                out[first + i, a] = tile[a, i]


def encode(points: Tensor, table: Tensor, layout: GridLayout, interpolation: str) -> Tensor:
    """Features (levels * F, N) float32 of points (N, d) in [-1, 1] from a table (entries, F)."""
    if points.dtype != torch.float32 or table.dtype != torch.float32 or points.device.type != "cpu":
        raise TypeError(
            "the numba engine takes float32 tensors on the CPU, found points "
            f"{points.dtype} on {points.device} and a table of {table.dtype} on {table.device}"
        )
    return _Encode.apply(points.contiguous(), table, layout, interpolation == "smoothstep")


def grid_arrays(layout: GridLayout) -> Grid:
    """The layout in the form that the kernels expect."""
    return layout.scales, layout.resolutions, layout.offsets, layout.hashed


def as_array(tensor: Tensor) -> Floats:
    """A CPU tensor as a NumPy array."""
    return tensor.detach().contiguous().numpy()


def _interpolated(
    points: Tensor, tangent: Tensor | None, table: Tensor, layout: GridLayout, smooth: bool
) -> Tensor:
    out = torch.empty(len(layout.scales) * table.shape[1], len(points))
    over_ranges(
        _interpolate_tiles,
        -(-len(points) // TILE),
        *_places(points, tangent),
        *(as_array(table), grid_arrays(layout), smooth, out.numpy()),
    )
    return out


def _pulled_back(
    points: Tensor, tangent: Tensor | None, cotangent: Tensor, table: Tensor, layout: GridLayout, smooth: bool
) -> Tensor:
    out = torch.empty_like(points)
    over_ranges(
        _pull_back_tiles,
        -(-len(points) // TILE),
        *_places(points, tangent),
        *(as_array(cotangent), as_array(table), grid_arrays(layout), smooth, out.numpy()),
    )
    return out


def _places(points: Tensor, tangent: Tensor | None) -> tuple[Floats, Floats, bool]:
    """Points, tangents, and whether there are tangents, in the form that the kernels expect."""
    return as_array(points), as_array(points if tangent is None else tangent), tangent is not None


def add_scattered(
    points: Tensor, tangent: Tensor | None, cotangent: Tensor, layout: GridLayout, smooth: bool, out: Tensor
) -> Tensor:
    """out (entries, F) += the gradient of <cotangent, features> with respect to the table; returns out.

    cotangent: (levels * F, N). With a tangent (N, d), the features are replaced by their derivative along it.
    """
    over_ranges(
        scatter,
        len(layout.scales),
        *_places(points, tangent),
        *(as_array(cotangent), grid_arrays(layout), smooth, out.numpy()),
    )
    return out


class _Encode(Function):
    """y = encode(x, T)."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, table: Tensor, layout: GridLayout, smooth: bool) -> Tensor:
        ctx.save_for_backward(points, table)
        ctx.layout, ctx.smooth = layout, smooth
        return _interpolated(points, None, table, layout, smooth)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple:
        points, table = ctx.saved_tensors
        by_points = by_table = None
        if ctx.needs_input_grad[0]:
            by_points = _PullBack.apply(points, cotangent, table, ctx.layout, ctx.smooth)
        if ctx.needs_input_grad[1]:
            by_table = _Scatter.apply(points, cotangent, table, ctx.layout, ctx.smooth)
        return by_points, by_table, None, None


class _PullBack(Function):
    """g_x = (dy/dx)^T g_y."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, cotangent: Tensor, table: Tensor, layout: GridLayout, smooth: bool):
        ctx.save_for_backward(points, cotangent, table)
        ctx.layout, ctx.smooth = layout, smooth
        return _pulled_back(points, None, cotangent, table, layout, smooth)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, tangent: Tensor) -> tuple:
        points, cotangent, table = ctx.saved_tensors
        layout, smooth = ctx.layout, ctx.smooth
        by_points = by_cotangent = by_table = None
        if ctx.needs_input_grad[0]:
            by_points = _pulled_back(points, tangent, cotangent, table, layout, smooth)
        if ctx.needs_input_grad[1]:
            by_cotangent = _interpolated(points, tangent, table, layout, smooth)
        if ctx.needs_input_grad[2]:
            by_table = add_scattered(points, tangent, cotangent, layout, smooth, torch.zeros_like(table))
        return by_points, by_cotangent, by_table, None, None


class _Scatter(Function):
    """g_T = (dy/dT)^T g_y: linear in g_y, so its own derivative is an interpolation."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, cotangent: Tensor, table: Tensor, layout: GridLayout, smooth: bool):
        ctx.save_for_backward(points, cotangent)
        ctx.layout, ctx.smooth = layout, smooth
        return add_scattered(points, None, cotangent, layout, smooth, torch.zeros_like(table))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, direction: Tensor) -> tuple:
        points, cotangent = ctx.saved_tensors
        by_points = by_cotangent = None
        if ctx.needs_input_grad[0]:
            by_points = _pulled_back(points, None, cotangent, direction, ctx.layout, ctx.smooth)
        if ctx.needs_input_grad[1]:
            by_cotangent = _interpolated(points, None, direction, ctx.layout, ctx.smooth)
        return by_points, by_cotangent, None, None, None

"""The CPU engine of the hash grid: numba kernels under autograd, twice differentiable, float32.

Gradients by the table, by the points, and gradients of those gradients; a third derivative raises.
Deterministic: the same bits for the same input, whatever the number of threads.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from . import numba_kernels as kernels
from .layout import GridLayout


def encode(points: Tensor, table: Tensor, layout: GridLayout, interpolation: str) -> Tensor:
    """Features (levels * F, N) float32 of points (N, d) in [-1, 1] from a table (entries, F)."""
    if points.dtype != torch.float32 or table.dtype != torch.float32 or points.device.type != "cpu":
        raise TypeError(
            "the numba engine takes float32 tensors on the CPU, found points "
            f"{points.dtype} on {points.device} and a table of {table.dtype} on {table.device}"
        )
    return _Encode.apply(points.contiguous(), table, layout, interpolation == "smoothstep")


def _grid(layout: GridLayout) -> tuple:
    return layout.scales, layout.resolutions, layout.offsets, layout.hashed


def _features_like(points: Tensor, table: Tensor, layout: GridLayout) -> Tensor:
    return torch.empty(len(layout.scales) * table.shape[1], len(points))


def _array(tensor: Tensor) -> Any:
    return tensor.detach().contiguous().numpy()


class _Encode(Function):
    """y = encode(x, T)."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, table: Tensor, layout: GridLayout, smooth: bool) -> Tensor:
        ctx.save_for_backward(points, table)
        ctx.layout, ctx.smooth = layout, smooth
        out = _features_like(points, table, layout)
        kernels.interpolate(_array(points), _array(table), _grid(layout), smooth, out.numpy())
        return out

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
        x, out = _array(points), torch.empty_like(points)
        kernels.pull_back(
            x, _array(cotangent), x, False, _array(table), _grid(layout), smooth, out.numpy()
        )
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, tangent: Tensor) -> tuple:
        points, cotangent, table = ctx.saved_tensors
        x, v, g, t, grid = _array(points), _array(tangent), _array(cotangent), _array(table), _grid(ctx.layout)
        by_points = by_cotangent = by_table = None
        if ctx.needs_input_grad[0]:
            by_points = torch.empty_like(points)
            kernels.pull_back(x, g, v, True, t, grid, ctx.smooth, by_points.numpy())
        if ctx.needs_input_grad[1]:
            by_cotangent = _features_like(points, table, ctx.layout)
            kernels.interpolate_along(x, v, t, grid, ctx.smooth, by_cotangent.numpy())
        if ctx.needs_input_grad[2]:
            by_table = torch.zeros_like(table)
            kernels.scatter(x, g, v, True, grid, ctx.smooth, by_table.numpy())
        return by_points, by_cotangent, by_table, None, None


class _Scatter(Function):
    """g_T = (dy/dT)^T g_y: linear in g_y, so its own derivative is an interpolation."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, cotangent: Tensor, table: Tensor, layout: GridLayout, smooth: bool):
        ctx.save_for_backward(points, cotangent)
        ctx.layout, ctx.smooth = layout, smooth
        x, out = _array(points), torch.zeros_like(table)
        kernels.scatter(x, _array(cotangent), x, False, _grid(layout), smooth, out.numpy())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, direction: Tensor) -> tuple:
        points, cotangent = ctx.saved_tensors
        x, u, grid = _array(points), _array(direction), _grid(ctx.layout)
        by_points = by_cotangent = None
        if ctx.needs_input_grad[0]:
            by_points = torch.empty_like(points)
            kernels.pull_back(x, _array(cotangent), x, False, u, grid, ctx.smooth, by_points.numpy())
        if ctx.needs_input_grad[1]:
            by_cotangent = _features_like(points, direction, ctx.layout)
            kernels.interpolate(x, u, grid, ctx.smooth, by_cotangent.numpy())
        return by_points, by_cotangent, None, None, None

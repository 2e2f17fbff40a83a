"""The CUDA engine of the hash grid: tiny-cuda-nn behind the common interface, float32.

It is twice differentiable as far as losses on input gradients need it: the gradient by the points can be
differentiated again, by points, table and cotangent. Differentiating the gradient by the table raises. Table
gradients use atomic additions, so their last bits differ between runs.
"""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.func import functional_call

from .hash_grid import GridLayout


def encode(points: Tensor, table: Tensor, layout: GridLayout, interpolation: str) -> Tensor:
    """Features (levels * F, N) float32 of points (N, d) in [-1, 1] from a table (entries, F)."""
    if points.dtype != torch.float32 or table.dtype != torch.float32:
        raise TypeError(
            f"the tinycudann engine takes float32 tensors, found {points.dtype} and {table.dtype}"
        )
    encoding = _encoding(layout, interpolation, points.device)
    unit = (points.clamp(-1, 1) + 1) / 2
    return functional_call(encoding, {"params": _Flat.apply(table)}, (unit,)).t()


@lru_cache(maxsize=16)
def _encoding(layout: GridLayout, interpolation: str, device: torch.device) -> nn.Module:
    """tiny-cuda-nn's module for a layout, without parameters: the table belongs to HashGrid."""
    tinycudann = importlib.import_module("tinycudann")
    with torch.cuda.device(device):
        encoding = tinycudann.Encoding(layout.dim, settings(layout, interpolation), dtype=torch.float32)
    if encoding.params.numel() != layout.entries * layout.config.features:
        raise RuntimeError(
            f"this tiny-cuda-nn lays out the grid in {encoding.params.numel()} numbers, "
            f"not in {layout.entries * layout.config.features}: use another engine"
        )
    encoding.params = nn.Parameter(encoding.params.new_empty(0))
    return encoding


def settings(layout: GridLayout, interpolation: str) -> dict[str, Any]:
    """The encoding's settings in tiny-cuda-nn's format."""
    return {
        "otype": "HashGrid",
        "n_levels": layout.config.levels,
        "n_features_per_level": layout.config.features,
        "log2_hashmap_size": layout.config.log2_table,
        "base_resolution": layout.config.coarsest,
        "per_level_scale": float(layout.per_level_scale),
        "interpolation": interpolation.capitalize(),
    }


class _Flat(Function):
    """The table as tiny-cuda-nn's flat vector.

    tiny-cuda-nn silently omits the derivative of the table's gradient; this function raises instead.
    """

    @staticmethod
    def forward(ctx: Any, table: Tensor) -> Tensor:
        ctx.shape = table.shape
        return table.reshape(-1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.reshape(ctx.shape)

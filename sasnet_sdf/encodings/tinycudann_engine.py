"""The CUDA engine of the hash grid: tiny-cuda-nn's Encoding, fed with our table.

Written against the documented interface of its PyTorch bindings. Gradients by the table and by
the points, and gradients of the latter, are tiny-cuda-nn's own. It adds into the table with
atomics, so the last bits differ from run to run.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ..config import GridConfig
from .layout import GridLayout, level_growth


@lru_cache(maxsize=8)
def _encoding(config: GridConfig, dim: int) -> Any:
    import tinycudann  # pyright: ignore[reportMissingImports]

    settings = {
        "otype": "HashGrid",
        "n_levels": config.levels,
        "n_features_per_level": config.features,
        "log2_hashmap_size": config.log2_table,
        "base_resolution": config.coarsest,
        "per_level_scale": level_growth(config),
        "interpolation": config.interpolation.capitalize(),
    }
    return tinycudann.Encoding(dim, settings, dtype=torch.float32)


def encode(points: Tensor, table: Tensor, layout: GridLayout, config: GridConfig) -> Tensor:
    """Features (levels * F, N) float32 of points (N, d) in [-1, 1] from a table (entries, F)."""
    module = _encoding(config, layout.dim)
    if module.params.numel() != table.numel():
        raise RuntimeError(
            f"tiny-cuda-nn lays {module.params.numel()} numbers where our table has {table.numel()}"
        )
    unit = points.clamp(-1, 1) * 0.5 + 0.5
    # its parameters are ours under another shape: gradients flow to `table`
    return torch.func.functional_call(module, {"params": table.reshape(-1)}, (unit,)).t()

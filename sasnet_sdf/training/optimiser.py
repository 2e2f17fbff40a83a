"""Adam with a rate for each part of the network, warm-up, and a cosine to a fraction of the rate."""

from __future__ import annotations

import math

import torch
from torch import nn

from ..config import TrainingConfig
from .table_adam import TableAdam

BETAS, EPSILON = (0.9, 0.99), 1e-15


def schedule(fraction: float, warmup: float, final_rate: float) -> float:
    """The share of the base rate at `fraction` of the run: linear warm-up, then half a cosine."""
    if fraction < warmup:
        return (fraction + 1e-3) / (warmup + 1e-3)
    done = (fraction - warmup) / max(1 - warmup, 1e-9)
    return final_rate + (1 - final_rate) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


class Optimiser:
    """Adam (Kingma & Ba 2015) over a model's parameter groups; tables on the CPU take TableAdam."""

    def __init__(self, groups: dict[str, list[nn.Parameter]], config: TrainingConfig):
        rates = {"backbone": config.rate, "decoder": config.grid_rate, "table": config.grid_rate}
        dense, tables = [], []
        for name, parameters in groups.items():
            on_cpu = all(p.device.type == "cpu" and p.dtype == torch.float32 for p in parameters)
            group = {"params": parameters, "lr": rates[name], "base": rates[name]}
            (tables if name == "table" and on_cpu else dense).append(group)
        self._dense = torch.optim.Adam(dense, betas=BETAS, eps=EPSILON, fused=True)
        self._tables = TableAdam(tables, betas=BETAS, eps=EPSILON) if tables else None

    def step(self, share: float) -> None:
        """One update at `share` of each group's base rate; gradients are cleared after it."""
        for optimiser in filter(None, (self._dense, self._tables)):
            for group in optimiser.param_groups:
                group["lr"] = group["base"] * share
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

    def close(self) -> None:
        """The parameters go their own way: nothing of this stays attached to them."""
        if self._tables is not None:
            self._tables.close()

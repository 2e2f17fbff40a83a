"""Adam with a rate for each part of the network, warm-up, and a cosine to a fraction of the rate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numba import njit, prange
from torch import nn

from ..config import TrainingConfig

BETAS, EPSILON = (0.9, 0.99), 1e-15
_ROWS = 4096


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
        self._optimisers: list[torch.optim.Optimizer] = [
            torch.optim.Adam(dense, betas=BETAS, eps=EPSILON, fused=True)
        ]
        if tables:
            self._optimisers.append(TableAdam(tables, betas=BETAS, eps=EPSILON))

    def step(self, share: float) -> None:
        """One update at `share` of each group's base rate; gradients are cleared after it."""
        for optimiser in self._optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["base"] * share
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)


class TableAdam(torch.optim.Optimizer):
    """Adam that passes over the rows of a hash table whose gradient is zero, as tiny-cuda-nn's does.

    A batch touches few rows of a large table: the others' moments are neither decayed nor moved,
    which saves six of the seven streams of memory that dense Adam reads and writes.
    """

    def __init__(self, params: Any, betas: tuple[float, float], eps: float):
        super().__init__(params, {"lr": 1e-3, "betas": betas, "eps": eps})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is None:
                    continue
                state = self.state[table]
                if not state:
                    state.update(step=0, first=torch.zeros_like(table), second=torch.zeros_like(table))
                state["step"] += 1
                beta1, beta2 = group["betas"]
                _update_rows(
                    table.numpy(),
                    table.grad.contiguous().numpy(),
                    state["first"].numpy(),
                    state["second"].numpy(),
                    np.float32(group["lr"] / (1 - beta1 ** state["step"])),
                    np.float32(beta1),
                    np.float32(beta2),
                    np.float32(1 / math.sqrt(1 - beta2 ** state["step"])),
                    np.float32(group["eps"]),
                )


@njit(cache=True, parallel=True, fastmath={"contract", "nsz", "arcp"}, error_model="numpy")
def _update_rows(table, grad, first, second, rate, beta1, beta2, root_correction, eps):
    rows, features = table.shape
    one = np.float32(1)
    for block in prange((rows + _ROWS - 1) // _ROWS):
        for row in range(block * _ROWS, min(rows, (block + 1) * _ROWS)):
            touched = False
            for f in range(features):
                touched |= grad[row, f] != 0
            if touched:
                for f in range(features):
                    g = grad[row, f]
                    m = beta1 * first[row, f] + (one - beta1) * g
                    v = beta2 * second[row, f] + (one - beta2) * g * g
                    first[row, f] = m
                    second[row, f] = v
                    table[row, f] -= rate * m / (np.sqrt(v) * root_correction + eps)

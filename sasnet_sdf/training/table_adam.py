"""Adam for the hash grid's table: one pass over memory, rows without a gradient left as they are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numba import njit

from ..threads import over_ranges

_BLOCK = 64


class TableAdam(torch.optim.Optimizer):
    """Adam that passes over the rows of a table whose gradient is zero, as tiny-cuda-nn's does.

    A batch touches few rows of a large table: the others' moments are neither decayed nor moved.
    The compiled network adds its gradients straight to the `gradient_sums` that this gives a table,
    and the update leaves zeros there, so that no gradient is allocated, filled or copied.
    """

    def __init__(self, params: Any, betas: tuple[float, float], eps: float):
        super().__init__(params, {"lr": 1e-3, "betas": betas, "eps": eps})
        for group in self.param_groups:
            for table in group["params"]:
                table.gradient_sums = torch.zeros_like(table)
                moments = (torch.zeros_like(table), torch.zeros_like(table))
                self.state[table].update(step=0, first=moments[0], second=moments[1])

    def close(self) -> None:
        """Take the sums away again: gradients are autograd's as before."""
        for group in self.param_groups:
            for table in group["params"]:
                del table.gradient_sums

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        for group in self.param_groups:
            for table in group["params"]:
                sums, state = table.gradient_sums, self.state[table]
                if table.grad is not None:
                    sums += table.grad
                state["step"] += 1
                beta1, beta2 = group["betas"]
                over_ranges(
                    _update,
                    -(-table.numel() // _BLOCK),
                    *(array.numpy().reshape(-1) for array in (table, sums, state["first"], state["second"])),
                    np.float32(group["lr"] / (1 - beta1 ** state["step"])),
                    np.float32(beta1),
                    np.float32(beta2),
                    np.float32(1 / math.sqrt(1 - beta2 ** state["step"])),
                    np.float32(group["eps"]),
                )


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "arcp"}, error_model="numpy")
def _update(first_block, end_block, table, sums, first, second, rate, beta1, beta2, root_correction, eps):
    one, zero = np.float32(1), np.float32(0)
    for block in range(first_block, end_block):
        lo, hi = block * _BLOCK, min((block + 1) * _BLOCK, len(table))
        largest = zero
        for i in range(lo, hi):
            largest = max(largest, abs(sums[i]))
        if largest == 0:
            continue
        for i in range(lo, hi):  # no branches: this becomes vector code
            g = sums[i]
            touched = g != zero
            m = beta1 * first[i] + (one - beta1) * g
            v = beta2 * second[i] + (one - beta2) * g * g
            step = rate * m / (np.sqrt(v) * root_correction + eps)
            first[i] = m if touched else first[i]
            second[i] = v if touched else second[i]
            table[i] -= step if touched else zero
            sums[i] = zero

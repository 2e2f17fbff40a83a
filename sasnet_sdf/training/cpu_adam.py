"""Adam on the CPU: one pass over memory, and none over what a batch did not touch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..runtime.compiled import denormals_are_zero, kept, over_ranges

_BLOCK = 64
LARGE = 1 << 16
"""Size of a parameter from which its gradient is kept from step to step, and threads share the work."""


class CPUAdam:
    """Adam (Kingma & Ba 2015) that skips numbers whose gradient is zero, as tiny-cuda-nn's does.

    A batch uses few rows of a hash grid's table: the others and their moments do not change. The compiled
    network adds its gradients straight to the `gradient_sums` that this gives a large parameter, and the
    update leaves zeros there, so that no gradient is allocated, filled or copied. For float32 on the CPU.
    PyTorch's fused Adam wakes all threads for every small matrix, and its base class loads a compiler for
    more than a second. param_groups: dicts of `params` and `lr`. updates: the number of updates so far.
    """

    param_groups: list[dict[str, Any]]
    updates: int

    def __init__(self, param_groups: list[dict[str, Any]], betas: tuple[float, float], eps: float):
        self.param_groups, self._betas, self._eps, self.updates = param_groups, betas, eps, 0
        self.moments: dict[Any, tuple[Tensor, Tensor]] = {}
        for parameter in self._parameters():
            self.moments[parameter] = torch.zeros_like(parameter), torch.zeros_like(parameter)
            if parameter.numel() >= LARGE:
                parameter.gradient_sums = torch.zeros_like(parameter)

    def _parameters(self) -> list[Any]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def close(self) -> None:
        """Take the sums away again: gradients are autograd's as before."""
        for parameter in self._parameters():
            if hasattr(parameter, "gradient_sums"):
                del parameter.gradient_sums

    @torch.no_grad()
    def step(self) -> None:
        """One update from the gradients that the parameters have."""
        self.updates += 1
        beta1, beta2 = self._betas
        for group in self.param_groups:
            numbers = (
                group["lr"] / (1 - beta1**self.updates),
                *(beta1, beta2, 1 / math.sqrt(1 - beta2**self.updates), self._eps),
            )
            for parameter in group["params"]:
                gradient = self._gradient(parameter)
                if gradient is None:
                    continue
                tensors = (parameter, gradient, *self.moments[parameter])
                arguments = (*(t.numpy().reshape(-1) for t in tensors), *map(np.float32, numbers))
                blocks = -(-parameter.numel() // _BLOCK)
                if parameter.numel() >= LARGE:
                    over_ranges(_update, blocks, *arguments)
                else:
                    with denormals_are_zero():
                        _update(0, blocks, *arguments)

    def zero_grad(self) -> None:
        """Discard the gradients; the sums are zero after a step."""
        for parameter in self._parameters():
            parameter.grad = None

    def _gradient(self, parameter: Any) -> Tensor | None:
        sums, gradient = getattr(parameter, "gradient_sums", None), parameter.grad
        if sums is None:
            return None if gradient is None else gradient.contiguous()
        return sums if gradient is None else sums.add_(gradient)


@kept(nogil=True, fastmath={"contract", "nsz", "arcp"}, error_model="numpy")
def _update(
    first_block, end_block, values, gradient, first, second, rate, beta1, beta2, root_correction, eps
):
    """Update some blocks of numbers and set their gradients to zero."""
    one, zero = np.float32(1), np.float32(0)
    for block in range(first_block, end_block):
        # slices, since from 0 on the compiler knows that no index is negative, and makes vector code
        some = slice(block * _BLOCK, (block + 1) * _BLOCK)
        x, g, m, v = values[some], gradient[some], first[some], second[some]
        largest = zero
        for i in range(len(g)):
            largest = max(largest, abs(g[i]))
        if largest == zero:
            continue
        for i in range(len(g)):
            touched = np.float32(g[i] != zero)
            m[i] += touched * (one - beta1) * (g[i] - m[i])
            v[i] += touched * (one - beta2) * (g[i] * g[i] - v[i])
            x[i] -= touched * rate * m[i] / (np.sqrt(v[i]) * root_correction + eps)
            g[i] = zero
